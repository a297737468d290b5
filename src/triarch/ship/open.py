"""The one door for models: an artifact of ours, a folder of Transformers, or adapters for one of these."""

from __future__ import annotations

from pathlib import Path

from triarch.core.errors import InputError
from triarch.ship import adapters, artifact, transformers
from triarch.ship.artifact import Artifact


def load(folder: str | Path, base: str | Path | None = None) -> Artifact:
    """Open an artifact, a folder in a layout of Transformers or sentence-transformers, or one of adapters of `peft`.

    Args:
        base: of adapters the model that they are for; None: the folder that their config names.

    Raises:
        InputError: the folder is none of these, is incomplete or was changed, or its model would compute otherwise.
    """
    if not isinstance(folder, str | Path):
        raise InputError(f"the folder of a model is wanted, not {type(folder).__name__}", "give its path")
    folder = Path(folder)
    if adapters.is_adapter(folder):
        return adapters.apply(folder, _whole(adapters.base_of(folder) if base is None else Path(base)))
    if base is not None:
        raise InputError(f"{folder} holds no adapters, so it has no base", "leave base out")
    return _whole(folder)


def foreign(folder: Path) -> bool:
    """Whether a folder is in a layout of others: what it holds is then to be brought into ours."""
    return adapters.is_adapter(folder) or transformers.is_foreign(folder)


def _whole(folder: Path) -> Artifact:
    return transformers.read(folder) if transformers.is_foreign(folder) else artifact.load(folder)
