"""Classical forecasts with scikit-learn's `fit` and `predict`: windows, flattened step by step (I, T·C), → (I H)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV

from triarch.data.season import repeated

Values = NDArray[Any]

MOST_ROWS, MOST_TRIED = 20_000, 500
ALPHAS = tuple(10.0**power for power in range(-2, 5))
LEVELS, TRENDS, SEASONS = (0.02, 0.1, 0.3, 0.7), (0.0, 0.05), (0.05, 0.2)
DAMPING = 0.98


@dataclass(frozen=True)
class Frame:
    """What a forecaster must know of its windows.

    Attributes:
        lookback, horizon: steps seen, and ahead.
        lags: after how many steps the series may repeat, in ascending order; those above `lookback` are left out.
        season: the likeliest of them.
        channels: C; the last `dated` of them tell of the calendar.
    """

    lookback: int
    horizon: int
    lags: tuple[int, ...]
    season: int
    channels: int = 1
    dated: int = 0

    def series(self, x: Values) -> Values:
        """The steps seen of what is to be continued (I L)."""
        return self._steps(x)[:, : self.lookback, 0].astype(np.float64)

    def others(self, x: Values) -> Values:
        """What else is known of every step, and the dates of those ahead, flattened (I N)."""
        known, dates = np.split(self._steps(x)[..., 1:], [self.channels - 1 - self.dated], axis=2)
        return np.concatenate((known.reshape(len(x), -1), dates[:, self.lookback :].reshape(len(x), -1)), axis=1)

    def _steps(self, x: Values) -> Values:
        return x.reshape(len(x), -1, self.channels)


class SeasonalNaive:
    """The last season again: of the plausible lags the one that erred least in training."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.lag = frame.season

    def fit(self, x: Values, y: Values) -> Self:
        """Windows and what came after them."""
        seen = self.frame.series(x)
        lags = [lag for lag in self.frame.lags if lag <= self.frame.lookback]
        self.lag = min(lags, key=lambda lag: float(np.abs(repeated(seen, lag, self.frame.horizon) - y).mean()))
        return self

    def predict(self, x: Values) -> Values:
        """(I H)."""
        return repeated(self.frame.series(x), self.lag, self.frame.horizon)


class ExponentialSmoothing:
    """Additive level, damped trend and season (Winters 1960; Gardner, McKenzie 1985), weights chosen in training."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.season = frame.season if 2 * frame.season <= frame.lookback else 1
        self.weights = (LEVELS[1], 0.0, SEASONS[0])

    def fit(self, x: Values, y: Values) -> Self:
        """Windows and what came after them."""
        some = slice(None, None, -(-len(x) // MOST_TRIED))
        seen, wanted = self.frame.series(x[some]), y[some]
        grid = product(LEVELS, TRENDS, SEASONS if self.season > 1 else (0.0,))
        self.weights = min(grid, key=lambda weights: float(np.abs(self._ahead(seen, *weights) - wanted).mean()))
        return self

    def predict(self, x: Values) -> Values:
        """(I H)."""
        return self._ahead(self.frame.series(x), *self.weights)

    def _ahead(self, seen: Values, of_level: float, of_trend: float, of_season: float) -> Values:
        period = self.season
        level = seen[:, :period].mean(axis=1)
        trend = np.zeros_like(level)
        season = seen[:, :period] - level[:, None] if period > 1 else np.zeros((len(seen), 1))
        for step in range(period if period > 1 else 1, seen.shape[1]):
            place = step % period
            before, level = level, (
                of_level * (seen[:, step] - season[:, place]) + (1 - of_level) * (level + DAMPING * trend)
            )  # fmt: skip
            trend = of_trend * (level - before) + (1 - of_trend) * DAMPING * trend
            if period > 1:
                season[:, place] += of_season * (seen[:, step] - level - season[:, place])
        ahead = np.arange(1, self.frame.horizon + 1)
        grown = np.cumsum(DAMPING**ahead)
        made: Values = level[:, None] + trend[:, None] * grown + season[:, (seen.shape[1] - 1 + ahead) % period]
        return made


class RidgeOnLags:
    """Every step ahead a linear function of the steps seen, all normalised by the window's mean and deviation."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.model = RidgeCV(alphas=ALPHAS)

    def fit(self, x: Values, y: Values) -> Self:
        """Windows and what came after them."""
        some = slice(None, None, -(-len(x) // MOST_ROWS))
        features, mean, spread = self._normalised(x[some])
        self.model.fit(features, (y[some] - mean) / spread)
        return self

    def predict(self, x: Values) -> Values:
        """(I H)."""
        features, mean, spread = self._normalised(x)
        made: Values = self.model.predict(features).reshape(len(x), -1) * spread + mean
        return made

    def _normalised(self, x: Values) -> tuple[Values, Values, Values]:
        seen = self.frame.series(x)
        mean, spread = seen.mean(axis=1, keepdims=True), seen.std(axis=1, keepdims=True)
        spread = np.maximum(spread, 1e-6 * (1 + np.abs(mean)))
        return np.concatenate(((seen - mean) / spread, self.frame.others(x)), axis=1), mean, spread


FORECASTERS: dict[str, type[SeasonalNaive | ExponentialSmoothing | RidgeOnLags]] = {
    "seasonal naive": SeasonalNaive,
    "exponential smoothing": ExponentialSmoothing,
    "ridge on lags": RidgeOnLags,
}
