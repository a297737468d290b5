"""Text → token ids, by the `tokenizers` library.

`characters` are those of the training texts; `bytes` are the 256; `bpe` joins frequent neighbours among the bytes
(Sennrich et al. 2016, arXiv 1508.07909) to at most 8,192 tokens; `words` are what stands between blanks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from triarch.core.errors import InputError, near
from triarch.core.progress import Report

Kind = Literal["characters", "bytes", "bpe", "words"]
PAD, UNKNOWN = "[PAD]", "[UNK]"
END, MASK = "[END]", "[MASK]"
ENDS = (END, "<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<|im_end|>", "[SEP]")
LIKE_AN_END = re.compile(r"eos|eot|end.?of|^\W*end\W*$", re.IGNORECASE)
NAME_AN_END = "call the special token that ends texts so in tokenizer.json: </s>, <|eot|> or the like"
SHORT_TEXT = 64
MOST_TOKENS, FEWEST_TOKENS, BYTES_A_TOKEN = 8_192, 512, 64
BPE_SAMPLE = 8_000_000
CHUNK = 4_096

Lengths = NDArray[np.int64]


def suited(lengths: NDArray[np.int64]) -> Kind:
    """`characters` for short texts, whose 95th percentile is 64 bytes or less; else `bpe`."""
    return "characters" if np.percentile(lengths, 95) <= SHORT_TEXT else "bpe"


def fit_tokenizer(kind: str, texts: Sequence[str]) -> Tokenizer:
    """A tokenizer fitted on `texts`, after [PAD] and [UNK]. `bpe` learns from 8 MB of them, evenly spread.

    Raises:
        InputError: unknown kind.
    """
    if kind not in get_args(Kind):
        raise InputError(f"there is no tokenizer {kind!r}", near(kind, get_args(Kind)))
    if kind == "words":
        words = {
            word: number for number, word in enumerate((PAD, UNKNOWN, *sorted({w for t in texts for w in t.split()})))
        }
        made = Tokenizer(models.WordLevel(words, unk_token=UNKNOWN))
        made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        return made
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    units = sorted({character for text in texts for character in text}) if kind == "characters" else alphabet
    vocabulary = {unit: number for number, unit in enumerate((PAD, UNKNOWN, *units))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token=UNKNOWN))
    if kind == "characters":
        tokenizer.decoder = decoders.Fuse()
        return tokenizer
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=kind == "bpe")
    tokenizer.decoder = decoders.ByteLevel()
    if kind == "bpe":
        sample = list(_sample(texts))
        size = sum(map(len, sample)) // BYTES_A_TOKEN
        trainer = trainers.BpeTrainer(
            vocab_size=min(MOST_TOKENS, max(FEWEST_TOKENS, size)),
            special_tokens=[PAD, UNKNOWN],
            initial_alphabet=alphabet,
            min_frequency=2,
            show_progress=False,
        )
        tokenizer.train_from_iterator(sample, trainer)
    return tokenizer


def _sample(texts: Sequence[str]) -> Iterator[str]:
    """Every n-th text, so that they make up no more than `BPE_SAMPLE` characters."""
    some = [len(texts[number]) for number in range(0, len(texts), max(1, len(texts) // 1_000))]
    every = max(1, round(sum(some) / len(some) * len(texts) / BPE_SAMPLE))
    return (texts[number] for number in range(0, len(texts), every))


def special(tokenizer: Tokenizer) -> tuple[int, ...]:
    """The tokens that stand for no text."""
    added = {number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    known = {number for name in (PAD, UNKNOWN) if (number := tokenizer.token_to_id(name)) is not None}
    return tuple(sorted(added | known))


def encodable(text: str) -> bool:
    """Whether no half of a character is in it, as undecodable bytes leave."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def end_of(tokenizer: Tokenizer) -> int | None:
    """The token that stands between documents: [END], or what others call it; None: there is none."""
    added = {token.content: number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    likely = (number for name, number in added.items() if LIKE_AN_END.search(name))
    return next((added[name] for name in ENDS if name in added), min(likely, default=None))


def marked(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer itself, with [END] and [MASK] added for language models."""
    tokenizer.add_special_tokens([END, MASK])
    return tokenizer


def begun(tokenizer: Tokenizer) -> Tokenizer:
    """One that begins a text with [END] itself, as `encode` does for ours."""
    end = tokenizer.token_to_id(END)
    if end is None or tokenizer.post_processor is not None:
        return tokenizer
    made = Tokenizer.from_str(tokenizer.to_str())
    made.post_processor = processors.TemplateProcessing(f"{END} $A", f"{END} $A {END} $B:1", [(END, end)])
    return made


def same(one: Tokenizer, other: Tokenizer) -> bool:
    """Whether two make the same tokens of any text."""
    return begun(one).to_str() == begun(other).to_str()


def encode(tokenizer: Tokenizer, texts: list[str], max_len: int | None = None) -> list[NDArray[np.int64]]:
    """Token ids of each text, cut at `max_len`; an empty text is one [UNK].

    Where the tokenizer knows [END], a text begins with it, as a document does for a language model; somebody else's may
    put its own tokens around it.

    Raises:
        InputError: a text holds half a character.
    """
    for number, text in enumerate(texts):
        if not encodable(text):
            raise InputError(f"input {number} is not valid Unicode: {text[:40]!r}", "mend its encoding")
    if tokenizer.token_to_id(END) is not None:  # who writes [END] in a text means these letters
        tokenizer.encode_special_tokens = True
    unknown, end = tokenizer.token_to_id(UNKNOWN) or 0, tokenizer.token_to_id(END)
    first = [] if end is None or tokenizer.post_processor is not None else [end]
    return [
        np.array((first + (encoding.ids or [unknown]))[:max_len], dtype=np.int64)
        for encoding in tokenizer.encode_batch_fast(texts)
    ]


def token_type(tokenizer: Tokenizer) -> np.dtype[Any]:
    """The narrowest that holds its ids."""
    return np.dtype(np.uint16 if tokenizer.get_vocab_size() <= 2**16 else np.int32)


def encode_all(tokenizer: Tokenizer, texts: Sequence[str], most: int, file: BinaryIO, report: Report) -> Lengths:
    """Write the token ids of all texts, each cut at `most`, to `file`; their lengths (I)."""
    lengths = np.zeros(len(texts), dtype=np.int64)
    for start in range(0, len(texts), CHUNK):
        encoded = encode(tokenizer, list(texts[start : start + CHUNK]), most)
        lengths[start : start + CHUNK] = [len(ids) for ids in encoded]
        file.write(np.concatenate(encoded).astype(token_type(tokenizer)).tobytes())
        report(start / len(texts), "tokenising")
    file.flush()
    return lengths
