"""Which task a data set is for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from triarch.core.errors import InputError, near
from triarch.core.spec import Spec
from triarch.tasks.classify import Classify
from triarch.tasks.features import Summarise
from triarch.tasks.forecast import Forecast
from triarch.tasks.language_model import LanguageModel
from triarch.tasks.masked_model import MaskedModel
from triarch.tasks.task import Task
from triarch.tasks.translate import Translate

TASKS: dict[str, Callable[[Spec | None], Task]] = {
    "classify": Classify,
    "features": Summarise,
    "forecast": Forecast,
    "language-model": LanguageModel,
    "masked-model": MaskedModel,
    "translate": Translate,
}
OF_KIND = {
    "class": ("classify",),
    "future": ("forecast",),
    "token": ("language-model", "masked-model"),
    "text": ("translate",),
    "features": ("features",),
}


def find(name: str, spec: Spec | None = None) -> Task:
    """The task `name` for the data of `spec`.

    Raises:
        InputError: there is none, or the data is for another.
    """
    if name not in TASKS:
        raise InputError(f"there is no task {name!r}", near(name, TASKS))
    if spec is not None and name not in (fitting := OF_KIND[spec.target.kind]):
        raise InputError(
            f"{spec.name} is data to {fitting[0]}, not to {name}", f"leave --task out, or --task {fitting[0]}"
        )
    return TASKS[name](spec)


def served(modalities: Sequence[str]) -> tuple[str, ...]:
    """The tasks that can be learned from data of `modalities`."""
    only = {"forecast": "series", "language-model": "text", "masked-model": "text", "translate": "text"}
    return tuple(name for name in TASKS if name != Summarise.name and only.get(name, modalities[0]) in modalities)


def scored_by(task: Task, metric: str | None) -> Task:
    """`task`, with the metric of this name as its primary one; None: as it is. - and _ may stand for blanks.

    Raises:
        InputError: it has no such metric.
    """
    if metric is not None:
        known = {score.name.lower(): score for score in task.scores}
        name = metric.replace("-", " ").replace("_", " ").lower()
        if name not in known:
            raise InputError(f"{task.name} has no metric {metric!r}", near(name, known))
        task.primary = known[name]
    return task


def infer(spec: Spec) -> Task:
    """The task that the target of `spec` asks for."""
    return TASKS[OF_KIND[spec.target.kind][0]](spec)
