"""Who may race: every architecture and size that serves the data and keeps the limits."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from triarch.core.budget import Budget
from triarch.core.errors import InputError
from triarch.core.files import folder_bytes
from triarch.core.results import Candidate
from triarch.data.dataset import Dataset
from triarch.measure.count import macs, params, weight_bytes
from triarch.model import build
from triarch.models import registry
from triarch.ship.artifact import WEIGHTS
from triarch.ship.deliver import Measured, deliver
from triarch.tasks.task import Task

# What safetensors writes about one tensor, its name included, is well below this.
BYTES_PER_TENSOR = 200
RECIPE_BYTES = 3_072
FEWEST_STEPS = 150
# Multiply–adds a second that no training here reaches; only to refuse giants without trying them.
FAST = 2e11
TOO_SLOW = "too slow for the time"
FIRST_SIZES = ("micro", "classic", "nano", "tiny", "small", "base", "large")


@dataclass(frozen=True)
class Entry:
    """A candidate and what can be told before it is trained."""

    architecture: registry.Architecture
    size: str
    counted: Candidate

    @property
    def model(self) -> str:
        """architecture/size."""
        return self.counted.model


def entries(
    dataset: Dataset, task: Task, seconds: float, batch_size: int, max_params: int | None = None
) -> list[Entry]:
    """Every architecture and size that serves the data, counted on the meta device.

    Of a ladder whose sizes have become too slow for `seconds` the larger ones are not counted any more, nor are those
    with more than `max_params`: only their parameters are told. Counting all takes seconds.
    """
    found = []
    common = _common_bytes(dataset, task)
    batch = dataset.batch(dataset.longest).to("meta")
    for name in registry.names():
        architecture = registry.find(name)
        if dataset.spec.modality in architecture.lacks:
            continue
        slow = False
        for size in architecture.sizes:
            with torch.device("meta"):
                model = build(name, size, task, dataset.spec)
            large = max_params is not None and params(model) > max_params
            count = None if slow or large else macs(model, lambda model=model: model(batch))  # type: ignore[misc]
            slow = slow or least_step_seconds(count or 0, batch_size) * FEWEST_STEPS > seconds
            counted = Candidate(
                model=f"{name}/{size}",
                family=architecture.family,
                params=params(model),
                macs=count,
                artifact_bytes=common + weight_bytes(model) + BYTES_PER_TENSOR * len(model.state_dict()),
            )
            found.append(Entry(architecture, size, counted))
    return found


def within(budget: Budget, all_entries: list[Entry]) -> list[Entry]:
    """Those that keep the limits; the others are told why they do not.

    Raises:
        InputError: none does; it names the nearest.
    """
    allowed = []
    for entry in all_entries:
        broken = budget.broken_by(entry.counted.params, entry.counted.artifact_bytes or 0)
        if broken:
            entry.counted.status, entry.counted.reason = "over budget", broken
        elif entry.counted.macs is None:
            entry.counted.reason = TOO_SLOW
        else:
            allowed.append(entry)
    if not allowed:
        nearest = min(all_entries, key=lambda entry: _excess(budget, entry.counted))
        raise InputError(
            f"no model keeps the limits; the nearest is {nearest.model} with {nearest.counted.params:,} parameters"
            f" and {nearest.counted.artifact_bytes:,} bytes",
            f"raise the limit: --max-params {nearest.counted.params} --max-size {nearest.counted.artifact_bytes}",
        )
    return allowed


def least_step_seconds(macs: int, batch_size: int) -> float:
    """What a training step takes at the very least."""
    return 3 * macs * batch_size / FAST


def in_order(family: list[Entry]) -> list[Entry]:
    """A family's candidates, the first to race first: every architecture once before any a second time.

    Those of the same size stay as they are.
    """
    rank = {size: number for number, size in enumerate(FIRST_SIZES)}
    ladders: dict[str, list[Entry]] = {}
    for entry in sorted(family, key=lambda entry: rank.get(entry.size, len(rank))):
        ladders.setdefault(entry.architecture.name, []).append(entry)
    rounds = zip_longest(*ladders.values())
    return [entry for members in rounds for entry in members if entry is not None]


def save_untrained(model: str, dataset: Dataset, task: Task, folder: Path) -> None:
    """The artifact as it will be, but with weights as they are drawn: its cost does not depend on them."""
    name, _, size = model.partition("/")
    network = build(name, size, task, dataset.spec)
    widest = Measured(0.1, (0.1, 0.1), 10**9, "confirm")
    deliver(folder, model, network, {}, task, dataset, widest, "-" * RECIPE_BYTES)


def _common_bytes(dataset: Dataset, task: Task) -> int:
    """Bytes of an artifact of this data besides the weights."""
    name = next(name for name in registry.names() if dataset.spec.modality not in registry.find(name).lacks)
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        save_untrained(f"{name}/{next(iter(registry.find(name).sizes))}", dataset, task, folder)
        return folder_bytes(folder) - (folder / WEIGHTS).stat().st_size


def _excess(budget: Budget, counted: Candidate) -> float:
    """By which factor the worst limit is broken."""
    return max(
        counted.params / budget.max_params if budget.max_params else 0,
        (counted.artifact_bytes or 0) / budget.max_size if budget.max_size else 0,
    )
