"""The race: successive halving inside each family, then finals on several seeds.

Jamieson, Talwalkar 2016, "Non-stochastic best arm identification and hyperparameter optimization" (arXiv 1502.07943),
with one survivor for each family, because early scores mislead across families. Trials run in the stable phase of their
schedule and are scored by an average of their weights, so that a rung pauses one and the next goes on with it.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter
from safetensors.torch import save as save_tensors

from triarch.core.budget import Budget
from triarch.core.errors import Interrupted
from triarch.core.files import write_bytes, write_text
from triarch.core.interrupt import Stop
from triarch.core.machine import cores
from triarch.core.progress import Reporter
from triarch.core.record import Ledger, Record
from triarch.core.results import Metric
from triarch.data.dataset import Dataset
from triarch.measure.statistics import score_interval
from triarch.race.candidates import Entry
from triarch.race.plan import Finals, Heat, heats, plan_finals, reserve, threads
from triarch.race.trial import Trial
from triarch.tasks.task import Task
from triarch.training.loop import Diverged, Trainer
from triarch.training.recipe import Recipe
from triarch.training.start import finished

RUNG_ITEMS, PROBE_ITEMS = 2_000, 256
TRIAL_AVERAGE = 0.99
CURVE_POINTS = 12
CURVE_SHARE = 0.1
HEARTBEAT = 0.5


@dataclass(frozen=True)
class Finalist:
    """A family's survivor: its model and learning rate."""

    model: str
    family: str
    lr: float


