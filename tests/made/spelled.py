"""Pairs of texts that a small network learns in a moment."""

import numpy as np
import pandas as pd

from triarch.data.open import open_source


def pairs(count=60, seed=0):
    """Words, and their letters apart, in capitals."""
    random = np.random.default_rng(seed)
    words = ["".join(random.choice(list("abcdef"), size)) for size in random.integers(1, 12, count)]
    return pd.DataFrame({"word": words, "letters": [" ".join(word.upper()) for word in words], "file": range(count)})


def opened(data, **options):
    return open_source(data, **{"task": "translate", "input": "word", "target": "letters", **options})
