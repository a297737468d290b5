"""`triarch predict`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from triarch.core.results import Predictions

if TYPE_CHECKING:
    from triarch.generation.settings import Settings
    from triarch.ship.artifact import Artifact


def predict(
    artifact: str | Path, inputs: str | Sequence[str], *, beams: int | None = None, length_penalty: float | None = None,
    max_tokens: int | None = None, threads: int | None = None,
) -> Predictions:  # fmt: skip
    """Answer for new inputs, or continue series. In Python, `triarch.load(DIR)` has `predict` for arrays and texts and
    `forecast` for long frames.

    Args:
        artifact: folder of a trained model, or of Transformers.
        inputs: pictures, .npy or .npz files (x), a .csv of a series; for text a .txt with a text a line, of which
            empty ones are left out, or the text itself, which may be what is translated; for a model that continues
            series a table with the columns of the training data, whose last steps are continued.
        beams: translate by the most probable text of so many that are searched side by side; if not given, by the
            likeliest token each time. `triarch generate` translates too, and can do all else.
        length_penalty: with beams; above 0 favours longer texts; 1 if not given.
        max_tokens: of a translation, at most; as many as the longest had that it learned from, if not given.
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
        asked = writing(loaded, beams, length_penalty, max_tokens)
        if spec.target.kind == "future":
            forecasts = []
            for one in inputs:
                forecasts += loaded.forecast(read_frame(Path(one)), str(one))
            return Predictions(str(artifact), forecasts)
        names, raw = read_for(spec, settings.scale, [str(one) for one in inputs])
        return Predictions(str(artifact), loaded.predict(raw, names, asked))


def writing(
    loaded: Artifact, beams: int | None, length_penalty: float | None, max_tokens: int | None = None
) -> Settings | None:
    """How a model that translates is to write; None: the likeliest token each time.

    Raises:
        InputError: the model does not translate, or a penalty without beams.
    """
    from triarch.core.errors import InputError
    from triarch.generation.settings import Settings
    from triarch.model import Pair

    if (beams, length_penalty, max_tokens) == (None, None, None):
        return None
    if not isinstance(loaded.model, Pair):
        raise InputError(
            f"--beams, --length-penalty and --max-tokens are for models that translate, not for {loaded.config.task}",
            "leave them out",
        )
    if length_penalty is not None and beams in (None, 1):
        raise InputError("--length-penalty weighs what beams have found, and there is one", "--beams 4, say")
    longest = loaded.model.target.max_len if max_tokens is None else max_tokens
    power = 1.0 if length_penalty is None else length_penalty
    return Settings(longest, temperature=0, beams=1 if beams is None else beams, length_penalty=power)
