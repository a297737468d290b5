"""The charts of a report as plain values; the page draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import inf, isfinite, log10
from statistics import median
from typing import Any

from triarch.core.choice import Candidate, Choice
from triarch.core.results import Interval
from triarch.measure.front import front
from triarch.race.figures import between, digits, label, score, short

FAR = 4
AXES = (
    ("latency", "latency", "milliseconds for one answer (p95), logarithmic"),
    ("memory", "memory", "bytes of memory for one answer, logarithmic"),
    ("size", "artifact", "bytes of the artifact, logarithmic"),
    ("macs", "multiply–adds", "multiply–adds per item, logarithmic"),
)


@dataclass(frozen=True)
class Curve:
    """The learning curve of one training: (seconds of training, score on select)."""

    model: str
    family: str
    seed: int
    points: list[tuple[float, float]]


@dataclass(frozen=True)
class Frame:
    """The scores that are worth a look; `outside` says what lies far from them."""

    low: float
    high: float
    networks: list[Candidate]
    lines: list[tuple[str, float]]
    outside: list[str]


def loss(choice: Choice, value: float | None) -> float:
    """Smaller is better; what is not known is worst."""
    if value is None or not isfinite(value):
        return inf
    return -value if choice.metric.direction == "max" else value


def frame(choice: Choice) -> Frame:
    """Without eliminated networks far behind the others, and without baselines that would double its height."""
    scored = [one for one in choice.candidates if isfinite(loss(choice, one.score))]
    losses = [loss(choice, one.score) for one in scored] or [0.0]
    limit = min(losses) + (FAR * (median(losses) - min(losses)) or inf)
    networks = [one for one in scored if one.seeds or loss(choice, one.score) <= limit]
    ends = [end for one in networks for end in _interval(one)] or [0.0, 1.0]
    low, high = min(ends), max(ends)
    height = (high - low) or 1.0
    tried = [(one.name, one.score) for one in choice.baselines if one.score is not None and isfinite(one.score)]
    lines = [(name, value) for name, value in tried if low - height <= value <= high + height]
    far = [(one.model, one.score) for one in scored if one not in networks]
    far += [line for line in tried if line not in lines]
    ends += [value for _, value in lines]
    pad = 0.06 * ((max(ends) - min(ends)) or 1.0)
    top = min(max(ends) + pad, 1 + pad / 3) if max(ends) <= 1 else max(ends) + pad
    return Frame(min(ends) - pad, top, networks, lines, [f"{name} {score(value)}" for name, value in far])


def _interval(one: Candidate) -> Interval:
    return one.interval or (one.score or 0.0, one.score or 0.0)


def cost(choice: Choice, shown: Frame) -> list[dict[str, Any]]:
    """The chart of quality against each cost that is known of two networks; none where no network has a score."""
    points = [
        {
            "family": one.family, "name": escape(label(one.family)), "x": _costs(one), "y": one.score,
            "up": _interval(one)[1] - (one.score or 0.0), "down": (one.score or 0.0) - _interval(one)[0],
            "model": escape(one.model), "hover": _hover(one), "final": one.seeds > 0,
            "best": one.model == choice.verdict.model,
        }
        for one in shown.networks
    ]  # fmt: skip
    axes = []
    for key, name, title in AXES:
        known = [(_costs(one)[key] or 0.0, one.score or 0.0) for one in shown.networks if _costs(one)[key] is not None]
        if key == "macs" or len(known) > 1:
            logs = [log10(x) for x, _ in known] or [0.0]
            pad = 0.08 * max(1.0, max(logs) - min(logs))
            best = sorted({known[place] for place in front([(x, loss(choice, y)) for x, y in known])})
            limits = [min(logs) - pad, max(logs) + pad]
            axes.append({"key": key, "name": name, "title": title, "range": limits, "front": best})
    lines = [{"name": f"{escape(name)} {score(value)}", "y": value} for name, value in shown.lines]
    y = [shown.low, shown.high]
    return [{"id": "cost", "points": points, "axes": axes, "y": y, "lines": lines}] if points else []


def _costs(one: Candidate) -> dict[str, float | None]:
    """Axis → what a network costs there; each above zero."""
    return {
        "latency": one.latency_ms.p95 if one.latency_ms else None,
        "memory": one.peak_memory_bytes,
        "size": one.artifact_bytes,
        "macs": max(1, one.macs or 1),
    }


def _hover(one: Candidate) -> str:
    speed = f"{digits(one.latency_ms.p50)} / {digits(one.latency_ms.p95)} ms" if one.latency_ms else "–"
    return (
        f"<b>{escape(one.model)}</b> · {escape(label(one.family))} · {escape(one.status)}"
        f"<br>score {score(one.score)} ({between(one.interval)})"
        f"<br>{short(one.macs)} multiply–adds · {short(one.params)} parameters<br>latency p50 / p95 {speed}"
        f"<br>memory {short(one.peak_memory_bytes, 'B')} · artifact {short(one.artifact_bytes, 'B')}"
    )


def learning(curves: Sequence[Curve]) -> list[dict[str, Any]]:
    """The chart with a line for each training; none where there is no line."""
    lines = [
        {
            "family": one.family, "name": escape(label(one.family)), "title": f"{escape(one.model)}, seed {one.seed}",
            "points": [point for point in one.points if all(map(isfinite, point))],
        }
        for one in curves
    ]  # fmt: skip
    drawn = [line for line in lines if line["points"]]
    return [{"id": "learning", "curves": drawn}] if drawn else []
