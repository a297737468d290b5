"""The page that shows a choice: one HTML file, charts included, that needs no network."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Iterable, Sequence
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

# Label and symbol of each family; its colour is the page's CSS variable of the same name.
FAMILIES = {
    "cnn": ("CNN", "circle"),
    "rnn": ("RNN", "square"),
    "transformer": ("Transformer", "diamond"),
    "hybrid": ("Hybrid", "triangle-up"),
}
WAITING = ("over budget", "not run")
MISTAKES, LETTERS, PIXELS, LANES, STEPS = 24, 400, 160, 3, 240
FAR = 4
PLOT_HEIGHT, LINE_HEIGHT = 330, 15


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
    """The whole page; the same input gives the same bytes."""
    page = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    page.filters |= {
        "score": score, "between": between, "gap": lambda value: _gap(choice, value), "short": short, "size": size,
        "digits": digits, "fact": fact, "family": label, "colour": _colour, "content": _content,
    }  # fmt: skip
    frame, ranked = _frame(choice), _ranked(choice)
    surest = sorted(mistakes, key=lambda mistake: (-mistake.probability, mistake.item))
    return page.get_template("report.html.j2").render(
        choice=choice, verdict=choice.verdict, frame=frame, strip=strip, unit=_unit(choice),
        best=next((one for one in ranked if one.model == choice.verdict.model), None),
        charts=[*_cost(choice, frame, ranked), *_learning(frame, curves)],
        raced=[one for one in ranked if one.status not in WAITING],
        waiting=[one for one in ranked if one.status in WAITING],
        baselines=sorted(choice.baselines, key=lambda one: _loss(choice, one.score)),
        mistakes=surest[:MISTAKES], mistaken=len(mistakes), plotly=Markup(get_plotlyjs()),
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


def size(value: float | None) -> str:
    """Bytes: 412 kB."""
    return short(value, "B")


def digits(value: float) -> str:
    """Three digits: 0.0123, 1.23, 12.3, 123."""
    return f"{value:.{max(0, 2 - floor(log10(max(value, 1e-3))))}f}"


def fact(key: str, value: Any) -> str:
    """An entry of the budget, the clock or the machine, in words."""
    if "seconds" in key:
        return f"{value:g}\u00a0s"
    if "bytes" in key or "size" in key:
        return size(value)
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def label(family: str) -> str:
    """A family's name as it is written."""
    return FAMILIES.get(family, (family,))[0]


def strip(interval: Interval, point: float, low: float, high: float) -> dict[str, float]:
    """Where an interval, the point in it and zero stand between `low` and `high`, in percent."""
    ends = [min(1.0, max(0.0, (end - low) / ((high - low) or 1.0))) for end in (*interval, point, 0.0)]
    left, right, middle, zero = (round(100 * end, 2) for end in ends)
    return {"left": left, "width": round(right - left, 2), "point": middle, "zero": zero}


def _unit(choice: Choice) -> str:
    return "points" if choice.metric.direction == "max" else ""


def _gap(choice: Choice, value: float) -> str:
    """A difference of scores: +1.2 (points) or −0.031."""
    return (f"{100 * value:+.1f}" if _unit(choice) else f"{value:+.3f}").replace("-", "−")


def _colour(family: str) -> str:
    return f"var(--{family if family in FAMILIES else 'hybrid'})"


def _loss(choice: Choice, value: float | None) -> float:
    """Smaller is better; what is not known is worst."""
    if value is None or not isfinite(value):
        return inf
    return -value if choice.metric.direction == "max" else value


def _ranked(choice: Choice) -> list[Candidate]:
    """The best network, then the other finalists, then the rest, each by score."""
    return sorted(
        choice.candidates,
        key=lambda one: (one.model != choice.verdict.model, not one.seeds, _loss(choice, one.score), one.params),
    )  # fmt: skip


def _frame(choice: Choice) -> Frame:
    """Without networks far behind the others, and without baselines that would double its height."""
    losses = {one.model: _loss(choice, one.score) for one in choice.candidates if one.score is not None}
    losses = {model: loss for model, loss in losses.items() if isfinite(loss)}
    reach = FAR * (median(losses.values()) - min(losses.values())) if losses else 0.0
    limit = min(losses.values(), default=inf) + (reach or inf)
    networks = [one for one in choice.candidates if losses.get(one.model, inf) <= limit and one.model in losses]
    ends = [end for one in networks for end in (one.interval or (one.score,)) if end is not None]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    height = (high - low) or 1.0
    tried = [(one.name, one.score) for one in choice.baselines if one.score is not None and isfinite(one.score)]
    lines = [(name, value) for name, value in tried if low - height <= value <= high + height]
    far = [(one.model, one.score) for one in choice.candidates if one.model in losses and one not in networks]
    far += [line for line in tried if line not in lines]
    low, high = min([low, *(value for _, value in lines)]), max([high, *(value for _, value in lines)])
    pad = 0.06 * ((high - low) or 1.0)
    top = min(high + pad, 1 + pad / 3) if 0 <= low and high <= 1 else high + pad
    return Frame(low - pad, top, networks, lines, [f"{name} {score(value)}" for name, value in far])


