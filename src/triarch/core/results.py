"""What each verb returns. The fields are the JSON names, so they are a promise."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Any, Literal

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
class Latency:
    """Milliseconds from raw input to decoded answer, batch 1.

    Attributes:
        cpu: the process's CPU time, all threads together.
        spread: how far the medians of its blocks lie apart, as a part of `p50`.
        busy: the machine had other work all the while, and on a quiet one it is quicker.
    """

    p50: float
    p95: float
    cpu: float | None = None
    spread: float | None = None
    busy: bool = False


@dataclass(frozen=True)
class Foretold:
    """A time that was not measured, but told from what a model computes and what that costs on this machine.

    Attributes:
        p50: milliseconds of the network alone, without what comes before and after it; of a training step forth, back
            and the optimiser. With one thread calibrated on processor time.
        error: how far off that is on average for an architecture that took no part in the calibration; 0.1 is 10%. For
            batches larger than those of the calibration (4 to 32 items) it may be off further.
    """

    p50: float
    error: float


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
        foretold_step_ms: the time of such a step, if this machine is calibrated.
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
    foretold_step_ms: Foretold | None = None


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
    """A finished training.

    Attributes:
        notes: what of a fine-tuned model is new, and what was read and left out of a corpus, in words.
        trained_params: of `params` those that changed, and that were added and merged, where a model was fine-tuned.
    """

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
    trained_params: int | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Evaluation:
    """The score of an artifact on data.

    Attributes:
        notes: what was inferred of the data and left out, in words.
    """

    metric: Metric
    score: float
    interval: Interval
    n: int
    split: str
    artifact: str
    metrics: dict[str, float]
    notes: list[str] = field(default_factory=list)


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
class Translation:
    """What a text becomes."""

    input: str
    text: str


@dataclass(frozen=True)
class Predictions:
    """The answers, in the order of the inputs."""

    artifact: str
    predictions: list[Prediction] | list[Forecast] | list[Translation]


@dataclass(frozen=True)
class Written:
    """How a text goes on.

    Attributes:
        tokens: how many there are in it.
        tokens_per_second: until this text was done, the reading of its prompt included.
        reason: why it ends: "end" by the model's own token, "stop" before a string, "length".
        token_ids: the tokens themselves.
        logprobs: of the tokens, as the model has them; None where they were not asked for.
    """

    text: str
    tokens: int
    tokens_per_second: float
    reason: str
    prompt: str
    token_ids: list[int]
    logprobs: list[float] | None = None


@dataclass(frozen=True)
class Writing:
    """The texts, in the order of the prompts.

    Attributes:
        alone: there was one prompt, not a file of them.
    """

    artifact: str
    texts: list[Written]
    alone: bool

    def to_json(self) -> Any:
        """The text alone, or a list."""
        written = [asdict(text) for text in self.texts]
        return written[0] if self.alone else written


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
class Exported:
    """A model in somebody else's layout.

    Attributes:
        to: the target, as `--to` takes it.
        layout: the layout's own name.
        files: name → bytes.
    """

    artifact: str
    folder: str
    to: str
    layout: str
    bytes: int
    files: dict[str, int]


def as_json(result: Any) -> Any:
    """A verb's result as plain JSON values."""
    if hasattr(result, "to_json"):
        return result.to_json()
    return asdict(result) if is_dataclass(result) and not isinstance(result, type) else result
