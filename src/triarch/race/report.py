"""The page that shows a choice: one HTML file, charts included, that needs no network."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image
from plotly.offline import get_plotlyjs

from triarch.core.choice import Candidate, Choice
from triarch.core.findings import CalibrationBin, Quality
from triarch.race.charts import Curve, cost, frame, learning, loss
from triarch.race.datacard import DataCard
from triarch.race.figures import between, digits, fact, gap, label, score, short, strip
from triarch.race.outlook import Outlook, drawn

WAITING = ("over budget", "not run")
MISTAKES, LETTERS, PIXELS, LANES, STEPS = 24, 300, 160, 3, 240
MATRIX, CONFUSED = 12, 8
BUDGETS = {
    "max_params": "Parameters", "max_size": "Artifact", "max_memory": "Memory of one answer",
    "max_latency": "Latency of one answer, p95",
}  # fmt: skip


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
class Bar:
    """A limit and what is used of it, in words; `share` in percent is None where it is not known."""

    name: str
    used: str
    limit: str
    share: float | None
    state: str


def report(
    choice: Choice, curves: Sequence[Curve], mistakes: Sequence[Mistake], data: DataCard | None = None,
    outlooks: Sequence[Outlook] = (),
) -> str:  # fmt: skip
    """The whole page; the same input gives the same bytes. `mistakes` come surest first."""
    page = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    page.filters |= {
        "score": score, "between": between, "gap": lambda value: gap(value, choice.metric), "short": short,
        "size": lambda value: short(value, "B"), "digits": digits, "fact": fact, "drawn": drawn, "family": label,
        "content": _content, "first_up": lambda text: text[:1].upper() + text[1:],
    }  # fmt: skip
    shown, ranked, quality = frame(choice), _ranked(choice), choice.verdict.quality
    return page.get_template("report.html.j2").render(
        choice=choice, verdict=choice.verdict, frame=shown, strip=strip, bars=bars(choice), data=data,
        best=next((one for one in ranked if one.model == choice.verdict.model), None),
        charts=[*cost(choice, shown), *learning(curves)],
        raced=[one for one in ranked if one.status not in WAITING],
        waiting=[one for one in ranked if one.status in WAITING],
        baselines=sorted(choice.baselines, key=lambda one: loss(choice, one.score)),
        outlooks=outlooks, mistakes=mistakes[:MISTAKES], mistaken=len(mistakes), plotly=Markup(get_plotlyjs()),
        quality=quality, confused=confused(quality) if quality else [], matrix=MATRIX,
        reliability=reliability(quality.bins) if quality else [],
    )  # fmt: skip


def bars(choice: Choice) -> list[Bar]:
    """The limits of the budget, the time first."""
    found = []
    if choice.budget.get("seconds") and "seconds" in choice.spent:
        used, limit = choice.spent["seconds"], choice.budget["seconds"]
        state = "kept" if used <= limit else "within the 5 seconds or 2% that ending may take"
        found.append(Bar("Time", fact("seconds", used), fact("seconds", limit), min(100.0, 100 * used / limit), state))
    for one in choice.verdict.limits:
        state = {True: "kept", False: "broken", None: "not measurable"}[one.kept]
        words = fact(one.name, one.measured) if one.measured is not None else "–"
        share = min(100.0, 100 * one.measured / one.limit) if one.measured is not None else None
        found.append(Bar(BUDGETS[one.name], words, fact(one.name, one.limit), share, state))
    return found


def confused(quality: Quality) -> list[tuple[str, str, int]]:
    """The most frequent mistakes: class, answer, items."""
    names = [one.name for one in quality.classes]
    table = np.array(quality.confusion)
    np.fill_diagonal(table, 0)
    order = np.argsort(-table, axis=None, kind="stable")[:CONFUSED]
    pairs = [divmod(int(place), len(names)) for place in order if table.flat[place]]
    return [(names[truth], names[answer], int(table[truth, answer])) for truth, answer in pairs]


def reliability(bins: Sequence[CalibrationBin]) -> list[dict[str, float]]:
    """Where the dots of the calibration drawing stand in its square of 200, and how large they are."""
    most = max((one.items for one in bins), default=1)
    return [
        {
            "x": round(200 * one.confidence, 1), "y": round(200 * (1 - one.accuracy), 1),
            "r": round(2.5 + 6 * (one.items / most) ** 0.5, 1),
        }
        for one in bins
    ]  # fmt: skip


def _ranked(choice: Choice) -> list[Candidate]:
    """The best network, then the other finalists, then the rest, each by score."""
    best = choice.verdict.model
    return sorted(
        choice.candidates, key=lambda one: (one.model != best, not one.seeds, loss(choice, one.score), one.params)
    )  # fmt: skip


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
