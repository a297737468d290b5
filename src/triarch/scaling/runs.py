"""Small trainings across sizes and amounts of data, each to where its loss no longer falls.

Laws in D are about converged models (Hestness et al. 2017, arXiv 1712.00409; Rosenfeld et al. 2020, arXiv 1909.12673),
and so is the question here: what would more data give. So a run passes over its subset until the loss on select has not
improved for as many steps again, or its bound is reached, with averaged weights at a steady learning rate, and the
lowest loss counts; the compute axis is what it took to get there, instead of one epoch for all (Hoffmann et al. 2022,
arXiv 2203.15556), which nobody would train for on data that is scarce.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from triarch.core.errors import Interrupted
from triarch.core.files import write_text
from triarch.core.interrupt import Stop
from triarch.core.progress import Reporter
from triarch.core.record import Ledger, Record
from triarch.data.augment.augmenter import PASSES
from triarch.data.dataset import Dataset
from triarch.data.nested import first_items
from triarch.measure.count import params, training_macs
from triarch.measure.weightless import like, weightless
from triarch.model import build
from triarch.race.trial import Trial
from triarch.race.work import recipe_of, rows_of
from triarch.tasks.task import Task
from triarch.training.loop import Diverged, Trainer
from triarch.training.recipe import Recipe
from triarch.training.start import resolve

AVERAGE = 0.999
FIRST_LOOK, LOOKS, PATIENCE = 25, 1.25, 3
FEWEST_STEPS, MOST_EPOCHS = 3_000, 80
RATES, MOST_RATES, HIGHEST_RATE = 3, 6, 1.0
SEEDS = 5
SELECT_ITEMS = 2_000
COUNTED_ROWS = 64
HEARTBEAT, FITTING = 0.5, 20.0
CALIBRATING = 0.4


class TimeOver(Exception):
    """The time is over in the midst of a run, which then does not count."""


@dataclass(frozen=True)
class Sized:
    """A model of the ladder and what is known of it before it is trained.

    Attributes:
        macs: multiply–adds of training on one item of middling length.
        rates: learning rates that are tried.
    """

    model: str
    params: int
    macs: int
    rates: tuple[float, ...]

    @property
    def architecture(self) -> str:
        """Without its size."""
        return self.model.partition("/")[0]


@dataclass(frozen=True)
class Cell:
    """A training to be done: a model, so many training items, a seed and a learning rate."""

    model: str
    items: int
    seed: int
    lr: float

    @property
    def key(self) -> str:
        """Of its record."""
        return f"run/{self.model}/items={self.items}/lr={self.lr:g}/seed={self.seed}"


def counted(model: str, rates: tuple[float, float], dataset: Dataset, task: Task) -> Sized:
    """Count a model on the meta device.

    Args:
        rates: lowest and highest of its learning rates.
    """
    name, _, size = model.partition("/")
    with torch.device("meta"):
        network = build(name, size, task, dataset.spec)
    middling = np.argsort(dataset.lengths, kind="stable")[len(dataset.lengths) // 2]
    one = task.prepare(dataset.batch(np.array([middling]))).to("meta")
    with weightless(network) as twin:
        many = like(one, COUNTED_ROWS)
        macs = training_macs(twin, lambda: task.loss(twin(many), many)) // COUNTED_ROWS
    grid = tuple(float(rate) for rate in np.geomspace(*rates, RATES))
    return Sized(model, params(network), macs, grid)


def converge(
    cell: Cell, dataset: Dataset, task: Task, base: Recipe, watch: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Train on `cell.items` items until the loss on select has stopped falling; plain JSON values.

    Each seed has items of its own, the same for all models: what lies in the choice of few items would else be common
    to all runs on as many, and bend every law.

    Args:
        dataset: the whole one.
        base: what all trainings have in common.
        watch: told in words how it stands, after each step; what it raises ends the run.
    """
    part = first_items(dataset, cell.items, cell.seed)
    whole = resolve(recipe_of(base, cell.model, cell.lr, base.seed + cell.seed), dataset)
    per_epoch = max(1, cell.items // base.batch_size)
    # Counted in passes alone: begun after a number of batches, it would come for the larger amounts only.
    varied = whole.augment.model_copy(update={"after": PASSES * per_epoch})
    limits = {"steps": None, "epochs": None, "seconds": None}
    recipe = whole.model_copy(update={**limits, "average": AVERAGE, "augment": varied})
    rows = rows_of(part, "select", SELECT_ITEMS)
    title = f"{cell.model} on {cell.items:,} items, seed {cell.seed}"

    def after_step(trainer: Trainer) -> bool:
        watch(f"{title}, step {trainer.step:,}, loss {trainer.loss:.3f}")
        return False

    watch(title)
    trial = Trial(recipe, part, task)
    bound, batch = most_steps(cell.items, recipe.batch_size), min(recipe.batch_size, cell.items)
    curve: list[tuple[int, float, float]] = []
    look, settled = FIRST_LOOK, False
    try:
        while not settled and (not curve or curve[-1][0] < bound):
            trial.run(None, finish=False, steps=min(look, bound), after_step=after_step)
            scores = trial.scores(rows)
            curve.append((trial.trainer.step, scores.mean("loss"), scores.score(task.primary)))
            lowest = min(range(len(curve)), key=lambda place: curve[place][1])
            settled = len(curve) - 1 - lowest >= PATIENCE
            look = ceil(look * LOOKS)
    except Diverged as error:
        return {
            "loss": None, "score": None, "steps": error.step, "batch": batch, "settled": False,
            "seconds": trial.trainer.elapsed, "ended": error.step,
        }  # fmt: skip
    steps, loss, score = curve[lowest]
    return {
        "loss": loss, "score": score, "steps": steps, "batch": batch, "settled": settled,
        "seconds": trial.trainer.elapsed, "ended": trial.trainer.step,
    }  # fmt: skip


def most_steps(items: int, batch_size: int) -> int:
    """At which a run is ended though its loss still falls."""
    return max(FEWEST_STEPS, MOST_EPOCHS * max(1, items // batch_size))


class Runs:
    """The runs in the folder `run`; each finished one is in its ledger and never done twice.

    Args:
        base: what all trainings have in common.
        seconds: of the whole command.
        began: when it began, on the clock of `time.perf_counter`.
    """

    def __init__(
        self, run: Path, dataset: Dataset, task: Task, base: Recipe, seconds: float, reporter: Reporter, stop: Stop,
        began: float,
    ) -> None:  # fmt: skip
        self.run, self.dataset, self.task, self.base = run, dataset, task, base
        self.seconds, self.reporter, self.stop = seconds, reporter, stop
        self.ledger = Ledger(run / "records.jsonl")
        self._clock = run / "clock"
        self._offset = max(self.ledger.elapsed, self._heard()) - began
        self._beaten = 0.0

    @property
    def elapsed(self) -> float:
        """Seconds of the whole command, interruptions left out."""
        return time.perf_counter() + self._offset

    def once(self, key: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The result of `work`: from the ledger, or done now and recorded."""
        record = self.ledger.get(key)
        if record is None:
            begin = self.elapsed
            result = work()
            now = self.elapsed
            record = self.ledger.append(Record(key, result, now - begin, now, self.base.threads))
        return record.result

    def calibrate(self, sizes: Sequence[Sized], items: int) -> dict[str, float]:
        """The learning rate of each model with the lowest loss on `items` items.

        The middle one of each comes first, and stays where there is no time for others; where the best is the lowest or
        highest of those tried, the next one out is tried too. Models that always diverged, or whose turn did not come
        in time, are left out.
        """
        losses: dict[str, dict[float, float]] = {size.model: {} for size in sizes}
        until = self.elapsed + CALIBRATING * self.left

        def attempt(size: Sized, rate: float) -> None:
            cell = Cell(size.model, items, 0, rate)
            if not losses[size.model] or self.ledger.get(cell.key) or self.elapsed < until:
                with suppress(TimeOver):
                    loss = self.cell(cell)["loss"]
                    losses[size.model][rate] = np.inf if loss is None else float(loss)

        middle = RATES // 2
        for place in (middle, *(other for other in range(RATES) if other != middle)):
            for size in sizes:
                attempt(size, size.rates[place])
        for size in sizes:
            tried, step = losses[size.model], size.rates[1] / size.rates[0]
            while RATES <= (count := len(tried)) < MOST_RATES:
                best, low, high = min(tried, key=lambda rate: tried[rate]), min(tried), max(tried)
                if low < best < high or tried[best] == np.inf or high * step > HIGHEST_RATE:
                    break
                attempt(size, low / step if best == low else high * step)
                if len(tried) == count:
                    break
        found = {model: min(tried, key=lambda rate: tried[rate]) for model, tried in losses.items() if tried}
        return {model: rate for model, rate in found.items() if losses[model][rate] < np.inf}

    def fill(self, sizes: Sequence[Sized], amounts: Sequence[int], rates: dict[str, float]) -> None:
        """Run every size on every amount of data, seed after seed, as long as there is time for a run."""
        for seed in range(SEEDS):
            for items in amounts:
                for size in (size for size in sizes if size.model in rates):
                    cell = Cell(size.model, items, seed, rates[size.model])
                    if self.ledger.get(cell.key) is None and self._estimate(cell) > self.left:
                        continue
                    with suppress(TimeOver):
                        self.cell(cell)

    @property
    def left(self) -> float:
        """Seconds until the fits must begin."""
        return self.seconds - self.elapsed - min(FITTING, 0.2 * self.seconds)

    def cell(self, cell: Cell) -> dict[str, Any]:
        """The result of a run."""
        return self.once(cell.key, lambda: converge(cell, self.dataset, self.task, self.base, self.beat))

    def beat(self, note: str) -> None:
        """Tell how it stands, now and then.

        Raises:
            Interrupted: the user asked to stop.
            TimeOver: there is no time left.
        """
        if self.stop.asked:
            write_text(self._clock, f"{self.elapsed:.2f}\n")
            raise Interrupted(f"triarch scale --resume {shlex.quote(str(self.run.parent))}")
        if self.left < 0:
            raise TimeOver
        if self.elapsed - self._beaten >= HEARTBEAT:
            self._beaten = self.elapsed
            self.reporter.update(self.elapsed / self.seconds, note)

    def _estimate(self, cell: Cell) -> float:
        """Seconds that a run will take, told from those of the model on the same amount, or on the next smaller."""
        done: dict[int, list[float]] = {}
        for record in self.ledger:
            if record.key.startswith(f"run/{cell.model}/"):
                done.setdefault(int(record.key.split("items=")[1].partition("/")[0]), []).append(record.seconds)
        known = max((items for items in done if items <= cell.items), default=None)
        return 0.0 if known is None else float(np.median(done[known])) * cell.items / known

    def _heard(self) -> float:
        try:
            return float(self._clock.read_text())
        except (OSError, ValueError):
            return 0.0
