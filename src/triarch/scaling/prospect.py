"""What small runs foretell: the laws through them, scores beyond them, crossovers, and what hours of computing buy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import inf, isinf
from typing import Literal, NamedTuple

import numpy as np

from triarch.core.results import Interval, Metric
from triarch.core.scaling import Crossover, Prospect, Purchase, SmallRun, Trend
from triarch.measure.extrapolation import (
    FEWEST_AMOUNTS,
    Extrapolation,
    HeldOut,
    best_buy,
    crossing,
    fitted,
    interval,
    median_error,
    refusal,
    widening,
)
from triarch.measure.powerlaw import Array, Draws, Points, fit

REACH = 10.0
GUESSING = 0.95
SURE = 0.9
BOUGHT_AMOUNTS = 60
LOSS, TINY = "loss", 1e-9
Sizes = Mapping[str, int]
"""Model → parameters."""


def set_aside(runs: Sequence[SmallRun], guess: float | None) -> list[SmallRun]:
    """The runs with those marked that diverged, or hardly do better than guessing: the law does not hold there yet.

    Args:
        guess: the loss of who knows the shares of the classes and nothing else; None: there is no such thing.
    """
    return [replace(run, used=run.loss is not None and (guess is None or run.loss < GUESSING * guess)) for run in runs]


@dataclass(frozen=True)
class Outlook:
    """What is foretold of each architecture; those that are refused are missing.

    Attributes:
        quantity: what the laws are of.
        sizes: architecture → the parameters of its models that were run.
        most: architecture → the largest amount of data that it was run on.
        smallest: amount that was run.
    """

    quantity: str
    trends: list[Trend]
    foretold: dict[str, Extrapolation]
    sizes: dict[str, list[float]]
    most: dict[str, int]
    smallest: int

    @property
    def largest(self) -> int:
        """The most that every architecture here was run on."""
        return min(self.most.values(), default=0)

    def best_at(self, name: str, items: float) -> tuple[float, Array]:
        """Of the sizes of an architecture that were run the best on so many items, and its draws."""
        draws = {size: self.foretold[name].at(size, items) for size in self.sizes[name]}
        size = min(draws, key=lambda one: float(np.median(draws[one])))
        return size, draws[size]


def outlook(runs: Sequence[SmallRun], metric: Metric | None, least: float, guess: float | None = None) -> Outlook:
    """Fit each architecture, test the fits on held-out runs, and widen all intervals by what these were missed by.

    Args:
        runs: those that are `used` count.
        metric: whose error the laws are of; None: of the loss.
        least: errors of a metric up to 1 below this count as this, since a law never reaches 0.
        guess: the loss or error of who guesses; None: there is no such thing.
    """
    quantity = LOSS if metric is None else f"error of {metric.name}"
    used = [run for run in runs if run.used]
    names = list(dict.fromkeys(_architecture(run.model) for run in runs))
    points = {
        name: _points([run for run in used if _architecture(run.model) == name], metric, least, guess) for name in names
    }
    fits = {name: _fitted(part) for name, part in points.items() if len(part) and _fit_for_laws(part)}
    widened = widening([one.strayed for fit in fits.values() for one in fit.held])
    trends: list[Trend] = []
    foretold: dict[str, Extrapolation] = {}
    models = {(_architecture(run.model), run.params): run.model for run in runs}
    for name in names:
        if name not in fits:
            count = len(points[name].amounts)
            why = f"runs that do better than guessing on {count} amounts of data are too few"
            trends.append(Trend(quantity, name, 0, 0, 0, 0, 0, 0, None, 0, None, 1.0, guess, why))
            continue
        found = fits[name]
        parts = {name: found.points} if 0.0 in found.laws else {
            models[name, int(size)]: found.points.where(found.points.params == size) for size in found.laws
        }  # fmt: skip
        trends += [_trend(quantity, model, part, found, widened) for model, part in parts.items()]
        if not found.why:
            foretold[name] = Extrapolation(found.laws, widened)
    sizes = {name: sorted({*points[name].params.tolist()}) for name in foretold}
    most = {name: int(points[name].amounts[-1]) for name in foretold}
    return Outlook(quantity, trends, foretold, sizes, most, min((run.items for run in used), default=0))


class _Fit(NamedTuple):
    """Laws through the runs on the amounts from which on they hold, their back-test, and why they are refused."""

    points: Points
    laws: dict[float, Draws]
    held: list[HeldOut]
    why: str


def _fitted(points: Points) -> _Fit:
    """Fit all runs; where that is refused those without the smallest amounts, as long as enough are left.

    On little data a loss does not yet fall as a power (Hestness et al. 2017, arXiv 1712.00409, their figure 6).
    """
    amounts = points.amounts
    fits: list[_Fit] = []
    for start in range(max(1, len(amounts) - FEWEST_AMOUNTS)):
        part = points.where(points.items >= amounts[start])
        laws, held = fitted(part)
        fits.append(_Fit(part, laws, held, refusal(part, laws, held)))
        if not fits[-1].why:
            return fits[-1]
    return fits[0]


def prospects(
    losses: Outlook, errors: Outlook | None, metric: Metric, ladders: Mapping[str, Sizes], amounts: Sequence[int]
) -> list[Prospect]:
    """What one training of each model would reach on each of `amounts`.

    Args:
        ladders: architecture → its models that were run, and the next larger.
    """
    found = []
    for name, models in ladders.items():
        for model, params in models.items():
            for items in amounts:
                loss = _of_run(losses, name, params, items)
                error = loss if metric.name == LOSS else _of_run(errors, name, params, items)
                if loss is None and error is None:
                    continue
                told = losses if loss is not None or errors is None else errors
                beyond = items / told.most[name]
                far = beyond > 1.01 * REACH or params > 1.01 * REACH * max(told.sizes[name])
                score, around = (None, None) if error is None else _scores(metric, *error)
                found.append(Prospect(
                    model, params, items, loss and loss[0], loss and loss[1], score, around, round(beyond, 2), far
                ))  # fmt: skip
    return found


def crossovers(outlook: Outlook, by: str) -> list[Crossover]:
    """Between each two architectures, within ten times what was run; each with its best size at every amount."""
    return [_crossover(outlook, by, names) for names in combinations(outlook.foretold, 2)]


def _crossover(outlook: Outlook, by: str, names: tuple[str, str]) -> Crossover:
    largest = min(outlook.most[name] for name in names)
    reach = (outlook.smallest, round(REACH * largest))
    count = min(len(outlook.best_at(name, reach[0])[1]) for name in names)
    first, second = (lambda items, name=name: outlook.best_at(name, items)[1][:count] for name in names)
    one = crossing(first, second, *reach)
    items = None if one.items is None else round(one.items)
    around = None
    if one.interval is not None:
        low, high = one.interval
        around = (None if low is None else round(low), None if high is None else round(high))
    found = Crossover(by, names, names[one.below], names[one.above], items, around, reach, round(one.sure, 3), "")
    return replace(found, text=_crossing(found, largest))


def purchases(
    losses: Outlook, runs: Sequence[SmallRun], ladders: Mapping[str, Sizes], macs: Mapping[str, int],
    hours: Sequence[float], there: int, speed: float | None,
) -> list[Purchase]:  # fmt: skip
    """For each number of hours the best model and amount of data, with the items that are there and with more.

    Args:
        macs: model → multiply–adds of training on one item.
        there: training items.
        speed: multiply–adds a second; None: as measured here, of a size that was not run as of the largest that was.
    """
    found: list[Purchase] = []
    offers: tuple[tuple[Literal["there", "more"], float], ...] = (
        ("there", float(there)), ("more", max(there, REACH * losses.largest))
    )  # fmt: skip
    for budget in hours:
        for data, most in offers:
            options: list[tuple[float, str, float, float]] = []
            for name, law in losses.foretold.items():
                cost = _Cost([run for run in runs if run.used and _architecture(run.model) == name], macs, speed)
                by_size = {float(params): model for model, params in ladders[name].items()
                           if law.joint or float(params) in losses.sizes[name]}  # fmt: skip
                amounts = np.geomspace(min(losses.smallest, most), most, BOUGHT_AMOUNTS).tolist()

                def loss(size: float, items: float, law: Extrapolation = law) -> float:
                    return float(np.median(law.at(size, items)))

                def takes(size: float, items: float, cost: _Cost = cost, by_size: dict[float, str] = by_size) -> float:
                    return cost.hours(by_size[size], size, items)

                best = best_buy(list(by_size), amounts, loss, takes, budget)
                if best is not None:
                    options.append((loss(*best), by_size[best[0]], best[1], takes(*best)))
            if options:
                found.append(_purchase(losses, ladders, budget, data, min(options), there))
    same = {(one.hours, one.model, one.items) for one in found if one.data == "there"}
    return [one for one in found if one.data == "there" or (one.hours, one.model, one.items) not in same]


class _Cost:
    """What a training of one architecture takes, told from its runs."""

    def __init__(self, runs: Sequence[SmallRun], macs: Mapping[str, int], speed: float | None) -> None:
        self.macs, self.speed = macs, speed
        seen = np.log([run.ended * run.batch for run in runs])
        self.sized = len({run.params for run in runs}) > 1
        columns = [self._column(run.params, run.items) for run in runs]
        self.terms = np.linalg.lstsq(np.array(columns), seen, rcond=None)[0]
        self.speeds = {
            run.model: float(np.median([one.macs / max(one.seconds, 1e-9) for one in runs if one.model == run.model]))
            for run in runs
        }
        self.largest = max(runs, key=lambda run: run.params).model

    def hours(self, model: str, params: float, items: float) -> float:
        """Until the loss of `model` has stopped falling on so many items."""
        passed = float(np.exp(np.array(self._column(params, items)) @ self.terms))
        speed = self.speed or self.speeds.get(model, self.speeds[self.largest])
        return passed * self.macs[model] / speed / 3600

    def _column(self, params: float, items: float) -> list[float]:
        return [1.0, float(np.log(items)), *([float(np.log(params))] if self.sized else [])]


def _purchase(
    losses: Outlook, ladders: Mapping[str, Sizes], hours: float, data: Literal["there", "more"],
    best: tuple[float, str, float, float], there: int,
) -> Purchase:  # fmt: skip
    _, model, amount, takes = best
    name, items = _architecture(model), round(amount)
    params = ladders[name][model]
    made = losses.foretold[name].at(params, items, one_run=True)
    low, high = interval(made)
    most = max(losses.sizes[name])
    far = items > 1.01 * REACH * losses.most[name] or params > 1.01 * REACH * most
    enough = "; more time would buy nothing more" if takes < 0.5 * hours else ""
    limit = f"the {there:,} examples that are there" if data == "there" else "as many examples as are of use"
    text = (
        f"{hours:g} h with {limit}: `{model}` on {items:,}, loss {np.median(made):.3g} ({low:.3g}–{high:.3g}),"
        f" {takes:.2g} h{enough}{' (far beyond what was run)' * far}"
    )
    return Purchase(hours, data, model, params, items, float(np.median(made)), (low, high), takes, far, text)


def _trend(quantity: str, model: str, points: Points, found: _Fit, widened: float) -> Trend:
    law = fit(points)
    ours = [one for one in found.held if one.params in points.params]
    missed = median_error(ours) if ours else None
    covered = float(np.mean([one.strayed <= 1 for one in ours])) if ours else None
    return Trend(
        quantity, model, int(points.amounts[0]), law.floor, law.size, law.alpha, law.data, law.beta, missed, len(ours),
        covered, widened, None if isinf(law.guess) else law.guess, found.why,
    )  # fmt: skip


def _points(runs: Sequence[SmallRun], metric: Metric | None, least: float, guess: float | None) -> Points:
    values = [run.loss if metric is None else run.score for run in runs]
    known = [(run, value) for run, value in zip(runs, values) if value is not None]
    share = metric is not None and metric.direction == "max"
    turned = [max(least, 1 - value) if share else max(TINY, value) for _, value in known]
    return Points(
        np.array([run.params for run, _ in known], dtype=np.float64),
        np.array([run.items for run, _ in known], dtype=np.float64),
        np.array(turned, dtype=np.float64),
        inf if guess is None else guess,
    )


def _fit_for_laws(points: Points) -> bool:
    """Whether every size was run often enough to draw laws for it."""
    return all(int((points.params == size).sum()) >= 3 for size in np.unique(points.params))


def _of_run(outlook: Outlook | None, name: str, params: float, items: float) -> tuple[float, Interval] | None:
    """Median and interval of one training; None where nothing is foretold of it."""
    law = outlook.foretold.get(name) if outlook else None
    if law is None or not (law.joint or params in law.laws):
        return None
    made = law.at(params, items, one_run=True)
    return float(np.median(made)), interval(made)


def _scores(metric: Metric, error: float, around: Interval) -> tuple[float, Interval]:
    """The score of an error."""
    if metric.direction == "min":
        return error, around
    return 1 - error, (max(0.0, 1 - around[1]), 1 - around[0])


def _crossing(found: Crossover, largest: int) -> str:
    """A crossover in a sentence."""
    near, far = (f"{end:,}" for end in found.reach)
    first, second = found.models
    if found.sure < SURE:
        lean = f"rather `{found.below}`"
        if found.items:
            lean = f"perhaps `{found.below}` below ~{rounded(found.items)} and `{found.above}` above it"
        between = f"undecided between `{first}` and `{second}` from {near} to {far} examples"
        return f"{found.by}: {between} ({lean}, {found.sure:.0%})"
    if found.items is None or found.interval is None:
        other = second if found.below == first else first
        better = f"`{found.below}` is better than `{other}` throughout"
        return f"{found.by}: no crossover within reach ({near} to {far} examples): {better}"
    edges = (f"below {near}", f"beyond {far}")
    low, high = (edge if end is None else rounded(end) for end, edge in zip(found.interval, edges))
    beyond = ", beyond what was run" if found.items > largest else ""
    take = f"below ~{rounded(found.items)} examples take `{found.below}`, above it `{found.above}`"
    return f"{found.by}: {take} ({low} to {high}{beyond})"


def rounded(items: int) -> str:
    """To two digits."""
    return f"{int(float(f'{items:.2g}')):,}"


def _architecture(model: str) -> str:
    return model.partition("/")[0]
