"""How a candidate is trained: most begin with random weights, some do not.

A candidate is named by its model, architecture/size. One that begins with the weights of an artifact is called
MODEL@ARTIFACT, one that first learns the inputs of the data without their labels MODEL@inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from triarch.data.dataset import Dataset
from triarch.model import Model, build
from triarch.models import registry
from triarch.models.registry import Architecture
from triarch.tasks.task import Task
from triarch.training.recipe import Recipe

MARK, INPUTS = "@", "inputs"
SHARE = 0.5  # of a final that goes to learning the inputs, where they come first


@dataclass(frozen=True)
class Arm:
    """A candidate.

    Attributes:
        model: architecture/size.
        dataset: the race's items in its splits, prepared as this candidate takes them.
        begin: the artifact whose weights it begins with; None: they are drawn.
        settings, weights: of that; or the settings with which it learns inputs.
        digest: a hash of all that is taken from it.
        kept_apart: whether it was trained on the same data, of which it did not see select and confirm.
        spent: seconds that its training took, where they are known.
        inputs_first: whether a part of each final goes to learning the inputs without their labels.
    """

    name: str
    model: str
    dataset: Dataset
    begin: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, Tensor] | None = None
    digest: str = ""
    kept_apart: bool = False
    spent: float | None = None
    inputs_first: bool = False

    @property
    def architecture(self) -> Architecture:
        """Of its model."""
        return registry.find(self.model.partition("/")[0])

    def build(self, task: Task, settings: Mapping[str, Any] | None = None) -> Model:
        """Its untrained model, with its own settings or others."""
        name, _, size = self.model.partition("/")
        return build(name, size, task, self.dataset.spec, self.settings if settings is None else settings)

    def recipe(self, recipe: Recipe) -> Recipe:
        """The recipe of one of its trainings, from that of any model of the race."""
        changes: dict[str, Any] = {"model": self.model, "settings": {**recipe.settings, **self.settings}}
        if self.begin is not None:  # which keeps its tokenizer and context
            changes |= {"begin": self.begin, "settings": dict(self.settings), "tokenizer": None, "context": None}
        return recipe.model_copy(update=changes)


class Arms:
    """Every candidate by its name.

    Args:
        dataset: as those take it that begin with random weights.
        begun: those that do not.
    """

    def __init__(self, dataset: Dataset, begun: Iterable[Arm] = ()) -> None:
        self.dataset = dataset
        self.begun = {arm.name: arm for arm in begun}

    def __getitem__(self, name: str) -> Arm:
        if name in self.begun:
            return self.begun[name]
        model, marked, _ = name.partition(MARK)
        settings = registry.parse(model)[0].masked if marked else {}
        return Arm(name, model, self.dataset, settings=settings, inputs_first=bool(marked))

    def began(self, names: Iterable[str]) -> list[str]:
        """How those of `names` began that did not begin with random weights, in clauses."""
        arms = [self[name] for name in names]
        told = [
            f"{arm.name} begins with the weights of {arm.begin}, whose training{_cost(arm.spent)} is not counted here"
            for arm in arms
            if arm.begin
        ]
        first = [arm.name + bracketed(arm.settings) for arm in arms if arm.inputs_first]
        if first:
            learn = "learn" if len(first) > 1 else "learns"
            how = f"{learn} the inputs without their labels first, in {SHARE:.0%} of the same time"
            told.append(f"{' and '.join(first)} {how}")
        return told


def _cost(seconds: float | None) -> str:
    return ", of a cost that is not known," if seconds is None else f" of {seconds:,.0f} s"


def bracketed(settings: Mapping[str, Any]) -> str:
    """What a twin has otherwise than its finalist, in brackets; "" where that is nothing."""
    return f" ({', '.join(f'{name} {value}' for name, value in settings.items())})" if settings else ""


def inputs_first(name: str) -> str:
    """The name of the candidate that is `name` after it has learned the inputs."""
    return f"{name}{MARK}{INPUTS}"
