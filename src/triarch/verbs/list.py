"""`triarch list`."""

from __future__ import annotations

from triarch.core.results import Listing


def list(task: str | None = None, family: str | None = None) -> Listing:
    """Show the architectures that this installation knows.

    Args:
        task: only those that serve this task.
        family: only those of this family: cnn, rnn, transformer or hybrid.
    """
    from typing import get_args

    from triarch.core.errors import InputError, near
    from triarch.core.results import ListedModel
    from triarch.models import registry
    from triarch.tasks import registry as tasks

    if task is not None:
        tasks.find(task)
    families = get_args(registry.Family)
    if family is not None and family not in families:
        raise InputError(f"there is no family {family!r}", near(family, families))
    return Listing(
        [
            ListedModel(
                name,
                found.family,
                found.modalities,
                found.abilities,
                tuple(found.sizes),
                tasks.served(found.modalities),
            )
            for name in registry.names()
            if (found := registry.find(name)) and family in (None, found.family)
        ]
    )
