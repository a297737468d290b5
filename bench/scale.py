"""Forecasts of `triarch scale` held against runs that took no part: those on the largest amount of data.

    python bench/scale.py languages --models textcnn/nano,lstm/nano,encoder/nano --items 122,245,489,978,1956,3912 \\
        --tried-on 978
    python bench/scale.py fashion-mnist --models plain/nano,lstm/nano,vit/nano --items 64,125,250,500,1000
    python bench/scale.py --tell

The second set comes from `python bench/data.py fashion-mnist`. Runs are kept in a ledger (`--runs`), go on where they
were interrupted, and are told again without being done again. Every amount with four or more below it is held out once
and foretold from these, by all seeds together and by each alone, with the widening that the back-test inside them
gives. `inside`: the share of held-out runs inside the stated 90% interval; `nominal`: inside the interval before it was
widened; `error`: of the median forecast against the mean of the held-out runs.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from sides import RESULTS
from triarch.core.files import write_json
from triarch.core.interrupt import deferred
from triarch.core.machine import computing, this_machine
from triarch.core.progress import progress
from triarch.core.record import Ledger
from triarch.core.results import Metric
from triarch.core.scaling import SmallRun
from triarch.measure.extrapolation import interval
from triarch.models import registry
from triarch.race.options import Options
from triarch.race.subject import subject
from triarch.scaling.forecast import guess, small_run
from triarch.scaling.prospect import outlook, set_aside
from triarch.scaling.runs import Cell, Runs, Sized, counted

FEWEST = 4
"""Amounts below the one that is held out."""


def record(
    asked: dict[str, Any], models: list[str], amounts: list[int], seeds: int, folder: Path, tried_on: int
) -> None:  # fmt: skip
    """Run what is not there yet; learning rates are tried on `tried_on` items."""
    options = Options.of(asked)
    base = options.recipe()
    with computing(1, 0, flush_denormals=True), deferred() as stop, progress(folder.name) as reporter:
        dataset, task = subject(options.data, options, base, reporter.update)
        sizes = [counted(model, registry.parse(model)[0].learning_rates, dataset, task) for model in models]
        runs = Runs(folder, dataset, task, base, 1e7, reporter, stop, time.perf_counter())
        about = {"sizes": [asdict(size) for size in sizes], "amounts": amounts, "metric": asdict(task.primary),
                 "guess": guess(dataset, None), "guessed": guess(dataset, task.primary),
                 "select": len(dataset.splits["select"])}  # fmt: skip
        runs.once("about", lambda: about)
        rates = runs.once("rates", lambda: runs.calibrate(sizes, tried_on))
        for seed in range(seeds):
            for items in amounts:
                for size in sizes:
                    cell = Cell(size.model, items, seed, rates[size.model])
                    result = runs.cell(cell)
                    print(json.dumps({"key": cell.key, "loss": result["loss"], "steps": result["steps"]}), flush=True)


def judged(
    runs: list[SmallRun], metric: Metric | None, least: float, guessed: float | None, last: int, seeds: str
) -> list[dict[str, Any]]:  # fmt: skip
    """A row for each model: its forecast for `last` items from the runs below, beside the runs there."""
    told = outlook([run for run in runs if run.items < last], metric, least, guessed)
    trends = {trend.model.partition("/")[0]: trend for trend in told.trends}
    rows = []
    for model in dict.fromkeys(run.model for run in runs):
        name = model.partition("/")[0]
        held = [run for run in runs if run.model == model and run.items == last]
        row: dict[str, Any] = {"quantity": told.quantity, "seeds": seeds, "model": model, "items": last}
        if name not in told.foretold:
            rows.append(row | {"refused": trends[name].refused})
            continue
        law, params = told.foretold[name], held[0].params
        values = [_value(run, metric, least) for run in held]
        middle = float(np.median(law.at(params, last, one_run=True)))
        nominal = interval(law.laws[0.0 if law.joint else params].runs_at(params, last))
        low, high = interval(law.at(params, last, one_run=True))
        rows.append(row | {
            "measured": values, "foretold": middle, "interval": [low, high], "widened": law.widened,
            "inside": float(np.mean([low <= value <= high for value in values])),
            "nominal": float(np.mean([nominal[0] <= value <= nominal[1] for value in values])),
            "error": middle / float(np.mean(values)) - 1, "last_known": float(np.mean(
                [_value(run, metric, least) for run in runs if run.model == model and run.items == _before(runs, last)]
            )),
        })  # fmt: skip
    return rows


def tell(folders: list[Path]) -> dict[str, Any]:
    """What all sets say together."""
    sets, rows = {}, []
    for folder in folders:
        ledger = Ledger(folder / "records.jsonl")
        about, rates = (ledger.get(key) for key in ("about", "rates"))
        if about is None or rates is None:
            continue
        sizes = {one["model"]: Sized(**one) for one in about.result["sizes"]}
        metric, least = Metric(**about.result["metric"]), 0.5 / min(2_000, about.result["select"])
        cells = [_cell(record.key) for record in ledger if record.key.startswith("run/")]
        made = [
            small_run(cell, sizes[cell.model], found.result)
            for cell in cells
            if f"{rates.result.get(cell.model):g}" == f"{cell.lr:g}" and (found := ledger.get(cell.key))
        ]
        made = [run for run in set_aside(made, about.result["guess"]) if run.used]
        seeds = sorted({run.seed for run in made})
        for last, quantity in product(about.result["amounts"][FEWEST:], (None, metric)):
            guessed = about.result["guess" if quantity is None else "guessed"]
            for name, chosen in (("all", seeds), *((str(seed), [seed]) for seed in seeds if len(seeds) > 1)):
                found = judged([run for run in made if run.seed in chosen], quantity, least, guessed, last, name)
                rows += [{"data": folder.name, **row} for row in found]
        sets[folder.name] = {
            "rates": rates.result, "seconds": sum(record.seconds for record in ledger),
            "runs": [
                {"model": run.model, "params": run.params, "items": run.items, "seed": run.seed, "loss": run.loss,
                 "score": run.score, "steps": run.steps, "ended": run.ended, "settled": run.settled}
                for run in made
            ],
        }  # fmt: skip
    kinds = sorted({(row["quantity"], row["seeds"] == "all") for row in rows})
    summary = [
        {"quantity": quantity, "seeds": "all" if all_seeds else "one",
         **_summed([row for row in rows if row["quantity"] == quantity and (row["seeds"] == "all") == all_seeds])}
        for quantity, all_seeds in kinds
    ]  # fmt: skip
    return {"summary": summary, "rows": rows, "sets": sets, "machine": asdict(this_machine())}


def _summed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    told = [row for row in rows if "error" in row]
    return {
        "forecasts": len(told), "refused": len(rows) - len(told),
        "inside": float(np.mean([row["inside"] for row in told])) if told else None,
        "nominal": float(np.mean([row["nominal"] for row in told])) if told else None,
        "median_error": float(np.median([abs(row["error"]) for row in told])) if told else None,
        "worst_error": float(max(abs(row["error"]) for row in told)) if told else None,
    }  # fmt: skip


def _value(run: SmallRun, metric: Metric | None, least: float) -> float:
    if metric is None:
        return float(run.loss or 0.0)
    return max(least, 1 - float(run.score or 0.0) if metric.direction == "max" else float(run.score or 0.0))


def _before(runs: list[SmallRun], last: int) -> int:
    return max(run.items for run in runs if run.items < last)


def _cell(key: str) -> Cell:
    """The cell of a record."""
    _, name, size, items, lr, seed = key.split("/")
    numbers = (part.partition("=")[2] for part in (items, seed, lr))
    many, which, rate = numbers
    return Cell(f"{name}/{size}", int(many), int(which), float(rate))


def main() -> None:
    """Run one set, or tell of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?")
    parser.add_argument("--models")
    parser.add_argument("--items")
    parser.add_argument("--name", help="of the set, where it is not that of the file")
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--lookback", type=int)
    parser.add_argument("--tried-on", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--runs", type=Path, default=Path("scale-runs"))
    parser.add_argument("--tell", action="store_true")
    options = parser.parse_args()
    if options.data:
        amounts = [int(items) for items in options.items.split(",")]
        folder = options.runs / (options.name or Path(options.data).stem)
        asked = {"data": options.data, "image_size": options.image_size, "lookback": options.lookback}
        record(asked, options.models.split(","), amounts, options.seeds, folder, options.tried_on)
    if options.tell:
        told = tell(sorted(path for path in options.runs.iterdir() if path.is_dir()))
        write_json(RESULTS / "scale.json", told)
        for row in told["rows"]:
            about = f"{row['data']:13} {row['quantity']:17} seeds {row['seeds']:3} {row['model']:13} {row['items']:6,}"
            if "error" in row:
                low, high = row["interval"]
                # fmt: off
                print(f"{about} foretold {row['foretold']:.4f} ({low:.4f}–{high:.4f}, ×{row['widened']:.2f})"
                      f" error {row['error']:+.1%} inside {row['inside']:.0%}, nominal {row['nominal']:.0%}")
                # fmt: on
            else:
                print(f"{about} {row['refused']}")
        for one in told["summary"]:
            print(json.dumps(one))


if __name__ == "__main__":
    main()
