"""The page that shows a choice: one HTML file, charts included, that needs no network."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, inf, isfinite, log10
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image
from plotly.offline import get_plotlyjs

from triarch.core.results import Candidate, Choice, Interval

FAMILIES = {"cnn": "CNN", "rnn": "RNN", "transformer": "Transformer", "hybrid": "Hybrid"}
WAITING = ("over budget", "not run")
MISTAKES, LETTERS, PIXELS, LANES, STEPS = 24, 300, 160, 3, 240
FAR = 4


@dataclass(frozen=True)
class Curve:
    """The learning curve of one training: (seconds of training, score on select)."""

    model: str
    family: str
    seed: int
    points: list[tuple[float, float]]


@dataclass(frozen=True)
class Mistake:
    """An item of the confirm split that the winner got wrong.

    Attributes:
        content: an image (C Y X) of floats 0..1, a text, or a series (T C).
        probability: what the winner gave its answer.
    """

    item: int
    content: NDArray[Any] | str
    truth: str
    answer: str
    probability: float


@dataclass(frozen=True)
class Frame:
    """The scores that are worth a look; `outside` says what lies far from them."""

    low: float
    high: float
    networks: list[Candidate]
    lines: list[tuple[str, float]]
    outside: list[str]


def report(choice: Choice, curves: Sequence[Curve], mistakes: Sequence[Mistake]) -> str:
    """The whole page; the same input gives the same bytes. `mistakes` come surest first."""
    page = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    page.filters |= {
        "score": score, "between": between, "gap": lambda value: _gap(choice, value), "short": short,
        "size": lambda value: short(value, "B"), "digits": digits, "fact": fact, "family": label, "content": _content,
    }  # fmt: skip
    frame, ranked = _frame(choice), _ranked(choice)
    return page.get_template("report.html.j2").render(
        choice=choice, verdict=choice.verdict, frame=frame, strip=strip,
        best=next((one for one in ranked if one.model == choice.verdict.model), None),
        charts=[*_cost(choice, frame), *_learning(curves)],
        raced=[one for one in ranked if one.status not in WAITING],
        waiting=[one for one in ranked if one.status in WAITING],
        baselines=sorted(choice.baselines, key=lambda one: _loss(choice, one.score)),
        mistakes=mistakes[:MISTAKES], mistaken=len(mistakes), plotly=Markup(get_plotlyjs()),
    )  # fmt: skip


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


def fact(key: str, value: Any) -> str:
    """An entry of the budget, the clock or the machine, in words."""
    if "seconds" in key:
        return f"{value:g}\u00a0s"
    if "bytes" in key or "size" in key:
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


def _gap(choice: Choice, value: float) -> str:
    """A difference of scores, in points where they are shares: +1.2, else −0.031."""
    text = f"{100 * value:+.1f}" if choice.metric.direction == "max" else f"{value:+.3f}"
    return text.replace("-", "−")


def _loss(choice: Choice, value: float | None) -> float:
    """Smaller is better; what is not known is worst."""
    if value is None or not isfinite(value):
        return inf
    return -value if choice.metric.direction == "max" else value


def _ranked(choice: Choice) -> list[Candidate]:
    """The best network, then the other finalists, then the rest, each by score."""
    best = choice.verdict.model
    return sorted(
        choice.candidates, key=lambda one: (one.model != best, not one.seeds, _loss(choice, one.score), one.params)
    )  # fmt: skip


def _frame(choice: Choice) -> Frame:
    """Without eliminated networks far behind the others, and without baselines that would double its height."""
    scored = [one for one in choice.candidates if isfinite(_loss(choice, one.score))]
    losses = [_loss(choice, one.score) for one in scored] or [0.0]
    limit = min(losses) + (FAR * (median(losses) - min(losses)) or inf)
    networks = [one for one in scored if one.seeds or _loss(choice, one.score) <= limit]
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


def _cost(choice: Choice, frame: Frame) -> list[dict[str, Any]]:
    """The chart of quality against multiply–adds; none where no network has a score."""
    points = [
        {
            "family": one.family, "name": escape(label(one.family)), "x": max(1, one.macs or 1), "y": one.score,
            "up": _interval(one)[1] - (one.score or 0.0), "down": (one.score or 0.0) - _interval(one)[0],
            "model": escape(one.model), "hover": _hover(one), "final": one.seeds > 0,
            "best": one.model == choice.verdict.model,
        }
        for one in frame.networks
    ]  # fmt: skip
    logs = [log10(max(1, one.macs or 1)) for one in frame.networks] or [0.0]
    pad = 0.08 * max(1.0, max(logs) - min(logs))
    x, y = [min(logs) - pad, max(logs) + pad], [frame.low, frame.high]
    lines = [{"name": f"{escape(name)} {score(value)}", "y": value} for name, value in frame.lines]
    return [{"id": "cost", "points": points, "x": x, "y": y, "lines": lines}] if points else []


def _hover(one: Candidate) -> str:
    speed = f"{digits(one.latency_ms.p50)} / {digits(one.latency_ms.p95)} ms" if one.latency_ms else "–"
    return (
        f"<b>{escape(one.model)}</b> · {escape(label(one.family))} · {escape(one.status)}"
        f"<br>score {score(one.score)} ({between(one.interval)})"
        f"<br>{short(one.macs)} multiply–adds · {short(one.params)} parameters<br>latency p50 / p95 {speed}"
        f"<br>memory {short(one.peak_memory_bytes, 'B')} · artifact {short(one.artifact_bytes, 'B')}"
    )


def _learning(curves: Sequence[Curve]) -> list[dict[str, Any]]:
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


def _content(content: NDArray[Any] | str) -> dict[str, Any]:
    """What is to be shown of an item."""
    if isinstance(content, str):
        return {"text": content[:LETTERS] + ("…" if len(content) > LETTERS else "")}
    values = np.asarray(content, dtype=np.float64)
    return {"png": _png(values)} if values.ndim == 3 else _sparklines(values.reshape(len(values), -1))


def _png(values: NDArray[np.float64]) -> str:
    levels = np.rint(255 * np.nan_to_num(values).clip(0, 1)).astype(np.uint8)
    picture = Image.fromarray(levels[0] if len(levels) < 3 else np.ascontiguousarray(levels[:3].transpose(1, 2, 0)))
    factor = ceil(PIXELS / max(picture.size))
    picture = picture.resize((factor * picture.width, factor * picture.height), Image.Resampling.NEAREST)
    picture.thumbnail((2 * PIXELS, 2 * PIXELS))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return b64encode(file.getvalue()).decode()


def _sparklines(values: NDArray[np.float64]) -> dict[str, Any]:
    """Points of a polyline for each of the first channels, in a lane 300 wide and 60 high."""
    rows = np.unique(np.linspace(0, len(values) - 1, STEPS).astype(int)) if len(values) else np.arange(0)
    lanes = []
    for channel in values[rows, :LANES].T:
        known = np.isfinite(channel)
        x, y = 300 * rows[known] / max(1, len(values) - 1), channel[known]
        low, high = (y.min(), y.max()) if len(y) else (0.0, 0.0)
        level = (y - low) / (high - low) if high > low else np.full(len(y), 0.5)
        lanes.append(" ".join(f"{left:.1f},{56 - 52 * up:.1f}" for left, up in zip(x, level)))
    return {"lanes": lanes, "channels": values.shape[1]}
