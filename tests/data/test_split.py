import numpy as np
import pytest

from triarch.data.builtin import BUILT_IN
from triarch.data.dataset import prepare
from triarch.data.open import open_source
from triarch.data.split import shares, split


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_item_is_in_one_split(name):
    source = open_source(name)
    parts = split(source)
    assert np.array_equal(np.sort(np.concatenate(list(parts.values()))), np.arange(len(source)))
    for part, share in shares(len(source)).items():
        assert len(parts[part]) == pytest.approx(share * len(source), rel=0.03)


def test_small_sets_keep_thirty_percent_for_the_last_word():
    assert shares(2_999)["confirm"] == 0.30
    assert shares(3_000)["confirm"] == 0.20


def test_classes_are_in_every_split():
    source = open_source("digits")
    whole = np.bincount(source.labels) / len(source)
    for rows in split(source).values():
        assert np.bincount(source.labels[rows]) / len(rows) == pytest.approx(whole, abs=0.01)


def test_groups_stay_together():
    source = open_source("languages")
    parts = split(source)
    groups = [set(source.groups[rows]) for rows in parts.values()]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]


def test_the_split_hangs_on_the_content_alone():
    x, y = np.random.default_rng(0).normal(size=(200, 9)), np.arange(200) % 4
    first, again = split(open_source((x, y))), split(open_source((x.copy(), y.copy())))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    x[0, 0] += 1
    other = split(open_source((x, y)))
    assert not np.array_equal(first["confirm"], other["confirm"])


def test_what_is_fitted_is_fitted_on_train():
    dataset = prepare(open_source("digits"))
    train = dataset.source.inputs[dataset.splits["train"]] / 16
    assert dataset.preprocessor.settings.mean[0] == pytest.approx(train.mean(), abs=1e-5)
    texts = prepare(open_source("languages"))
    seen = {character for row in texts.splits["train"] for character in texts.source.inputs[row]}
    assert set(texts.preprocessor.tokenizer.get_vocab()) == seen | {"[PAD]", "[UNK]"}
