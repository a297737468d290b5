"""Would a race gain by extrapolating the curves of its trials? Measured on the replay table.

    python bench/curves.py [--repetitions 20]

An ensemble of power laws (bench/curve_ensemble.py), fitted on the other tasks only, foretells errors. Told are

- how often its intervals hold the last rung, and those of the posterior of one power law (measure/powerlaw.py);
- of the trials that it would stop, how many come out ahead of the one for which they were stopped;
- the regret of our race where trials stop, where forecasts rank in place of scores, and where each family goes on with
  the trial that promises most (as in Swersky et al. 2014, "Freeze-thaw Bayesian optimization", arXiv 1406.3896).

Each look at a trial between its rungs is paid with the seconds that its evaluation took, or free where it says so.
On the screen and in bench/results/curves.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from math import inf

import numpy as np

import race_replayed as ours
from curve_ensemble import Array, Forecast, below, errors
from race_replayed import SLOWER, entries
from regret import search
from replay_table import Rung, Table, tables
from sides import RESULTS, show
from strategies import Key, Purse, Strategy
from triarch.core.files import write_json
from triarch.measure.powerlaw import Points, draw
from triarch.race.halving import Finalist, Halving
from triarch.race.plan import HALVING, TIMING, Heat, heats
from triarch.training.start import TIMED_STEPS

LEVELS, KNOWN = (0.5, 0.8, 0.9), (2, 3, 5, 7, 9)
SURE = 0.95
LOOKS = (2**-1.5, 2**-1.0, 2**-0.5)  # parts of a rung's time after which its trials are looked at
SHARES = (0.05, 0.1, 0.2)

Trial = tuple[str, float]
Held = dict[str, dict[str, dict[str, list[float]]]]


def coverage(known: Sequence[Table], forecasts: dict[str, Forecast]) -> Held:
    """How → rungs known → level → how often the interval holds the last rung: the mean over tasks, and the worst."""
    tasks = [_held(table, forecasts[table.name]) for table in known]
    return {
        how: {
            str(count): {
                str(level): [round(float(figure), 3) for figure in (np.mean(shares), min(shares))]
                for level in LEVELS
                for shares in [[np.mean(task[how, count, level]) for task in tasks if (how, count, level) in task]]
            }
            for count in KNOWN
            if any((name, there) == (how, count) for task in tasks for name, there, _ in task)
        }
        for how in ("ensemble", "one law")
    }


def _held(table: Table, forecast: Forecast) -> dict[tuple[str, int, float], list[bool]]:
    """How, rungs known and level → whether the interval holds the last rung, for each trial."""
    held: dict[tuple[str, int, float], list[bool]] = {}
    for trial in table.trials.values():
        steps, values = errors(table.metric, trial.rungs)
        for count in (count for count in KNOWN if count < len(steps)):
            told = {"ensemble": forecast.ensemble.drawn(steps[:count], values[:count], steps[-1])}
            if count > 2:
                laws = draw(Points(np.ones(count), steps[:count], values[:count]), draws=400)
                told |= {"one law": np.log(laws.runs_at(1.0, steps[-1]))} if len(laws.terms) else {}
            for how, made in told.items():
                for level in LEVELS:
                    low, high = np.quantile(made, ((1 - level) / 2, (1 + level) / 2))
                    held.setdefault((how, count, level), []).append(bool(low <= np.log(values[-1]) <= high))
    return held


def stopped(known: Sequence[Table], forecasts: dict[str, Forecast]) -> dict[str, float]:
    """Trials of one family and seed beside the best of them at equal seconds: how many stop, and how many wrongly."""
    all_told, out, wrong = 0, 0, 0
    for table in known:
        family = {model: one["family"] for model, one in table.about["models"].items()}
        trials = [trial for trial in table.trials.values() if len(trial.finals) == 3]
        for name, seed in sorted({(family[trial.model], trial.seed) for trial in trials}):
            group = [trial for trial in trials if (family[trial.model], trial.seed) == (name, seed)]
            for share in LOOKS[0] ** 2, LOOKS[0], LOOKS[1]:
                at = {
                    id(trial): [rung for rung in trial.rungs if rung.seconds <= share * table.about["seconds_each"]][
                        -1:
                    ]
                    for trial in group
                }
                there = [trial for trial in group if at[id(trial)]]
                if len(there) < 2:
                    continue
                gain = {id(trial): table.metric.gain(at[id(trial)][0].score or 0.0) for trial in there}
                best = max(there, key=lambda trial: gain[id(trial)])
                told = {
                    id(trial): forecasts[table.name].of(trial, at[id(trial)][0], trial.rungs[-1].steps)
                    for trial in there
                }
                for trial in there:
                    if trial is not best:
                        all_told += 1
                        if below(told[id(trial)], told[id(best)]) >= SURE:
                            out += 1
                            ends = [table.metric.gain(one.finals[-1].score or 0.0) for one in (trial, best)]
                            wrong += ends[0] > ends[1]
    return {"looked": all_told, "stopped": out, "wrongly": wrong}


def curved(
    forecasts: dict[str, Forecast], sure: float = inf, free: bool = False, ranked: bool = False, hope: float = 0.0
) -> Strategy:
    """Our race, with forecasts in its heats.

    Args:
        sure: trials stop that end below the best of their family with this probability, and the others have their time.
        free: looking between rungs costs nothing.
        ranked: forecasts rank in place of scores, each by its median, or that much of a share before it as `hope` says.
    """

    def race(purse: Purse, random: np.random.Generator) -> Key:  # noqa: ARG001
        forecast, planned, target = _begin(purse, forecasts)
        halvings = [Halving(heat, purse.table.metric, purse.table.about["folds"] > 0) for heat in planned]
        last: dict[Key, Rung] = {}

        def value(key: Trial, rung: Rung) -> Array:
            return forecast.of(purse.trial(ours._recorded(purse.table, *key)), rung, target(key[0]))

        for number in range(max(len(heat.rungs) for heat in planned)):
            for halving in halvings:
                if number >= len(halving.heat.rungs):
                    continue
                if sure < inf and not halving.on_folds:
                    seen, alive = _looked(purse, halving, number, value, sure, free)
                else:
                    seen, alive = ours._rung(purse, halving, number), halving.alive
                last |= seen
                results = {}
                for key, rung in seen.items():
                    score = rung.score
                    if ranked and score is not None:
                        error = float(np.exp(np.quantile(value(key, rung), 0.5 - hope)))
                        score = error if purse.table.metric.direction == "min" else 1 - error
                    results[key] = {"score": score if key in alive else None, "loss": rung.loss}
                halving.cut(number, results)
        return _end(purse, [one.finalist for one in halvings if one.finalist], last)

    return race


def _looked(
    purse: Purse, halving: Halving, number: int,
    value: Callable[[Trial, Rung], Array], sure: float, free: bool,
) -> tuple[dict[Trial, Rung], list[Trial]]:  # fmt: skip
    """A rung whose trials are looked at on the way: where each came to, and those that were not stopped."""
    heat, alive = halving.heat, list(halving.alive)
    slot = heat.slot(number, len(alive)) / SLOWER
    before = [heat.slot(rung, heat.rungs[rung]) / SLOWER for rung in range(number)]
    seen: dict[Trial, Rung] = {}
    for part in (*LOOKS, 1.0):
        for model, rate in alive:
            fresh = bool(heat.kept and number and halving.screened[model] != rate)
            begun = sum(before[1:] if fresh else before)
            known = seen.get((model, rate))
            key = ours._recorded(purse.table, model, rate)
            rung = purse.rung(key, begun + part * slot, anew=known is None and number == int(fresh))
            if known is not None and rung is not known and not free:
                purse.left -= known.looked
            seen[model, rate] = rung
        if part < 1 and len(alive) > 1:
            best = max(alive, key=lambda trial: purse.rank(seen[trial]))
            goal = value(best, seen[best])
            out = [one for one in alive if one != best and below(value(one, seen[one]), goal) >= sure]
            alive = [one for one in alive if one not in out]
            slot += len(out) * slot * (1 - part) / len(alive)
    return seen, alive


def most_promising(forecasts: dict[str, Forecast], hope: float) -> Strategy:
    """Each family's seconds go, rung after rung, to the trial of which the least error is foretold.

    The median of the forecast counts or, with `hope`, what is so much of a share before it.

    All models begin at their highest rate; half-way the one that is foretold to end best begins at the others.
    """

    def race(purse: Purse, random: np.random.Generator) -> Key:  # noqa: ARG001
        forecast, planned, target = _begin(purse, forecasts)
        finalists, last = [], {}
        for heat in planned:
            at: dict[Trial, int] = {}
            seen: dict[Trial, Rung] = {}
            until = purse.left - heat.seconds / SLOWER

            def go(trial: Trial, at: dict[Trial, int] = at, seen: dict[Trial, Rung] = seen) -> None:
                rungs = _rungs(purse, trial)
                at[trial] = at.get(trial, -1) + 1
                if trial in seen:
                    purse.left -= seen[trial].looked
                place = min(at[trial], len(rungs) - 1)
                seen[trial] = purse._pay(ours._recorded(purse.table, *trial), 0, rungs[place], trial not in seen)

            def promise(trial: Trial, hope: float, seen: dict[Trial, Rung] = seen) -> float:
                key = ours._recorded(purse.table, *trial)
                return float(np.quantile(forecast.of(purse.trial(key), seen[trial], target(trial[0])), 0.5 - hope))

            for model in heat.models:
                go((model, max(heat.rates[model])))
            half = (purse.left + until) / 2
            while purse.left > until:
                best = min(seen, key=lambda trial: promise(trial, 0.0))
                new = [(best[0], rate) for rate in heat.rates[best[0]] if (best[0], rate) not in seen]
                open_still = [
                    one for one in seen if seen[one].score is not None and at[one] + 1 < len(_rungs(purse, one))
                ]
                if purse.left < half and new:
                    for trial in new:
                        go(trial)
                elif open_still:
                    go(min(open_still, key=lambda trial: promise(trial, hope)))
                else:
                    break
            best = max(seen, key=lambda trial: purse.rank(seen[trial]))
            if seen[best].score is not None:
                finalists.append(Finalist(best[0], heat.family, best[1]))
                last |= seen
        return _end(purse, finalists, last)

    return race


def _rungs(purse: Purse, trial: Trial) -> list[Rung]:
    recorded = purse.trial(ours._recorded(purse.table, *trial))
    return recorded.rungs or recorded.finals


def _begin(purse: Purse, forecasts: dict[str, Forecast]) -> tuple[Forecast, list[Heat], Callable[[str], float]]:
    """The task's forecast, the plan of our race, and the steps of a model's final."""
    paces: dict[str, float] = purse.table.about["paces"]
    purse.left -= min(TIMING * purse.left, (TIMED_STEPS + 1) * sum(paces.values()))
    planned = heats(
        entries(purse.table), lambda entry, _: SLOWER * paces[entry.model], purse.table.about["per_epoch"],
        SLOWER * purse.left,
    )  # fmt: skip
    final = purse.left * (1 - HALVING) / len(planned) / 2
    return forecasts[purse.table.name], planned, lambda model: max(1.0, final / paces[model])


def _end(purse: Purse, finalists: list[Finalist], last: dict[Key, Rung]) -> Key:
    """Finals as our race has them."""
    if not finalists:
        return purse.keys[0]
    reached = {one.model: last[one.model, one.lr].interval or (-inf, inf) for one in finalists}
    chosen = ours._finals(purse, finalists, reached)
    return ours._recorded(purse.table, chosen.model, chosen.lr)


def main() -> None:
    """Measure all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=20)
    repetitions = parser.parse_args().repetitions
    known = tables()
    forecasts = {table.name: Forecast(table, known) for table in known}
    held = coverage(known, forecasts)
    rows = [
        [how, count, *(f"{mean:.0%} ({worst:.0%})" for mean, worst in by_level.values())]
        for how, by_count in held.items()
        for count, by_level in by_count.items()
    ]
    show("how often the last rung is in the interval (worst task)", ["of", "rungs known", *map(str, LEVELS)], rows)
    judged = stopped(known, forecasts)
    print(judged)
    ways: dict[str, Strategy] = {
        "ours": ours.race, "looked at, none stopped": curved(forecasts, 2.0),
        **{f"stopped at {sure}": curved(forecasts, sure) for sure in (SURE, 0.8)},
        **{f"stopped at {sure}, looks free": curved(forecasts, sure, free=True) for sure in (SURE, 0.9, 0.8)},
        "ranked by forecast": curved(forecasts, ranked=True),
        "ranked by a hopeful forecast": curved(forecasts, ranked=True, hope=0.25),
        "most promising": most_promising(forecasts, 0.0),
        "most promising, with hope": most_promising(forecasts, 0.25),
    }  # fmt: skip
    lost: dict[str, dict[float, Array]] = {}
    for name, way in ways.items():
        lost[name] = {}
        for share in SHARES:
            found = [[search(table, way, share, (place, number)) for number in range(repetitions)]
                     for place, table in enumerate(known)]  # fmt: skip
            lost[name][share] = np.array([[one.regret for one in row] for row in found])
        print(name, {share: _figures(values) for share, values in lost[name].items()}, flush=True)
    elsewhere = {share: _figures(_left_out({name: made[share] for name, made in lost.items()})) for share in SHARES}
    rows = [
        [name, *(", ".join(f"{one:.2f}" for one in figures[share]) for share in SHARES)]
        for name, figures in [
            *((name, {share: _figures(values) for share, values in made.items()}) for name, made in lost.items()),
            ("the best on the other eleven tasks", elsewhere),
        ]
    ]
    show("regret: median, p90, mean", ["search", *(f"{share:.0%}" for share in SHARES)], rows)
    figures = {row[0]: dict(zip(map(str, SHARES), row[1:])) for row in rows}
    each = {
        name: {table.name: round(float(made[0.1][place].mean()), 2) for place, table in enumerate(known)}
        for name, made in lost.items()
    }
    write_json(RESULTS / "curves.json", {
        "repetitions": repetitions, "coverage": held, "stopped": judged, "regret": figures, "mean_at_0.1": each,
    })  # fmt: skip


def _left_out(lost: dict[str, Array]) -> Array:
    """For each task what the way loses there that has the smallest mean on the others."""
    names, count = list(lost), len(next(iter(lost.values())))
    rows = []
    for place in range(count):
        others = [one for one in range(count) if one != place]
        best = min(names, key=lambda name: lost[name][others].mean())
        rows.append(lost[best][place])
    return np.array(rows)


def _figures(values: Array) -> list[float]:
    return [round(float(one), 3) for one in (np.median(values), np.quantile(values, 0.9), values.mean())]


if __name__ == "__main__":
    main()
