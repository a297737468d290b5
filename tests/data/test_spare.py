"""Tokens are left out in training only where others say the same."""

import numpy as np
import pytest

from race import known
from triarch.data.augment.augmenter import usual
from triarch.data.augment.spare import spare
from triarch.data.dataset import prepare
from triarch.data.open import open_source


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("make", [known.parity, known.copy, lambda seed: known.recall(seed, 4_000)])
def test_where_one_token_decides_none_is_left_out(make, seed):
    dataset = prepare(open_source(make(seed)))
    assert not dataset.spare.keeps_label
    assert usual(dataset, 10)["token_dropout"] == 0
    assert dataset.variations[0].startswith("no tokens are left out")


def test_what_only_two_tokens_say_together_is_lost_without_one():
    tokens = np.random.default_rng(0).integers(2, size=(1_000, 2))
    assert not spare(list(tokens), (tokens[:, 0] == tokens[:, 1]).astype(np.int64), 0.1).keeps_label
    said = tokens[:, :1].repeat(9, axis=1)
    assert spare(list(said), tokens[:, 0], 0.1).keeps_label


def test_where_many_say_the_same_some_are_left_out():
    dataset = prepare(open_source("languages"))
    assert dataset.spare.keeps_label
    assert usual(dataset, 10)["token_dropout"] == 0.1
    rows = dataset.splits["train"][:400]
    tokens = [dataset.tokens[row] for row in rows.tolist()]
    assert spare(tokens, dataset.source.labels[rows], 0.1).keeps_label
    assert not spare(tokens, dataset.source.labels[rows], 0.9).keeps_label
    assert not spare(tokens[:150], dataset.source.labels[rows[:150]], 0.1).keeps_label


def test_labels_that_mean_nothing_tell_nothing():
    texts, labels = known.parity(0)
    words = [["one two three", "four five six"][label == "odd"] + text for text, label in zip(texts, labels)]
    assert prepare(open_source((words, labels))).spare.keeps_label
    shuffled = list(np.random.default_rng(0).permutation(labels))
    assert not prepare(open_source((words, shuffled))).spare.keeps_label
