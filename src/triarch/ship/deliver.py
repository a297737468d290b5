"""A network and what was measured of it → the folder that a user gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from triarch.core.budget import Costs
from triarch.core.files import folder_bytes, write_text
from triarch.core.results import Interval
from triarch.data.dataset import Dataset
from triarch.measure.count import params
from triarch.model import Model
from triarch.ship.artifact import CARD, GOLDEN_ITEMS, Artifact, new_config, save
from triarch.ship.card import card
from triarch.tasks.task import Task


@dataclass(frozen=True)
class Measured:
    """A score and where it comes from.

    Attributes:
        costs, limits: what the model takes and the limits on it, where they are for the card; of `costs` the bytes of
            the artifact are counted anew.
        origin: the model that it was fine-tuned from, where it was.
    """

    score: float
    interval: Interval
    n: int
    split: str
    costs: Costs | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    origin: str | None = None


def deliver(
    folder: Path, model: str, network: Model, settings: Mapping[str, Any], task: Task, dataset: Dataset,
    measured: Measured, recipe: str,
) -> None:  # fmt: skip
    """Write the artifact of a network trained on `dataset`, with its card.

    Args:
        model: architecture/size.
        settings: what differs from that size.
        recipe: the training in YAML.
    """
    name, _, size = model.partition("/")

    def words(total: int) -> str:
        costs = replace(measured.costs, artifact_bytes=total) if measured.costs else None
        return card(
            model, dataset.spec, task.primary, measured.score, measured.interval, measured.n, measured.split,
            params(network), recipe, costs, measured.limits, measured.origin,
        )  # fmt: skip

    artifact = Artifact(new_config(name, size, dict(settings), task, dataset.spec), network, task, dataset.preprocessor)
    save(artifact, folder, words(0), dataset.raw(dataset.splits["train"][:GOLDEN_ITEMS]))
    if measured.costs:
        others = folder_bytes(folder) - (folder / CARD).stat().st_size
        said, total = 0, others
        while said != total:
            said, total = total, others + len(words(total).encode())
        write_text(folder / CARD, words(total))
