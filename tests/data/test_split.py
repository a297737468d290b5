from dataclasses import replace

import numpy as np
import pytest

from triarch.core.errors import InputError
from triarch.core.results import Metric
from triarch.data.builtin import BUILT_IN
from triarch.data.dataset import prepare
from triarch.data.open import open_source
from triarch.data.split import shares, split
from triarch.tasks import registry as tasks


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_item_is_in_one_split(name):
    source = open_source(name)
    parts = split(source).rows
    dealt = np.sort(np.concatenate(list(parts.values())))
    assert len(np.unique(dealt)) == len(dealt)
    if source.continued is not None:
        assert len(dealt) == len(source)
        return
    copies = len(source) - len(np.unique(source.input_prints + source.labels.astype(np.uint64)))
    assert len(source) - copies <= len(dealt) <= len(source)
    for part, share in shares(len(source)).items():
        near = 0.1 if name == "verses" else 0.03  # whole chapters are dealt
        assert len(parts[part]) == pytest.approx(share * len(source), rel=near)


def test_small_sets_keep_thirty_percent_for_the_last_word():
    assert shares(2_999)["confirm"] == 0.30
    assert shares(3_000)["confirm"] == 0.20


def test_classes_are_in_every_split():
    source = open_source("digits")
    whole = np.bincount(source.labels) / len(source)
    for rows in split(source).rows.values():
        assert np.bincount(source.labels[rows]) / len(rows) == pytest.approx(whole, abs=0.01)


def test_groups_stay_together():
    source = open_source("languages")
    parts = split(source).rows
    groups = [set(source.groups[rows]) for rows in parts.values()]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]


def test_the_split_hangs_on_the_content_alone():
    x, y = np.random.default_rng(0).normal(size=(200, 9)), np.arange(200) % 4
    first, again = split(open_source((x, y))).rows, split(open_source((x.copy(), y.copy()))).rows
    assert all(np.array_equal(first[name], again[name]) for name in first)
    x[0, 0] += 1
    other = split(open_source((x, y))).rows
    assert not np.array_equal(first["confirm"], other["confirm"])


def test_what_is_fitted_is_fitted_on_train():
    dataset = prepare(open_source("digits"))
    train = dataset.source.inputs[dataset.splits["train"]] / 16
    assert dataset.preprocessor.settings.mean[0] == pytest.approx(train.mean(), abs=1e-5)
    texts = prepare(open_source("languages"))
    seen = {character for row in texts.splits["train"] for character in texts.source.inputs[row]}
    assert set(texts.preprocessor.tokenizer.get_vocab()) == seen | {"[PAD]", "[UNK]"}


def images(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 8)).astype(np.uint8)


def test_copies_are_kept_out_of_select_and_confirm():
    x, y = images(200), np.arange(200) % 2
    x[1::4] = x[3]  # fifty copies of an item, all of one class
    source = open_source((x, y))
    dealt = split(source)
    key = source.input_prints
    select, confirm = (set(key[dealt.rows[name]].tolist()) for name in ("select", "confirm"))
    assert not select & set(key[dealt.rows["train"]].tolist())
    assert not confirm & (select | set(key[dealt.rows["train"]].tolist()))
    left_out = 200 - sum(map(len, dealt.rows.values()))
    assert left_out > 10
    assert dealt.notes[0].startswith("50 items are exact copies of others")


def test_one_input_in_two_classes_is_counted_and_kept():
    x, y = images(200), np.arange(200) % 2
    x[1] = x[0]
    dealt = split(open_source((x, y)))
    assert dealt.notes == ("1 inputs appear under more than one class",)
    assert sum(map(len, dealt.rows.values())) == 200


