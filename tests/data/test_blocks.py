"""Documents cut into blocks."""

from __future__ import annotations

import numpy as np

from triarch.data.blocks import Blocks
from triarch.data.corpora.corpus import from_documents
from triarch.data.dataset import prepare
from triarch.data.tokens import END, encode

WORDS = np.array(["ant", "and", "größer", "bee", "went", "over", "hill", "sand", "to", "find", "much", "sugar"])


def prose(number: int, words: int) -> str:
    return f"text {number}: " + " ".join(np.random.default_rng(number).choice(WORDS, words))


def test_every_token_is_sought_once_and_no_block_crosses_a_document() -> None:
    flat = np.array([0, 1, 2, 3, 0, 4, 0, 0, 5, 6, 7, 8, 9, 0])
    blocks = Blocks(flat, np.array([0, 4, 6, 7, 13]), context=3)
    pieces = [block.tolist() for block in blocks]
    assert pieces == [[0, 1, 2, 3], [3, 0], [0, 4, 0], [0, 0], [0, 5, 6, 7], [7, 8, 9, 0]]
    assert blocks.documents.tolist() == [0, 0, 1, 2, 3, 3]
    assert [token for piece in pieces for token in piece[1:]] == flat[1:].tolist()


def test_bytes_of_blocks_are_those_of_the_corpus() -> None:
    documents = [prose(number, number) for number in range(4, 80)]
    source = from_documents("many", documents, "bytes", 16)
    assert source.labels.sum() == np.float32(sum(len(document.encode()) for document in documents))
    assert source.corpus is not None
    for part in ("train", "select", "confirm"):
        rows = source.parts == part
        assert rows.any()
        assert np.isclose(source.corpus.units[rows].sum(), source.labels[rows].sum(), rtol=1e-5)


def test_a_document_is_in_one_split_and_what_it_says_alone_decides_which() -> None:
    documents = [prose(number, 30) for number in range(90)]
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


def test_a_dataset_gives_the_blocks_back_as_text() -> None:
    documents = [f"paragraph {number} of a book, ünïcode\n" for number in range(80)]
    dataset = prepare(from_documents("book", documents, "bpe", 512))
    raw = dataset.raw(np.arange(len(dataset.source)))
    assert sorted(raw) == sorted(documents)
    tokenizer = dataset.preprocessor.tokenizer
    assert tokenizer is not None
    assert encode(tokenizer, ["a"])[0][0] == tokenizer.token_to_id(END)
    assert dataset.spec.target.mask not in np.concatenate([dataset.source.inputs[row] for row in range(80)])
