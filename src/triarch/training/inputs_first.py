"""Learning inputs before their labels: a backbone is first trained to tell tokens of the training texts themselves.

Trained from random weights, architectures are further apart than they are once each has seen what text is like, and the
task's own inputs do for that (Dai, Le 2015, arXiv 1511.01432; Krishna et al. 2022, arXiv 2209.14389; Amos et al. 2023,
arXiv 2310.02980). What looks ahead learns hidden tokens, what does not the next ones. The task gets a head of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from triarch.core.errors import InputError
from triarch.core.machine import computing
from triarch.core.spec import Spec, Target
from triarch.core.types import Batch
from triarch.data.dataset import Dataset
from triarch.data.stream import Stream
from triarch.data.tokens import MASK, UNKNOWN, special
from triarch.model import Model, build
from triarch.models import registry
from triarch.tasks.language_model import LanguageModel
from triarch.tasks.masked_model import MaskedModel
from triarch.tasks.task import Task
from triarch.training.loop import Trainer
from triarch.training.recipe import Recipe


@dataclass(frozen=True)
class Learned:
    """The weights of a model that has learned inputs, by name, and the steps that it took."""

    weights: dict[str, Tensor]
    steps: int


def unable(model: str, dataset: Dataset) -> str:
    """Why a model cannot learn the inputs of a data set by themselves; "" where it can."""
    if dataset.spec.modality != "text" or dataset.tokens is None or dataset.answers is not None:
        return "only the inputs of texts with labels are learned before these so far"
    try:
        with torch.device("meta"):
            _model(model, {}, dataset)
    except InputError as error:
        return str(error).splitlines()[0]
    return ""


def learn_inputs(
    recipe: Recipe, dataset: Dataset, steps: int, seconds: float | None = None,
    after_step: Callable[[Trainer], bool] | None = None,
) -> Learned:  # fmt: skip
    """Train on the training inputs of the recipe's fold, at its learning rate, which does not fall.

    Args:
        recipe: a resolved one, of the training that follows; weights and batches are a function of its seed.
        seconds: stop after them, where the steps are not done by then.
        after_step: called after each step; True stops.

    Raises:
        Diverged: the loss has blown up.
        InputError: the model cannot, or begins with an artifact.
    """
    why_not = f"it begins with {recipe.begin}" if recipe.begin else unable(recipe.model, dataset)
    if why_not:
        raise InputError(f"inputs_first: {recipe.model} cannot learn the inputs first: {why_not}", "leave it out")
    alone = {"steps": None, "epochs": None, "seconds": None, "average": None}
    schedule = recipe.schedule.model_copy(update={"steps": None})
    recipe = recipe.model_copy(update={**alone, "schedule": schedule})
    with computing(recipe.threads, recipe.seed, flush_denormals=True):
        model, task = _model(recipe.model, recipe.settings, dataset)
        batches = _Inputs(Stream(dataset.folded(recipe.fold), recipe.batch_size, recipe.seed))
        trainer = Trainer(model, task, batches, recipe)
        trainer.run(steps, seconds, finish=False, after_step=after_step)
    return Learned({name: value.detach() for name, value in model.state_dict().items()}, trainer.step)


class _Inputs:
    """The inputs of a stream, each behind a token that is seen and never sought, as blocks of a corpus are."""

    def __init__(self, stream: Stream) -> None:
        self.stream, self.per_epoch = stream, stream.per_epoch

    def start(self, first: int, workers: int = 0) -> Iterator[Batch]:
        """The batches from number `first` on."""
        for batch in self.stream.start(first, workers):
            mask = None if batch.mask is None else F.pad(batch.mask, (1, 0), value=True)
            yield replace(batch, input=F.pad(batch.input, (1, 0)), mask=mask, target=None)


def _model(model: str, settings: dict[str, object], dataset: Dataset) -> tuple[Model, Task]:
    """The model with a head over the vocabulary.

    Raises:
        InputError: it does not make a feature of each token.
    """
    architecture, _, size = model.partition("/")
    found, spec = registry.find(architecture), _spec(dataset)
    causal = found.causal is not None and not found.causal  # as it is, without other settings
    task: Task = LanguageModel(spec) if causal else MaskedModel(spec)
    return build(architecture, size, task, spec, settings), task


def _spec(dataset: Dataset) -> Spec:
    """The data as tokens; where the tokenizer has none that hides others, the unknown one does."""
    tokenizer = dataset.preprocessor.reader
    mask = tokenizer.token_to_id(MASK)
    mask = tokenizer.token_to_id(UNKNOWN) if mask is None else mask
    return replace(dataset.spec, target=Target("token", special=special(tokenizer), mask=mask))
