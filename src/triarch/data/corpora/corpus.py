"""Documents of raw text → a source whose items are blocks of tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from triarch.core.errors import InputError
from triarch.core.progress import Report, silent
from triarch.data.asked import Asked
from triarch.data.blocks import Blocks
from triarch.data.corpora.encoder import Encoder
from triarch.data.corpora.fitted import fit
from triarch.data.corpora.gather import gather
from triarch.data.source import Corpus, Hashes, Source
from triarch.data.split import SPLITS
from triarch.data.store import Chosen, Texts, offsets
from triarch.data.tokens import encodable, end_of

CONTEXT = 256
HELD_OUT = 0.1
FEW_DOCUMENTS, SHORTEST, STRETCH = 60, 1 << 10, 1 << 16


def from_documents(
    name: str, documents: Sequence[str], kind: str = "bpe", context: int | None = None,
    tokenizer: Tokenizer | None = None, report: Report = silent,
) -> Source:  # fmt: skip
    """The blocks of `documents`, which are dealt to the splits whole, in the order of their hashes.

    Args:
        kind: of the tokenizer, which is fitted on the training documents.
        context: T; 256 if not given.
        tokenizer: that of a model, instead.

    Raises:
        InputError: there is too little text to split.
    """
    context = context or CONTEXT
    for number, document in enumerate(documents):
        if not isinstance(document, str) or not encodable(document):
            what = "not valid Unicode" if isinstance(document, str) else f"no text: {type(document).__name__}"
            raise InputError(f"{name}: document {number} is {what}", "give a list of texts")
    kept = [document for document in documents if document.strip()]
    if len(kept) < FEW_DOCUMENTS:
        size = min(STRETCH, max(SHORTEST, sum(map(len, kept)) // FEW_DOCUMENTS))
        kept = [stretch for document in kept for stretch in stretches(document, size)]
    kept = list(dict.fromkeys(kept))
    if not kept or (tokenizer is None and len(kept) < 3):
        raise InputError(
            f"{name}: {len(kept)} different text(s) or stretches of a thousand letters; each split needs one, so 3 at"
            " least",
            "give more text, that does not repeat itself",
        )
    texts = Texts.of(kept)
    sizes = texts.encoded.lengths
    hashes = Hashes()
    hashes.add(texts)
    digest, prints = hashes.finish(np.zeros(0, dtype=np.int64), ())
    dealt = deal(prints, sizes)
    if tokenizer is None:
        tokenizer = fit(kind, Chosen(texts, np.flatnonzero(dealt == "train")))
    flat, marks = _tokens(tokenizer, texts, report)
    return _source(name, Blocks(flat, marks, context), sizes, dealt, tokenizer, digest, {}, [])


def _source(
    name: str, blocks: Blocks, sizes: NDArray[np.int64], dealt: NDArray[np.str_], tokenizer: Tokenizer, digest: str,
    removed: Mapping[str, int], notes: Sequence[str],
) -> Source:  # fmt: skip
    """The source of blocks of documents of these bytes and splits (D)."""
    marks, context = blocks.marks, blocks.context
    sought = np.diff(marks)
    labels = (sizes[blocks.documents] * (blocks.lengths - 1) / sought[blocks.documents]).astype(np.float32)
    parts = dealt[blocks.documents]
    units = np.zeros(len(blocks), dtype=np.float32)
    for part in np.unique(parts):
        units[parts == part] = labels[parts == part].mean(dtype=np.float64)
    corpus = Corpus(tokenizer, context, len(sizes), int(sizes.sum()), units, removed)
    notes = [*notes, f"{len(sizes):,} documents, {sizes.sum():,} bytes, {sought.sum():,} tokens"]
    return Source(name, "text", blocks, labels, (), parts=parts, notes=notes, digest=digest, corpus=corpus)


def deal(prints: NDArray[np.uint64], sizes: NDArray[np.int64]) -> NDArray[np.str_]:
    """The split of each document (D): in the order of their hashes, a tenth of the bytes to confirm, one to select."""
    order = np.argsort(prints, kind="stable")
    before = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(sizes[order])[:-1]))
    share = before / max(1, sizes.sum())
    parts = np.where(share < HELD_OUT, "confirm", np.where(share < 2 * HELD_OUT, "select", "train"))
    if len(parts) >= 3:  # none may be empty
        parts[0], parts[-1] = "confirm", "train"
        if "select" not in parts:
            parts[1] = "select"
    dealt = np.empty(len(parts), dtype=parts.dtype)
    dealt[order] = parts
    return dealt


def stretches(document: str, size: int) -> list[str]:
    """The document in pieces of `size` characters or a little more, each to the end of a line."""
    pieces, start = [], 0
    while start < len(document):
        line_end = document.find("\n", start + size)
        stop = len(document) if line_end < 0 else line_end + 1
        pieces.append(document[start : min(stop, start + 2 * size)])
        start += len(pieces[-1])
    return pieces


def _tokens(tokenizer: Tokenizer, texts: Texts, report: Report) -> tuple[NDArray[np.generic], NDArray[np.int64]]:
    """All documents with [END] before the first and after each, and where these are."""
    encoder = Encoder(tokenizer)
    end = np.array([end_of(tokenizer)], dtype=encoder.dtype)
    parts, marks = [end], [0]
    for number, text in enumerate(texts):
        (ids,) = encoder.encode([text])
        parts += [np.frombuffer(ids, dtype=encoder.dtype), end]
        marks.append(marks[-1] + len(parts[-2]) + 1)
        report(number / len(texts), "tokenising")
    return np.concatenate(parts), np.array(marks, dtype=np.int64)


def read_corpus(data: Any, asked: Asked, report: Report) -> Source:
    """A file or a folder of text, rows with a text each, an hf: set, or a list of texts; see `gather`.

    Raises:
        InputError: it is none of these, or holds too little text.
    """
    how = asked.modelled
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return from_documents("texts", list(data), how.kind or "bpe", how.context, how.tokenizer, report)
    if not isinstance(data, str | Path):
        raise InputError(
            f"data of type {type(data).__name__} is no corpus", "give a path, an hf: set or a list of texts"
        )
    if len(asked.inputs) > 1:
        raise InputError(f"--input {' '.join(asked.inputs)}: a corpus has one column of texts", "name one")
    found = gather(str(data), "".join(asked.inputs), how.tokenizer or how.kind or "bpe", report=report)
    shards = found.shards
    blocks = Blocks(shards, offsets(shards.lengths), how.context or CONTEXT)
    dealt = np.array(SPLITS)[shards.parts]
    return _source(
        found.name, blocks, shards.bytes.astype(np.int64), dealt, found.tokenizer, found.digest, found.removed,
        [*found.notes, found.rule],
    )  # fmt: skip
