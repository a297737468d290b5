"""What each verb returns. The fields are the JSON names, so they are a promise."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, is_dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from triarch.core.timing import Foretold as Foretold
from triarch.core.timing import Latency as Latency

if TYPE_CHECKING:
    from pandas import DataFrame

Interval = tuple[float, float]
BALANCED = "balanced "


@dataclass(frozen=True)
class Metric:
    """A number that says how good predictions are."""

    name: str
    direction: Literal["max", "min"]

    @property
    def by_class(self) -> bool:
        """Whether it is the mean of the classes' means, each of which counts alike."""
        return self.name.startswith(BALANCED)

    def gain(self, value: float) -> float:
        """The value, turned so that higher is better."""
        return value if self.direction == "max" else -value


@dataclass(frozen=True)
class ListedModel:
    """One architecture."""

    model: str
    family: str
    modalities: tuple[str, ...]
    abilities: tuple[str, ...]
    sizes: tuple[str, ...]
    tasks: tuple[str, ...]


@dataclass(frozen=True)
class Listing:
    """The architectures that this installation knows."""

    models: list[ListedModel]

    def to_json(self) -> Any:
        """A plain list."""
        return [asdict(model) for model in self.models]


@dataclass(frozen=True)
class Description:
    """What a model is and costs, for one item as long as the longest.

    Attributes:
        macs: multiply–adds of an answer; `training_macs` forth and back.
        latency_ms: marked where the machine was too busy to measure it.
        foretold_ms: where it was, if this machine is calibrated; or right after a calibration.
        training_memory_bytes: the peak of a step with AdamW on a batch of `batch_size`, foretold: weights, gradients,
            two moments, and what is held for the way back.
        state_bytes: what a causal model remembers of the item; None where it is not causal as it is.
    """

    model: str
    family: str
    summary: str
    data: str
    params: int
    macs: int
    training_macs: int
    latency_ms: Latency | None
    peak_memory_bytes: int
    batch_size: int
    training_memory_bytes: int
    state_bytes: int | None
    artifact_bytes: int
    threads: int
    settings: dict[str, Any]
    foretold_ms: Foretold | None = None


@dataclass(frozen=True)
class Inspection:
    """What a data set is, and what triarch would do with it."""

    data: str
    task: str
    modality: str
    shape: tuple[int, ...]
    ragged: bool
    items: int
    classes: dict[str, int]
    splits: dict[str, int]
    split: str
    metric: Metric
    fingerprint: str
    notes: list[str]


@dataclass(frozen=True)
class Training:
    """A finished training."""

    model: str
    metric: Metric
    score: float
    interval: Interval
    n: int
    split: str
    steps: int
    seconds: float
    params: int
    seed: int
    threads: int
    artifact: str


@dataclass(frozen=True)
class Evaluation:
    """The score of an artifact on data."""

    metric: Metric
    score: float
    interval: Interval
    n: int
    split: str
    artifact: str
    metrics: dict[str, float]


@dataclass(frozen=True)
class Prediction:
    """The answer for one input."""

    input: str
    label: str
    probability: float
    top: dict[str, float]


@dataclass(frozen=True)
class Ahead:
    """One step of a forecast: the median and the bounds between which it lies with 80% probability."""

    time: str
    value: float
    low: float
    high: float
    quantiles: dict[str, float]


@dataclass(frozen=True)
class Forecast:
    """How a series goes on."""

    input: str
    steps: list[Ahead]


@dataclass(frozen=True)
class Predictions:
    """The answers, in the order of the inputs."""

    artifact: str
    predictions: list[Prediction] | list[Forecast]


@dataclass(frozen=True)
class Verification:
    """Whether an artifact still gives the answers it was saved with.

    Attributes:
        fault: what is wrong where it is not `ok`, and the remedy.
    """

    artifact: str
    ok: bool
    difference: float
    files: dict[str, int]
    fault: str = ""


@dataclass(frozen=True)
class BaselineScore:
    """A classical method on the select split."""

    name: str
    score: float | None
    seconds: float
    status: str = "finished"


@dataclass
class Candidate:
    """One architecture/size in a race; scores are on the select split.

    Attributes:
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


@dataclass(frozen=True)
class BestBaseline:
    """The best classical method beside the best network, on the confirm split.

    Attributes:
        difference: score of the network minus the baseline's.
        code: lines of Python that reproduce it.
    """

    name: str
    score: float
    difference: float
    interval: Interval
    code: str


@dataclass(frozen=True)
class Limit:
    """A limit of the budget beside what the answer takes.

    Attributes:
        name: max_params, max_size (bytes), max_memory (bytes) or max_latency (milliseconds, p95).
        measured: of the finished artifact, in a fresh process; None where it could not be measured.
        kept: None where that is not known.
    """

    name: str
    limit: float
    measured: float | None
    kept: bool | None


@dataclass(frozen=True)
class ClassScore:
    """How one class is answered; None where there is nothing to divide by."""

    name: str
    items: int
    recall: float | None
    precision: float | None
    f1: float | None


@dataclass(frozen=True)
class CalibrationBin:
    """The items whose answer was given a probability above `low` and up to `high`; `confidence` is its mean."""

    low: float
    high: float
    items: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Quality:
    """How a classifier answers, class by class.

    Attributes:
        confusion: items by class (rows) and answer (columns).
        calibration_error: the expected one over `bins`, which leave empty ones out.
    """

    classes: list[ClassScore]
    confusion: list[list[int]]
    calibration_error: float
    bins: list[CalibrationBin]


@dataclass(frozen=True)
class Verdict:
    """The answer.

    Attributes:
        kind: what to use; "undecided" where the data cannot tell network and baseline apart. Where no network keeps the
            limits it is a baseline, if one was ready.
        model: the best network, whatever `kind` says; of two that tie the cheaper.
        difference: `model` minus `runner_up`, paired on the items of the confirm split.
        tie: the interval of `difference` contains zero, or `difference` is within the margin that was asked for.
        score: of the artifact, on the confirm split, opened once.
        front: the models than which none is both as good and as cheap, in latency, memory and size, and better in one.
        quality: of the artifact on the confirm split; None where the answer is no class.
    """

    kind: Literal["network", "baseline", "undecided"]
    model: str
    runner_up: str | None
    difference: float | None
    interval: Interval | None
    tie: bool
    score: float
    score_interval: Interval
    n: int
    split: str
    baseline: BestBaseline | None
    text: str
    limits: list[Limit] = field(default_factory=list)
    front: list[str] = field(default_factory=list)
    quality: Quality | None = None


@dataclass(frozen=True)
class Choice:
    """The outcome of a race.

    Attributes:
        artifact: its folder; None where no network keeps the limits.
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
        "artifact_bytes": one.artifact_bytes, "trials": one.trials, "seeds": one.seeds,
    }  # fmt: skip


def as_json(result: Any) -> Any:
    """A verb's result as plain JSON values."""
    if hasattr(result, "to_json"):
        return result.to_json()
    return asdict(result) if is_dataclass(result) and not isinstance(result, type) else result
