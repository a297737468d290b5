"""From a recipe and its data to a trainer at step 0; the same for one training and for each of a race."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from torch import Tensor

from triarch.core.errors import InputError
from triarch.core.machine import computing
from triarch.core.progress import Report, silent
from triarch.core.spec import Spec
from triarch.data.asked import Continued, Modelled
from triarch.data.augment.augmenter import Augmenter, Strengths, usual
from triarch.data.dataset import Dataset
from triarch.data.open import open_source
from triarch.data.preprocess import Preprocessor
from triarch.data.source import Source
from triarch.data.stream import Stream
from triarch.model import build
from triarch.models import registry
from triarch.tasks.task import Task
from triarch.training.adapt import adapt, take_over
from triarch.training.loop import Diverged, Trainer
from triarch.training.recipe import Augment, Recipe

TIMED_STEPS = 6
GAIN = 1.5
BLOCKS = 16  # items of a batch where these are blocks of text
CAREFUL = 0.25  # of an architecture's learning rate, for weights that are to be kept in the main


def open_data(
    data: Any, recipe: Recipe, report: Report = silent, model: Preprocessor | None = None, learned: str | None = None
) -> Source:
    """Read `data` as the recipe says.

    Args:
        data: see `open_source`.
        model: what was fitted for the model that will take it: pictures are brought to its shape and scale, and text
            to its tokens.
        learned: the fingerprint of what that model has learned from, where it is to be scored.
    """
    shape, white = None, None
    modelled = Modelled(recipe.context, recipe.tokenizer, whole_words=recipe.whole_words)
    if model is not None and model.settings.modality == "image":
        channels, height, width = model.settings.shape
        shape, white = (channels, height, width), model.settings.scale
    elif model is not None and model.settings.modality == "text":
        modelled = replace(
            modelled, context=model.settings.shape[0], tokenizer=model.reader, learned=learned,
            template=model.settings.template,
        )  # fmt: skip
    return open_source(
        data, recipe.input, recipe.target, recipe.group, recipe.image_size, recipe.task,
        Continued(recipe.horizon, recipe.lookback, recipe.season, recipe.known, recipe.impute, recipe.calendar),
        modelled, report=report, image_shape=shape, image_white=white,
    )  # fmt: skip


def taken_by(begun: Spec, dataset: Dataset) -> Dataset:
    """The data as a model that was trained as `begun` says takes it: the rows of its vocabulary that no token has stay,
    as ones that stand for no text, and tokens are scored as there.
    """
    tokens, rows = dataset.spec.vocab_size, max(dataset.spec.vocab_size, begun.vocab_size)
    target = dataset.spec.target
    if target.kind == begun.target.kind == "token":
        target = replace(target, special=(*target.special, *range(tokens, rows)), logits=begun.target.logits)
    return replace(dataset, spec=replace(dataset.spec, vocab_size=rows, target=target))


def batched(recipe: Recipe, dataset: Dataset) -> Recipe:
    """The recipe, with smaller batches where it leaves their size open and an item is a block of text."""
    if "batch_size" in recipe.model_fields_set or dataset.source.corpus is None:
        return recipe
    return recipe.model_copy(update={"batch_size": BLOCKS})


def resolve(recipe: Recipe, dataset: Dataset) -> Recipe:
    """The recipe with nothing left to choose: size, learning rate, augmentation, and settings with which inputs are
    learned first, filled in, epochs counted in steps.

    Raises:
        InputError: unknown model, other data than the recipe was made for, augmentation for another modality, or
            a bound on tokens where there are no pairs of texts.
    """
    fingerprint = dataset.spec.fingerprint
    if recipe.fingerprint not in (None, fingerprint):
        raise InputError(
            f"{dataset.spec.name} is not the data that this training began with (fingerprint {recipe.fingerprint})",
            "bring that data back, or train anew",
        )
    architecture, size = registry.parse(recipe.model)
    recipe = batched(recipe, dataset)
    if recipe.batch_tokens is not None and dataset.answers is None:
        raise InputError(
            f"batch_tokens bounds batches of pairs of texts, and {dataset.spec.name} holds none",
            "leave it out: batch_size says how many items a batch has",
        )
    per_epoch = Stream(dataset, recipe.batch_size, recipe.seed, batch_tokens=recipe.batch_tokens).per_epoch
    learns_inputs = recipe.inputs_first is not None and recipe.fingerprint is None
    changes: dict[str, Any] = {
        "model": f"{architecture.name}/{size}", "fingerprint": fingerprint,
        "settings": {**(architecture.masked if learns_inputs else {}), **recipe.settings},
        "augment": _augment(recipe, dataset, per_epoch),
    }  # fmt: skip
    if recipe.optimiser.lr is None:
        careful = CAREFUL if recipe.begin and recipe.adapt.method in ("full", "gradual") else 1.0
        changes["optimiser"] = recipe.optimiser.model_copy(update={"lr": careful * architecture.learning_rate})
    if recipe.epochs is not None:
        changes |= {"steps": max(1, round(recipe.epochs * per_epoch)), "epochs": None}
    return recipe.model_copy(update=changes)


def start(recipe: Recipe, dataset: Dataset, task: Task, weights: Mapping[str, Tensor] | None = None) -> Trainer:
    """A trainer for a resolved recipe. Weights are drawn from torch's generator, which is seeded by the caller.

    Args:
        weights: of the model that it begins from; None: drawn, or to be loaded from a checkpoint.

    Raises:
        InputError: they are of another model.
    """
    architecture, _, size = recipe.model.partition("/")
    model = build(architecture, size, task, dataset.spec, recipe.settings)
    fresh = [] if weights is None else take_over(model, weights, recipe.begin or "the model")
    if weights is not None or recipe.inputs_first is not None:
        adapt(model, recipe.adapt)
    strengths = Strengths(**recipe.augment.model_dump(exclude_none=True))
    augment = Augmenter(strengths, dataset)
    data = dataset.folded(recipe.fold)
    stream = Stream(data, recipe.batch_size, recipe.seed, augment=augment, batch_tokens=recipe.batch_tokens)
    trainer = Trainer(model, task, stream, recipe)
    trainer.notes += fresh
    return trainer


def step_seconds(recipe: Recipe, dataset: Dataset, task: Task, threads: int, patience: float = 0.5) -> float:
    """The median time of a training step here and now: of six after one to warm up, or fewer within `patience`."""
    times: list[float] = []

    def clock(trainer: Trainer) -> bool:
        times.append(trainer.elapsed)
        return len(times) > 1 and trainer.elapsed > patience

    endless = {"steps": None, "epochs": None, "schedule": recipe.schedule.model_copy(update={"steps": None})}
    with computing(threads, recipe.seed, flush_denormals=True), suppress(Diverged):
        trainer = start(resolve(recipe.model_copy(update=endless), dataset), dataset, task)
        trainer.run(steps=TIMED_STEPS + 1, after_step=clock)
    laps = [after - before for before, after in zip(times, times[1:])]
    return statistics.median(laps) if laps else patience


def useful_threads(recipes: Sequence[Recipe], dataset: Dataset, task: Task, most: int) -> int:
    """`most` where it takes the steps of `recipes` clearly faster than one thread does, else 1.

    Small networks gain little from a second thread and, on a machine with other work, lose tenfold by it, since every
    operator waits for the slower one.
    """
    if most == 1:
        return 1
    alone = sum(step_seconds(recipe, dataset, task, 1) for recipe in recipes)
    together = sum(step_seconds(recipe, dataset, task, most) for recipe in recipes)
    return most if GAIN * together <= alone else 1


def finished(trainer: Trainer) -> Recipe:
    """The recipe that repeats what `trainer` did, without a clock: its steps, and the length they were planned for."""
    planned = trainer.total if trainer.total != trainer.step else None
    changes: dict[str, Any] = {"steps": planned} if trainer.total else {"steps": None, "decay": 0.0}
    schedule = trainer.recipe.schedule.model_copy(update=changes)
    return trainer.recipe.model_copy(update={"steps": trainer.step, "seconds": None, "schedule": schedule})


def _augment(recipe: Recipe, dataset: Dataset, per_epoch: int) -> Augment:
    """The default where a strength is left open; what other modalities have stays as it was given."""
    if recipe.fingerprint is not None and "augment" not in recipe.model_fields_set:
        return Augment.model_validate(False)  # resolved before there was augmentation
    default = usual(dataset, per_epoch)
    for name, value in recipe.augment:
        if value and name not in default:
            raise InputError(
                f"augment.{name} serves no {dataset.spec.modality}, which {dataset.spec.name} holds",
                f"leave it out; there are {', '.join(default)}",
            )
    open_ones = {name: value for name, value in default.items() if getattr(recipe.augment, name) is None}
    return recipe.augment.model_copy(update=open_ones)
