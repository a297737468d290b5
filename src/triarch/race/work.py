"""The pieces of work that a race consists of, and how one is done: a trial up to its next rung, or a final."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import save as save_tensors
from torch import Tensor

from triarch.core.budget import FOREVER
from triarch.core.files import write_bytes
from triarch.data.dataset import Dataset
from triarch.measure.calibration import of_classes, of_quantiles
from triarch.measure.statistics import score_interval
from triarch.race.arms import SHARE, Arm, Arms
from triarch.race.trial import Trial
from triarch.tasks.forecast import QUANTILES
from triarch.tasks.task import Task
from triarch.training.evaluate import Scores
from triarch.training.inputs_first import learn_inputs
from triarch.training.loop import Diverged, Trainer
from triarch.training.recipe import Recipe
from triarch.training.start import finished, resolve

PROBE_ITEMS = 256
RUNG_ITEMS, SCREENING_ITEMS = 2_000, 500
WRITING = 8  # so many times fewer, where their answers have to be written
RUNG_SHARE, FEWEST_AT_RUNG = 0.3, 30  # evaluation at a rung, of its time at most, unless fewer items would be left
TRIAL_AVERAGE = 0.99
CURVE_POINTS = 12
CURVE_SHARE = 0.1
LOSS_POINTS = 50
PASSES = 3  # a training step passes over its items forward and, at twice the cost, back
LEAST_SECONDS = 0.1


@dataclass(frozen=True)
class Piece:
    """A training to be done: plain values, for it may be done in another process.

    Attributes:
        key: of its record.
        title: for people.
        seed: of weights and batches.
        fold: on which it is trained and scored; None: there are none.
        items: of select that are evaluated.
        final: whether the schedule is brought to its end; else it stays in its stable phase.
        steps: in all, those of the rungs before included; None: as many as there is time for.
        seconds: for all of it, evaluation included; None: there is no limit.
        begins: checkpoint of the rung before, from which it goes on; "": it is the first.
        leaves: checkpoint or, of a final, weights that it writes; "": none. Paths are relative to `run/`.
    """

    key: str
    title: str
    model: str
    lr: float
    seed: int
    fold: int | None
    items: int
    final: bool
    steps: int | None
    seconds: float | None
    begins: str = ""
    leaves: str = ""


class Workshop:
    """Does one piece after another.

    Args:
        run: the race's `run/`.
        base: what all trainings have in common.
        watch: told in words how it stands, after each step; what it raises ends the piece.
        begun: the candidates that do not begin with random weights.
    """

    def __init__(
        self, run: Path, dataset: Dataset, task: Task, base: Recipe, watch: Callable[[str], None],
        begun: Iterable[Arm] = (),
    ) -> None:  # fmt: skip
        self.run, self.dataset, self.task, self.base, self.watch = run, dataset, task, base, watch
        self.arms = Arms(dataset, begun)

    def do(self, piece: Piece) -> dict[str, Any]:
        """Train and score; plain JSON values.

        The score is None where the training diverged; `cut` is there where the time was over before the steps.
        """
        self.watch(piece.title)
        begin = time.perf_counter()
        arm = self.arms[piece.model]
        recipe, weights = self._recipe(piece, arm), arm.weights
        if arm.inputs_first:
            try:
                piece, recipe, weights = self._inputs_first(piece, recipe, arm)
            except Diverged as error:
                return self._begun(piece) | _diverged(error)
        trial = Trial(recipe, arm.dataset, self.task, weights)
        if piece.begins:
            trial.load(self.run / piece.begins)
        rows = rows_of(self.dataset, "select", piece.items, piece.fold)
        evaluation = limit = None
        if piece.seconds is not None:
            evaluation = evaluation_seconds(trial, rows)
            if not piece.final and evaluation > RUNG_SHARE * piece.seconds:
                left = min(len(rows), max(FEWEST_AT_RUNG, int(len(rows) * RUNG_SHARE * piece.seconds / evaluation)))
                evaluation *= left / len(rows)
                rows = rows_of(self.dataset, "select", left, piece.fold)
            spent = time.perf_counter() - begin
            limit = trial.trainer.elapsed + max(LEAST_SECONDS, piece.seconds - spent - evaluation)
        return self._final(piece, trial, rows, limit, evaluation) if piece.final else self._rung(
            piece, trial, rows, limit
        )  # fmt: skip

    def _inputs_first(self, piece: Piece, recipe: Recipe, arm: Arm) -> tuple[Piece, Recipe, Mapping[str, Tensor]]:
        """Learn the inputs in their share of the steps, or of the time; what is left, its recipe, and the weights."""

        def after_step(trainer: Trainer) -> bool:
            self.watch(f"{piece.title}, its inputs first, loss {trainer.loss:.3f}")
            return False

        most = max(1, int(SHARE * (piece.steps or FOREVER)))
        seconds = None if piece.seconds is None else SHARE * piece.seconds
        first = learn_inputs(resolve(recipe, arm.dataset), arm.dataset, most, seconds, after_step)
        steps = None if piece.steps is None else max(1, piece.steps - first.steps)
        changes = {"inputs_first": first.steps, "steps": steps}
        return replace(piece, steps=steps), recipe.model_copy(update=changes), first.weights

    def _rung(self, piece: Piece, trial: Trial, rows: NDArray[np.int64], limit: float | None) -> dict[str, Any]:
        def after_step(trainer: Trainer) -> bool:
            self.watch(f"{piece.title}, loss {trainer.loss:.3f}")
            return False

        try:
            trial.run(limit, finish=False, steps=piece.steps, after_step=after_step)
        except Diverged as error:
            return {"score": None, "loss": None, "steps": error.step, "interval": None,
                    "status": str(error).splitlines()[0]}  # fmt: skip
        scores = trial.scores(rows)
        if piece.leaves:
            trial.save(self.run / piece.leaves)
        metric = self.task.primary
        return {
            "score": scores.score(metric), "loss": scores.mean("loss"), "steps": trial.trainer.step,
            "interval": list(score_interval(scores.metrics[metric.name], scores.strata(metric))), "status": "",
        } | _cut(piece, trial)  # fmt: skip

    def _final(
        self, piece: Piece, trial: Trial, rows: NDArray[np.int64], limit: float | None, evaluation: float | None
    ) -> dict[str, Any]:
        curve: list[list[float]] = []
        losses: list[list[float]] = []
        points = CURVE_POINTS if self._curve_is_cheap(piece, len(rows), evaluation) else 0

        def after_step(trainer: Trainer) -> bool:
            done = trainer.step / piece.steps if piece.steps else trainer.elapsed / (piece.seconds or 1.0)
            if len(curve) < points * min(1.0, done):
                curve.append([trainer.elapsed, trial.scores(rows).score(self.task.primary)])
            if len(losses) < LOSS_POINTS * min(1.0, done):
                losses.append([trainer.step, trainer.smooth_loss])
            self.watch(f"{piece.title}, loss {trainer.loss:.3f}")
            return False

        result = self._begun(piece) | {"curve": curve, "losses": losses}
        try:
            if piece.steps:
                trial.run(None, finish=True, steps=piece.steps, deadline=limit, after_step=after_step)
            else:
                trial.run(limit, finish=True, deadline=limit and 1.03 * limit, after_step=after_step)
        except Diverged as error:
            return result | _diverged(error)
        scores = trial.scores(rows)
        metric = self.task.primary
        curve.append([trial.trainer.elapsed, scores.score(metric)])
        tensors = {name: value.contiguous() for name, value in trial.trainer.result.state_dict().items()}
        write_bytes(self.run / piece.leaves, save_tensors(tensors))
        done = {
            "score": scores.score(metric), "loss": scores.mean("loss"), "steps": trial.trainer.step, "status": "",
            "values": scores.metrics[metric.name].tolist(),
            "calibration_error": self._calibration_error(scores),
            "recipe": finished(trial.trainer).model_dump(mode="json"),
        }  # fmt: skip
        return result | done | _cut(piece, trial)

    def _begun(self, piece: Piece) -> dict[str, Any]:
        """The result of a final that has come to nothing so far."""
        seed = piece.seed - self.base.seed
        return {"seed": seed, "score": None, "loss": None, "steps": 0, "curve": [], "losses": []}

    def _calibration_error(self, scores: Scores) -> float | None:
        if self.dataset.spec.target.kind in ("token", "text"):
            return None
        if self.dataset.spec.target.kind == "future":
            return of_quantiles(scores.targets, scores.answers, QUANTILES)
        return of_classes(scores.targets, scores.answers)

    def _curve_is_cheap(self, piece: Piece, items: int, evaluation: float | None) -> bool:
        """Whether the points of a learning curve take little beside the training; by count where steps are given."""
        if piece.steps:
            return CURVE_POINTS * items < CURVE_SHARE * PASSES * piece.steps * self.base.batch_size
        return CURVE_POINTS * (evaluation or 0.0) < CURVE_SHARE * (piece.seconds or 0.0)

    def _recipe(self, piece: Piece, arm: Arm) -> Recipe:
        recipe = arm.recipe(recipe_of(self.base, arm.model, piece.lr, piece.seed))
        recipe = recipe.model_copy(update={"fold": piece.fold})
        if not piece.final:
            return recipe.model_copy(update={"average": TRIAL_AVERAGE, "steps": None})
        seconds = None if piece.steps or piece.seconds is None else max(LEAST_SECONDS, piece.seconds)
        return recipe.model_copy(update={"steps": piece.steps, "seconds": seconds})


def recipe_of(base: Recipe, model: str, lr: float, seed: int) -> Recipe:
    """The recipe of one training of the race."""
    optimiser = base.optimiser.model_copy(update={"lr": lr})
    return base.model_copy(update={"model": model, "seed": seed, "optimiser": optimiser})


def rows_of(dataset: Dataset, split: str, most: int | None = None, fold: int | None = None) -> NDArray[np.int64]:
    """The items of a split, or `most` of them drawn by lot, always the same."""
    rows = dataset.folded(fold).rows(split)
    if most is None or len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(0).permutation(rows)[:most])


def rung_items(dataset: Dataset, screening: bool) -> int:
    """Items by which trials are compared at a rung, at the first one where there is a screening."""
    return fewer(SCREENING_ITEMS if screening else RUNG_ITEMS, dataset)


def fewer(items: int, dataset: Dataset) -> int:
    """`items`, or not so many where their answers have to be written."""
    return items if dataset.answers is None else items // WRITING


def evaluation_seconds(trial: Trial, rows: NDArray[np.int64]) -> float:
    """What it will take to evaluate `rows`, told from a few of them."""
    some = rows[:: -(-len(rows) // fewer(PROBE_ITEMS, trial.dataset))]
    trial.scores(some[:1])
    begin = time.perf_counter()
    trial.scores(some)
    return (time.perf_counter() - begin) * len(rows) / len(some)


def _diverged(error: Diverged) -> dict[str, Any]:
    """What is known of a final that diverged."""
    return {"steps": error.step, "values": [], "status": str(error).splitlines()[0]}


def _cut(piece: Piece, trial: Trial) -> dict[str, bool]:
    return {"cut": True} if piece.steps and trial.trainer.step < piece.steps else {}
