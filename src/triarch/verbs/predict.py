"""`triarch predict`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from triarch.core.results import Predictions


def predict(artifact: str | Path, inputs: str | Sequence[str], *, threads: int | None = None) -> Predictions:
    """Answer for new inputs, or continue series. In Python, `triarch.load(DIR)` has `predict` for arrays and texts and
    `forecast` for long frames.

    Args:
        artifact: folder that `train` or `choose` wrote.
        inputs: pictures, .npy or .npz files (x), .csv or .txt files; for text also the text itself, which may be what
            is translated; for a model that continues series a table with the columns of the training data, whose last
            steps are continued.
        threads: threads inside an operation; all cores if not given.
    """
    from triarch.core.errors import InputError
    from triarch.core.machine import computing, cores
    from triarch.data.inputs import read_for
    from triarch.data.tables import read_frame
    from triarch.ship.open import load

    if not inputs:
        raise InputError("no input is given", "triarch predict ARTIFACT INPUT…")
    if isinstance(inputs, str | Path):
        inputs = [str(inputs)]
    with computing(cores() if threads is None else threads):
        loaded = load(artifact)
        spec, settings = loaded.config.spec, loaded.preprocessor.settings
        if spec.target.kind == "future":
            forecasts = []
            for one in inputs:
                forecasts += loaded.forecast(read_frame(Path(one)), str(one))
            return Predictions(str(artifact), forecasts)
        names, raw = read_for(spec, settings.scale, [str(one) for one in inputs])
        return Predictions(str(artifact), loaded.predict(raw, names))
