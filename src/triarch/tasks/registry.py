"""Which task a data set is for."""

from __future__ import annotations

from collections.abc import Callable

from triarch.core.errors import InputError, near
from triarch.core.spec import Spec
from triarch.tasks.classify import Classify
from triarch.tasks.task import Task

TASKS: dict[str, Callable[[Spec | None], Task]] = {"classify": Classify}


def find(name: str, spec: Spec | None = None) -> Task:
    """The task `name` for the data of `spec`.

    Raises:
        InputError: there is none.
    """
    if name not in TASKS:
        raise InputError(f"there is no task {name!r}", near(name, TASKS))
    return TASKS[name](spec)


def scored_by(task: Task, metric: str | None) -> Task:
    """`task`, with the metric of this name as its primary one; None: as it is. - and _ may stand for blanks.

    Raises:
        InputError: it has no such metric.
    """
    if metric is not None:
        known = {score.name: score for score in task.scores}
        name = metric.replace("-", " ").replace("_", " ")
        if name not in known:
            raise InputError(f"{task.name} has no metric {metric!r}", near(name, known))
        task.primary = known[name]
    return task


def infer(spec: Spec) -> Task:
    """The task that the target of `spec` asks for."""
    return {"class": Classify}[spec.target.kind](spec)