def _cost(choice: Choice, frame: Frame, ranked: Sequence[Candidate]) -> list[dict[str, Any]]:
    """Quality against multiply–adds; no chart where no network has a score."""
    if not frame.networks:
        return []
    logs = [log10(max(1, one.macs)) for one in frame.networks]
    left, right = min(logs), max(logs)
    pad = 0.08 * max(1.0, right - left)
    shown = [one for one in ranked if one in frame.networks]
    traces = []
    for family in _families(one.family for one in shown):
        members = [one for one in shown if one.family == family]
        symbol = FAMILIES.get(family, ("", "triangle-up"))[1]
        traces.append({
            "name": escape(label(family)), "colour": _colour(family),
            "x": [max(1, one.macs) for one in members], "y": [one.score for one in members],
            "up": [_ends(one)[1] - (one.score or 0) for one in members],
            "down": [(one.score or 0) - _ends(one)[0] for one in members],
            "symbols": [symbol if one.seeds else f"{symbol}-open" for one in members],
            "texts": [escape(one.model) if one.seeds else "" for one in members],
            "sides": ["right" if 2 * log10(max(1, one.macs)) < left + right else "left" for one in members],
            "hover": [_hover(one) for one in members], "best": [one.model == choice.verdict.model for one in members],
        })  # fmt: skip
    x = {"type": "log", "range": [left - pad, right + pad]}
    return [{"id": "cost", "traces": traces, "x": x, "y": {"range": [frame.low, frame.high]}, "lines": _lines(frame)}]


def _ends(one: Candidate) -> Interval:
    return one.interval or (one.score or 0.0, one.score or 0.0)


def _hover(one: Candidate) -> str:
    speed = f"{digits(one.latency_ms.p50)} / {digits(one.latency_ms.p95)} ms" if one.latency_ms else "–"
    return "<br>".join([
        f"<b>{escape(one.model)}</b> · {escape(label(one.family))} · {escape(one.status)}",
        f"score {score(one.score)} ({between(one.interval)})",
        f"{short(one.macs)} multiply–adds, {short(one.params)} parameters",
        f"latency p50 / p95 {speed}", f"memory {size(one.peak_memory_bytes)}, artifact {size(one.artifact_bytes)}",
    ])  # fmt: skip


def _learning(frame: Frame, curves: Sequence[Curve]) -> list[dict[str, Any]]:
    """A line for each training; no chart where there is none."""
    drawn = [(one, [point for point in one.points if all(map(isfinite, point))]) for one in curves]
    traces = [
        {
            "name": escape(label(family)), "family": family, "colour": _colour(family),
            "x": [point[0] for point in points], "y": [point[1] for point in points],
            "title": f"{escape(curve.model)}, seed {curve.seed}",
        }
        for family in _families(curve.family for curve, points in drawn if points)
        for curve, points in drawn if points and curve.family == family
    ]  # fmt: skip
    return [{"id": "learning", "traces": traces, "x": {"rangemode": "tozero"}, "y": {}, "lines": []}] if traces else []


def _families(names: Iterable[str]) -> list[str]:
    found = set(names)
    return [name for name in FAMILIES if name in found] + sorted(found - set(FAMILIES))


def _lines(frame: Frame) -> list[dict[str, Any]]:
    """The baselines' lines, and by how many pixels each label is moved so that none hides another."""
    placed, floor_ = [], -inf
    for name, value in sorted(frame.lines, key=lambda line: line[1]):
        at = PLOT_HEIGHT * (value - frame.low) / (frame.high - frame.low)
        floor_ = max(at, floor_ + LINE_HEIGHT)
        placed.append({"name": escape(name), "score": value, "shift": round(floor_ - at, 1)})
    return placed


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
    rows = np.unique(np.linspace(0, len(values) - 1, STEPS).round().astype(int)) if len(values) else np.arange(0)
    lanes = []
    for channel in values.T[:LANES]:
        known = [(row, channel[row]) for row in rows if isfinite(channel[row])]
        low, high = min((y for _, y in known), default=0.0), max((y for _, y in known), default=0.0)
        lanes.append(" ".join(
            f"{300 * x / max(1, len(values) - 1):.1f},{56 - 52 * ((y - low) / (high - low) if high > low else 0.5):.1f}"
            for x, y in known
        ))  # fmt: skip
    return {"lanes": lanes, "channels": values.shape[1]}
