"""What texts become, as tokens: each answer begins and ends with [END], so that a step sees all but its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from triarch.core.progress import Report
from triarch.core.spec import Target
from triarch.data.cache import kept
from triarch.data.preprocess import LONGEST_TEXT, usual_length
from triarch.data.source import Parallel, Source
from triarch.data.store import Chosen, Ragged
from triarch.data.tokens import END, encode_all, fit_tokenizer, marked, special, suited, token_type

MOST_WORDS, REPEATED = 256, 20


def fit_answers(parallel: Parallel, rows: NDArray[np.int64], kind: str | None) -> tuple[Tokenizer, str]:
    """A tokenizer of its own for the answers of the training split, and its kind.

    One for both sides would share what only languages with words in common share, and make the vocabulary that is
    written larger: on little data each side does better with its own.
    """
    some = Chosen(parallel.texts, rows)
    kind = kind or ("words" if few_words(some) else suited(parallel.texts.encoded.lengths))
    return marked(fit_tokenizer(kind, some)), kind


def few_words(texts: Sequence[str]) -> bool:
    """Whether they are made of few words, again and again, with one blank between them: sounds, notes, labels."""
    counts: Counter[str] = Counter()
    for text in texts:
        words = text.split(" ")
        if "" in words or len(words) != len(text.split()):
            return False
        counts.update(words)
        if len(counts) > MOST_WORDS:
            return False
    return counts.total() >= REPEATED * len(counts)


def encode_answers(source: Source, tokenizer: Tokenizer, report: Report) -> Ragged:
    """Token ids of all answers, [END] first; in a file of the cache where the source lies there."""
    assert source.parallel is not None
    texts = source.parallel.texts
    key = blake2b(tokenizer.to_str().encode(), digest_size=8).hexdigest()

    def write(file: BinaryIO) -> NDArray[np.int64]:
        return encode_all(tokenizer, texts, LONGEST_TEXT + 1, file, report)

    return kept(source.folder, f"answers-{key}", token_type(tokenizer), write)


def text_target(tokenizer: Tokenizer, lengths: NDArray[np.int64]) -> Target:
    """What is sought, where answers of the training split have these lengths (I), with [END] at one end."""
    end = tokenizer.token_to_id(END)
    assert end is not None
    return Target(
        "text", special=special(tokenizer), vocab_size=tokenizer.get_vocab_size(), max_len=usual_length(lengths),
        end=end, tokenizer=tokenizer.to_str(),
    )  # fmt: skip


def whole_answer(ids: NDArray[np.int64], target: Target) -> NDArray[np.int64]:
    """[END], the tokens, and [END] again where they are not cut: at most `max_len` + 1."""
    return np.append(ids, target.end)[: target.max_len + 1]
