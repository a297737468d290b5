"""Which task a data set is for."""

from __future__ import annotations

from triarch.core.errors import InputError, near
from triarch.core.spec import Spec
from triarch.tasks.classify import Classify
from triarch.tasks.task import Task

TASKS: dict[str, type[Task]] = {"classify": Classify}


def find(name: str) -> Task:
    """The task `name`.

    Raises:
        InputError: there is none.
    """
    if name not in TASKS:
        raise InputError(f"there is no task {name!r}", near(name, TASKS))
    return TASKS[name]()


def infer(spec: Spec) -> Task:
    """The task that the target of `spec` asks for."""
    return {"class": Classify}[spec.target.kind]()
