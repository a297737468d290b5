"""Text → token ids, by the `tokenizers` library."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from triarch.core.errors import InputError, near

Kind = Literal["characters", "bytes"]
PAD, UNKNOWN = "[PAD]", "[UNK]"


def fit_tokenizer(kind: str, texts: Iterable[str]) -> Tokenizer:
    """A tokenizer of the characters in `texts`, or of the 256 bytes, after [PAD] and [UNK].

    Raises:
        InputError: unknown kind.
    """
    if kind == "characters":
        units = sorted({character for text in texts for character in text})
    elif kind == "bytes":
        units = sorted(pre_tokenizers.ByteLevel.alphabet())
    else:
        raise InputError(f"there is no tokenizer {kind!r}", near(kind, ("characters", "bytes")))
    vocabulary = {unit: number for number, unit in enumerate((PAD, UNKNOWN, *units))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token=UNKNOWN))
    if kind == "bytes":
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.decoder = decoders.ByteLevel()
    else:
        tokenizer.decoder = decoders.Fuse()
    return tokenizer


def encodable(text: str) -> bool:
    """Whether no half of a character is in it, as undecodable bytes leave."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def encode(tokenizer: Tokenizer, texts: list[str], max_len: int | None = None) -> list[NDArray[np.int64]]:
    """Token ids of each text, cut at `max_len`; an empty text is one [UNK].

    Raises:
        InputError: a text holds half a character.
    """
    for number, text in enumerate(texts):
        if not encodable(text):
            raise InputError(f"input {number} is not valid Unicode: {text[:40]!r}", "mend its encoding")
    unknown = tokenizer.token_to_id(UNKNOWN) or 0
    return [
        np.array(encoding.ids[:max_len] or [unknown], dtype=np.int64) for encoding in tokenizer.encode_batch_fast(texts)
    ]
