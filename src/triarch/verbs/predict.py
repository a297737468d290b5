"""`triarch predict`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from triarch.core.results import Predictions


def predict(artifact: str | Path, inputs: str | Sequence[str], *, threads: int | None = None) -> Predictions:
    """Answer for new inputs. In Python, `triarch.load(DIR).predict(raw)` takes arrays and texts directly.

    Args:
        artifact: folder that `train` or `choose` wrote.
        inputs: pictures, .npy or .npz files (x), .csv or .txt files; for text also the text itself.
        threads: threads inside an operation; all cores if not given.
    """
    from triarch.core.errors import InputError
    from triarch.core.machine import computing, cores
    from triarch.data.inputs import read_for
    from triarch.ship.artifact import load

    if not inputs:
        raise InputError("no input is given", "triarch predict ARTIFACT INPUT…")
    if isinstance(inputs, str | Path):
        inputs = [str(inputs)]
    with computing(threads or cores()):
        loaded = load(artifact)
        spec, settings = loaded.config.spec, loaded.preprocessor.settings
        names, raw = read_for(spec, settings.scale, [str(one) for one in inputs])
        return Predictions(str(artifact), loaded.predict(raw, names))
