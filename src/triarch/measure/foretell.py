"""The time of a call from what it does, calibrated on this machine; it always says how far off it was.

A call takes the sum of what it does, each kind of work at a price: what a multiply–add of a matrix product costs here,
what it costs to start an operator. The prices are those that come nearest to calls that were timed, none below zero:
least squares of relative errors, each weighted so that absolute errors count. How good that is, is told on groups that
were left out: all calls of one architecture foretold from all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from triarch.core.results import Foretold
from triarch.measure.work import Work, kinds

ROUNDS, SMALL_ERROR = 15, 0.03
# An operator by itself beside a call of a network: it is there for what no network that was timed does.
LONE = 0.4
# To start operators in a loop of nothing else is cheaper than inside a network.
STARTS = ("views", "calls", "move calls", "sum calls", "product calls", "modules")
LOOP = "loop "

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Timed:
    """A call that was timed.

    Attributes:
        group: what is left out together, the architecture; "" where it is an operator by itself.
        seconds: of the call on a quiet machine.
    """

    group: str
    name: str
    work: Work
    seconds: float


@dataclass(frozen=True)
class Foreteller:
    """What each kind of work costs.

    Attributes:
        prices: seconds.
        errors: of each group, the mean relative error where it was left out.
    """

    prices: dict[str, float]
    errors: dict[str, float]

    @property
    def error(self) -> float:
        """The mean relative error for a group that was left out, each group alike."""
        return float(np.mean(list(self.errors.values())))

    def seconds(self, work: Work) -> float:
        """What a call that does `work` takes."""
        return sum(self.prices.get(kind, 0.0) * amount for kind, amount in work.items())

    def foretell(self, work: Work) -> Foretold:
        """The same with its error."""
        return Foretold(1000 * self.seconds(work), self.error)


def calibrate(timed: Sequence[Timed], told: Sequence[Timed] = ()) -> Foreteller:
    """Find the prices, and how good they are for groups that are left out.

    Args:
        timed: operators by themselves, and calls of two groups or more.
        told: other calls of these groups, for which the errors are then told.
    """
    groups = sorted({one.group for one in timed if one.group})
    errors = {}
    for group in groups:
        prices = _prices([one for one in timed if one.group != group])
        left_out = [one for one in told or timed if one.group == group]
        errors[group] = mean_error(Foreteller(prices, {}), left_out)
    return Foreteller(_prices(timed), errors)


def mean_error(foreteller: Foreteller, timed: Sequence[Timed]) -> float:
    """The mean of the relative errors."""
    return float(np.mean([abs(foreteller.seconds(one.work) / one.seconds - 1) for one in timed]))


def _prices(timed: Sequence[Timed]) -> dict[str, float]:
    rows = [_in_a_loop(one.work) if not one.group else one.work for one in timed]
    names = kinds(rows)
    amounts: Array = np.array([[row.get(name, 0.0) for name in names] for row in rows])
    seconds: Array = np.array([one.seconds for one in timed])
    scale = np.maximum(amounts.max(axis=0), 1e-12)
    relative = amounts / scale / seconds[:, None]
    given = np.array([1.0 if one.group else LONE for one in timed])
    weights = given
    for _ in range(ROUNDS):
        found, _ = nnls(relative * weights[:, None], weights)
        weights = given / np.sqrt(np.maximum(abs(relative @ found - 1), SMALL_ERROR))
    return {name: float(price) for name, price in zip(names, found / scale) if price and not name.startswith(LOOP)}


def _in_a_loop(work: Work) -> Work:
    return {LOOP + kind if kind in STARTS else kind: amount for kind, amount in work.items()}
