"""Who may race: every architecture and size that serves the data and keeps the limits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from triarch.core.budget import LIMITS, Budget, Costs
from triarch.core.choice import Candidate, Pretrained
from triarch.core.files import folder_bytes
from triarch.core.results import Latency, Metric
from triarch.core.types import Batch
from triarch.data.dataset import Dataset
from triarch.measure.count import macs, params, weight_bytes
from triarch.measure.front import front
from triarch.measure.states import state_bytes
from triarch.model import Model, Pair
from triarch.models import registry
from triarch.race.arms import Arm
from triarch.ship.artifact import WEIGHTS
from triarch.ship.deliver import Measured, deliver
from triarch.tasks.task import Task
from triarch.training.start import CAREFUL

# What safetensors writes about one tensor, its name included, is well below this.
BYTES_PER_TENSOR = 200
RECIPE_BYTES = 3_072
FEWEST_STEPS = 150
# Multiply–adds a second that no training here reaches; only to refuse giants without trying them.
FAST = 2e11
# No card is longer than with this.
WIDEST = Measured(
    0.1, (0.1, 0.1), 10**9, "confirm", Costs(10**9, 10**12, 10**12, Latency(123.4, 123.4)), dict.fromkeys(LIMITS, 1e12)
)
TOO_SLOW = "too slow for the time"
PRETRAINED = "pretrained"
FIRST_SIZES = ("micro", "classic", "nano", "tiny", "small", "base", "large")


@dataclass(frozen=True)
class Entry:
    """A candidate and what can be told before it is trained; `arm` says where it begins, if not with random weights."""

    architecture: registry.Architecture
    size: str
    counted: Candidate
    arm: Arm | None = None

    @property
    def model(self) -> str:
        """architecture/size, or the name of its arm."""
        return self.counted.model

    @property
    def group(self) -> str:
        """Those among which it races to the finals: its family, or all that are pretrained."""
        return self.counted.family if self.arm is None else PRETRAINED

    @property
    def learning_rates(self) -> tuple[float, float]:
        """Lowest and highest that are worth a try; what is taken over may have to be kept in the main."""
        low, high = self.architecture.learning_rates
        return (low, high) if self.arm is None else (CAREFUL * low, high)

    def trained(self, dataset: Dataset) -> Arm:
        """How it is trained, in a race on `dataset`."""
        return self.arm or Arm(self.model, self.model, dataset)


def entries(dataset: Dataset, task: Task, budget: Budget, batch_size: int, models: Collection[str]) -> list[Entry]:
    """Every one of `models`, which serve the data, counted on the meta device.

    Of those that break a limit, and of the larger ones of a ladder whose sizes have become too slow for the time, the
    multiply–adds are not counted: only parameters and bytes are told.
    """
    found = []
    names = list(dict.fromkeys(model.partition("/")[0] for model in models))
    common = _common_bytes(dataset, task, names[0])
    batch = task.prepare(dataset.batch(dataset.longest)).to("meta")
    for name in names:
        architecture = registry.find(name)
        slow = False
        for size in (size for size in architecture.sizes if f"{name}/{size}" in models):
            counted = _counted(Arm(f"{name}/{size}", f"{name}/{size}", dataset), task, budget, common, batch, slow)
            slow = slow or least_step_seconds(counted.macs or 0, batch_size) * FEWEST_STEPS > budget.seconds
            found.append(Entry(architecture, size, counted))
    return found


def entries_of(begun: Iterable[Arm], task: Task, budget: Budget) -> list[Entry]:
    """Those that begin with artifacts, counted likewise."""
    found = []
    for arm in begun:
        batch = task.prepare(arm.dataset.batch(arm.dataset.longest)).to("meta")
        counted = _counted(
            arm, task, budget, _common_bytes(arm.dataset, task, arm.architecture.name), batch, slow=False
        )
        counted.pretrained = Pretrained(str(arm.begin), arm.spent, counted=False)
        found.append(Entry(arm.architecture, arm.model.partition("/")[2], counted, arm))
    return found


def _counted(arm: Arm, task: Task, budget: Budget, common: int, batch: Batch, slow: bool) -> Candidate:
    """What can be told of a candidate without its weights.

    Args:
        common: bytes of its artifact besides these.
        batch: one item, on the meta device.
        slow: whether it is known to be too slow, so that no more is worth counting.
    """
    with torch.device("meta"):
        model = arm.build(task)
    counted = Candidate(
        model=arm.name,
        family=arm.architecture.family,
        params=params(model),
        macs=None,
        artifact_bytes=common + weight_bytes(model) + BYTES_PER_TENSOR * len(model.state_dict()),
    )
    least = Costs(counted.params, counted.artifact_bytes, weight_bytes(model))
    if not slow and not budget.broken_by(least):
        counted.macs = macs(model, lambda: model(batch))
        if task.causal or isinstance(model, Pair):
            counted.state_bytes = _remembered(model, batch)
    return counted


def _remembered(model: Model, batch: Batch) -> int | None:
    """Bytes of the state after the item in `batch`; all is on the meta device."""
    with torch.no_grad():
        state = model.remembered(batch)
    return None if state is None else state_bytes(state)


def least_step_seconds(macs: int, batch_size: int) -> float:
    """What a training step takes at the very least."""
    return 3 * macs * batch_size / FAST


def in_order(family: list[Entry], first: Collection[str] = ()) -> list[Entry]:
    """A family's candidates, the first to race first: every architecture once before any a second time.

    Those of the same size stay as they are.

    Args:
        first: models that come before all others.
    """
    rank = {size: number for number, size in enumerate(FIRST_SIZES)}
    ladders: dict[str, list[Entry]] = {}
    for entry in sorted(family, key=lambda entry: (entry.model not in first, rank.get(entry.size, len(rank)))):
        ladders.setdefault(entry.architecture.name, []).append(entry)
    rounds = zip_longest(*ladders.values())
    return [entry for members in rounds for entry in members if entry is not None]


def mark_front(candidates: Sequence[Candidate], metric: Metric) -> None:
    """Set `on_front` of those that raced and that no other beats in score and costs together."""
    raced = [one for one in candidates if one.score is not None]
    points = [
        (
            -metric.gain(one.score or 0.0), one.latency_ms.p95 if one.latency_ms else None, one.artifact_bytes,
            one.peak_memory_bytes,
        )
        for one in raced
    ]  # fmt: skip
    for place in front(points):
        raced[place].on_front = True


def save_untrained(arm: Arm, task: Task, folder: Path) -> None:
    """The artifact as it will be, but with weights as they are drawn: its cost does not depend on them."""
    deliver(folder, arm.model, arm.build(task), arm.settings, task, arm.dataset, WIDEST, "-" * RECIPE_BYTES)


def _common_bytes(dataset: Dataset, task: Task, name: str) -> int:
    """Bytes of an artifact of this data besides the weights, told from that of the architecture `name`."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model = f"{name}/{next(iter(registry.find(name).sizes))}"
        save_untrained(Arm(model, model, dataset), task, folder)
        return folder_bytes(folder) - (folder / WEIGHTS).stat().st_size
