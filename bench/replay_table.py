"""The replay table: on each task every candidate trained at every learning rate and seed, with what was seen.

A file for each task in bench/results/replay/: a line that says what was trained, then a line for each trial. A trial is
one training in the stable phase of its schedule, scored at its rungs by the average of its weights as a race does; from
it branches, for each of three lengths, a final: the decay that ends there, scored by the weights themselves. A branch
has the weights and batches that a final from scratch would have had, for the same seed. Seconds are those of the
process, of training alone; evaluation is told apart.
"""

from __future__ import annotations

import json
import os
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

import triarch
from replay_tasks import Known
from sides import RESULTS
from triarch.core.budget import Budget
from triarch.core.files import write_text
from triarch.core.machine import computing, this_machine
from triarch.core.results import Metric
from triarch.data.dataset import Dataset
from triarch.measure.statistics import score_interval
from triarch.models import registry
from triarch.race.candidates import entries
from triarch.race.plan import LEARNING_RATES, epoch_steps
from triarch.race.trial import Trial
from triarch.race.work import TRIAL_AVERAGE, recipe_of, rows_of
from triarch.tasks import registry as tasks
from triarch.tasks.task import Task
from triarch.training.evaluate import Scores, evaluate
from triarch.training.loop import Diverged
from triarch.training.recipe import Recipe, make
from triarch.training.schedule import decay_begin

FOLDER = RESULTS / "replay"
SEEDS = (0, 1)
SECONDS = 3.0  # of the longest final; with its branches and evaluation a trial takes half as long again
RUNGS = tuple(2 ** (-number / 2) for number in range(10, 0, -1))
FINALS = (0.25, 0.5, 1.0)
FEWEST, WARM, TIMED, PATIENCE = 40, 3, 12, 0.6
MATTERS = ("core", "data", "layers", "models", "tasks", "training", "model.py", "race/trial.py", "race/work.py")


@dataclass(frozen=True)
class Rung:
    """Where a training stood: `seconds` of training so far and `looked` of one evaluation; None where it diverged.

    `interval` is that of the score; a final has none.
    """

    steps: int
    seconds: float
    looked: float
    score: float | None
    loss: float | None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Recorded:
    """A trial.

    Attributes:
        finals: one for each of `FINALS`, or fewer where it diverged.
        confirm: score of the last final, None where it diverged.
        values: the primary metric of each item of confirm, of the last final.
    """

    model: str
    lr: float
    seed: int
    rungs: list[Rung]
    finals: list[Rung]
    confirm: float | None
    values: NDArray[np.float64]


class Table:
    """The trials of a task, read from its file."""

    def __init__(self, path: Path) -> None:
        first, *lines = path.read_text(encoding="utf-8").splitlines()
        self.about: dict[str, Any] = json.loads(first)
        self.trials = {(one.model, one.lr, one.seed): one for one in map(_read, lines)}

    @property
    def name(self) -> str:
        """Of the task."""
        return str(self.about["task"])

    @property
    def whole(self) -> bool:
        """Every trial is there."""
        return len(self.trials) == len(self.about["seeds"]) * sum(map(len, self.about["rates"].values()))

    @cached_property
    def metric(self) -> Metric:
        """The primary one."""
        return Metric(**self.about["metric"])

    @property
    def seconds(self) -> float:
        """What it takes to train every one to its end."""
        return sum(one.finals[-1].seconds for one in self.trials.values() if one.finals)

    @cached_property
    def strata(self) -> NDArray[np.int64] | None:
        """The classes of the items of confirm, where each counts alike."""
        return np.array(self.about["classes"]) if self.metric.by_class else None


def tables(folder: Path = FOLDER) -> list[Table]:
    """Those that are whole."""
    return [table for path in sorted(folder.glob("*.jsonl")) if (table := Table(path)).whole]


