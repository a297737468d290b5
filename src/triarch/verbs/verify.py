"""`triarch verify`."""

from __future__ import annotations

from pathlib import Path

from triarch.core.results import Verification

TOLERANCE = 1e-4


def verify(artifact: Path) -> Verification:
    """Check that an artifact is whole and still gives the answers that it was saved with.

    Args:
        artifact: folder that `train` or `choose` wrote.
    """
    import numpy as np

    from triarch.core.errors import InputError
    from triarch.ship.artifact import golden, load

    loaded = load(artifact)
    inputs, expected = golden(Path(artifact))
    difference = float(np.abs(loaded.probabilities(inputs) - expected).max())
    if not difference <= TOLERANCE:
        raise InputError(
            f"{artifact} gives other answers than it was saved with: they differ by {difference:.2g}",
            "its files were changed, or this machine computes differently",
        )
    files = {path.name: path.stat().st_size for path in sorted(Path(artifact).iterdir()) if path.is_file()}
    return Verification(str(artifact), True, difference, files)
