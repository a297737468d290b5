"""The outcome of a race. The fields are the JSON names, so they are a promise."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from triarch.core.findings import Effect, Reason
from triarch.core.results import Interval, Latency, Metric
from triarch.core.verdict import Verdict

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class BaselineScore:
    """A classical method on the select split."""

    name: str
    score: float | None
    seconds: float
    status: str = "finished"


@dataclass(frozen=True)
class Pretrained:
    """What a candidate had learned before it learned the task.

    Attributes:
        origin: the folder whose weights it begins with; "inputs": it first learns the race's own without their labels.
        seconds: that this took, where it is known.
        counted: whether it is part of the time that the candidate has in the race.
    """

    origin: str
    seconds: float | None
    counted: bool


@dataclass
class Candidate:
    """One architecture/size in a race; scores are on the select split.

    Attributes:
        model: architecture/size; with @ and a word behind it, of one that does not begin with random weights.
        calibration_error: of a finalist, the mean of its seeds on select: the expected one of class probabilities, or
            how far the share of values below a quantile is from its level.
        state_bytes: what is remembered of the longest item; None where none is gone through step by step.
        pretrained: None where it begins with random weights.
        on_front: no other that raced is at least as good in score, latency, artifact and memory, and better in one.
    """

    model: str
    family: str
    params: int
    macs: int | None
    latency_ms: Latency | None = None
    peak_memory_bytes: int | None = None
    artifact_bytes: int | None = None
    score: float | None = None
    interval: Interval | None = None
    status: str = "not run"
    reason: str = ""
    trials: int = 0
    seeds: int = 0
    on_front: bool = False
    calibration_error: float | None = None
    state_bytes: int | None = None
    pretrained: Pretrained | None = None


@dataclass(frozen=True)
class Choice:
    """The outcome of a race.

    Attributes:
        artifact: its folder; None where no network keeps the limits.
        reasons, robustness: of the verdict's model and the runner-up, as far as there was time to measure them; the
            latter on items that are disturbed as items in use may be.
    """

    task: str
    metric: Metric
    budget: dict[str, Any]
    spent: dict[str, float]
    baselines: list[BaselineScore]
    candidates: list[Candidate]
    verdict: Verdict
    artifact: str | None
    report: str
    run: str
    seed: int
    threads: int
    machine: dict[str, Any]
    data: str = ""
    notes: list[str] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)
    robustness: list[Effect] = field(default_factory=list)

    @property
    def best(self) -> Candidate:
        """The network that the verdict names; it is the artifact."""
        return next(one for one in self.candidates if one.model == self.verdict.model)

    @property
    def front(self) -> list[Candidate]:
        """The networks between which score, latency, artifact and memory leave a choice, see `Candidate.on_front`."""
        return [one for one in self.candidates if one.on_front]

    def table(self) -> DataFrame:
        """A row for each network, in the order of the report, then for each baseline, whose family is `baseline`."""
        ranked = sorted(self.baselines, key=lambda one: (one.score is None, -self.metric.gain(one.score or 0.0)))
        rows = [_row(one) for one in self.candidates]
        rows += [{"model": one.name, "family": "baseline", "score": one.score, "status": one.status} for one in ranked]
        frame: DataFrame = import_module("pandas").DataFrame(rows)  # not before it is asked for: it takes its time
        return frame


def _row(one: Candidate) -> dict[str, Any]:
    """A candidate, the parts of its interval and latency apart."""
    low, high = one.interval or (None, None)
    p50, p95 = (one.latency_ms.p50, one.latency_ms.p95) if one.latency_ms else (None, None)
    return {
        "model": one.model, "family": one.family, "score": one.score, "low": low, "high": high, "status": one.status,
        "reason": one.reason, "on_front": one.on_front, "params": one.params, "macs": one.macs,
        "latency_p50_ms": p50, "latency_p95_ms": p95, "peak_memory_bytes": one.peak_memory_bytes,
        "artifact_bytes": one.artifact_bytes, "calibration_error": one.calibration_error, "trials": one.trials,
        "seeds": one.seeds, "state_bytes": one.state_bytes,
        "pretrained": one.pretrained.origin if one.pretrained else None,
    }  # fmt: skip
