"""How a loss falls with parameters N and items D: L = E + (A/N^α + B/D^β) (1 − L/G)^½, with E, A, B ≥ 0.

Hoffmann et al. 2022, "Training compute-optimal large language models" (arXiv 2203.15556), and a bend for what is hardly
better than guessing, whose loss is G: without it a loss that only begins to fall would be foretold too high
(Alabdulmohsin et al. 2022, "Revisiting neural scaling laws", arXiv 2209.06640, whose power of 1 − L/G is free). For
given exponents the law is linear in E, A and B (variable projection: Golub, Pereyra 1973), so only the exponents are
searched; parabolas through the bottoms of curves are biased. What the runs leave open is told by the posterior of all
five under weak priors, drawn without a chain: a few runs hardly tell a floor from a small exponent, and a single best
fit hides that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from math import inf, isinf

import numpy as np
from numpy.typing import NDArray

EXPONENTS = (0.05, 2.0)
GRID, ZOOMS = 24, 8
FINE, PASSES, UNLIKELY = 40, 3, 1e-5
# What the literature reports, and a wide berth around it: 90% between 0.1 and 1.5.
USUAL_EXPONENT, SPREAD = 0.4, 0.8
# Of the lowest loss that was measured; chosen on bench/results/scale.json.
USUAL_FLOOR, FLOOR_SPREAD, HIGHEST_FLOOR, FLOORS = 0.5, 0.2, 0.98, 25
ANY_FLOOR, NO_FLOOR = 0.3, 5.0  # of the density of the usual one
# A training varies by about a percent before anything was seen.
USUAL_NOISE, PRIOR_RUNS = 0.01, 2.0
DRAWS = 2_000
TINY = 1e-10
NEAREST = 0.95  # to guessing

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Points:
    """Finished runs.

    Attributes:
        params, items: (R), N and D of each.
        values: (R), what is to fall: a loss or an error, not below 0.
        guess: what who guesses has; inf: there is no such thing.
    """

    params: Array
    items: Array
    values: Array
    guess: float = inf

    def __len__(self) -> int:
        return len(self.values)

    @property
    def amounts(self) -> Array:
        """The different numbers of items, ascending."""
        return np.unique(self.items)

    @property
    def sized(self) -> bool:
        """Whether there are several sizes, so that there is a term for them."""
        return len(np.unique(self.params)) > 1

    def where(self, chosen: NDArray[np.bool_]) -> Points:
        """Those that are `chosen` (R)."""
        return replace(self, params=self.params[chosen], items=self.items[chosen], values=self.values[chosen])


@dataclass(frozen=True)
class Law:
    """L = E + (A/N^α + B/D^β) (1 − L/G)^½; where there was one size, A is 0 and α is 1."""

    floor: float
    size: float
    alpha: float
    data: float
    beta: float
    guess: float = inf

    def __call__(self, params: float | Array, items: float | Array) -> Array:
        """The loss at N and D."""
        size = self.size * np.asarray(params, dtype=np.float64) ** -self.alpha
        data = self.data * np.asarray(items, dtype=np.float64) ** -self.beta
        return _bent(self.floor, size + data, self.guess)


@dataclass(frozen=True)
class Draws:
    """Laws between which the runs cannot tell, each as likely as the other.

    Attributes:
        terms: (S 3): E, and what A/N^α and B/D^β are at `params` and `items`.
        exponents: (S 2): α and β.
        noise: (S), by which share of its loss a run strays from the law.
        params, items: the middle of the runs.
        guess: as of `Points`.
    """

    terms: Array
    exponents: Array
    noise: Array
    params: float
    items: float
    guess: float

    def at(self, params: float, items: float) -> Array:
        """The loss of each law at N and D (S)."""
        size = self.terms[:, 1] * (params / self.params) ** -self.exponents[:, 0]
        data = self.terms[:, 2] * (items / self.items) ** -self.exponents[:, 1]
        return _bent(self.terms[:, 0], size + data, self.guess)

    def runs_at(self, params: float, items: float) -> Array:
        """The same of one training each, which strays (S)."""
        strayed = np.random.default_rng(1).standard_normal(len(self.noise)) * self.noise
        made: Array = self.at(params, items) * np.exp(strayed)
        return made


def fit(points: Points) -> Law:
    """The law with the least squared relative errors.

    Raises:
        ValueError: fewer than three runs, or a value that is no number above 0.
    """
    _check(points)
    middle_n, middle_d = _middle(points)
    low, high = np.log(EXPONENTS)
    alphas = betas = np.linspace(low, high, GRID)
    best = (np.inf, np.zeros(3), 1.0, 1.0)
    for _ in range(ZOOMS):
        tried = np.exp(alphas) if points.sized else np.ones(1)
        for alpha, beta, columns in _columns(points, tried, np.exp(betas)):
            error, terms = _least(columns, points.sized)
            if error < best[0]:
                best = (error, terms, alpha, beta)
        step_a, step_b = alphas[1] - alphas[0], betas[1] - betas[0]
        centre_a, centre_b = np.log(best[2]), np.log(best[3])
        alphas = np.clip(np.linspace(centre_a - step_a, centre_a + step_a, GRID // 2), low, high)
        betas = np.clip(np.linspace(centre_b - step_b, centre_b + step_b, GRID // 2), low, high)
    _, terms, alpha, beta = best
    size, data = float(terms[1] * middle_n**alpha), float(terms[2] * middle_d**beta)
    return Law(float(terms[0]), size, alpha, data, beta, points.guess)


def draw(points: Points, seed: int = 0, draws: int = DRAWS) -> Draws:
    """Laws that the runs leave open.

    Priors: exponents log-normal around 0.4; the floor normal around half of the lowest value, or anywhere below it, or
    none; the other terms flat, each as it is at the middle of the runs; a noise of 1% worth two runs. Exponents and
    floor come from a grid, noise and the other terms given them in closed form, as in a Bayesian linear regression; a
    negative term counts as 0.

    Raises:
        ValueError: fewer than three runs, or a value that is no number above 0.
    """
    _check(points)
    lowest = float(points.values.min())
    ends = np.array([np.log(EXPONENTS), np.log(EXPONENTS), (0.0, HIGHEST_FLOOR)])
    for _ in range(PASSES):  # the finer the better the runs tell them
        alphas = np.exp(np.linspace(ends[0, 0], ends[0, 1], FINE)) if points.sized else np.ones(1)
        betas = np.exp(np.linspace(ends[1, 0], ends[1, 1], FINE))
        floors = np.linspace(ends[2, 0], ends[2, 1], FLOORS)
        exponents = np.array([(alpha, beta) for alpha in alphas for beta in betas])
        columns = np.stack([made for _, _, made in _columns(points, alphas, betas)])
        left = _Regression(columns, floors * lowest, (1, 2) if points.sized else (2,))
        far = ((np.log(exponents) - np.log(USUAL_EXPONENT)) / SPREAD) ** 2
        logs = left.logs - 0.5 * (far.sum(axis=1) if points.sized else far[:, 1])[:, None]
        usual = np.exp(-0.5 * ((floors - USUAL_FLOOR) / FLOOR_SPREAD) ** 2)
        logs += np.log(usual + ANY_FLOOR + NO_FLOOR * (floors == 0))
        weights = np.exp(logs - logs.max())
        pair, floor = np.nonzero(weights > UNLIKELY)
        likely = np.column_stack([np.log(exponents[pair]), floors[floor]])
        step = (ends[:, 1] - ends[:, 0]) / (FINE - 1, FINE - 1, FLOORS - 1)
        lows, highs = likely.min(axis=0) - step, likely.max(axis=0) + step
        ends = np.stack([np.maximum(lows, ends[:, 0]), np.minimum(highs, ends[:, 1])], axis=1)
    random = np.random.default_rng(seed)
    pairs, places = np.divmod(random.choice(weights.size, size=draws, p=weights.ravel() / weights.sum()), len(floors))
    terms, noise = left.draw(pairs, places, random)
    terms[:, 0] = floors[places] * lowest
    return Draws(terms, exponents[pairs], noise, *_middle(points), points.guess)


class _Regression:
    """The posterior of the terms numbered `terms`, for each of P pairs of exponents and of F floors.

    Args:
        columns: (P R 4), those of `_columns`.

    Attributes:
        logs: (P F), the logarithm of how well they explain the runs.
    """

    def __init__(self, columns: Array, floors: Array, terms: tuple[int, ...]) -> None:
        self.terms = list(terms)
        left = columns[0, :, 3] - floors[:, None] * columns[0, :, 0]
        columns = columns[:, :, self.terms]
        runs, count = columns.shape[1:]
        products = columns.mT @ columns
        products += TINY * np.trace(products, axis1=1, axis2=2)[:, None, None] * np.eye(count)
        sums = left @ columns
        self.means = np.linalg.solve(products, sums.mT).mT
        explained = (sums * self.means).sum(axis=2)
        self.squares = np.maximum((left**2).sum(axis=1) - explained, 0) + PRIOR_RUNS * USUAL_NOISE**2
        self.free = max(0, runs - count) + PRIOR_RUNS
        self.factors = np.linalg.cholesky(np.linalg.inv(products))
        self.logs = -0.5 * self.free * np.log(self.squares) - 0.5 * np.linalg.slogdet(products)[1][:, None]

    def draw(
        self, pairs: NDArray[np.int64], floors: NDArray[np.int64], random: np.random.Generator
    ) -> tuple[Array, Array]:  # fmt: skip
        """Terms (n 3) and noise (n) at each of the exponents `pairs` (n) and the floors numbered `floors` (n)."""
        noise = np.sqrt(self.squares[pairs, floors] / random.chisquare(self.free, len(pairs)))
        shifts = (self.factors[pairs] @ random.standard_normal((len(pairs), len(self.terms), 1)))[..., 0]
        made = np.zeros((len(pairs), 3))
        made[:, self.terms] = np.maximum(self.means[pairs, floors] + noise[:, None] * shifts, 0)
        return made, noise


def _bent(floor: float | Array, terms: Array, guess: float) -> Array:
    """L of L = E + x (1 − L/G)^½ for the terms x in N and D."""
    bend: float | Array = 1.0
    if not isinf(guess):
        below = np.maximum(guess - np.asarray(floor), 0)
        bend = 2 * below / np.maximum(terms + np.sqrt(terms**2 + 4 * guess * below), TINY)
    made: Array = np.asarray(floor + terms * bend)
    return made


def _check(points: Points) -> None:
    if len(points) < 3:
        raise ValueError("a law needs three runs")
    if not (np.isfinite(points.values).all() and (points.values > 0).all()):
        raise ValueError("losses are numbers above 0")


def _middle(points: Points) -> tuple[float, float]:
    return float(np.exp(np.log(points.params).mean())), float(np.exp(np.log(points.items).mean()))


def _columns(points: Points, alphas: Array, betas: Array) -> list[tuple[float, float, Array]]:
    """For each pair of exponents the columns (R 4) of E, of size, of data, and of the values that they add up to.

    All are shares of these values, weighted down near guessing, where the bend makes much of a run that strays.
    """
    middle_n, middle_d = _middle(points)
    near = np.minimum(points.values / points.guess, NEAREST)
    weights = 1 / (1 + near / (1 - near) / 4)
    ones = weights / points.values
    bent = ones * np.sqrt(1 - near)
    sizes = [(points.params / middle_n) ** -alpha * bent for alpha in alphas]
    data = [(points.items / middle_d) ** -beta * bent for beta in betas]
    return [
        (float(alpha), float(beta), np.stack([ones, size, amount, weights], axis=1))
        for alpha, size in zip(alphas, sizes)
        for beta, amount in zip(betas, data)
    ]


def _least(columns: Array, sized: bool) -> tuple[float, Array]:
    """The squared error of the best terms that are not negative, and these (3): the best of all sets of terms."""
    free = (0, 1, 2) if sized else (0, 2)
    best = (np.inf, np.zeros(3))
    for count in range(1, len(free) + 1):
        for chosen in combinations(free, count):
            part = columns[:, chosen]
            solved = np.linalg.lstsq(part, columns[:, 3], rcond=None)[0]
            if (solved >= 0).all():
                error = float(((columns[:, 3] - part @ solved) ** 2).sum())
                if error < best[0]:
                    terms = np.zeros(3)
                    terms[list(chosen)] = solved
                    best = (error, terms)
    return best
