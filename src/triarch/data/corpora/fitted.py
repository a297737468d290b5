"""Tokenizers of a corpus, fitted here: nothing that is in UTF-8 is unknown to them, so that bits per byte compare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer, decoders, models

from triarch.data.tokenizer_file import read_tokenizer
from triarch.data.tokens import PAD, UNKNOWN, fit_tokenizer, marked

KINDS = ("characters", "bytes", "bpe")
MOST_CHARACTERS = 4_096


def fit(kind: str, texts: Sequence[str]) -> Tokenizer:
    """A tokenizer with [PAD], [UNK], then its tokens, then [END] and [MASK].

    Args:
        kind: `bytes`; `bpe`, of bytes; `characters`, of which those that `texts` lack are spelled in bytes; else the
            path of a `tokenizer.json`, which is taken as it is.

    Raises:
        InputError: there is no such file, or it is none.
    """
    if kind not in KINDS:
        return read_tokenizer(Path(kind))[0]
    return marked(_characters(texts) if kind == "characters" else fit_tokenizer(kind, texts))


def _characters(texts: Sequence[str]) -> Tokenizer:
    seen: Counter[str] = Counter()
    for text in texts:
        seen.update(text)
    units = sorted(character for character, _ in seen.most_common(MOST_CHARACTERS))
    spelled = [f"<0x{byte:02X}>" for byte in range(256)]
    vocabulary = {unit: number for number, unit in enumerate((PAD, UNKNOWN, *spelled, *units))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token=UNKNOWN, byte_fallback=True))
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return tokenizer
