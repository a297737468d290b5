"""Smaller amounts of the same data: nested, balanced, with groups kept together and the latest windows first."""

import numpy as np
import pandas as pd
import pytest

from triarch.data.dataset import prepare
from triarch.data.nested import first_items
from triarch.data.open import open_source


@pytest.fixture(scope="module")
def digits():
    return prepare(open_source("digits"))


def test_each_amount_is_part_of_the_next(digits):
    train = digits.splits["train"]
    parts = [first_items(digits, items).splits["train"] for items in (100, 200, 400, len(train))]
    for smaller, larger in zip(parts, parts[1:]):
        assert set(smaller) < set(larger)
    assert [len(part) for part in parts] == [100, 200, 400, len(train)]
    assert (parts[-1] == train).all()
    assert (parts[0] == first_items(digits, 100).splits["train"]).all()


def test_another_seed_takes_others(digits):
    first, other = (first_items(digits, 100, seed).splits["train"] for seed in (0, 1))
    assert len(set(first) & set(other)) < 50


def test_what_is_judged_and_what_was_fitted_stays(digits):
    part = first_items(digits, 100)
    assert (part.splits["select"] == digits.splits["select"]).all()
    assert (part.splits["confirm"] == digits.splits["confirm"]).all()
    assert part.preprocessor is digits.preprocessor
    assert part.folds == ()


def test_classes_keep_their_shares(digits):
    whole = np.bincount(digits.labels("train")) / len(digits.splits["train"])
    for items in (64, 128, 300):
        counts = np.bincount(first_items(digits, items).labels("train"), minlength=10)
        assert (np.abs(counts - items * whole) <= 1).all()


def test_groups_come_whole():
    dataset = prepare(open_source("languages"))
    rows = first_items(dataset, 1_000).splits["train"]
    groups, train = dataset.source.groups, dataset.splits["train"]
    sizes = {group: int((groups[train] == group).sum()) for group in np.unique(groups[rows])}
    cut = [group for group, size in sizes.items() if (groups[rows] == group).sum() < size]
    assert len(cut) <= 1


def test_of_series_the_latest_windows_are_taken():
    frame = pd.DataFrame({
        "unique_id": np.repeat(["a", "b"], 300), "ds": np.tile(np.arange(300), 2),
        "y": np.random.default_rng(0).normal(size=600),
    })  # fmt: skip
    dataset = prepare(open_source(frame))
    known, train = dataset.source.continued, dataset.splits["train"]
    rows = first_items(dataset, 40).splits["train"]
    for series in (0, 1):
        ours = known.origins[rows[known.series[rows] == series]]
        last = known.origins[train[known.series[train] == series]].max()
        assert sorted(ours) == list(range(last - 19, last + 1))
