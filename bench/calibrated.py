"""A race that would do more with little time, on a table: what triarch's own might become.

In each family the quickest network tries all learning rates; the others are tried at the place in their own grid that
did best, one trial each, and the best three go on. Then the families' survivors meet in finals from scratch, in rounds:
all end their schedule early, the better half goes on from where its decay branched off, and so to the end.
"""

from __future__ import annotations

from math import ceil

import numpy as np

from replay_table import FINALS, Rung
from strategies import LONGEST, Key, Purse
from triarch.race.plan import TIMING
from triarch.training.recipe import Schedule
from triarch.training.start import TIMED_STEPS

HEATS = 0.8  # of the time
SECOND = 0.3  # of a heat: for those that go on
KEPT = 3


def calibrated(purse: Purse, random: np.random.Generator) -> Key:  # noqa: ARG001
    """The search."""
    models = purse.table.about["models"]
    purse.left -= min(TIMING * purse.left, (TIMED_STEPS + 1) * sum(purse.table.about["paces"].values()))
    families: dict[str, list[str]] = {}
    for model in sorted(models, key=lambda model: float(purse.table.about["paces"][model])):
        families.setdefault(models[model]["family"], []).append(model)
    share = HEATS * purse.left / len(families)
    return _finals(purse, [_survivor(purse, members, share) for members in families.values()])


def _survivor(purse: Purse, members: list[str], seconds: float) -> Key:
    """The best of a family, whose quickest comes first; where there are folds a second trial is on another."""
    rates: dict[str, list[float]] = purse.table.about["rates"]
    folds = purse.table.about["folds"] > 0
    quickest, *others = members
    first = (1 - SECOND) * seconds / (len(rates[quickest]) + len(others))
    seen = {(quickest, rate): purse.rung((quickest, rate), first) for rate in rates[quickest]}
    place = rates[quickest].index(purse.best(seen)[1])
    seen |= {(model, rates[model][place]): purse.rung((model, rates[model][place]), first) for model in others}
    kept = sorted(seen, key=lambda key: purse.rank(seen[key]), reverse=True)[:KEPT]
    second = SECOND * seconds / len(kept)
    if folds:
        return purse.best({key: purse.rung(key, second, 1, anew=True) for key in kept})
    return purse.best({key: purse.rung(key, first + second) for key in kept})


def _finals(purse: Purse, finalists: list[Key]) -> Key:
    """The best of the survivors, from rounds of finals on the seed that their trials did not have."""
    seen: dict[Key, Rung] = {}
    starts = range(LONGEST, 0, -1)
    start = next((start for start in starts if _price(purse, len(finalists), start) <= purse.left), 0)
    for length in range(start, LONGEST + 1):
        seen = {key: purse.final(key, length, 1, anew=length == start) for key in finalists}
        finalists = sorted(finalists, key=lambda key: purse.rank(seen[key]), reverse=True)[: ceil(len(finalists) / 2)]
        if len(finalists) == 1 or purse.left <= 0:
            break
    return finalists[0]


def _price(purse: Purse, finalists: int, start: int) -> float:
    """Seconds of finals that begin at one of the recorded lengths: each round goes on where decays branched off."""
    stable, shares = 0.0, 0.0
    for length in FINALS[start:]:
        shares += finalists * (length - stable)
        stable, finalists = (1 - Schedule().decay) * length, ceil(finalists / 2)
        if finalists == 1:
            break
    return shares * purse.price
