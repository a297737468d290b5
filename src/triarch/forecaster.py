"""Forecasting with scikit-learn's manners: parameters, `fit`, `predict`, `score`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from triarch.core.choice import Choice
from triarch.core.errors import InputError
from triarch.core.results import Forecast
from triarch.data.season import movement
from triarch.ship.artifact import load
from triarch.verbs.choose import choose
from triarch.verbs.train import train

AUTO = "auto"


class Forecaster(BaseEstimator):
    """A network that continues series.

    Data is a long frame (`unique_id`, `ds`, `y`, or `item_id`, `timestamp`, `target`), a pandas Series whose index are
    times, or the values of one series.

    Args:
        model: architecture/size, or `auto`: the best network of a race.
        horizon, lookback, season, known, input, impute: see `triarch.choose`.
        seconds: of the training of a named model, or of the whole race.
        steps: of the training of a named model, instead of seconds; then the same seed gives the same numbers.
        models, families, exclude, metric: of the race.
        seed: of weights and batches.
        threads: inside an operation; None: as many as prove useful.
        out: new folder that keeps artifact and report; None: a temporary one, as long as the estimator lives.

    Attributes:
        artifact_: what predicts, see `triarch.load`.
        choice_: of a race, its outcome; None for a named model.
    """

    def __init__(
        self, model: str = AUTO, *, horizon: int | None = None, lookback: int | None = None,
        season: int | None = None, known: str | Sequence[str] = (), input: str | Sequence[str] = (),
        impute: str | None = None, seconds: float = 60.0, steps: int | None = None, models: str | Sequence[str] = (),
        families: str | Sequence[str] = (), exclude: str | Sequence[str] = (), metric: str | None = None,
        seed: int = 0, threads: int | None = None, out: str | Path | None = None,
    ) -> None:  # fmt: skip
        self.model = model
        self.horizon = horizon
        self.lookback = lookback
        self.season = season
        self.known = known
        self.input = input
        self.impute = impute
        self.seconds = seconds
        self.steps = steps
        self.models = models
        self.families = families
        self.exclude = exclude
        self.metric = metric
        self.seed = seed
        self.threads = threads
        self.out = out

    def fit(self, X: Any, y: Any = None) -> Self:
        """Race, or train, on the series `X`; `y`, where it is given, are their values, `X` the rest of the frame.

        Raises:
            ValueError: they cannot be learned from.
        """
        frame = _frame(X, y)
        if self.out is None:
            self._folder = TemporaryDirectory(prefix="triarch-")
        out = Path(self._folder.name) / "choice" if self.out is None else Path(self.out)
        ahead: dict[str, Any] = {
            "task": "forecast", "horizon": self.horizon, "lookback": self.lookback, "season": self.season,
            "known": self.known, "input": self.input, "impute": self.impute, "seed": self.seed,
            "threads": self.threads, "out": out,
        }  # fmt: skip
        try:
            if self.model == AUTO:
                self.choice_: Choice | None = choose(
                    frame, seconds=self.seconds, models=self.models, families=self.families, exclude=self.exclude,
                    metric=self.metric, **ahead,
                )  # fmt: skip
            else:
                length: dict[str, Any] = {"seconds": self.seconds} if self.steps is None else {"steps": self.steps}
                self.choice_ = None
                train(frame, model=self.model, **length, **ahead)
            self.artifact_ = load(out)
        except InputError as error:
            raise ValueError(str(error)) from error
        self._seen = frame
        return self

    def predict(self, X: Any = None) -> pd.DataFrame:
        """How the series go on after their last value: a row for each step ahead of each series.

        Args:
            X: as in `fit`; None: the series that were learned from.

        Returns:
            The columns of series and time as they are called in the data, `value` (the median), `low` and `high` (of
            the 80% interval).

        Raises:
            ValueError: a column or a step is missing.
        """
        check_is_fitted(self)
        try:
            forecasts = self.artifact_.forecast(self._seen if X is None else _frame(X, None))
        except InputError as error:
            raise ValueError(str(error)) from error
        return pd.DataFrame([row for one in forecasts for row in self._rows(one)])

    def score(self, X: Any, y: Any = None) -> float:
        """Minus the MASE of the last steps of each series, foretold from those before: higher is better."""
        check_is_fitted(self)
        future, frame = self.artifact_.config.spec.future, _frame(X, y)
        parts = [part for _, part in frame.groupby(future.series, sort=True)] if future.series else [frame]
        parts = [part.sort_values(future.time, kind="stable") for part in parts]
        cut = []
        for part in parts:
            values = part[future.channels[0]].to_numpy(dtype=np.float64)
            known = np.arange(len(values)) < len(values) - future.horizon
            cut.append(part.assign(**{future.channels[0]: np.where(known, values, np.nan)}))
        errors = []
        for one, part in zip(self.artifact_.forecast(pd.concat(cut)), parts):
            values = part[future.channels[0]].to_numpy(dtype=np.float64)
            foretold = np.array([step.value for step in one.steps])
            unit = movement(values[: -future.horizon], future.season)
            errors.append(np.abs(foretold - values[-future.horizon :]).mean() / unit)
        return -float(np.mean(errors))

    def _rows(self, one: Forecast) -> list[dict[str, Any]]:
        future = self.artifact_.config.spec.future
        named = {future.series: one.input} if future.series else {}
        return [
            {
                **named, future.time: pd.Timestamp(step.time) if future.step else int(step.time),
                "value": step.value, "low": step.low, "high": step.high,
            }
            for step in one.steps
        ]  # fmt: skip


def _frame(X: Any, y: Any) -> pd.DataFrame:
    """A long frame."""
    if isinstance(X, pd.Series):
        times = X.index if isinstance(X.index, pd.DatetimeIndex) else np.arange(len(X))
        return pd.DataFrame({"ds": times, "y": X.to_numpy()})
    if not isinstance(X, pd.DataFrame):
        values = np.asarray(X, dtype=np.float64)
        if values.ndim != 1:
            raise ValueError(f"a long frame or the values of one series are wanted, not shape {values.shape}")
        return pd.DataFrame({"ds": np.arange(len(values)), "y": values})
    return X if y is None else X.assign(y=np.asarray(y))
