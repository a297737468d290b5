"""Texts → token ids as bytes, quickly: words that were seen before are looked up.

A byte-level tokenizer that splits as GPT-2 does (Radford et al. 2019) joins nothing across its splits, so the ids of a
text are those of its words end to end. Others go through the library whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.pre_tokenizers import ByteLevel

SPACES = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""Unicode's property White_Space, which is not what Python takes for it."""
PLAIN = r"(?![^\0-\x7f])"
WORDS = re.compile(
    rf"'(?:[sdmt]|ll|ve|re)| ?[A-Za-z]++{PLAIN}| ?[0-9]++{PLAIN}| ?[\0-\x08\x0e-\x1f!-/:-@\[-`{{-\x7f]++{PLAIN}"
    rf"| ?[^{SPACES}]+|[{SPACES}]+(?![^{SPACES}])|[{SPACES}]+"
)
"""GPT-2's, of ASCII; what touches another character, up to the next space, is left whole to the library."""
MOST_WORDS = 300_000


class Encoder:
    """A tokenizer that takes what looks like one of its special tokens for text.

    Attributes:
        dtype: of the ids.
        exact: whether it is known beforehand that the ids of a text say all of it.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = Tokenizer.from_str(tokenizer.to_str())
        self._tokenizer.encode_special_tokens = True
        self.dtype = shard_type(tokenizer)
        self._by_word = _splits_at_spaces(tokenizer)
        self._unknown = _unknown(tokenizer)
        self.exact = self._by_word and tokenizer.get_vocab().keys() >= set(ByteLevel.alphabet())
        self._known: dict[str, bytes] = {}

    def encode(self, texts: Sequence[str]) -> list[bytes]:
        """The ids of each text, as bytes of `dtype`."""
        if not self._by_word:
            return self._whole(list(texts))
        split = [WORDS.findall(text) for text in texts]
        new = {word for words in split for word in words}.difference(self._known)
        if len(self._known) + len(new) > MOST_WORDS:
            self._known = {}
            new = {word for words in split for word in words}
        ordered = list(new)
        self._known.update(zip(ordered, self._whole(ordered)))
        return [b"".join(map(self._known.__getitem__, words)) for words in split]

    def lost(self, text: str, ids: bytes) -> tuple[int, bool]:
        """How many of the ids of a text stand for something unknown, and whether they do not say all of the text."""
        if self.exact:
            return 0, False
        numbers = np.frombuffer(ids, dtype=self.dtype)
        said = self._tokenizer.decode(numbers.tolist(), skip_special_tokens=False)
        return int((numbers == self._unknown).sum()), said != text

    def _whole(self, texts: list[str]) -> list[bytes]:
        encoded = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [np.array(encoding.ids, dtype=self.dtype).tobytes() for encoding in encoded]


def shard_type(tokenizer: Tokenizer) -> np.dtype[Any]:
    """The narrowest unsigned type that holds its ids."""
    return np.dtype(np.uint16 if tokenizer.get_vocab_size() <= 1 << 16 else np.uint32)


def lossy(unknown: Sequence[int] | NDArray[Any], inexact: Sequence[bool] | NDArray[Any]) -> list[str]:
    """What the tokens of documents (D) do not say, as `Encoder.lost` has it, in words; none where they say all."""
    tokens, documents = int(np.sum(unknown)), int(np.sum(inexact))
    if not documents:
        return []
    return [
        f"the tokenizer does not give back {documents:,} of {len(inexact):,} documents as they are (it has {tokens:,}"
        " tokens for what it does not know; case or spaces may be lost too): their bits per byte are too few, since"
        " what is lost costs nothing and its bytes count"
    ]


def _unknown(tokenizer: Tokenizer) -> int:
    """The id of what is unknown, or -1."""
    model = json.loads(tokenizer.to_str())["model"]
    found = model.get("unk_id") if model.get("unk_token") is None else tokenizer.token_to_id(model["unk_token"])
    return -1 if found is None else int(found)


def _splits_at_spaces(tokenizer: Tokenizer) -> bool:
    """Whether words can be looked up one by one."""
    made = json.loads(tokenizer.to_str())
    before = made["pre_tokenizer"] or {}
    plain = before.get("type") == "ByteLevel" and before.get("use_regex") and not before.get("add_prefix_space")
    special = all(token["special"] for token in made["added_tokens"])
    return bool(plain and special and made["normalizer"] is None and not made["model"].get("dropout"))