class Race:
    """A race in the folder `run`; every finished piece of work is in its ledger and never done twice.

    Args:
        base: what all trainings have in common.
    """

    def __init__(
        self, run: Path, budget: Budget, dataset: Dataset, task: Task, base: Recipe,
        reporter: Reporter, stop: Stop, began: float,
    ) -> None:  # fmt: skip
        self.run, self.budget, self.dataset, self.task, self.base = run, budget, dataset, task, base
        self.reporter, self.stop = reporter, stop
        self.ledger = Ledger(run / "records.jsonl")
        self._clock = run / "clock"
        self._offset = max(self.ledger.elapsed, self._heard()) - began
        self._beat = 0.0
        self._trials: dict[str, Trial] = {}

    @property
    def elapsed(self) -> float:
        """Seconds of the whole command, interruptions left out."""
        return time.perf_counter() + self._offset

    @property
    def left(self) -> float:
        """Seconds until the end must be prepared."""
        return self.budget.seconds - reserve(self.budget) - self.elapsed

    def once(self, key: str, work: Callable[[], dict[str, Any]], needs: Sequence[Path] = ()) -> dict[str, Any]:
        """The result of `work`: from the ledger, or done now and recorded.

        Args:
            needs: files that the work leaves; where one is gone, the work is not done.
        """
        record = self.ledger.get(key)
        if record is None or not all(path.exists() for path in needs):
            begin = self.elapsed
            result = work()
            self.check()
            now = self.elapsed
            record = self.ledger.append(Record(key, result, now - begin, now, self.base.threads))
        return record.result

    def check(self) -> None:
        """Stop here if the user asked for it.

        Raises:
            Interrupted: with the command that goes on.
        """
        if self.stop.asked:
            write_text(self._clock, f"{self.elapsed:.2f}\n")
            raise Interrupted(f"triarch choose --resume {shlex.quote(str(self.run.parent))}")

    def settle_threads(self, entries: list[Entry], given: int | None) -> None:
        """Use the threads that were asked for, else as many as prove useful."""

        def attempt() -> dict[str, Any]:
            return {"threads": given or threads(entries, self.dataset, self.task, self.base, cores())}

        self.base = self.base.model_copy(update=self.once("threads", attempt))

    def heats(self, entries: list[Entry], seconds: float) -> list[Heat]:
        """The plan of the halving."""

        def make() -> dict[str, Any]:
            planned = heats(entries, self.dataset, self.task, self.base, seconds)
            reasons = {entry.model: entry.counted.reason for entry in entries if entry.counted.reason}
            return {"heats": [asdict(heat) for heat in planned], "reasons": reasons}

        plan = self.once("plan", make)
        for entry in entries:
            entry.counted.reason = plan["reasons"].get(entry.model, "")
        return TypeAdapter(list[Heat]).validate_python(plan["heats"])

    def halve(self, heat: Heat) -> Finalist | None:
        """Run a family's trials down to one; None where every one diverged."""
        alive = [(model, rate) for model in heat.models for rate in heat.rates[model]]
        scored: dict[tuple[str, float], list[dict[str, Any]]] = {trial: [] for trial in alive}
        for number, count in enumerate(heat.rungs):
            slot, last = heat.seconds / len(heat.rungs) / count, number + 1 == len(heat.rungs)
            for model, rate in alive:
                work = partial(self._rung, model, rate, number, slot, last)
                result = self.once(trial_key(heat.family, model, rate, number), work)
                # A rung goes on with the training before; on folds it is another one, and all of them count.
                scored[model, rate] = [*(scored[model, rate] if self.dataset.folds else []), result]
            ranked = sorted(alive, key=lambda trial: _rank(scored[trial], self.task.primary), reverse=True)
            survivors = heat.rungs[number + 1] if not last else 1
            for model, rate in ranked[survivors:]:
                self._drop(model, rate)
            alive = [trial for trial in ranked[:survivors] if scored[trial][-1]["score"] is not None]
        if not alive:
            return None
        self._drop(*alive[0])
        return Finalist(alive[0][0], heat.family, alive[0][1])

    def plan_finals(self, finalists: list[Finalist]) -> Finals:
        """How many seeds, how long, and how many items of select and confirm there is time to evaluate."""

        def make() -> dict[str, Any]:
            cost = max(self._item_seconds(finalist) for finalist in finalists)
            return asdict(
                plan_finals(self.left, len(finalists), cost, len(self.rows("select")), len(self.rows("confirm")))
            )

        return Finals(**self.once("finals", make))

    def finals(self, finalists: list[Finalist], plan: Finals) -> dict[str, list[dict[str, Any]]]:
        """Train each finalist from scratch on fresh seeds, all for the same time; model → results."""
        runs = [(finalist, seed) for seed in range(1, plan.seeds + 1) for finalist in finalists]
        results: dict[str, list[dict[str, Any]]] = {finalist.model: [] for finalist in finalists}
        for position, (finalist, seed) in enumerate(runs):
            slot = min(plan.slot, (self.left - plan.closing) / (len(runs) - position))
            work = partial(self._final, finalist, seed, slot, plan.select)
            record = self.ledger.get(final_key(finalist.model, seed))
            leaves = [self.weights_path(finalist.model, seed)] if record is None or record.result["score"] else []
            results[finalist.model].append(self.once(final_key(finalist.model, seed), work, leaves))
        return results

    def rows(self, split: str, most: int | None = None, fold: int | None = None) -> NDArray[np.int64]:
        """The items of a split, or `most` of them drawn by lot, always the same."""
        rows = self.dataset.folded(fold).rows(split)
        if most is None or len(rows) <= most:
            return rows
        return np.sort(np.random.default_rng(0).permutation(rows)[:most])

    def fold(self, seed: int) -> int | None:
        """The fold on which a seed's final is run, the last ones first; None: there are none."""
        return -seed % len(self.dataset.folds) if self.dataset.folds else None

    def strata(self, rows: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """The groups of the items `rows` over which the primary metric is averaged first."""
        return self.dataset.source.labels[rows] if self.task.primary.by_class else None

    def weights_path(self, model: str, seed: int) -> Path:
        """Where a final left its weights."""
        return self.run / "finals" / f"{model.replace('/', '-')}-{seed}.safetensors"

    def _rung(self, model: str, rate: float, number: int, slot: float, last: bool) -> dict[str, Any]:
        self._say(f"{model}, learning rate {rate:.2g}")
        key, fold = f"{model}@{rate:.3g}", number if self.dataset.folds else None
        if fold is not None or key not in self._trials:
            changes = {"average": TRIAL_AVERAGE, "fold": fold}
            recipe = self._recipe(model, rate, self.base.seed).model_copy(update=changes)
            self._trials[key] = Trial(recipe, self.dataset, self.task)
            if number and fold is None:
                self._trials[key].load(self._checkpoint(model, rate, number - 1))
        trial, rows = self._trials[key], self.rows("select", RUNG_ITEMS, fold)
        evaluation = self._evaluation_seconds(trial, rows)
        try:
            trial.run(trial.trainer.elapsed + max(0.1, slot - evaluation), finish=False, after_step=self._after_step)
        except Diverged as error:
            return {"score": None, "loss": None, "steps": error.step, "interval": None,
                    "status": str(error).splitlines()[0]}  # fmt: skip
        self.check()
        scores = trial.scores(rows)
        if not last and fold is None:
            trial.save(self._checkpoint(model, rate, number))
        metric = self.task.primary
        return {
            "score": scores.score(metric), "loss": scores.mean("loss"), "steps": trial.trainer.step,
            "interval": score_interval(scores.metrics[metric.name], scores.strata(metric)), "status": "",
        }  # fmt: skip

    def _final(self, finalist: Finalist, seed: int, slot: float, items: int) -> dict[str, Any]:
        self._say(f"final of {finalist.model}, seed {seed}")
        begin = time.perf_counter()
        recipe = self._recipe(finalist.model, finalist.lr, self.base.seed + seed)
        fold = self.fold(seed)
        recipe, rows = (
            recipe.model_copy(update={"seconds": max(slot, 0.1), "fold": fold}),
            self.rows("select", items, fold),
        )
        trial = Trial(recipe, self.dataset, self.task)
        evaluation = self._evaluation_seconds(trial, rows)
        time_to_train = max(0.1, slot - (time.perf_counter() - begin) - evaluation)
        curve: list[tuple[float, float]] = []

        def after_step(trainer: Trainer) -> bool:
            affordable = CURVE_POINTS * evaluation < CURVE_SHARE * slot
            if affordable and len(curve) < CURVE_POINTS * trainer.elapsed / slot:
                curve.append((trainer.elapsed, trial.scores(rows).score(self.task.primary)))
            return self._after_step(trainer)

        nothing = {"seed": seed, "score": None, "loss": None, "steps": 0, "curve": curve, "values": []}
        try:
            trial.run(time_to_train, finish=True, deadline=1.03 * time_to_train, after_step=after_step)
        except Diverged as error:
            return nothing | {"steps": error.step, "status": str(error).splitlines()[0]}
        self.check()
        scores = trial.scores(rows)
        metric = self.task.primary
        curve.append((trial.trainer.elapsed, scores.score(metric)))
        tensors = {name: value.contiguous() for name, value in trial.trainer.result.state_dict().items()}
        write_bytes(self.weights_path(finalist.model, seed), save_tensors(tensors))
        return {
            "seed": seed, "score": scores.score(metric), "loss": scores.mean("loss"), "steps": trial.trainer.step,
            "curve": curve, "status": "", "values": scores.metrics[metric.name].tolist(),
            "recipe": finished(trial.trainer).model_dump(mode="json"),
        }  # fmt: skip

    def _item_seconds(self, finalist: Finalist) -> float:
        """What it takes to evaluate one item."""
        trial = Trial(self._recipe(finalist.model, finalist.lr, self.base.seed), self.dataset, self.task)
        rows = self.rows("select")
        return self._evaluation_seconds(trial, rows) / len(rows)

    def _evaluation_seconds(self, trial: Trial, rows: NDArray[np.int64]) -> float:
        """What it will take to evaluate `rows`, told from a few of them."""
        some = rows[:: -(-len(rows) // PROBE_ITEMS)]
        trial.scores(some[:1])
        begin = time.perf_counter()
        trial.scores(some)
        return (time.perf_counter() - begin) * len(rows) / len(some)

    def _recipe(self, model: str, rate: float, seed: int) -> Recipe:
        optimiser = self.base.optimiser.model_copy(update={"lr": rate})
        return self.base.model_copy(update={"model": model, "seed": seed, "optimiser": optimiser})

    def _checkpoint(self, model: str, rate: float, rung: int | str) -> Path:
        return self.run / "trials" / f"{model.replace('/', '-')}-{rate:.3g}-{rung}.safetensors"

    def _drop(self, model: str, rate: float) -> None:
        self._trials.pop(f"{model}@{rate:.3g}", None)
        for path in self._checkpoint(model, rate, "*").parent.glob(self._checkpoint(model, rate, "*").name):
            path.unlink()

    def _after_step(self, trainer: Trainer) -> bool:
        if self.elapsed - self._beat >= HEARTBEAT:
            self._beat = self.elapsed
            self._clock.write_text(f"{self.elapsed:.2f}\n")
            self.reporter.update(self.elapsed / self.budget.seconds, f"loss {trainer.loss:.3f}")
        return self.stop.asked

    def _say(self, what: str) -> None:
        self.check()
        self.reporter.update(self.elapsed / self.budget.seconds, what)

    def _heard(self) -> float:
        """The clock of the process before, which may have been killed in the middle of a piece of work."""
        try:
            return float(self._clock.read_text())
        except (OSError, ValueError):
            return 0.0


def trial_key(family: str, model: str, rate: float, rung: int) -> str:
    """The ledger's key of a trial at a rung."""
    return f"trial/{family}/{model}/lr={rate:.3g}/rung{rung}"


def final_key(model: str, seed: int) -> str:
    """The ledger's key of a final."""
    return f"final/{model}/seed={seed}"


def _rank(results: list[dict[str, Any]], metric: Metric) -> tuple[float, float]:
    """Higher is better: the gain of the mean score, then the loss; a diverged trial is last."""
    if any(result["score"] is None for result in results):
        return (-np.inf, -np.inf)
    gain = metric.gain(float(np.mean([result["score"] for result in results])))
    return (gain, -float(np.mean([result["loss"] for result in results])))
