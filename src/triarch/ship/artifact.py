"""The artifact: a folder with everything a prediction needs, no code and no pickle in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from triarch import __version__
from triarch.core.errors import InputError, misread
from triarch.core.files import write_bytes, write_json, write_text
from triarch.core.results import Ahead, Forecast, Prediction, Translation
from triarch.core.spec import Spec
from triarch.core.types import Batch
from triarch.data.long_frame import latest
from triarch.data.preprocess import Preprocessor, collate
from triarch.data.source import Inputs
from triarch.data.times import written
from triarch.generation.settings import Settings
from triarch.layers.position import places_of
from triarch.model import Model, Pair, build
from triarch.tasks import registry as tasks
from triarch.tasks.forecast import QUANTILES
from triarch.tasks.task import Task, joined
from triarch.tasks.translate import Translate

FORMAT = 1
REMEDY = "bring back the file as it was, or the folder as it was saved"
GOLDEN_ITEMS = 4
TOP, TEXTS_AT_ONCE = 3, 64
CONFIG, WEIGHTS, PREPROCESSOR = "config.json", "model.safetensors", "preprocessor.json"
TOKENIZER, GOLDEN, CARD = "tokenizer.json", "golden.safetensors", "README.md"
ANSWERS = "answers.tokenizer.json"
Made = TypeVar("Made")


@dataclass(frozen=True)
class Config:
    """What `config.json` holds: enough to build the model again."""

    format: int
    triarch: str
    architecture: str
    size: str
    settings: dict[str, Any]
    task: str
    spec: Spec
    metric: str | None = None

    @property
    def model(self) -> str:
        """architecture/size."""
        return f"{self.architecture}/{self.size}"


@dataclass(frozen=True)
class Artifact:
    """A model and what turns raw inputs into its batches and its outputs into answers."""

    config: Config
    model: Model
    task: Task
    preprocessor: Preprocessor

    def answers(self, inputs: Inputs, batch_size: int = 256, writing: Settings | None = None) -> NDArray[np.float32]:
        """Raw inputs, in the layout of `Source.inputs`, → probabilities of the classes (I K), quantiles (I H Q), or the
        tokens of texts (I T).

        Args:
            writing: how texts are generated; None: see `Pair.settings`.

        Raises:
            InputError: an input has another shape than the training data.
        """
        encoded = self.preprocessor.encode(inputs)
        self.model.eval()
        answers = []
        with torch.inference_mode():
            for start in range(0, len(encoded), batch_size):
                batch = self.task.prepare(collate(encoded[start : start + batch_size]))
                if isinstance(self.model, Pair):
                    answers.append(self.model.write(batch, writing))
                else:
                    answers.append(self.task.decode(self.model(batch), batch))
        return joined(answers).numpy()

    def features(self, inputs: Any, batch_size: int = 256) -> NDArray[np.float32]:
        """Raw inputs, as `predict` takes them, → the summary of each that the backbone makes (I P); of a model that
        translates, of what it reads.

        Raises:
            InputError: an input has another shape than the training data.
        """
        many = self._many(inputs)
        backbone = self.model.source if isinstance(self.model, Pair) else self.model.backbone
        if not len(many):
            return np.zeros((0, backbone.shape.pooled_dim), dtype=np.float32)
        if self.config.spec.target.kind == "features":
            return self.answers(many, batch_size)
        encoded = self.preprocessor.encode(many)
        self.model.eval()
        made = []
        with torch.inference_mode():
            for start in range(0, len(encoded), batch_size):
                batch = collate(encoded[start : start + batch_size])
                batch = self.task.prepare(batch) if self.config.spec.target.kind == "future" else batch
                made.append(backbone(batch.input, batch.mask)[0].pooled)
        return torch.cat(made).numpy()

    def logits(self, token_ids: Tensor | NDArray[np.int64] | Sequence[Sequence[int]]) -> Tensor:
        """Token ids (B T) → the score of each token of the vocabulary at each step (B T V).

        Raises:
            InputError: this is no language model, or an id is none of its vocabulary.
        """
        spec = self.config.spec
        if spec.target.kind != "token":
            raise InputError(
                "this model has no scores for tokens: it is no language model", "`features` or `predict` is what it has"
            )
        wanted = f"token ids (B T) from 0 to {spec.vocab_size - 1} are wanted"
        try:
            given = torch.as_tensor(token_ids)
            ids = given.long()
            low, high = (int(ids.min()), int(ids.max())) if ids.numel() else (0, -1)
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(wanted, "give rows of one length, of whole numbers") from error
        if given.dtype == torch.bool or given.is_floating_point() or given.is_complex() or ids.ndim != 2 or low > high:
            raise InputError(f"{wanted}, not shape {tuple(given.shape)} of {given.dtype}")
        if low < 0 or high >= spec.vocab_size:
            raise InputError(f"{wanted}, not {low} to {high}")
        if (places := places_of(self.model)) is not None and ids.shape[1] > places:
            raise InputError(
                f"{ids.shape[1]:,} tokens are more than the {places:,} places that were learned",
                f"give fewer; `triarch finetune --context {ids.shape[1]}` makes a model for as many",
            )
        self.model.eval()
        with torch.inference_mode():
            logits: Tensor = self.model(Batch(ids))
        return logits

    def predict(
        self, inputs: Any, names: Sequence[str] | None = None, writing: Settings | None = None
    ) -> list[Prediction] | list[Forecast] | list[Translation]:
        """Raw inputs → answers, in their order.

        Args:
            inputs: a list of texts; images (I C Y X) or series, one or many, with the values of the training data.
            names: what to call the inputs in the answers; None: the text itself, or its number.
            writing: how a model that translates writes; see `translate`.

        Raises:
            InputError: an input has another shape than the training data.
        """
        if self.config.spec.target.kind == "future":
            return self.forecast(inputs, names=names)
        if isinstance(self.task, Translate):
            texts = self._many(inputs)
            return [Translation(*pair) for pair in zip(map(str, texts), self.translate(texts, writing))]
        if self.config.spec.target.kind == "token":
            raise InputError(
                "this model tells no classes, it models language",
                "`triarch evaluate` scores it on text, `logits` gives its scores",
            )
        if self.config.spec.target.kind == "features":
            raise InputError(
                "this model tells no classes: it has no head and gives features",
                "`triarch finetune` teaches it a task; in Python, `features` gives them",
            )
        many = self._many(inputs)
        if len(many) == 0:
            return []
        if names is None:
            names = [item if isinstance(item, str) else str(number) for number, item in enumerate(many)]
        classes = self.config.spec.target.names
        predictions = []
        for name, row in zip(names, self.answers(many)):
            best = np.argsort(-row, kind="stable")[:TOP]
            top = {classes[number]: float(row[number]) for number in best}
            predictions.append(Prediction(name, classes[best[0]], float(row[best[0]]), top))
        return predictions

    def translate(self, inputs: str | Sequence[str] | Inputs, writing: Settings | None = None) -> list[str]:
        """What texts become, in their order.

        Args:
            writing: how they are generated; None: the likeliest token each time, up to the longest answer.

        Raises:
            InputError: this model translates nothing.
        """
        if not isinstance(self.task, Translate):
            raise InputError("this model translates nothing", "call `predict` in place of `translate`")
        many = self._many(inputs)
        if not len(many):
            return []
        return list(self.task.texts(torch.from_numpy(self.answers(many, TEXTS_AT_ONCE, writing))))

    def forecast(
        self, inputs: pd.DataFrame | Inputs, name: str = "frame", names: Sequence[str] | None = None
    ) -> list[Forecast]:
        """Continue series.

        Args:
            inputs: a long frame with the columns of the training data, whose last steps are taken; or windows (I T C).
            name: what to call the frame in errors.
            names: what to call the series, where the inputs are windows; None: by their number.

        Raises:
            InputError: a column or a step is missing, or this model continues no series.
        """
        if self.config.spec.target.kind != "future":
            raise InputError(f"this is a model for {self.config.task}: it continues no series", "give one for forecast")
        future = self.config.spec.future
        if isinstance(inputs, pd.DataFrame):
            names, windows, times = latest(inputs, future, name)
        else:
            windows = [np.asarray(window, dtype=np.float32) for window in inputs]
            names = [str(number) for number in range(len(windows))] if names is None else names
            times = [pd.RangeIndex(1, future.horizon + 1)] * len(windows)
        for called, window in zip(names, windows):
            if np.shape(window) != self.config.spec.shape:
                raise InputError(
                    f"series {called!r}: its window has shape {np.shape(window)}, {self.config.spec.shape} is wanted"
                )
        told = [f"{level:g}" for level in QUANTILES]
        low, middle, high = (QUANTILES.index(level) for level in (0.1, 0.5, 0.9))
        forecasts = []
        for called, at, rows in zip(names, times, self.answers(windows) if windows else ()):
            steps = [
                Ahead(
                    written(time), float(row[middle]), float(row[low]), float(row[high]), dict(zip(told, row.tolist()))
                )
                for time, row in zip(at, rows)
            ]
            forecasts.append(Forecast(called, steps))
        return forecasts

    def _many(self, inputs: Any) -> Inputs:
        """One input alone → a list of one; grey images may come without their channel."""
        modality, shape = self.config.spec.modality, self.config.spec.shape
        if modality == "text":
            texts = [inputs] if isinstance(inputs, str) else list(inputs)
            if any(not isinstance(text, str) for text in texts):
                raise InputError("texts are wanted", "give a list of strings")
            return texts
        if modality == "series":
            single = isinstance(inputs, np.ndarray) and (inputs.ndim == 1 or inputs.shape[1:] == shape[1:])
            return [inputs] if single else list(inputs)
        images = np.asarray(inputs)
        if images.shape == shape or images.shape == shape[1:]:
            images = images[None]
        if images.ndim == 3 and shape[0] == 1:
            images = images[:, None]
        if images.ndim == 4 and images.shape[1:] != shape and images.shape[3] == shape[0]:
            images = images.transpose(0, 3, 1, 2)
        return images

    def weights(self) -> dict[str, Tensor]:
        """Parameters and buffers by name."""
        return {name: value.contiguous() for name, value in self.model.state_dict().items()}


def save(artifact: Artifact, folder: Path, card: str, sample: Inputs) -> None:
    """Write every file of the artifact.

    Args:
        card: the model card, Markdown.
        sample: a few raw inputs; the first four and their outputs become the golden file that `verify` replays.
    """
    write_bytes(folder / WEIGHTS, save_tensors(artifact.weights()))
    write_text(folder / PREPROCESSOR, artifact.preprocessor.to_json())
    if artifact.preprocessor.tokenizer is not None:
        write_text(folder / TOKENIZER, artifact.preprocessor.tokenizer.to_str())
    write_text(folder / CARD, card)
    some = sample[:GOLDEN_ITEMS]
    if artifact.preprocessor.target is not None:
        write_text(folder / ANSWERS, artifact.preprocessor.target.tokenizer)
    golden = _pack(some) | {"output": torch.from_numpy(artifact.answers(some))}
    write_bytes(folder / GOLDEN, save_tensors(golden))
    write_json(folder / CONFIG, asdict(_with_answers(artifact.config, "")))


def load(folder: str | Path) -> Artifact:
    """Open an artifact.

    Raises:
        InputError: the folder is not an artifact, is incomplete or was changed.
    """
    folder = Path(folder)
    if not (folder / CONFIG).is_file():
        remedy = f"its training is not finished: triarch train --resume {folder}" if (folder / "run").is_dir() else (
            "give the folder that `train` or `choose` wrote")  # fmt: skip
        raise InputError(f"{folder} is not an artifact: there is no {CONFIG}", remedy)
    config = _read_config(folder / CONFIG)
    try:
        if config.spec.target.kind == "text":
            config = _with_answers(config, (folder / ANSWERS).read_text(encoding="utf-8"))
        tokenizer = (folder / TOKENIZER).read_text(encoding="utf-8") if config.spec.modality == "text" else None
        preprocessor = Preprocessor.from_json((folder / PREPROCESSOR).read_text(encoding="utf-8"), tokenizer)
        if config.spec.target.kind == "text":
            preprocessor.target = config.spec.target
        task = tasks.scored_by(tasks.find(config.task, config.spec), config.metric)
        model = empty(
            folder / CONFIG, lambda: build(config.architecture, config.size, task, config.spec, config.settings)
        )
        weights = load_tensors((folder / WEIGHTS).read_bytes())
        if _kinds(weights) != _kinds(model.state_dict()):
            raise ValueError(f"{WEIGHTS} does not fit {CONFIG}")
        model.load_state_dict({name: value.clone() for name, value in weights.items()}, assign=True)
    except ValidationError as error:
        raise misread(folder / PREPROCESSOR, error, REMEDY) from error
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise InputError(f"{folder} cannot be opened: {' '.join(str(error).split())[:300]}", "save it again") from error
    return Artifact(config, model.arrange().eval(), task, preprocessor)


def _read_config(path: Path) -> Config:
    try:
        config = TypeAdapter(Config).validate_json(path.read_bytes())
    except ValidationError as error:
        raise misread(path, error, REMEDY) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}", REMEDY) from error
    if config.format > FORMAT:
        raise InputError(f"{path}: format {config.format} is newer than this triarch knows", "update triarch")
    return config


def empty(path: Path, make: Callable[[], Made]) -> Made:
    """A module that takes no memory yet: the weights, not the config in `path`, say how much there will be.

    Raises:
        InputError: what the config tells does not fit together.
    """
    try:
        with torch.device("meta"):
            return make()
    except (InputError, ValueError) as error:
        told = f"its fields do not fit together: {str(error).splitlines()[0]}"
        raise InputError(f"{path}: {told}", "bring back the file as it was") from error


def new_config(architecture: str, size: str, settings: dict[str, Any], task: Task, spec: Spec) -> Config:
    """The config of an artifact of this version."""
    return Config(FORMAT, __version__, architecture, size, settings, task.name, spec, task.primary.name)


def _with_answers(config: Config, tokenizer: str) -> Config:
    """The config with the tokenizer of its answers in it, which lies in a file of its own; empty: without."""
    spec = config.spec
    return replace(config, spec=replace(spec, target=replace(spec.target, tokenizer=tokenizer)))


def golden(folder: Path) -> tuple[Inputs, NDArray[np.float32]]:
    """The raw inputs and the outputs that the artifact was saved with.

    Raises:
        InputError: they cannot be read.
    """
    try:
        tensors = load_tensors((folder / GOLDEN).read_bytes())
        inputs, output = _unpack(tensors), tensors["output"].numpy()
    except (OSError, SafetensorError, KeyError, UnicodeDecodeError) as error:
        raise InputError(f"{folder / GOLDEN} cannot be read: {error}", "save the artifact again") from error
    if not len(inputs) or output.shape[:1] != (len(inputs),):
        raise InputError(f"{folder / GOLDEN}: {len(inputs)} inputs, output {output.shape}", "save the artifact again")
    return inputs, output


def _kinds(tensors: Mapping[str, Tensor]) -> dict[str, tuple[torch.Size, torch.dtype]]:
    """Shape and type by name."""
    return {name: (value.shape, value.dtype) for name, value in tensors.items()}


def _pack(inputs: Inputs) -> dict[str, Tensor]:
    """Raw inputs → tensors: each item by its number, texts as their bytes."""
    packed = {}
    for number, item in enumerate(inputs):
        array = np.frombuffer(item.encode(), dtype=np.uint8) if isinstance(item, str) else np.asarray(item)
        packed[f"{'text' if isinstance(item, str) else 'input'}/{number}"] = torch.from_numpy(array.copy())
    return packed


def _unpack(tensors: dict[str, Tensor]) -> Inputs:
    texts = [tensors[name].numpy().tobytes().decode() for name in sorted(tensors) if name.startswith("text/")]
    return texts or [tensors[name].numpy() for name in sorted(tensors) if name.startswith("input/")]
