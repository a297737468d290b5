"""Whether a verdict is right: every candidate trained at every learning rate, and what was chosen looked up there.

    python bench/exhaustive.py languages --minutes 60
    python bench/exhaustive.py languages --races 3 --seconds 300

The first trains whatever sees each item at least once in its share of the time, and goes on where it was interrupted.
The second races the same data and tells the regret: how far, on confirm, the chosen model at its learning rate that is
best on select lies below the winner of the exhaustive table, which is the best on select.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sides import RESULTS
from triarch.core.files import write_json
from triarch.core.machine import this_machine
from triarch.data.dataset import Dataset, prepare
from triarch.data.open import open_source
from triarch.models import registry
from triarch.race.plan import LEARNING_RATES, epoch_steps
from triarch.race.trial import Trial
from triarch.race.work import recipe_of
from triarch.tasks import registry as tasks
from triarch.tasks.task import Task
from triarch.training.loop import Diverged
from triarch.training.recipe import Recipe, make
from triarch.training.start import step_seconds


@dataclass(frozen=True)
class Trained:
    """One training; a score is None where it diverged."""

    model: str
    lr: float
    steps: int
    select: float | None
    confirm: float | None


def candidates(dataset: Dataset, task: Task, base: Recipe, seconds: float) -> tuple[list[tuple[str, float]], float]:
    """Models at their learning rates, and the seconds for each: as many as see each item at least once in them."""
    paces: dict[str, float] = {}
    for name in registry.names():
        architecture = registry.find(name)
        if dataset.spec.modality in architecture.lacks:
            continue
        for size in architecture.sizes:
            model = f"{name}/{size}"
            paces[model] = step_seconds(base.model_copy(update={"model": model}), dataset, task, 1)
            if epoch_steps(dataset, base) * paces[model] > seconds / (2 * LEARNING_RATES):
                break  # the sizes after it are slower still
    quick = sorted(paces, key=lambda model: paces[model])
    count = max(
        number for number in range(1, len(quick) + 1)
        if epoch_steps(dataset, base) * paces[quick[number - 1]] <= seconds / (LEARNING_RATES * number)
    )  # fmt: skip
    rates = {model: np.geomspace(*registry.parse(model)[0].learning_rates, LEARNING_RATES) for model in quick[:count]}
    return [(model, float(rate)) for model in rates for rate in rates[model]], seconds / (LEARNING_RATES * count)


def train(dataset: Dataset, task: Task, base: Recipe, model: str, lr: float, seconds: float) -> Trained:
    """A final of the race, scored on both splits."""
    recipe = recipe_of(base, model, lr, 1).model_copy(update={"seconds": seconds})
    trial = Trial(recipe, dataset, task)
    try:
        trial.run(seconds, finish=True, deadline=1.03 * seconds)
    except Diverged as error:
        return Trained(model, lr, error.step, None, None)
    select, confirm = (
        trial.scores(dataset.folded(None).rows(split)).score(task.primary) for split in ("select", "confirm")
    )
    return Trained(model, lr, trial.trainer.step, select, confirm)


def exhaust(data: str, minutes: float, path: Path) -> None:
    """Train them all; write after each."""
    base = make({"model": "", "threads": 1})
    dataset = prepare(open_source(data))
    task = tasks.infer(dataset.spec)
    if path.exists():
        table = json.loads(path.read_text())
    else:
        trials, seconds = candidates(dataset, task, base, 60 * minutes)
        table = {
            "data": data, "minutes": minutes, "seconds_each": seconds, "trials": trials, "trained": [],
            "machine": asdict(this_machine()),
        }  # fmt: skip
    for model, lr in table["trials"][len(table["trained"]) :]:
        table["trained"].append(asdict(train(dataset, task, base, model, lr, table["seconds_each"])))
        write_json(path, table)
        print(json.dumps(table["trained"][-1]), flush=True)


def best(trained: list[dict[str, Any]]) -> dict[str, Any]:
    """That with the highest score on select."""
    return max((one for one in trained if one["select"] is not None), key=lambda one: one["select"])


def regret(table: dict[str, Any], model: str) -> float | None:
    """How far the confirm score of `model` lies below that of the winner; None: it is not in the table."""
    own = [one for one in table["trained"] if one["model"] == model]
    return round(best(table["trained"])["confirm"] - best(own)["confirm"], 4) if own else None


def race(table: dict[str, Any], seconds: float, seed: int) -> dict[str, Any]:
    """One race, and its regret."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "triarch",
            "choose",
            table["data"],
            "--seconds",
            str(seconds),
            "--threads",
            "1",
        ]
        command += ["--seed", str(seed), "--json", "--out", f"{folder}/a"]
        choice = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    verdict = choice["verdict"]
    return {
        "seconds": seconds, "seed": seed, "model": verdict["model"], "confirm": verdict["score"],
        "regret": regret(table, verdict["model"]), "winner": best(table["trained"]),
    }  # fmt: skip


def main() -> None:
    """Train everything, or race against what was trained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--races", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=300.0)
    options = parser.parse_args()
    path = RESULTS / f"exhaustive-{Path(options.data).stem}.json"
    if not options.races:
        exhaust(options.data, options.minutes, path)
        return
    table = json.loads(path.read_text())
    for seed in range(options.races):
        table.setdefault("races", []).append(race(table, options.seconds, seed))
        write_json(path, table)
        print(json.dumps(table["races"][-1]), flush=True)


if __name__ == "__main__":
    main()
