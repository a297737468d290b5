"""Small real data sets that come with the package or with a dependency.

A new one is a function here and a line in `BUILT_IN` or `CORPORA`; a table that ships lies in `tables/` with its
licence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.resources import as_file, files

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

from triarch.data.asked import Asked
from triarch.data.corpora.corpus import from_documents
from triarch.data.labels import number_labels
from triarch.data.long_frame import Roles
from triarch.data.panel import from_long
from triarch.data.parallel import from_pairs
from triarch.data.source import Source, check
from triarch.data.store import Ragged, Texts

SERIES = Roles("ds", "y", "")


def digits(asked: Asked) -> Source:  # noqa: ARG001
    """1,797 handwritten digits, 8x8 pixels, 10 classes (UCI, with scikit-learn)."""
    data = load_digits()
    labels, names = number_labels(data.target, "digits")
    return check(Source("digits", "image", data.images[:, None].astype(np.float32), labels, names, scale=16.0))


def languages(asked: Asked) -> Source:  # noqa: ARG001
    """12,025 names of 481 emojis in 25 languages; all names of one emoji are in one split (emojibase, MIT)."""
    table = _table("languages")
    labels, names = number_labels(table["language"].to_numpy(), "languages")
    return check(Source("languages", "text", Texts.of(table["text"]), labels, names, groups=table["emoji"].to_numpy()))


def japanese_vowels(asked: Asked) -> Source:  # noqa: ARG001
    """640 utterances of 9 speakers, 7 to 29 steps of 12 channels (UCI, CC BY 4.0)."""
    table = _table("japanese-vowels")
    channels = [column for column in table.columns if column.startswith("c")]
    items = [item for _, item in table.groupby("item", sort=True)]
    labels, names = number_labels([str(item["label"].iloc[0]) for item in items], "japanese-vowels")
    inputs = [item[channels].to_numpy(dtype=np.float32) for item in items]
    return check(Source("japanese-vowels", "series", Ragged.of(inputs), labels, names))


def sunspots(asked: Asked) -> Source:
    """Sunspots of the years 1700 to 2008, one series (NOAA, public domain)."""
    return from_long(_table("sunspots"), SERIES, asked, "sunspots")


def co2(asked: Asked) -> Source:
    """CO2 in the air on Mauna Loa, 2,284 weeks from 1958 to 2001 (Keeling, Whorf; public domain).

    The 59 weeks in which nothing was measured are filled with a line.
    """
    impute = asked.continued.impute or "linear"
    return from_long(_table("co2"), SERIES, replace(asked, continued=replace(asked.continued, impute=impute)), "co2")


def web(asked: Asked) -> Source:
    """628 chapters of the World English Bible, 2 MB of text: Moses, Psalms, Proverbs, New Testament (public domain)."""
    how = asked.modelled
    texts = list(_table("web")["text"])
    return from_documents("web", texts, how.kind or "bpe", how.context, how.tokenizer, learned=how.learned)


def verses(asked: Asked) -> Source:
    """7,926 verses of the New Testament in English and Spanish (World English Bible, Reina-Valera 1909; public domain).

    Those of one chapter are in one split.
    """
    columns = replace(asked, inputs=("en",), target="es", group="chapter")
    return from_pairs(_table("verses"), columns, "verses")


CORPORA: dict[str, Callable[[Asked], Source]] = {"web": web}
"""Raw text, for models of language."""

BUILT_IN: dict[str, Callable[[Asked], Source]] = {
    "digits": digits,
    "languages": languages,
    "japanese-vowels": japanese_vowels,
    "sunspots": sunspots,
    "co2": co2,
    "verses": verses,
}


def _table(name: str) -> pd.DataFrame:
    with as_file(files("triarch.data") / "tables" / f"{name}.csv.gz") as path:
        return pd.read_csv(path, keep_default_na=False, dtype={"text": str, "label": str})
