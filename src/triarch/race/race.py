"""The race: successive halving inside each family, then finals on several seeds.

There is one survivor for each family, because early scores mislead across families. Trials run in the stable phase of
their schedule and are scored by an average of their weights, so that a rung pauses one and the next goes on with it.
"""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from glob import escape
from math import inf
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from triarch.core.budget import FOREVER, Budget
from triarch.core.errors import Interrupted
from triarch.core.files import write_text
from triarch.core.interrupt import Stop
from triarch.core.machine import cores
from triarch.core.progress import Reporter
from triarch.core.record import Ledger, Record
from triarch.core.results import Interval
from triarch.data.dataset import Dataset
from triarch.race.arms import Arm, Arms
from triarch.race.candidates import Entry
from triarch.race.crew import Alone, Crew, Processes
from triarch.race.halving import Finalist, Halving
from triarch.race.keys import checkpoint, final_key, trial_key, weights
from triarch.race.options import Options
from triarch.race.overtaking import overtaking
from triarch.race.plan import (
    FEWEST_ITEMS,
    SEEDS,
    Finals,
    Heat,
    Stopwatch,
    clearly_behind,
    epoch_steps,
    heats,
    plan_finals,
    reserve,
    rounds,
    stretch,
    threads,
    worth,
)
from triarch.race.plateau import blind
from triarch.race.trial import Trial
from triarch.race.work import LEAST_SECONDS, Piece, Workshop, evaluation_seconds, fewer, recipe_of, rows_of, rung_items
from triarch.race.worker import DATA, setting
from triarch.tasks.task import Task
from triarch.training.recipe import Recipe

HEARTBEAT = 0.5