class Recorder:
    """Fills the file of a task, trial by trial; one that was interrupted goes on where it was.

    Args:
        data: the folder of bench/data.py.
        seconds: of the longest final.
    """

    def __init__(self, name: str, known: Known, data: Path, folder: Path = FOLDER, seconds: float = SECONDS) -> None:
        self.path = folder / f"{name}.jsonl"
        self.dataset = known.open(data)
        self.task = tasks.infer(self.dataset.spec)
        self.base = make({"model": "", "threads": 1})
        if not self.path.exists():
            about = self._about(name, known, seconds)
            write_text(self.path, json.dumps(about, ensure_ascii=False) + "\n")
        whole = [line for line in self.path.read_text(encoding="utf-8").split("\n") if _is_whole(line)]
        write_text(self.path, "".join(f"{line}\n" for line in whole))  # without a line that was cut off
        self.about = json.loads(whole[0])
        if self.about["code"] != code() or self.about["fingerprint"] != self.dataset.spec.fingerprint:
            raise SystemExit(f"{self.path}: made by other code or of other data; move it away to record it anew")
        self._done = {(one.model, one.lr, one.seed) for one in map(_read, whole[1:])}

    @property
    def missing(self) -> Iterator[tuple[str, float, int]]:
        """The trials that are still to be done: model, learning rate, seed."""
        for seed in self.about["seeds"]:
            for model, rates in self.about["rates"].items():
                yield from ((model, rate, seed) for rate in rates if (model, rate, seed) not in self._done)

    @property
    def fraction(self) -> float:
        """How much is done."""
        count = len(self.about["seeds"]) * sum(map(len, self.about["rates"].values()))
        return len(self._done) / count

    def record(self, model: str, lr: float, seed: int) -> dict[str, Any]:
        """Do a trial and write its line."""
        made = trained(self.dataset, self.task, self.base, model, lr, seed, self.about["steps"][model])
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(made) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._done.add((model, lr, seed))
        return made

    def _about(self, name: str, known: Known, seconds: float) -> dict[str, Any]:
        """What is going to be trained."""
        dataset, task = self.dataset, self.task
        counted = entries(dataset, task, Budget(seconds=1e9), self.base.batch_size, known.models)
        paces = {model: pace(dataset, task, self.base, model) for model in known.models}
        confirm = dataset.splits["confirm"]
        return {
            "task": name, "data": known.data, "kind": known.kind, "fingerprint": dataset.spec.fingerprint,
            "splits": {split: len(rows) for split, rows in dataset.splits.items()}, "folds": len(dataset.folds),
            "metric": asdict(task.primary), "per_epoch": epoch_steps(dataset, self.base),
            "classes": dataset.source.labels[confirm].tolist() if task.primary.by_class else [],
            "models": {
                one.model: {"family": one.counted.family, "params": one.counted.params, "macs": one.counted.macs}
                for one in counted
            },
            "paces": paces, "steps": {model: max(FEWEST, int(seconds / paces[model])) for model in known.models},
            "rates": {model: grid(model) for model in known.models}, "seeds": list(SEEDS),
            "seconds_each": seconds, "batch_size": self.base.batch_size, "code": code(), "version": triarch.__version__,
            "numpy": np.__version__, "machine": asdict(this_machine()),
        }  # fmt: skip


def grid(model: str) -> list[float]:
    """The learning rates of a race."""
    return [float(rate) for rate in np.geomspace(*registry.parse(model)[0].learning_rates, LEARNING_RATES)]


