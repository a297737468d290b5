"""The one door for models: an artifact of ours, or a folder of Transformers."""

from __future__ import annotations

from pathlib import Path

from triarch.ship import artifact, transformers
from triarch.ship.artifact import Artifact


def load(folder: str | Path) -> Artifact:
    """Open an artifact, or a folder in a layout of Transformers (config.json with a `model_type`, and safetensors).

    Raises:
        InputError: the folder is neither, is incomplete or was changed, or its model would compute otherwise here.
    """
    folder = Path(folder)
    return transformers.read(folder) if transformers.is_foreign(folder) else artifact.load(folder)