@pytest.mark.parametrize("own", [["train", "confirm"], ["train", "select", "confirm"], ["train", "select"]])
def test_splits_of_the_data_are_kept(own):
    x, y = images(300), np.arange(300) % 3
    parts = np.array([own[number % len(own)] for number in np.arange(300) // 3])
    source = replace(open_source((x, y)), parts=parts)
    dealt = split(source)
    for name in own[1:]:
        assert np.array_equal(dealt.rows[name], np.flatnonzero(parts == name))
    assert set(dealt.rows["train"]) <= set(np.flatnonzero(parts == "train"))
    assert all(len(rows) for rows in dealt.rows.values())
    assert sum(map(len, dealt.rows.values())) == 300
    assert "as the data has them" in dealt.rule


def test_a_split_that_copies_leave_empty_is_told():
    with pytest.raises(InputError, match="no item is left for select"):
        prepare(open_source((np.repeat(images(2), 20, axis=0), np.repeat([0, 1], 20))))


def test_little_data_has_folds_and_much_has_none():
    assert prepare(open_source("digits")).folds == ()
    x, y = images(400), np.arange(400) % 3
    x[7] = x[10]  # a copy in the same class
    dataset = prepare(open_source((x, y)))
    assert len(dataset.folds) == 1 + 5 * 2
    assert dataset.folded(0).splits is dataset.folded(None).splits is dataset.splits
    confirm = set(dataset.splits["confirm"].tolist())
    seen = np.zeros(400, int)
    for number in range(1, 11):
        rows = dataset.folded(number).splits
        assert set(rows["confirm"].tolist()) == confirm
        assert not set(rows["train"].tolist()) & set(rows["select"].tolist()) | confirm & set(rows["train"].tolist())
        assert np.bincount(y[rows["select"]]).min() >= 15
        prints = dataset.source.input_prints
        assert not set(prints[rows["train"]].tolist()) & set(prints[rows["select"]].tolist())
        seen[rows["select"]] += 1
    assert sorted(set(seen)) == [0, 2] or set(seen) <= {0, 1, 2}
    assert (seen == 2).sum() >= 400 - len(confirm) - 2
    assert "10 times" not in dataset.spec.split
    assert "folds" in dataset.spec.split


def test_own_select_makes_folds_needless():
    x, y = images(300), np.arange(300) % 3
    parts = np.array(["train", "select", "confirm"])[np.arange(300) // 3 % 3]
    assert split(replace(open_source((x, y)), parts=parts)).folds == ()


def test_rare_classes_ask_for_balanced_accuracy():
    x = images(600)
    even = prepare(open_source((x, np.arange(600) % 3)))
    uneven = prepare(open_source((x, np.r_[np.zeros(500, int), np.ones(88, int), np.full(12, 2)])))
    assert tasks.infer(even.spec).primary.name == "accuracy"
    assert tasks.infer(uneven.spec).primary == Metric("balanced accuracy", "max")


@pytest.mark.parametrize("each", [3, 4, 5])
def test_very_little_data_has_as_many_folds_as_its_largest_class(each):
    x = np.random.default_rng(0).normal(size=(2 * each, 8))
    dealt = split(open_source((x, np.arange(2 * each) % 2)))
    assert all(len(rows["select"]) for rows in dealt.folds)


@pytest.mark.parametrize("name", ["digits", "languages"])
def test_train_and_select_are_parted_anew(name):
    data = prepare(open_source(name))
    first, other, third = (data.folded(number) for number in (None, 1, 2))
    assert np.array_equal(first.rows("confirm"), other.rows("confirm"))
    assert len(other.rows("select")) == pytest.approx(len(first.rows("select")), rel=0.03)
    assert len(np.intersect1d(first.rows("select"), other.rows("select"))) < 0.5 * len(first.rows("select"))
    assert not np.array_equal(other.rows("select"), third.rows("select"))
    every = np.concatenate([other.rows(part) for part in ("train", "select", "confirm")])
    assert len(np.unique(every)) == len(every)
    assert np.array_equal(other.rows("select"), other.folded(1).rows("select"))  # again, of what is parted already
    if data.source.groups is not None:
        groups = [set(data.source.groups[other.rows(part)]) for part in ("train", "select", "confirm")]
        assert not groups[0] & groups[1]
        assert not groups[1] & groups[2]
        assert not groups[0] & groups[2]


def test_what_time_or_the_data_part_stays_so():
    series = prepare(open_source("sunspots"))
    assert series.folded(1) is series
    x, y = np.random.default_rng(0).normal(size=(1_200, 9)), np.arange(1_200) % 4
    source = open_source((x, y))
    own = prepare(replace(source, parts=np.array(["train", "train", "select", "confirm"])[np.arange(1_200) // 4 % 4]))
    assert own.folded(1) is own
