"""Families of which a race cannot tell how good they are: their training had not come to its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triarch.core.results import Metric
from triarch.core.verdict import Undecided

# As parts of what the best finalist learned: so far above its loss, and so little or so much of a fall in the last
# fifth before the learning rate sinks.
FAR, STILL, STEEP = 0.25, 0.02, 0.1
BEFORE, LATELY = (0.4, 0.6), (0.6, 0.8)
SURE, MORE = 2.0, 4  # standard errors; times the steps or the time of a race in which nothing was learned

Results = Sequence[Mapping[str, Any]]


def blind(labels: NDArray[np.int64], metric: Metric) -> float | None:
    """What is scored by who knows how frequent the classes are and nothing else; None where that is not known."""
    shares = np.bincount(labels) / len(labels)
    shares = shares[shares > 0]
    if metric.by_class:
        return 1 / len(shares)
    known = {"accuracy": shares.max(), "loss": -(shares * np.log(shares)).sum()}
    return float(known[metric.name]) if metric.name in known else None


def undecided(
    finals: Mapping[str, Results], families: Mapping[str, str], metric: Metric, chance: float | None = None,
    remedy: str = "more time",
) -> list[Undecided]:  # fmt: skip
    """The finalists that score less than the best, far above its training loss, which there stands still or falls fast.

    Some networks leave a plateau late and all at once (associative recall by attention, for one), so that one which is
    still on it is not shown to be worse. Where the best has learned nothing either, all that stand still are meant.

    Args:
        finals: results of each model's seeds; `losses` holds pairs of step and training loss.
        families: of each model.
        chance: the score of who has learned nothing; None: that is not known.
        remedy: what may change it where nobody has learned anything.
    """
    done = {model: [one for one in results if one["score"] is not None] for model, results in finals.items()}
    lines = {
        model: min((np.array(one["losses"]) for one in results), key=lambda line: float(line[-1, 1]))
        for model, results in done.items() if results
    }  # fmt: skip
    if not lines:
        return []
    gains = {model: float(np.mean([metric.gain(one["score"]) for one in done[model]])) for model in lines}
    best = max(gains, key=lambda model: gains[model])
    if chance is not None and all(_knows_nothing(done[model], metric, chance) for model in lines):
        return [
            Undecided(families[model], model, _nothing_learned(line, remedy))
            for model, line in lines.items() if _stands_still(line)
        ]  # fmt: skip
    goal = float(lines[best][-1, 1])
    found = []
    for model, line in lines.items():
        learned = float(line[0, 1]) - goal
        before, lately = (_mean(line, part) for part in (BEFORE, LATELY))
        if gains[model] >= gains[best] or lately - goal <= FAR * abs(learned):
            continue
        fell = before - lately
        if fell < STILL * learned:
            reason = f"its training loss stood still at {lately:.3g}, where {best} came to {goal:.3g}"
            found.append(Undecided(families[model], model, f"{reason}; some networks leave such a plateau late"))
        elif falls_fast(line, goal):
            reason = f"its training loss was still falling fast, from {before:.3g} to {lately:.3g}"
            found.append(Undecided(families[model], model, f"{reason}; more time may change its place"))
    return found


def _knows_nothing(results: Results, metric: Metric, chance: float) -> bool:
    """Whether no seed scores better than chance beyond its standard error, twice."""
    errors = [np.std(one["values"]) / np.sqrt(len(one["values"])) for one in results]
    return all(metric.gain(one["score"]) <= metric.gain(chance) + SURE * error for one, error in zip(results, errors))


def _stands_still(line: np.ndarray[Any, Any]) -> bool:
    return _mean(line, BEFORE) - _mean(line, LATELY) < STILL * abs(_mean(line, LATELY))


def _nothing_learned(line: np.ndarray[Any, Any], remedy: str) -> str:
    return (
        f"its training loss stood still at {_mean(line, LATELY):.3g} and it scores as who has learned nothing; some"
        f" networks leave such a plateau late, so that {remedy} may tell, if there is anything to be learned"
    )


def falls_fast(line: np.ndarray[Any, Any], goal: float) -> bool:
    """Whether a training loss was still falling fast, far above where that of the best finalist ended.

    Args:
        line: pairs of step and training loss.
        goal: where the best ended.
    """
    before, lately = (_mean(line, part) for part in (BEFORE, LATELY))
    learned = float(line[0, 1]) - goal
    return lately - goal > FAR * abs(learned) and before - lately > STEEP * learned


def _mean(line: np.ndarray[Any, Any], part: tuple[float, float]) -> float:
    """Mean loss in a part of the steps."""
    place = line[:, 0] / line[-1, 0]
    inside = (place >= part[0]) & (place <= part[1])
    return float(line[inside, 1].mean()) if inside.any() else float(line[np.abs(place - np.mean(part)).argmin(), 1])
