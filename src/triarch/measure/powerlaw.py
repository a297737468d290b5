"""How a loss falls with parameters N and items D: L = E + A/N^α + B/D^β, with E, A, B ≥ 0.

Hoffmann et al. 2022, "Training compute-optimal large language models" (arXiv 2203.15556). For given exponents the law
is linear in E, A and B (variable projection: Golub, Pereyra 1973), so only the exponents are searched; parabolas
through the bottoms of curves are biased. What the runs leave open is told by the posterior of all five under weak
priors, drawn exactly, without a chain: a few runs hardly tell a floor from a small exponent, and a single best fit
hides that.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

EXPONENTS = (0.05, 2.0)
GRID, ZOOMS = 24, 8
FINE, PASSES, UNLIKELY = 40, 3, 1e-5
# What the literature reports, and a wide berth around it: 90% between 0.1 and 1.5.
USUAL_EXPONENT, SPREAD = 0.4, 0.8
# A training varies by about a percent before anything was seen.
USUAL_NOISE, PRIOR_RUNS = 0.01, 2.0
DRAWS, ROUNDS = 2_000, 20
TINY = 1e-10

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Points:
    """Finished runs.

    Attributes:
        params, items: (R), N and D of each.
        values: (R), what is to fall: a loss or an error, not below 0.
    """

    params: Array
    items: Array
    values: Array

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
        return Points(self.params[chosen], self.items[chosen], self.values[chosen])


@dataclass(frozen=True)
class Law:
    """E + A/N^α + B/D^β; where there was one size, A is 0 and α is 1."""

    floor: float
    size: float
    alpha: float
    data: float
    beta: float

    def __call__(self, params: float | Array, items: float | Array) -> Array:
        """The loss at N and D."""
        made: Array = np.asarray(
            self.floor
            + self.size * np.asarray(params, dtype=np.float64) ** -self.alpha
            + self.data * np.asarray(items, dtype=np.float64) ** -self.beta
        )
        return made


@dataclass(frozen=True)
class Draws:
    """Laws between which the runs cannot tell, each as likely as the other.

    Attributes:
        terms: (S 3): E, and what A/N^α and B/D^β are at `params` and `items`.
        exponents: (S 2): α and β.
        noise: (S), by which share of its loss a run strays from the law.
        params, items: the middle of the runs.
        kept: the share of what was drawn that has no negative term; near 0 where the runs contradict the law.
    """

    terms: Array
    exponents: Array
    noise: Array
    params: float
    items: float
    kept: float

    def at(self, params: float, items: float) -> Array:
        """The loss of each law at N and D (S)."""
        size = (params / self.params) ** -self.exponents[:, 0]
        data = (items / self.items) ** -self.exponents[:, 1]
        made: Array = self.terms[:, 0] + self.terms[:, 1] * size + self.terms[:, 2] * data
        return made

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
    return Law(float(terms[0]), float(terms[1] * middle_n**alpha), alpha, float(terms[2] * middle_d**beta), beta)


def draw(points: Points, seed: int = 0, draws: int = DRAWS) -> Draws:
    """Laws that the runs leave open.

    Priors: exponents log-normal around 0.4; as likely as not there is no floor, else it is anywhere below the lowest
    value; the other terms flat above 0, each as it is at the middle of the runs; a noise of 1% worth two runs.
    Exponents come from a grid, noise and terms given them in closed form, as in a Bayesian linear regression; what has
    a negative term is drawn again.

    Raises:
        ValueError: fewer than three runs, or a value that is no number above 0.
    """
    _check(points)
    ends = np.tile(np.log(EXPONENTS), (2, 1))
    for _ in range(PASSES):  # the finer the better the runs tell the exponents
        alphas = np.exp(np.linspace(ends[0, 0], ends[0, 1], FINE)) if points.sized else np.ones(1)
        betas = np.exp(np.linspace(ends[1, 0], ends[1, 1], FINE))
        exponents = np.array([(alpha, beta) for alpha in alphas for beta in betas])
        columns = np.stack([made for _, _, made in _columns(points, alphas, betas)])
        prior = -0.5 * ((np.log(exponents) - np.log(USUAL_EXPONENT)) / SPREAD) ** 2
        prior = prior.sum(axis=1) if points.sized else prior[:, 1]
        kinds = [_Regression(columns, terms) for terms in (((0, 1, 2), (1, 2)) if points.sized else ((0, 2), (2,)))]
        logs = np.stack([kind.logs + prior for kind in kinds], axis=1)
        logs[:, 0] -= np.log(points.values.min())
        weights = np.exp(logs - logs.max())
        likely = np.log(exponents[weights.max(axis=1) > UNLIKELY])
        step = (ends[:, 1] - ends[:, 0]) / (FINE - 1)
        lows, highs = likely.min(axis=0) - step, likely.max(axis=0) + step
        ends = np.stack([np.maximum(lows, ends[:, 0]), np.minimum(highs, ends[:, 1])], axis=1)
    random = np.random.default_rng(seed)
    found: list[tuple[Array, Array, Array]] = []
    tried = kept = 0
    while tried < ROUNDS * draws and kept < draws:
        places = random.choice(weights.size, size=draws, p=weights.ravel() / weights.sum())
        for number, kind in enumerate(kinds):
            chosen = places[places % 2 == number] // 2
            made, noise = kind.draw(chosen, random)
            good = (made >= 0).all(axis=1)
            found.append((made[good], exponents[chosen[good]], noise[good]))
            kept += int(good.sum())
        tried += draws
    # Those of one kind stand together: mixed, so that any first part of them is as good as the whole.
    order = random.permutation(kept)[:draws]
    terms, chosen_exponents, noise = (np.concatenate(parts)[order] for parts in zip(*found))
    return Draws(terms, chosen_exponents, noise, *_middle(points), kept / tried)


class _Regression:
    """The posterior of the terms numbered `terms`, the others 0, for each of G pairs of exponents.

    Attributes:
        logs: (G), the logarithm of how well each explains the runs.
    """

    def __init__(self, columns: Array, terms: tuple[int, ...]) -> None:
        self.terms = list(terms)
        columns = columns[:, :, self.terms]
        runs, count = columns.shape[1:]
        products = columns.mT @ columns
        products += TINY * np.trace(products, axis1=1, axis2=2)[:, None, None] * np.eye(count)
        self.means = np.linalg.solve(products, columns.sum(axis=1)[..., None])[..., 0]
        errors = 1 - (columns @ self.means[..., None])[..., 0]
        self.squares = (errors**2).sum(axis=1) + PRIOR_RUNS * USUAL_NOISE**2
        self.free = max(0, runs - count) + PRIOR_RUNS
        self.factors = np.linalg.cholesky(np.linalg.inv(products))
        self.logs = gammaln(self.free / 2) - 0.5 * self.free * np.log(np.pi * self.squares)
        self.logs -= 0.5 * np.linalg.slogdet(products)[1]

    def draw(self, places: NDArray[np.int64], random: np.random.Generator) -> tuple[Array, Array]:
        """Terms (n 3) and noise (n) at each of the exponents `places` (n)."""
        noise = np.sqrt(self.squares[places] / random.chisquare(self.free, len(places)))
        shifts = (self.factors[places] @ random.standard_normal((len(places), len(self.terms), 1)))[..., 0]
        made = np.zeros((len(places), 3))
        made[:, self.terms] = self.means[places] + noise[:, None] * shifts
        return made, noise


def _check(points: Points) -> None:
    if len(points) < 3:
        raise ValueError("a law needs three runs")
    if not (np.isfinite(points.values).all() and (points.values > 0).all()):
        raise ValueError("losses are numbers above 0")


def _middle(points: Points) -> tuple[float, float]:
    return float(np.exp(np.log(points.params).mean())), float(np.exp(np.log(points.items).mean()))


def _columns(points: Points, alphas: Array, betas: Array) -> list[tuple[float, float, Array]]:
    """For each pair of exponents the columns (R 3) of E, of size and of data, as shares of the measured values."""
    middle_n, middle_d = _middle(points)
    ones = 1 / points.values
    sizes = [(points.params / middle_n) ** -alpha / points.values for alpha in alphas]
    data = [(points.items / middle_d) ** -beta / points.values for beta in betas]
    return [
        (float(alpha), float(beta), np.stack([ones, size, amount], axis=1))
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
            solved = np.linalg.lstsq(part, np.ones(len(part)), rcond=None)[0]
            if (solved >= 0).all():
                error = float(((1 - part @ solved) ** 2).sum())
                if error < best[0]:
                    terms = np.zeros(3)
                    terms[list(chosen)] = solved
                    best = (error, terms)
    return best
