"""Which pairs of architectures race for a translation where none is named."""

from __future__ import annotations

from itertools import product

from triarch.models import registry
from triarch.tasks.task import Task
from triarch.tasks.translate import Translate

READER = {"decoder": "encoder", "moe": "encoder"}
"""Who reads for those that look back only; the others read for themselves."""
MIXED = ("encoder", "gru", "tcn"), ("decoder", "gru", "tcn")
"""One of each family that reads, and one that writes."""


def usual(task: Task) -> list[str] | None:
    """Each architecture that can write with the reader of its kind, and of the families one with one of another, the
    hybrids; None where the task is for no pairs.
    """
    if not isinstance(task, Translate):
        return None
    writers = [name for name in registry.names() if "cross" in registry.find(name).abilities]
    own = [f"{READER.get(name, name)}+{name}" for name in writers]
    mixed = [f"{source}+{target}" for source, target in product(*MIXED)]
    return list(dict.fromkeys((*own, *mixed)))
