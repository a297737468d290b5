"""Documents cut into blocks."""

from __future__ import annotations

import numpy as np

from triarch.data.blocks import Blocks
from triarch.data.corpora.corpus import deal, from_documents, stretches
from triarch.data.dataset import prepare
from triarch.data.tokens import END, encode


def test_every_token_is_sought_once_and_no_block_crosses_a_document() -> None:
    flat = np.array([0, 1, 2, 3, 0, 4, 0, 0, 5, 6, 7, 8, 9, 0])
    blocks = Blocks(flat, np.array([0, 4, 6, 7, 13]), context=3)
    pieces = [block.tolist() for block in blocks]
    assert pieces == [[0, 1, 2, 3], [3, 0], [0, 4, 0], [0, 0], [0, 5, 6, 7], [7, 8, 9, 0]]
    assert blocks.documents.tolist() == [0, 0, 1, 2, 3, 3]
    assert [token for piece in pieces for token in piece[1:]] == flat[1:].tolist()


def test_bytes_of_blocks_are_those_of_the_corpus() -> None:
    documents = [f"Dokument {number}: größer " * number for number in range(1, 80)]
    source = from_documents("many", documents, "bytes", 16)
    assert source.labels.sum() == np.float32(sum(len(document.encode()) for document in documents))
    assert source.corpus is not None
    for part in ("train", "select", "confirm"):
        rows = source.parts == part
        assert rows.any()
        assert np.isclose(source.corpus.units[rows].sum(), source.labels[rows].sum(), rtol=1e-5)


def test_a_document_is_in_one_split_and_what_it_says_alone_decides_which() -> None:
    documents = [f"text number {number} " * 9 for number in range(90)]
    one, two = from_documents("one", documents, "bytes", 8), from_documents("two", documents[:60], "bytes", 8)
    assert one.parts is not None
    assert two.parts is not None
    blocks = one.inputs
    assert isinstance(blocks, Blocks)
    for document in range(90):
        assert len(set(one.parts[blocks.documents == document])) == 1
    shuffled = from_documents("one", documents[::-1], "bytes", 8)
    assert sorted(np.unique(shuffled.parts, return_counts=True)[1]) == sorted(
        np.unique(one.parts, return_counts=True)[1]
    )


def test_deal_leaves_no_split_empty() -> None:
    for count in (3, 4, 10, 100):
        prints = np.random.default_rng(count).integers(0, 1 << 60, count).astype(np.uint64)
        assert set(deal(prints, np.full(count, 1_000))) == {"train", "select", "confirm"}


def test_one_long_document_is_cut_at_ends_of_lines() -> None:
    document = "".join(f"line {number}\n" for number in range(40_000))
    pieces = stretches(document, 1 << 16)
    assert "".join(pieces) == document
    assert all(piece.endswith("\n") for piece in pieces)
    assert len(stretches("a" * 300_000, 1 << 16)) >= 2


def test_a_dataset_gives_the_blocks_back_as_text() -> None:
    documents = [f"paragraph {number} of a book, ünïcode\n" for number in range(80)]
    dataset = prepare(from_documents("book", documents, "bpe", 512))
    raw = dataset.raw(np.arange(len(dataset.source)))
    assert sorted(raw) == sorted(documents)
    tokenizer = dataset.preprocessor.tokenizer
    assert tokenizer is not None
    assert encode(tokenizer, ["a"])[0][0] == tokenizer.token_to_id(END)
    assert dataset.spec.target.mask not in np.concatenate([dataset.source.inputs[row] for row in range(80)])