class Race:
    """A race in the folder `run`; every finished piece of work is in its ledger and never done twice.

    Args:
        options: what was asked for.
        base: what all trainings have in common.
        begun: the candidates that do not begin with random weights.
    """

    def __init__(
        self, run: Path, options: Options, budget: Budget, dataset: Dataset, task: Task, base: Recipe,
        reporter: Reporter, stop: Stop, began: float, begun: Iterable[Arm] = (),
    ) -> None:  # fmt: skip
        self.run, self.options, self.budget, self.dataset, self.task = run, options, budget, dataset, task
        self.base, self.reporter, self.stop = base, reporter, stop
        self.workers, self.arms = options.workers, Arms(dataset, begun)
        self.ledger = Ledger(run / "records.jsonl")
        self._clock = run / "clock"
        self._offset = max(self.ledger.elapsed, self._heard()) - began
        self._beaten = 0.0
        self._steps, self._steps_done = 1, 0
        self._heats: dict[str, Heat] = {}

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

    @cached_property
    def chance(self) -> float | None:
        """The score on select of who has learned nothing; None where that is not known."""
        if self.dataset.spec.target.kind != "class":
            return None
        return blind(self.dataset.source.labels[self.dataset.judged], self.task.primary)

    @cached_property
    def crew(self) -> Crew:
        """Who does the work, from the first mention on."""
        if self.workers == 1:
            return Alone(Workshop(self.run, self.dataset, self.task, self.base, self.beat, self.arms.begun.values()))
        given = setting(self.run, self.options, self.dataset, self.task, self.base, self.arms.begun.values())
        return Processes(self.workers, given, self.run, self.beat)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the crew go."""
        if "crew" in vars(self):
            self.crew.close()
        shutil.rmtree(self.run / DATA, ignore_errors=True)

    def settle_threads(self, entries: list[Entry], given: int | None) -> None:
        """Use the threads that were asked for, else as many as prove useful; one where nothing may be measured."""

        def attempt() -> dict[str, Any]:
            alone = self.workers == 1 and not self.budget.steps
            tried = given or (threads(entries, self.dataset, self.task, self.base, cores()) if alone else 1)
            return {"threads": tried}

        self.base = self.base.model_copy(update=self.once("threads", attempt))

    def heats(self, entries: list[Entry], seconds: float) -> list[Heat]:
        """The plan of the halving."""

        def make() -> dict[str, Any]:
            limit = seconds if self.budget.timed else 0.0
            pace = Stopwatch(self.dataset, self.task, self.base).step_seconds
            per_epoch = epoch_steps(self.dataset, self.base)
            planned = heats(entries, pace, per_epoch, limit, self.budget.steps, self.workers)
            reasons = {entry.model: entry.counted.reason for entry in entries if entry.counted.reason}
            return {"heats": [asdict(heat) for heat in planned], "reasons": reasons}

        plan = self.once("plan", make)
        for entry in entries:
            entry.counted.reason = plan["reasons"].get(entry.model, "")
        planned = TypeAdapter(list[Heat]).validate_python(plan["heats"])
        self._heats = {heat.family: heat for heat in planned}
        self._count(planned)
        return planned

    def halve(self, planned: Sequence[Heat]) -> list[Finalist]:
        """Run the trials of every family down to one, rung by rung; a family whose trials all diverged has none."""
        on_folds, by_loss = bool(self.dataset.folds), self.dataset.answers is not None
        halvings = [Halving(heat, self.task.primary, on_folds, self.chance, by_loss) for heat in planned]
        for number in range(max(len(heat.rungs) for heat in planned)):
            running = [halving for halving in halvings if number < len(halving.heat.rungs)]
            slots = {halving: halving.heat.slot(number, len(halving.alive)) for halving in running}
            longer = stretch([slots[halving] for halving in running for _ in halving.alive], self.workers)
            waiting = {halving: halving.alive for halving in running}
            while any(waiting.values()):
                pieces = [
                    self._rung(halving, *trial, number, longer * slots[halving])
                    for halving, trials in waiting.items()
                    for trial in trials
                ]
                self._do(sorted(pieces, key=lambda piece: -(piece.seconds or 0.0)))
                waiting = {halving: halving.wider(number, self._results(halving, number)) for halving in running}
            for halving in running:
                for trial in halving.cut(number, self._results(halving, number)):
                    self._drop(*trial)
        finalists = [halving.finalist for halving in halvings]
        for finalist in finalists:
            if finalist:
                self._drop(finalist.model, finalist.lr)
        return [finalist for finalist in finalists if finalist]

    def plan_finals(self, finalists: list[Finalist], opened: int = 2) -> Finals:
        """How many seeds, how long, and how many items of select and confirm there is time to evaluate.

        Args:
            opened: models that will be evaluated on confirm.
        """

        def make() -> dict[str, Any]:
            select, confirm = len(self.rows("select")), len(self.rows("confirm"))
            behind = clearly_behind(self.task.primary, {one.model: self._reached(one) for one in finalists})
            if not self.budget.timed:
                return asdict(Finals(SEEDS, FOREVER, select, confirm, 0.0, behind))
            cost = max(self._item_seconds(finalist) for finalist in finalists)
            known = {model: pace for heat in self._heats.values() for model, pace in heat.paces.items()}
            paces = [known[finalist.model] for finalist in finalists if finalist.model in known]
            alone = self.workers * self.left / len(finalists)
            least = worth(paces, epoch_steps(self.dataset, self.base), alone)
            fewest = fewer(FEWEST_ITEMS, self.dataset)
            plan = plan_finals(
                self.left, len(finalists), cost, select, confirm, self.workers, least, behind, opened, fewest
            )
            return asdict(replace(plan, seeds=SEEDS) if self.budget.steps else plan)

        return Finals(**self.once("finals", make))

    def finals(self, finalists: list[Finalist], plan: Finals) -> dict[str, list[dict[str, Any]]]:
        """Train each finalist from scratch on fresh seeds, all for the same time; model → results.

        Those that are clearly behind have one, unless it says that they may not be.
        """
        contenders = [finalist for finalist in finalists if finalist.model not in plan.behind]
        runs = [(one, seed) for seed in range(1, plan.seeds + 1) for one in (contenders if seed > 1 else finalists)]
        if plan.behind and plan.seeds > 1:
            self._train(runs[: len(finalists)], plan, len(runs))
            runs = self._reopened(runs, finalists, contenders, plan)
        self._train(runs, plan, len(runs))
        return {
            finalist.model: [self._result(final_key(one.model, seed)) for one, seed in runs if one == finalist]
            for finalist in finalists
        }

    def rows(self, split: str, most: int | None = None, fold: int | None = None) -> NDArray[np.int64]:
        """The items of a split, or `most` of them drawn by lot, always the same."""
        return rows_of(self.dataset, split, most, fold)

    def fold(self, seed: int) -> int | None:
        """How train and select are parted in a seed's final: of folds the last first; None: as in the trials."""
        if self.dataset.folds:
            return -seed % len(self.dataset.folds)
        return seed if self.dataset.movable else None

    def strata(self, rows: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """The groups of the items `rows` over which the primary metric is averaged first."""
        return self.dataset.source.labels[rows] if self.task.primary.by_class else None

    def weights_path(self, model: str, seed: int) -> Path:
        """Where a final left its weights."""
        return self.run / weights(model, seed)

    def beat(self, note: str) -> None:
        """Keep the clock and show how the work stands.

        Raises:
            Interrupted: the user asked to stop.
        """
        self.check()
        if self.elapsed - self._beaten >= HEARTBEAT:
            self._beaten = self.elapsed
            self._clock.write_text(f"{self.elapsed:.2f}\n")
            self.reporter.update(self.fraction, note)

    @property
    def fraction(self) -> float:
        """How much of the race is done, 0 to 1: of its time, or of its steps where there is no time limit."""
        return self.elapsed / self.budget.seconds if self.budget.timed else self._steps_done / self._steps

    def _do(self, pieces: Iterable[Piece]) -> None:
        """Do those pieces that are not done yet, and record each as soon as it is."""
        missing = (piece for piece in pieces if not self._is_done(piece))
        for piece, result, seconds, cpu_seconds in self.crew.results(missing):
            self.ledger.append(Record(piece.key, result, seconds, self.elapsed, self.base.threads, cpu_seconds))
            self._steps_done += piece.steps or 0

    def _is_done(self, piece: Piece) -> bool:
        record = self.ledger.get(piece.key)
        if record is None:
            return False
        return not piece.final or record.result["score"] is None or (self.run / piece.leaves).exists()

    def _result(self, key: str) -> dict[str, Any]:
        record = self.ledger.get(key)
        assert record is not None
        return record.result

    def _results(self, halving: Halving, number: int) -> dict[tuple[str, float], dict[str, Any]]:
        """Of the trials that are in the race, at rung `number`."""
        family = halving.heat.family
        return {trial: self._result(trial_key(family, *trial, number)) for trial in halving.alive}

    def _rung(self, halving: Halving, model: str, rate: float, number: int, seconds: float) -> Piece:
        heat, on_folds = halving.heat, bool(self.dataset.folds)
        begins = number == 0 or on_folds or (number == 1 and heat.kept > 0 and halving.screened[model] != rate)
        ends = number + 1 == len(heat.rungs) or on_folds
        return Piece(
            key=trial_key(heat.family, model, rate, number),
            title=f"{model} at {rate:.2g}",
            model=model,
            lr=rate,
            seed=self.base.seed,
            fold=number if on_folds else None,
            items=rung_items(self.dataset, bool(heat.kept) and number == 0),
            final=False,
            steps=heat.steps[number] if heat.steps else None,
            seconds=seconds if self.budget.timed else None,
            begins="" if begins else checkpoint(model, rate, number - 1),
            leaves="" if ends else checkpoint(model, rate, number),
        )

    def _reached(self, finalist: Finalist) -> Interval:
        """The interval of the score at its last rung."""
        rungs = range(len(self._heats[finalist.family].rungs))
        keys = (trial_key(finalist.family, finalist.model, finalist.lr, rung) for rung in rungs)
        records = [record for record in map(self.ledger.get, keys) if record is not None]
        interval = records[-1].result["interval"] if records else None
        return tuple(interval) if interval else (-inf, inf)

    def _final(self, finalist: Finalist, seed: int, plan: Finals, ahead: int) -> Piece:
        """Args: ahead: how many finals are still to be run, this one included."""
        slot = min(plan.slot, (self.left - plan.closing) / rounds(ahead, self.workers))
        return Piece(
            key=final_key(finalist.model, seed),
            title=f"final of {finalist.model}, seed {seed}",
            model=finalist.model,
            lr=finalist.lr,
            seed=self.base.seed + seed,
            fold=self.fold(seed),
            items=plan.select,
            final=True,
            steps=self.budget.steps,
            seconds=max(LEAST_SECONDS, slot) if self.budget.timed else None,
            leaves=weights(finalist.model, seed),
        )

    def _train(self, runs: Sequence[tuple[Finalist, int]], plan: Finals, ahead: int) -> None:
        """Finals of finalists on seeds. Args: ahead: how many are still to be run, the first of these included."""
        self._do(self._final(*run, plan, ahead - position) for position, run in enumerate(runs))

    def _reopened(
        self, runs: list[tuple[Finalist, int]], finalists: list[Finalist], contenders: list[Finalist], plan: Finals
    ) -> list[tuple[Finalist, int]]:
        """The runs, and more seeds for those of which the first final says that their trials misled.

        They come first in each round. Where there is no time for more finals than were planned, the last ones go.
        """
        results = {one.model: self._result(final_key(one.model, 1)) for one in finalists}
        strata = self.strata(self.rows("select", plan.select, self.fold(1)))
        open_again = overtaking(results, plan.behind, self.task.primary, strata)
        racing = [one for one in finalists if one.model in open_again] + contenders
        more = [(one, seed) for seed in range(2, plan.seeds + 1) for one in racing]
        planned = len(runs) - len(finalists)
        return runs[: len(finalists)] + (more if self.budget.steps else more[:planned])

    def _item_seconds(self, finalist: Finalist) -> float:
        """What it takes to evaluate one item."""
        arm, rows = self.arms[finalist.model], self.rows("select")
        recipe = arm.recipe(recipe_of(self.base, arm.model, finalist.lr, self.base.seed))
        return evaluation_seconds(Trial(recipe, arm.dataset, self.task), rows) / len(rows)

    def _count(self, planned: list[Heat]) -> None:
        """Add up the steps of the race, for `fraction`."""
        trials = sum(steps * count for heat in planned for steps, count in zip(heat.steps, heat.rungs))
        self._steps = max(1, trials + SEEDS * len(planned) * (self.budget.steps or 0))
        self._steps_done = sum(record.result.get("steps") or 0 for record in self.ledger)

    def _drop(self, model: str, rate: float) -> None:
        """Remove the checkpoints of a trial."""
        for path in self.run.glob(checkpoint(escape(model), rate, "*")):
            path.unlink()

    def _heard(self) -> float:
        """The clock of the process before, which may have been killed in the middle of a piece of work."""
        try:
            return float(self._clock.read_text())
        except (OSError, ValueError):
            return 0.0
