"""`triarch verify`."""

from __future__ import annotations

from pathlib import Path

from triarch.core.results import Verification

TOLERANCE = 1e-4


def verify(artifact: str | Path) -> Verification:
    """Check that an artifact is whole and still gives the answers that it was saved with; if not, `ok` is False.

    Args:
        artifact: folder that `train` or `choose` wrote.
    """
    import numpy as np

    from triarch.core.errors import InputError
    from triarch.ship.artifact import golden
    from triarch.ship.open import load
    from triarch.ship.transformers import is_foreign

    loaded = load(artifact)
    if is_foreign(Path(artifact)):
        raise InputError(
            f"{artifact} is a folder of Transformers, which keeps no answers to verify; it can be opened",
            "score it on text: triarch evaluate DIR TEXTS",
        )
    inputs, expected = golden(Path(artifact))
    answers = loaded.answers(inputs)
    same_shape = answers.shape == expected.shape
    # what is not a number differs by 1, as much as probabilities can
    apart = np.abs(answers - expected) / max(1.0, np.abs(expected).max(initial=0.0)) if same_shape else np.ones(1)
    difference = float(np.nan_to_num(apart, nan=1.0, posinf=1.0).max())
    ok = difference <= TOLERANCE
    fault = "" if ok else (
        f"{artifact} gives other answers than it was saved with: they differ by {difference:.2g}\n"
        "its files were changed, or this machine computes differently"
    )  # fmt: skip
    files = {path.name: path.stat().st_size for path in sorted(Path(artifact).iterdir()) if path.is_file()}
    return Verification(str(artifact), ok, difference, files, fault)
