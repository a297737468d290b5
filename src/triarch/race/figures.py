"""Numbers as a report writes them."""

from __future__ import annotations

from math import floor, isfinite, log10
from typing import Any

from triarch.core.results import Interval, Metric

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
FAMILIES = {"cnn": "CNN", "rnn": "RNN", "transformer": "Transformer", "hybrid": "Hybrid"}


def score(value: float | None) -> str:
    """0.972; – for what is not known."""
    if value is None or not isfinite(value):
        return "–"
    return f"{value:,.{3 if abs(value) < 100 else 0}f}".replace("-", "−")


def between(interval: Interval | None) -> str:
    """0.961–0.981."""
    return f"{score(interval[0])}–{score(interval[1])}" if interval else "–"


def short(value: float | None, unit: str = "") -> str:
    """A count in three digits: 950, 12.3 k, 4.56 M."""
    if value is None:
        return "–"
    power = min(4, floor(log10(max(1.0, value)) / 3))
    number = digits(value / 1000**power) if power else f"{value:.0f}"
    return f"{number}\u00a0{['', 'k', 'M', 'G', 'T'][power]}{unit}".rstrip("\u00a0")


def digits(value: float) -> str:
    """Three digits: 0.0123, 1.23, 12.3, 123."""
    return f"{value:.{max(0, 2 - floor(log10(max(value, 1e-3))))}f}"


def power(value: float) -> str:
    """A part of one: 0.83, 0.052, 1.5·10⁻⁵."""
    if value >= 0.01 or value == 0:
        return f"{value:.2g}"
    digit, exponent = f"{value:.1e}".split("e")
    return f"{digit}·10{str(int(exponent)).translate(RAISED)}"


def gap(difference: float, metric: Metric) -> str:
    """A difference of scores, in points where they are shares: +1.2, else −0.031."""
    text = f"{100 * difference:+.1f}" if metric.direction == "max" else f"{difference:+.3f}"
    return text.replace("-", "−")


def fact(key: str, value: Any) -> str:
    """An entry of the budget, the clock or the machine, in words."""
    if "seconds" in key:
        return f"{value:g}\u00a0s"
    if "latency" in key:
        return f"{digits(value)}\u00a0ms"
    if "bytes" in key or "size" in key or key == "max_memory":
        return short(value, "B")
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def label(family: str) -> str:
    """A family's name as it is written."""
    return FAMILIES.get(family, family)


def strip(interval: Interval, point: float, low: float, high: float) -> dict[str, float]:
    """Where an interval, the point in it and zero stand between `low` and `high`, in percent."""
    ends = [min(1.0, max(0.0, (end - low) / ((high - low) or 1.0))) for end in (*interval, point, 0.0)]
    left, right, middle, zero = (round(100 * end, 2) for end in ends)
    return {"left": left, "width": round(right - left, 2), "point": middle, "zero": zero}


def size(difference: float, metric: Metric, unit: bool = True) -> str:
    """A difference without its sign: 31.0 points, 0.120 MASE."""
    words = gap(abs(difference), metric).lstrip("+")
    return f"{words} {'points' if metric.direction == 'max' else metric.name}" if unit else words
