"""After how many steps series are like themselves: told from their training part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.signal import detrend, find_peaks

# Steps of a day, a week, a year, as far as they are a whole number of steps; by the letters of pandas' frequencies.
CALENDAR: dict[str, tuple[int, ...]] = {
    "min": (60, 1_440), "h": (24, 168), "D": (7, 365), "B": (5, 260), "W": (52,), "M": (12,), "Q": (4,),
}  # fmt: skip
LIKENESS, NEARLY = 0.2, 0.9
MOST_SAMPLED = 50
NOTHING = 1e-6  # of the size of a series: what 32 bits hold of it is hardly more exact


def plausible(parts: Sequence[NDArray[np.floating]], step: str) -> tuple[int, ...]:
    """Lags at which series may repeat: 1, those of the calendar, and the peak of their autocorrelation.

    Args:
        parts: the training part of each series.
        step: from one time to the next, as pandas writes it.
    """
    shortest = min(len(part) for part in parts)
    lags = {1, *_calendar(step), *_peak(parts)}
    return tuple(sorted(lag for lag in lags if 1 <= lag <= shortest // 2))


def season(parts: Sequence[NDArray[np.floating]], lags: Sequence[int]) -> int:
    """The lag after which series move, step by step, most as they did before; 1 where they hardly do after any."""
    curve = _likeness([np.diff(part) for part in parts], max(lags))
    return max(lags, key=lambda lag: (curve[lag] if lag > 1 and curve[lag] > LIKENESS else LIKENESS, -lag))


def best(parts: Sequence[NDArray[np.floating]], lags: Sequence[int], horizon: int) -> int:
    """The lag whose repetition foretells the next `horizon` steps with the least absolute error."""
    errors = {lag: np.mean([_error(part, lag, horizon) for part in _some(parts)]) for lag in lags}
    return min(lags, key=lambda lag: (errors[lag], lag))


def repeated(values: NDArray[np.floating], lag: int, horizon: int) -> NDArray[np.floating]:
    """The last `lag` of the values (… T), again and again: (… H)."""
    return values[..., values.shape[-1] - lag + np.arange(horizon) % lag]


def movement(part: NDArray[np.floating], season: int) -> float:
    """The mean absolute change over a season, the unit of MASE (Hyndman, Koehler 2006).

    Where every season is the same it is the change over a step, of a constant series its size, of zeros 1.
    """
    size = float(np.abs(part).mean())
    for lag in (season, 1):
        change = float(np.abs(part[lag:] - part[:-lag]).mean()) if len(part) > lag else 0.0
        if change > NOTHING * size:
            return change
    return size or 1.0


def _error(part: NDArray[np.floating], lag: int, horizon: int) -> float:
    """Mean absolute error over every origin, scaled by how far the series moves from step to step."""
    ahead = min(horizon, len(part) - lag)
    errors = []
    for step in range(ahead):
        back = lag * (step // lag + 1)
        errors.append(np.abs(part[back:] - part[:-back]).mean() if back < len(part) else np.nan)
    return float(np.nanmean(errors)) / movement(part, 1)


def _calendar(step: str) -> tuple[int, ...]:
    count, letters = _parsed(step)
    return tuple(lag // count for lag in CALENDAR.get(letters, ()) if lag % count == 0 and lag // count > 1)


def _parsed(step: str) -> tuple[int, str]:
    """'15min' → (15, 'min'); 'W-SAT' → (1, 'W')."""
    base = step.split("-")[0]
    letters = base.lstrip("0123456789")
    return int(base[: len(base) - len(letters)] or 1), letters.removesuffix("S").removesuffix("E") or letters


def _peak(parts: Sequence[NDArray[np.floating]]) -> tuple[int, ...]:
    """The first lag at which the likeness peaks nearly as high as at any, if that is worth the name."""
    most = min(len(part) for part in parts) // 3
    if most < 3:
        return ()
    places, found = find_peaks(_likeness([detrend(part) for part in parts], most), height=LIKENESS, prominence=LIKENESS)
    heights = found["peak_heights"]
    return (int(places[np.flatnonzero(heights >= NEARLY * heights.max())[0]]),) if len(places) else ()


def _likeness(parts: Sequence[NDArray[np.floating]], most: int) -> NDArray[np.floating]:
    """The mean autocorrelation at lags 0 to `most`."""
    curves = [_autocorrelation(part, most) for part in _some(parts)]
    made: NDArray[np.floating] = np.mean(curves, axis=0)
    return made


def _some(parts: Sequence[NDArray[np.floating]]) -> Sequence[NDArray[np.floating]]:
    return parts[:: -(-len(parts) // MOST_SAMPLED)]


def _autocorrelation(values: NDArray[np.floating], most: int) -> NDArray[np.floating]:
    centred = values - values.mean()
    spectrum = np.fft.rfft(centred, 2 * len(centred))
    power = np.fft.irfft(np.abs(spectrum) ** 2)[: most + 1]
    made: NDArray[np.floating] = np.pad(power, (0, most + 1 - len(power))) / max(power[0], 1e-30)
    return made
