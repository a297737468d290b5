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
from triarch.data.corpora.dealing import deal, keep
from triarch.data.corpora.documents import parts_of, stretch_for
from triarch.data.corpora.encoder import Encoder, lossy
from triarch.data.corpora.fitted import fit
from triarch.data.corpora.gather import gather
from triarch.data.corpora.minhash import HASHES
from triarch.data.corpora.records import ENCODING, RECORD, Looker, wrong
from triarch.data.corpora.shards import OUT
from triarch.data.known import SPLITS
from triarch.data.source import Corpus, Source
from triarch.data.store import Chosen, Texts, offsets
from triarch.data.tokens import end_of

CONTEXT = 256


def from_documents(
    name: str, documents: Sequence[str], kind: str = "bpe", context: int | None = None,
    tokenizer: Tokenizer | None = None, report: Report = silent, learned: str | None = None,
) -> Source:  # fmt: skip
    """The blocks of `documents`, which are cleaned and dealt as those of files are, see `dealing`.

    Args:
        kind: of the tokenizer, which is fitted on the training documents.
        context: T; 256 if not given.
        tokenizer: that of a model, instead.
        learned: the fingerprint of what that model has learned from: any other text is only scored, and all of it.

    Raises:
        InputError: there is too little text to split, or something else than text.
    """
    contents = [_encoded(name, number, document) for number, document in enumerate(documents)]
    stretch, looker = stretch_for(sum(map(len, contents))), Looker()
    found = [(number, part) for number, content in enumerate(contents) for part in parts_of(content, stretch)]
    looks = [looker.look(part) for _, part in found]
    records = np.array([record for record, _ in looks], dtype=RECORD)
    named = [
        f"document {number}: {wrong(part.content)}"
        for (number, part), fault in zip(found, records["fault"])
        if fault == ENCODING
    ]
    signatures = np.array([signature for _, signature in looks], dtype=np.uint32).reshape(-1, HASHES)
    dealt, outcome = deal(records, signatures, named)
    if learned not in (None, outcome.digest):
        dealt, outcome = keep(records, named)
    outcome.check(name, whole=learned is not None)
    kept = np.flatnonzero(dealt != OUT)
    texts = Texts.of([found[row][1].content.decode() for row in kept.tolist()])
    parts, notes = np.array(SPLITS)[dealt[kept]], list[str]()
    if tokenizer is None:
        tokenizer = fit(kind, Chosen(texts, np.flatnonzero(parts == "train")))
        notes.append(f"tokenizer: {kind}, {tokenizer.get_vocab_size():,} tokens")
    flat, marks, lost = _tokens(tokenizer, texts, report)
    blocks = Blocks(flat, marks, context or CONTEXT)
    return _source(
        name, blocks, texts.encoded.lengths, parts, tokenizer, outcome.digest, outcome.removed,
        [*outcome.notes, *notes, outcome.rule, *lossy(*lost)],
    )  # fmt: skip


def _encoded(name: str, number: int, document: object) -> bytes:
    """As the reader of JSON lines has it: half a character makes a text undecodable."""
    if not isinstance(document, str):
        raise InputError(f"{name}: document {number} is no text: {type(document).__name__}", "give a list of texts")
    return document.encode("utf-8", "surrogatepass")


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


def _tokens(
    tokenizer: Tokenizer, texts: Texts, report: Report
) -> tuple[NDArray[np.generic], NDArray[np.int64], tuple[list[int], list[bool]]]:
    """All documents with [END] before the first and after each, where these are, and what `Encoder.lost` says."""
    encoder = Encoder(tokenizer)
    end = np.array([end_of(tokenizer)], dtype=encoder.dtype)
    parts, marks = [end], [0]
    lost: tuple[list[int], list[bool]] = [], []
    for number, text in enumerate(texts):
        (ids,) = encoder.encode([text])
        parts += [np.frombuffer(ids, dtype=encoder.dtype), end]
        marks.append(marks[-1] + len(parts[-2]) + 1)
        unknown, inexact = encoder.lost(text, ids)
        lost[0].append(unknown)
        lost[1].append(inexact)
        report(number / len(texts), "tokenising")
    return np.concatenate(parts), np.array(marks, dtype=np.int64), lost


def read_corpus(data: Any, asked: Asked, report: Report) -> Source:
    """A file or a folder of text, rows with a text each, an hf: set, or a list of texts; see `gather`.

    Raises:
        InputError: it is none of these, or holds too little text.
    """
    how = asked.modelled
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return from_documents("texts", list(data), how.kind or "bpe", how.context, how.tokenizer, report, how.learned)
    if not isinstance(data, str | Path):
        raise InputError(
            f"data of type {type(data).__name__} is no corpus", "give a path, an hf: set or a list of texts"
        )
    if len(asked.inputs) > 1:
        raise InputError(f"--input {' '.join(asked.inputs)}: a corpus has one column of texts", "name one")
    tokenizer = how.tokenizer or how.kind or "bpe"
    found = gather(str(data), "".join(asked.inputs), tokenizer, learned=how.learned, report=report)
    shards = found.shards
    blocks = Blocks(shards, offsets(shards.lengths), how.context or CONTEXT)
    dealt = np.array(SPLITS)[shards.parts]
    return _source(
        found.name, blocks, shards.bytes.astype(np.int64), dealt, found.tokenizer, found.digest, found.removed,
        [*found.notes, found.rule, *lossy(shards.unknown, shards.inexact)],
    )  # fmt: skip