def trained(dataset: Dataset, task: Task, base: Recipe, model: str, lr: float, seed: int, steps: int) -> dict[str, Any]:
    """One trial: its rungs, its finals and its answers on confirm; plain JSON values, see `Recorded`.

    Where there are folds, the one that is numbered as the seed is left out of training.
    """
    fold = seed if dataset.folds else None
    recipe = recipe_of(base, model, lr, seed).model_copy(update={"average": TRIAL_AVERAGE, "fold": fold})
    trial, rows = Trial(recipe, dataset, task), rows_of(dataset, "select", fold=fold)
    lengths = [max(FEWEST // 4, round(share * steps)) for share in FINALS]
    branches = {decay_begin(recipe.schedule, length): length for length in lengths}
    rungs = {max(1, round(share * steps)) for share in RUNGS}
    found: dict[str, Any] = {"model": model, "lr": lr, "seed": seed, "rungs": [], "finals": [], "confirm": None}
    seconds = 0.0
    with TemporaryDirectory() as folder:
        for mark in sorted({*rungs, *branches}):
            begin = time.process_time()
            try:
                trial.run(None, finish=False, steps=mark)
            except Diverged as error:
                found["rungs"].append(_entry(error.step, seconds + time.process_time() - begin, 0.0))
                break
            seconds += time.process_time() - begin
            if mark in rungs:
                begin = time.process_time()
                scores = trial.scores(rows)
                looked = time.process_time() - begin
                metric = task.primary
                interval = score_interval(scores.metrics[metric.name], scores.strata(metric))
                found["rungs"].append(_entry(mark, seconds, looked, scores, metric, interval))
            if mark in branches:
                checkpoint = Path(folder) / "branch"
                trial.save(checkpoint)
                found["finals"].append(_final(trial, branches[mark], seconds, rows))
                if branches[mark] == steps and found["finals"][-1][3] is not None:
                    scores = _raw(trial, dataset.rows("confirm"))
                    found |= {"confirm": scores.score(task.primary), "values": packed(scores, task.primary)}
                trial.load(checkpoint)
    return found


def _final(trial: Trial, length: int, seconds: float, rows: NDArray[np.int64]) -> list[Any]:
    """The decay of a training of `length` steps in all, scored on select."""
    begin = time.process_time()
    trial.trainer.total = length
    try:
        trial.run(None, finish=True, steps=length)
    except Diverged as error:
        return _entry(error.step, seconds + time.process_time() - begin, 0.0)
    done = time.process_time()
    scores = _raw(trial, rows)
    return _entry(length, seconds + done - begin, time.process_time() - done, scores, trial.task.primary)


def _raw(trial: Trial, rows: NDArray[np.int64]) -> Scores:
    """Scores of the weights themselves, not of their average."""
    with computing(1):
        return evaluate(trial.trainer.model, trial.task, trial.dataset.batches(rows))


def _entry(
    steps: int, seconds: float, looked: float, scores: Scores | None = None, metric: Metric | None = None,
    interval: tuple[float, float] | None = None,
) -> list[Any]:  # fmt: skip
    """A `Rung` as it is written."""
    if scores is None or metric is None:
        return [steps, round(seconds, 4), 0.0, None, None]
    told = [steps, round(seconds, 4), round(looked, 4), round(scores.score(metric), 6), round(scores.mean("loss"), 5)]
    return [*told, *(round(end, 5) for end in interval or ())]


def packed(scores: Scores, metric: Metric) -> str:
    """The metric of each item: bits where it is right or wrong, else float16."""
    values = scores.metrics[metric.name]
    bits = np.isin(values, (0.0, 1.0)).all()
    content = np.packbits(values.astype(bool)) if bits else values.astype("<f2")
    return f"{'b' if bits else 'f'}{len(values)}:{b64encode(content.tobytes()).decode()}"


def unpacked(text: str) -> NDArray[np.float64]:
    """What was `packed`."""
    kind, (count, _, content) = text[:1], text[1:].partition(":")
    raw = b64decode(content)
    if kind == "b":
        return np.unpackbits(np.frombuffer(raw, dtype=np.uint8), count=int(count)).astype(np.float64)
    return np.frombuffer(raw, dtype="<f2").astype(np.float64)


def pace(dataset: Dataset, task: Task, base: Recipe, model: str) -> float:
    """Seconds of the process for a training step: the median of some."""
    times: list[float] = []

    def clock(_: object) -> bool:
        times.append(time.process_time())
        return len(times) > WARM + 2 and times[-1] - times[0] > PATIENCE

    recipe = recipe_of(base, model, registry.parse(model)[0].learning_rate, 0)
    trial = Trial(recipe.model_copy(update={"average": TRIAL_AVERAGE}), dataset, task)
    trial.run(None, finish=False, steps=WARM + TIMED, after_step=clock)
    return float(np.median(np.diff(times[WARM:])))


def code() -> str:
    """A hash of the sources on which a trial depends."""
    root = Path(triarch.__file__).parent
    digest = sha256()
    for file in sorted(
        file for part in MATTERS for file in [root / part, *(root / part).rglob("*.py")] if file.is_file()
    ):
        digest.update(file.relative_to(root).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def _is_whole(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _read(line: str) -> Recorded:
    one = json.loads(line)
    rungs, finals = ([_rung(*entry) for entry in one[key]] for key in ("rungs", "finals"))
    values = unpacked(one["values"]) if one["confirm"] is not None else np.empty(0)
    return Recorded(one["model"], one["lr"], one["seed"], rungs, finals, one["confirm"], values)


def _rung(steps: int, seconds: float, looked: float, score: float | None, loss: float | None, *interval: float) -> Rung:
    return Rung(steps, seconds, looked, score, loss, (interval[0], interval[1]) if interval else None)
