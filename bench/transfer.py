"""Does a learning rate that was calibrated at a small size hold at a larger one, as it is or with a factor per tensor?

    python bench/transfer.py run [--minutes 25] [--data DIR]
    python bench/transfer.py tell

The rate that is best for nano on select comes from the replay table (bench/replay_table.py), and micro's trainings at
all rates of a race too, where they are there; else they are made here, as they are there: two seeds, the same seconds.
Micro is trained once more at nano's rate, that of each weight times the part that its fan-in at nano is of that at
micro (Adam's column of table 3 in Yang et al. 2022, "Tensor programs V", arXiv 2203.03466; here relative to nano, and
the forward pass stays as it is). It goes on where it was interrupted; every training is kept in
bench/results/transfer.json. The second tells the regret: by how many points of confirm micro stays below itself at the
rate that is best for it on select; where the metric is to be small, by what percent.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import nn

from replay_table import FEWEST, FOLDER, Table, grid, pace, tables
from replay_tasks import TASKS
from sides import RESULTS, show
from triarch.core.files import write_json
from triarch.core.results import Metric
from triarch.data.dataset import Dataset
from triarch.model import Model
from triarch.models import registry
from triarch.race.trial import Trial
from triarch.race.work import recipe_of, rows_of
from triarch.tasks import registry as tasks
from triarch.tasks.task import Task
from triarch.training.loop import Diverged
from triarch.training.recipe import Recipe, make

RESULT = RESULTS / "transfer.json"
SMALL, LARGE = "nano", "micro"
SEEDS = (0, 1)
PAIRS = (
    ("fashion-mnist", "plain"), ("fashion-mnist", "gru"), ("fashion-mnist", "encoder"), ("languages", "textcnn"),
    ("languages", "lstm"), ("languages", "encoder"), ("japanese-vowels", "plain"), ("japanese-vowels", "gru"),
    ("japanese-vowels", "encoder"), ("debian-sections", "textcnn"), ("debian-sections", "lstm"),
    ("debian-sections", "decoder"), ("osuleaf", "plain"), ("spam-assassin", "lstm"), ("osuleaf", "patchtst"),
    ("digits", "plain"), ("digits", "gru"), ("digits", "vit"),
)  # fmt: skip
ENOUGH = 0.5  # points of regret at which a transfer is kept

Entry = dict[str, Any]
Factors = dict[str, float]


class Factored(torch.optim.AdamW):
    """AdamW whose groups have a learning rate of their own: the one that is set times the group's `factor`."""

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Once, with the factors."""
        for group in self.param_groups:
            group["lr"] *= group["factor"]
        super().step(closure)  # type: ignore[arg-type]


def fan_ins(model: Model) -> dict[str, int]:
    """Of the weights of layers that mix features; tables (embeddings, positions) are none."""
    looked_up = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    return {
        name: parameter[0].numel()
        for name, parameter in model.named_parameters()
        if parameter.ndim >= 2 and "weight" in name.rpartition(".")[2] and id(parameter) not in looked_up
    }


def factors(small: Model, large: Model) -> Factors:
    """Fan-in of the smaller over that of the larger; where the smaller has no such weight, as in the head."""
    fewer, more = fan_ins(small), fan_ins(large)
    head = next(name for name in reversed(more) if name.startswith("head."))
    return {name: fewer.get(name, count * fewer[head] / more[head]) / count for name, count in more.items()}


def factored(model: Model, recipe: Recipe, by: Factors) -> torch.optim.Optimizer:
    """The optimiser of the training loop, with factors."""
    groups = [
        {
            "params": [parameter],
            "weight_decay": recipe.optimiser.weight_decay if parameter.ndim >= 2 else 0.0,
            "factor": by.get(name, 1.0),
        }
        for name, parameter in model.named_parameters()
    ]
    return Factored(groups, lr=recipe.optimiser.lr or 0.0, fused=True)


def train(
    table: Table, dataset: Dataset, task: Task, model: str, lr: float, seed: int, steps: int, by: Factors
) -> Entry:
    """One training to its end: scores on select and on confirm, None where it diverged."""
    recipe = _recipe(dataset, model, lr, seed)
    trial = Trial(recipe, dataset, task)
    if by:
        trial.trainer.optimiser = factored(trial.trainer.model, recipe, by)
    begin = time.process_time()
    found: Entry = {"lr": lr, "seed": seed, "select": None, "confirm": None, "steps": steps}
    try:
        trial.run(None, finish=True, steps=steps)
    except Diverged:
        return found | {"seconds": round(time.process_time() - begin, 2)}
    found["seconds"] = round(time.process_time() - begin, 2)
    for split in ("select", "confirm"):
        scores = trial.scores(rows_of(dataset, split, fold=recipe.fold))
        found[split] = round(scores.score(table.metric), 5)
    return found


def recorded(table: Table, model: str) -> list[Entry]:
    """Of the replay table; none where the model is not in it."""
    return [
        {"lr": one.lr, "seed": one.seed, "select": one.finals[-1].score if one.confirm is not None else None,
         "confirm": one.confirm}
        for one in table.trials.values() if one.model == model
    ]  # fmt: skip


def run(minutes: float, data: Path) -> None:
    """Train what is missing, for so many minutes of the processor."""
    known: dict[str, Entry] = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    for name, architecture in PAIRS:
        table, dataset = Table(FOLDER / f"{name}.jsonl"), TASKS[name].open(data)
        assert table.about["fingerprint"] == dataset.spec.fingerprint
        task = tasks.infer(dataset.spec)
        small, large = (f"{architecture}/{size}" for size in (SMALL, LARGE))
        fresh = {"task": name, "architecture": architecture, "own": recorded(table, large), "factored": []}
        one = known.setdefault(f"{name} {architecture}", fresh)
        models = [Trial(_recipe(dataset, model, 1e-3, 0), dataset, task).trainer.model for model in (small, large)]
        by = factors(*models)
        if "steps" not in one:
            one["steps"] = table.about["steps"].get(large) or max(
                FEWEST, int(table.about["seconds_each"] / pace(dataset, task, make({"model": "", "threads": 1}), large))
            )
            one["factors"] = {key: round(value, 3) for key, value in by.items() if value != 1}
        rate = best(table.metric, recorded(table, small))
        wanted: list[tuple[str, float, Factors]] = [("own", lr, {}) for lr in grid(large)]
        for kind, lr, used in [*wanted, ("factored", rate, by)]:
            for seed in SEEDS:
                if any((entry["lr"], entry["seed"]) == (lr, seed) for entry in one[kind]):
                    continue
                if time.process_time() > 60 * minutes:
                    print(f"{minutes:g} minutes of the processor are over; go on with the same command")
                    return
                one[kind].append(train(table, dataset, task, large, lr, seed, one["steps"], used))
                write_json(RESULT, known)
        print(f"{time.process_time() / 60:5.1f} min  {name} {architecture}: {regrets(one)}", flush=True)


def tell() -> None:
    """Regrets of each architecture and task, and of each family."""
    whole = [one for one in json.loads(RESULT.read_text()).values() if len(one["factored"]) == len(SEEDS)]
    rows, found = [], {}
    for one in whole:
        table = Table(FOLDER / f"{one['task']}.jsonl")
        lost = regrets(one)
        found.setdefault(registry.find(one["architecture"]).family, []).append(lost)
        rate, own = one["factored"][0]["lr"], best(table.metric, one["own"])
        score = _mean(table.metric, one["own"], own, "confirm")
        told = [f"{rate:.2g}", f"{own:.2g}", f"{score:.3f}", *(f"{value:+.1f}" for value in lost.values())]
        rows.append([one["task"], one["architecture"], str(one["steps"]), *told])
    columns = ["task", "model", "steps", f"best at {SMALL}", f"best at {LARGE}", "its score", "regret as it is",
               "with factors"]  # fmt: skip
    show("points of confirm that a learning rate of nano costs micro", columns, rows)
    rows = [
        [family, str(len(lost)), *(_interval([one[kind] for one in lost]) for kind in lost[0])]
        for family, lost in sorted(found.items())
    ]
    show(f"mean regret with its 95% interval; kept where at most {ENOUGH}", ["family", "pairs", *columns[-2:]], rows)
    tabled: dict[str, list[float]] = {}
    for architecture, lost_as_is in in_table():
        tabled.setdefault(architecture, []).append(lost_as_is)
    rows = [[architecture, str(len(lost)), _interval(lost)] for architecture, lost in tabled.items()]
    show("as it is, wherever the replay table has both sizes", ["architecture", "tasks", columns[-2]], rows)


def in_table() -> Iterator[tuple[str, float]]:
    """Architecture and regret as it is, for each task of the replay table that has both sizes."""
    for table in tables():
        for large in (model for model in table.about["rates"] if model.endswith(f"/{LARGE}")):
            architecture = large.partition("/")[0]
            if own := recorded(table, f"{architecture}/{SMALL}"):
                rate = best(table.metric, own)
                one = {"task": table.name, "own": recorded(table, large), "factored": [{"lr": rate, "confirm": None}]}
                yield architecture, regrets(one)["as it is"]


def best(metric: Metric, entries: list[Entry]) -> float:
    """The learning rate that is best on select, over seeds; one that diverged is last."""
    rates = sorted({entry["lr"] for entry in entries})
    return max(rates, key=lambda rate: metric.gain(_mean(metric, entries, rate, "select")))


def regrets(one: Entry) -> dict[str, float]:
    """Of nano's best rate at micro: as it is, and with factors."""
    metric = Table(FOLDER / f"{one['task']}.jsonl").metric
    rate, own = one["factored"][0]["lr"], best(metric, one["own"])
    goal = _mean(metric, one["own"], own, "confirm")
    near = min((entry["lr"] for entry in one["own"]), key=lambda known: abs(np.log(known / rate)))
    reached = {"as it is": _mean(metric, one["own"], near, "confirm"),
               "with factors": _mean(metric, one["factored"], rate, "confirm")}  # fmt: skip
    unit = abs(goal) if metric.direction == "min" else 1.0
    return {kind: round(100 * (metric.gain(goal) - metric.gain(score)) / unit, 2) for kind, score in reached.items()}


def _recipe(dataset: Dataset, model: str, lr: float, seed: int) -> Recipe:
    base = make({"model": model, "threads": 1})
    return recipe_of(base, model, lr, seed).model_copy(update={"fold": seed if dataset.folds else None})


def _mean(metric: Metric, entries: list[Entry], rate: float, split: str) -> float:
    worst = 0.0 if metric.direction == "max" else np.inf
    return float(np.mean([worst if entry[split] is None else entry[split] for entry in entries if entry["lr"] == rate]))


def _interval(values: list[float]) -> str:
    """The mean over pairs and its interval by Student's t."""
    if len(values) < 2:
        return f"{values[0]:+.2f}"
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return f"{np.mean(values):+.2f} ({np.mean(values) - half:+.2f} to {np.mean(values) + half:+.2f})"


def main() -> None:
    """Run or tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=("run", "tell"))
    parser.add_argument("--minutes", type=float, default=25.0, help="of the processor")
    parser.add_argument("--data", type=Path, default=Path(__file__).parent / "data", help="of bench/data.py")
    options = parser.parse_args()
    if options.verb == "run":
        run(options.minutes, options.data)
    tell()


if __name__ == "__main__":
    main()
