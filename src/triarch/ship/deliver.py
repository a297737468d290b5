"""A network and what was measured of it → the folder that a user gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triarch.core.results import Interval
from triarch.data.dataset import Dataset
from triarch.measure.count import params
from triarch.model import Model
from triarch.ship.artifact import GOLDEN_ITEMS, Artifact, new_config, save
from triarch.ship.card import card
from triarch.tasks.task import Task


@dataclass(frozen=True)
class Measured:
    """A score and where it comes from."""

    score: float
    interval: Interval
    n: int
    split: str


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
    text = card(
        model, dataset.spec, task.primary, measured.score, measured.interval, measured.n, measured.split,
        params(network), recipe,
    )  # fmt: skip
    artifact = Artifact(new_config(name, size, dict(settings), task, dataset.spec), network, task, dataset.preprocessor)
    save(artifact, folder, text, dataset.source.take(dataset.splits["train"][:GOLDEN_ITEMS]))
