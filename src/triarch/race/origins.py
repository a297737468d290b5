"""Artifacts whose weights candidates begin with: what of an artifact is taken over, and which do not suit the data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from hashlib import blake2b
from pathlib import Path

import torch

from triarch.core.errors import InputError
from triarch.core.progress import Report, silent
from triarch.core.spec import Spec
from triarch.data.dataset import Dataset, prepare
from triarch.data.preprocess import Preprocessor
from triarch.data.tokens import same
from triarch.model import build, needed
from triarch.models import registry
from triarch.race.arms import INPUTS, MARK, Arm
from triarch.ship.artifact import Artifact
from triarch.ship.open import load
from triarch.tasks.task import Task
from triarch.training.adapt import take_over
from triarch.training.recipe import make, read
from triarch.training.start import taken_by

LEAVE = "leave it out of --from"


def origins(places: Sequence[str], dataset: Dataset, task: Task, report: Report = silent) -> list[Arm]:
    """A candidate for each artifact, with the data prepared as its model takes it.

    Args:
        places: folders of artifacts, or of Transformers.
        dataset: as it is for those that are trained from scratch.

    Raises:
        InputError: a folder cannot be opened, or its model does not suit the data.
    """
    arms: list[Arm] = []
    for place in places:
        artifact = load(place)
        taken = _prepared(place, artifact, dataset, report)
        config = artifact.config
        settings = {**needed(registry.find(config.architecture), artifact.task), **config.settings}
        weights = artifact.weights()
        with torch.device("meta"):
            take_over(build(config.architecture, config.size, task, taken.spec, settings), weights, f"--from {place}")
        name = _called(f"{config.model}{MARK}{Path(place).resolve().name}", [arm.name for arm in arms])
        apart, spent = _kept_apart(place, config.spec, dataset), _spent(Path(place))
        arms.append(Arm(name, config.model, taken, place, settings, weights, _digest(artifact), apart, spent))
    return [replace(arm, dataset=unmoved(arm.dataset, arms)) for arm in arms]


def unmoved(dataset: Dataset, begun: Iterable[Arm]) -> Dataset:
    """With train and select always as they were dealt first, where a candidate has learned from that train: were they
    parted anew, it would be compared with the others by what it knows.
    """
    return replace(dataset, folds=(), movable=None) if any(arm.kept_apart for arm in begun) else dataset


def _prepared(place: str, artifact: Artifact, dataset: Dataset, report: Report) -> Dataset:
    """The same items in the same splits, as the artifact's model takes them.

    Raises:
        InputError: it does not take them.
    """
    theirs, ours, fitted = artifact.config.spec, dataset.spec, artifact.preprocessor
    at = f"--from {place}"
    if theirs.modality != ours.modality:
        raise InputError(f"{at}: it was trained on {theirs.modality}, {ours.name} holds {ours.modality}", LEAVE)
    if "text" in (theirs.target.kind, ours.target.kind):
        raise InputError(f"{at}: what translates, or is to translate, begins with random weights so far", LEAVE)
    if ours.modality == "text" and fitted.tokenizer is None:
        raise InputError(f"{at}: it came without a tokenizer.json", "put the file into its folder")
    if ours.target.kind == "token":
        return _of_tokens(place, artifact, dataset)
    if ours.modality == "image":
        _check_image(at, theirs.shape, ours.shape)
        fitted = Preprocessor(replace(fitted.settings, scale=dataset.preprocessor.settings.scale), None)
    elif ours.modality == "series" and theirs.shape[1:] != ours.shape[1:]:
        raise InputError(f"{at}: it takes series of {theirs.shape[1]} channel(s), here are {ours.shape[1]}", LEAVE)
    if ours.target.kind == "future" and _sight(theirs) != _sight(ours):
        known = theirs.target.future
        raise InputError(
            f"{at}: it sees, or tells, other steps of a series than are asked for here",
            f"its own: --lookback {known.lookback} --horizon {known.horizon}" if known else LEAVE,
        )
    return taken_by(theirs, prepare(dataset.source, preprocessor=fitted, report=report, learned=True))


def _of_tokens(place: str, artifact: Artifact, dataset: Dataset) -> Dataset:
    """Blocks of a corpus, which are counted in tokens: so all candidates must have the same ones."""
    theirs, ours = artifact.preprocessor, dataset.preprocessor
    if not same(theirs.reader, ours.reader):
        raise InputError(
            f"--from {place}: it has another tokenizer, so that items would not be the same for all",
            f"race all with its own: --tokenizer {Path(place) / 'tokenizer.json'}",
        )
    if theirs.settings != ours.settings:
        raise InputError(
            f"--from {place}: it sees {theirs.settings.shape[0]} tokens, or messages in another way, than is asked for",
            f"--context {theirs.settings.shape[0]}, or {LEAVE}",
        )
    return taken_by(artifact.config.spec, dataset)


def _check_image(at: str, theirs: tuple[int, ...], ours: tuple[int, ...]) -> None:
    if theirs != ours:
        sizes = [f"{shape[2]}×{shape[1]} pixels and {shape[0]} channel(s)" for shape in (theirs, ours)]
        raise InputError(
            f"{at}: it takes pictures of {sizes[0]}, here they have {sizes[1]}",
            f"--image-size {min(theirs[1:])}, or {LEAVE}" if theirs[0] == ours[0] else LEAVE,
        )


def _sight(spec: Spec) -> tuple[object, ...]:
    """What a forecaster sees of a series, and how far it tells how that goes on."""
    future = spec.target.future
    if future is None:
        return ()
    return spec.shape, future.horizon, future.lookback, future.recent, future.lags, future.known, future.calendar


def _called(name: str, known: Sequence[str]) -> str:
    """A name that no other candidate has."""
    taken, made, number = {*known}, name, 2
    while made in taken or made.endswith(f"{MARK}{INPUTS}"):
        made, number = f"{name}-{number}", number + 1
    return made


def _digest(artifact: Artifact) -> str:
    """A hash of weights, settings and what prepares the data."""
    found = blake2b(digest_size=16)
    for name, value in sorted(artifact.weights().items()):
        found.update(name.encode() + value.reshape(-1).view(torch.uint8).numpy().tobytes())
    tokenizer = artifact.preprocessor.tokenizer
    told = [asdict(artifact.config), artifact.preprocessor.to_json(), tokenizer.to_str() if tokenizer else ""]
    found.update(json.dumps(told, sort_keys=True, default=str).encode())
    return found.hexdigest()


def _kept_apart(place: str, theirs: Spec, dataset: Dataset) -> bool:
    """Whether an artifact was trained on the train of this very data.

    Raises:
        InputError: it was, but with train and select parted anew, as winners of races are.
    """
    if (theirs.fingerprint, theirs.split) != (dataset.spec.fingerprint, dataset.spec.split):
        return False
    path = Path(place) / "run" / "recipe.yaml"
    if (dataset.folds or dataset.movable) and path.is_file() and make(read(path)).fold:
        raise InputError(f"--from {place}: it has learned from items of {dataset.spec.name}'s select", LEAVE)
    return True


def _spent(place: Path) -> float | None:
    """The seconds of its training, where a log tells them."""
    try:
        last = (place / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1]
        return float(json.loads(last)["seconds"])
    except (OSError, ValueError, IndexError, KeyError):
        return None
