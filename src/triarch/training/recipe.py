"""Everything a training depends on besides the data itself: one YAML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from triarch.core.errors import InputError, near
from triarch.core.spec import Cycle


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Optimiser(_Part):
    """How weights move.

    `lr` None is the architecture's own; `momentum` is SGD's and Muon's; matrices decay, vectors (biases, norms) do not.
    """

    name: Literal["adamw", "sgd", "muon"] = "adamw"
    lr: float | None = Field(None, gt=0, le=10)
    weight_decay: float = Field(0.01, ge=0)
    momentum: float = Field(0.9, ge=0, lt=1)


class Schedule(_Part):
    """How the learning rate moves: `warmup` steps up, then as `name` says; `wsd` falls in the last `decay` part.

    `steps` is the length that it was planned for, where a time limit cut the training short of it.
    """

    name: Literal["wsd", "cosine"] = "wsd"
    warmup: int = Field(30, ge=0)
    decay: float = Field(0.2, ge=0, le=1)
    steps: int | None = Field(None, ge=1)


class Augment(_Part):
    """How training batches are varied: a strength each, 0 is off, None the default of the data's modality.

    `after` batches at the beginning stay as they are. Images: `crop` shifts by up to this share of a side, `flip`
    and `erase` are probabilities, `mixup` and `cutmix` the alpha of their Beta distribution. Text: `token_dropout` is
    the share of tokens that become unknown. Series: `time_warp` and `magnitude_warp` bend time and values smoothly,
    `jitter` adds noise, in standard deviations. `false` in place of the whole part switches all off.
    """

    after: int | None = Field(None, ge=0)
    crop: float | None = Field(None, ge=0, le=0.5)
    flip: float | None = Field(None, ge=0, le=1)
    erase: float | None = Field(None, ge=0, le=1)
    mixup: float | None = Field(None, ge=0, le=10)
    cutmix: float | None = Field(None, ge=0, le=10)
    token_dropout: float | None = Field(None, ge=0, le=0.9)
    time_warp: float | None = Field(None, ge=0, le=2)
    magnitude_warp: float | None = Field(None, ge=0, le=2)
    jitter: float | None = Field(None, ge=0, le=2)

    @model_validator(mode="before")
    @classmethod
    def _all_off(cls, entries: Any) -> Any:
        return dict.fromkeys(cls.model_fields, 0.0) if entries is False else entries


Scaling = Literal["llama3", "ntk", "linear", "none"]


class Adapt(_Part):
    """How a trained model is fine-tuned, see `training/adapt.py`.

    `rank` and `alpha` are of the matrices that `lora` adds; `layer_decay` is the learning rate of a stage over that of
    the one above it in `gradual`; `scaling` is how rotary positions are made to reach over a longer context, see
    `training/longer.py`.
    """

    method: Literal["full", "head", "gradual", "lora"] = "full"
    rank: int = Field(8, ge=1, le=1024)
    alpha: float = Field(16.0, gt=0)
    layer_decay: float = Field(0.8, gt=0, le=1)
    scaling: Scaling = "llama3"


def _absent(value: object) -> bool:
    """Whether an entry is left out of a recipe that is written, as it was before there was such an entry."""
    return value is None


class Recipe(_Part):
    """A training; see the parts for theirs.

    `horizon`, `lookback`, `season`, `known`, `impute` and `calendar` say how series are continued, see `Continued`.
    `context` is how many tokens of a text a language model sees; `whole_words` hides those of a word together, where
    hidden ones are sought; `begin` is the artifact whose weights are fine-tuned as `adapt` says; `inputs_first` is in
    how many steps before it the inputs are learned without their labels, see `training/inputs_first.py`; `fold` is
    another way to part train and select; `batch_tokens` bounds batches of pairs of texts by the steps of both, in
    place of `batch_size`, see `Buckets`; `fingerprint` is of the data that the training began with, and is checked when
    it goes on; `average` is the decay of an exponential average of the weights (0.999, say), which is then what is
    kept; `clip` bounds the norm of the gradient; with `precision` bfloat16 a step multiplies in that type (autocast),
    weights, sums and scores stay float32; `checkpoint_seconds` is the least time between two checkpoints.
    """

    data: str | None = None
    input: tuple[str, ...] = ()
    target: str | None = None
    group: str | None = None
    image_size: int | None = Field(None, ge=1, le=4096)
    task: str | None = None
    horizon: int | None = Field(None, ge=1, le=10_000)
    lookback: int | None = Field(None, ge=1, le=10_000)
    season: int | None = Field(None, ge=1, le=10_000)
    known: tuple[str, ...] = ()
    impute: Literal["linear", "last"] | None = None
    calendar: tuple[Cycle, ...] | None = None
    tokenizer: str | None = None
    context: int | None = Field(None, ge=2, le=65_536)
    whole_words: bool = False
    model: str
    settings: dict[str, Any] = {}
    begin: str | None = None
    adapt: Adapt = Adapt()
    inputs_first: int | None = Field(None, ge=1, exclude_if=_absent)
    fingerprint: str | None = None
    fold: int | None = Field(None, ge=0)
    seed: int = Field(0, ge=0, le=2**62)
    threads: int = Field(1, ge=1, le=1024)
    workers: int = Field(0, ge=0, le=256)
    steps: int | None = Field(None, ge=1)
    epochs: float | None = Field(None, gt=0)
    seconds: float | None = Field(None, gt=0, le=1e8)
    batch_size: int = Field(64, ge=1)
    batch_tokens: int | None = Field(None, ge=1)
    optimiser: Optimiser = Optimiser()
    schedule: Schedule = Schedule()
    augment: Augment = Augment()
    clip: float | None = Field(1.0, gt=0)
    precision: Literal["float32", "bfloat16"] = "float32"
    average: float | None = Field(None, gt=0, lt=1)
    checkpoint_seconds: float = Field(10.0, ge=0)


def make(entries: Mapping[str, Any], changes: Mapping[str, Any] | Sequence[str] = ()) -> Recipe:
    """A recipe of `entries`, with some changed.

    Args:
        changes: dotted key → value, or texts `key=value` with the value in YAML: `optimiser.lr=0.01`.

    Raises:
        InputError: an unknown key, or a value that does not fit.
    """
    tree = _copy(entries)
    pairs = changes.items() if isinstance(changes, Mapping) else [_pair(change) for change in changes]
    for key, value in pairs:
        *path, name = str(key).split(".")
        place = tree
        for part in path:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise InputError(f"--set {key}: {part!r} has no parts")
        place[name] = value
    try:
        return Recipe(**tree)
    except ValidationError as error:
        raise _explain(error) from None


def read(path: Path) -> dict[str, Any]:
    """The entries of a recipe file.

    Raises:
        InputError: it cannot be read, or is not a mapping.
    """
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: cannot be read as a recipe", " ".join(str(error).split())[:200]) from error
    if not isinstance(entries, dict) or not all(isinstance(key, str) for key in entries):
        raise InputError(f"{path}: a recipe is a mapping", "for example\ndata: digits")
    return entries


def to_yaml(recipe: Recipe) -> str:
    """The recipe as `read` takes it."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _copy(entries: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copy(value) if isinstance(value, Mapping) else value for key, value in entries.items()}


def _pair(change: str) -> tuple[str, Any]:
    key, found, value = change.partition("=")
    if not found or not key:
        raise InputError(f"--set {change}: key=value is wanted", "for example --set optimiser.lr=0.01")
    try:
        return key, _number(yaml.safe_load(value))
    except yaml.YAMLError:
        raise InputError(f"--set {change}: the value is no YAML", "put it in quotes") from None


def _number(value: Any) -> Any:
    """YAML 1.1 takes 1e-3 for a text; a user means the number."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _explain(error: ValidationError) -> InputError:
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        parts: dict[str, type[_Part]] = {"optimiser": Optimiser, "schedule": Schedule, "augment": Augment}
        known = parts.get(str(first["loc"][0]), Recipe) if len(first["loc"]) > 1 else Recipe
        return InputError(f"recipe: unknown key {place!r}", near(str(first["loc"][-1]), known.model_fields))
    return InputError(f"recipe: {place}: {first['msg']}, not {first['input']!r}")
