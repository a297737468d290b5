"""A verb's result as tables for a person."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from triarch.core.choice import Choice
from triarch.core.findings import Effect, Reason
from triarch.core.results import Forecast, Listing, Metric, Predictions
from triarch.core.scaling import Scaling


def show(result: Any) -> None:
    """Print a result."""
    console = Console(highlight=False)
    if isinstance(result, Listing):
        console.print(_table([asdict(model) for model in result.models]))
    elif isinstance(result, Predictions):
        console.print(_table(_answers(result), skip=("top", "quantiles")))
    elif isinstance(result, Choice):
        _show_choice(console, result)
    elif isinstance(result, Scaling):
        _show_scaling(console, result)
    else:
        rows = [{"": name, "value": value} for name, value in vars(result).items() if value is not None and value != []]
        console.print(_table(rows))


def _answers(predictions: Predictions) -> list[dict[str, Any]]:
    """A row for each answer, of a forecast for each step ahead."""
    rows = []
    for one in predictions.predictions:
        ahead = [asdict(step) for step in one.steps] if isinstance(one, Forecast) else [{}]
        rows += [{"input": one.input, **step} if isinstance(one, Forecast) else asdict(one) for step in ahead]
    return rows


def _show_choice(console: Console, choice: Choice) -> None:
    scored = [one for one in choice.candidates if one.score is not None]
    state = ["state_bytes"] * any(one.state_bytes is not None for one in scored)
    keys = ("model", "family", "params", "latency_ms", *state, "score", "interval", "status")
    raced = [{key: getattr(one, key) for key in keys} for one in scored]
    console.print(_table(raced))
    baselines = [{"baseline": one.name, "score": one.score, "seconds": one.seconds} for one in choice.baselines]
    console.print(_table(baselines))
    console.print(choice.verdict.text, markup=False)
    for reason in _main(choice.reasons):
        console.print(f"· {reason.statement}", markup=False)
    if choice.robustness:
        console.print(_table([_borne(one, choice.metric) for one in choice.robustness]))
    if choice.verdict.kind != "network" and choice.verdict.baseline:
        console.print(f"\n{choice.verdict.baseline.code}\n", markup=False)
    console.print(
        f"artifact  {choice.artifact or 'none, as no network keeps the limits'}\nreport    {choice.report}",
        markup=False,
        soft_wrap=True,
    )


def _main(reasons: list[Reason]) -> list[Reason]:
    """Those for a short account: of the channels of a model only the one that tells most; the report has all."""
    told = [one for one in reasons if one.told]
    channels = sorted((one for one in told if one.kind == "channel"), key=lambda one: abs(one.difference))
    most = {one.model: one for one in channels}
    return [one for one in told if one.kind != "channel" or one is most[one.model]]


def _borne(one: Effect, metric: Metric) -> dict[str, Any]:
    return {
        "model": one.model, "disturbed by": one.name, metric.name: one.score, "difference": one.difference,
        "interval": one.interval,
    }  # fmt: skip


def _show_scaling(console: Console, scaling: Scaling) -> None:
    rows = [
        {
            "model": one.model, "examples": one.items, "times run": one.beyond,
            scaling.metric.name: _around(one.score, one.score_interval), "loss": _around(one.loss, one.loss_interval),
            "": "far" if one.far else "",
        }
        for one in scaling.prospects
    ]  # fmt: skip
    if rows:
        console.print(_table(rows))
    console.print(scaling.text, markup=False)
    console.print(f"runs      {scaling.run}", markup=False, soft_wrap=True)


def _around(value: float | None, interval: tuple[float, float] | None) -> str:
    """A figure and its interval."""
    return "–" if value is None or interval is None else f"{value:.3f} ({interval[0]:.3f}–{interval[1]:.3f})"


def _table(rows: list[dict[str, Any]], skip: tuple[str, ...] = ()) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    names = [name for name in (rows[0] if rows else {}) if name not in skip]
    for name in names:
        number = all(isinstance(row[name], int | float) and not isinstance(row[name], bool) for row in rows)
        table.add_column(name, justify="right" if number and len(rows) > 1 else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(_text(row[name])) for name in names))
    return table


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Metric):
        return f"{value.name} ({'higher' if value.direction == 'max' else 'lower'} is better)"
    if is_dataclass(value) and not isinstance(value, type):
        return _text(asdict(value))
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        parts = [_text(part) for part in value]
        return ("; " if any(" " in part for part in parts) else " ").join(parts)
    return str(value)
