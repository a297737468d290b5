"""What a race is about: the data and what is to be learned from it, the same in every process."""

from __future__ import annotations

from typing import Any

from triarch.core.errors import InputError
from triarch.core.progress import Report, silent
from triarch.data.dataset import Dataset, prepare
from triarch.race.options import Options
from triarch.tasks.task import Task
from triarch.training.recipe import Recipe
from triarch.training.start import open_data


def subject(data: Any, options: Options, base: Recipe, report: Report = silent) -> tuple[Dataset, Task]:
    """Open the data and find the task.

    Args:
        data: see `open_source`.

    Raises:
        InputError: it cannot be used, or is not the data that the race began with.
    """
    dataset = prepare(open_data(data, base, report), report=report)
    if options.fingerprint not in (None, dataset.spec.fingerprint):
        raise InputError(f"{dataset.spec.name} is not the data that this race began with", "bring that data back")
    return dataset, options.learned(dataset.spec)
