"""What a network foretold at the last origins of confirm, beside what came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triarch.data.dataset import Dataset
from triarch.tasks.forecast import QUANTILES
from triarch.training.evaluate import Scores

ORIGINS, HISTORY = 6, 3
WIDE, HIGH = 300, 96


@dataclass(frozen=True)
class Outlook:
    """One forecast.

    Attributes:
        past: the values before it; three horizons of them, or what the network sees.
        truth, low, middle, high: what came, and the 10%, 50% and 90% quantiles (H).
    """

    series: str
    origin: str
    past: list[float]
    truth: list[float]
    low: list[float]
    middle: list[float]
    high: list[float]

    @property
    def hit(self) -> int:
        """Steps that came within the band."""
        return sum(low <= value <= high for low, value, high in zip(self.low, self.truth, self.high))


def outlooks(dataset: Dataset, scores: Scores) -> list[Outlook]:
    """The last forecasts of the first series, the latest first, series by series in turn.

    Args:
        scores: of confirm.
    """
    continued = dataset.source.continued
    if continued is None:
        return []
    series, origins = continued.series[scores.items], continued.origins[scores.items]
    latest = np.lexsort((series, -origins))
    turn = np.array([int((series[latest[:place]] == series[row]).sum()) for place, row in enumerate(latest[:2_000])])
    chosen = latest[np.lexsort((series[latest[: len(turn)]], turn))][:ORIGINS]
    seen = continued.future.lookback
    low, middle, high = (QUANTILES.index(level) for level in (0.1, 0.5, 0.9))
    found = []
    for place in chosen.tolist():
        past = np.asarray(dataset.source.take(scores.items[[place]])[0])[:seen, 0]
        answer = scores.answers[place]
        found.append(
            Outlook(
                continued.names[int(series[place])],
                continued.time(int(series[place]), int(origins[place])),
                _listed(past[-HISTORY * continued.future.horizon :]),
                _listed(scores.targets[place]), _listed(answer[:, low]), _listed(answer[:, middle]),
                _listed(answer[:, high]),
            )
        )  # fmt: skip
    return found


def drawn(one: Outlook) -> dict[str, Any]:
    """Points of lines and of the band, in a box 300 wide and 96 high; `now` is where the forecast begins."""
    values = [*one.past, *one.truth, *one.low, *one.high]
    bottom, top = min(values), max(values)
    steps = max(1, len(one.past) + len(one.truth) - 1)

    def points(line: list[float], begin: int) -> list[str]:
        level = [(value - bottom) / (top - bottom) if top > bottom else 0.5 for value in line]
        return [
            f"{WIDE * (begin + step) / steps:.1f},{HIGH - 4 - (HIGH - 8) * up:.1f}" for step, up in enumerate(level)
        ]

    begin = len(one.past)
    return {
        "past": " ".join(points([*one.past, one.truth[0]], 0)),
        "truth": " ".join(points(one.truth, begin)),
        "middle": " ".join(points(one.middle, begin)),
        "band": " ".join([*points(one.high, begin), *reversed(points(one.low, begin))]),
        "now": f"{WIDE * begin / steps:.1f}",
    }


def _listed(values: NDArray[Any]) -> list[float]:
    return [float(value) for value in values]
