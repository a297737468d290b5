"""Pairs of texts: how they are read, split, made tokens and batched."""

import numpy as np
import pandas as pd
import pytest
import torch

import triarch
from made.spelled import opened, pairs
from triarch.core.errors import InputError
from triarch.core.types import NOTHING
from triarch.data.answers import few_words
from triarch.data.cache import store, stored
from triarch.data.dataset import prepare
from triarch.data.open import open_source
from triarch.data.stream import Stream


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_every_table_gives_the_same(place, ending):
    frame, path = pairs(), place / f"pairs.{ending}"
    if ending == "parquet":
        frame.to_parquet(path)
    elif ending == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False, sep="\t" if ending == "tsv" else ",")
    known, read = opened(frame), opened(path)
    again = opened(path)  # from the cache
    for source in (read, again):
        assert list(source.inputs) == list(known.inputs) == frame["word"].tolist()
        assert list(source.parallel.texts) == frame["letters"].tolist()
        assert source.fingerprint == known.fingerprint
    assert again.folder is not None
    store(read, place / "race")
    assert list(stored(place / "race").parallel.texts) == frame["letters"].tolist()


def test_two_lists_and_the_only_two_columns():
    frame = pairs()
    lists = open_source((frame["word"].tolist(), frame["letters"].tolist()), task="translate")
    alone = open_source(frame[["word", "letters"]], task="translate")
    assert list(lists.parallel.texts) == list(alone.parallel.texts) == frame["letters"].tolist()


def test_another_answer_is_another_fingerprint():
    frame = pairs()
    changed = frame.assign(letters=[*frame["letters"][:-1], "Z"])
    assert opened(frame).fingerprint != opened(changed).fingerprint


@pytest.mark.parametrize(
    ("change", "options", "fault"),
    [
        ({}, {"target": "sound"}, "no column 'sound'"),
        ({}, {"input": "word", "target": "word"}, "which column"),
        ({}, {"input": (), "target": None}, "which column"),
        ({"letters": ["A B"] * 59 + [" "]}, {}, "row 60 has an empty 'letters'"),
        ({"word": ["a"] * 59 + [None]}, {}, "row 60 has no 'word'"),
    ],
)
def test_faults(change, options, fault):
    frame = pairs().assign(**change, more="x") if options.get("input") == () else pairs().assign(**change)
    with pytest.raises(InputError, match=fault):
        opened(frame, **options)


def test_a_word_is_in_one_split_whatever_it_becomes():
    frame = pairs(900)
    twice = pd.concat([frame, frame.assign(letters=frame["letters"] + " Z")])
    dataset = prepare(opened(twice))
    words = {name: [dataset.source.inputs[row] for row in rows.tolist()] for name, rows in dataset.splits.items()}
    assert all(len(found) > 100 for found in words.values())
    assert not set(words["train"]) & set(words["select"])
    assert not set(words["train"] + words["select"]) & set(words["confirm"])
    assert len(set(words["confirm"])) == len(words["confirm"])
    grouped = prepare(opened(twice.assign(file=np.arange(len(twice)) % 50), group="file"))
    files = [set((rows % 50).tolist()) for rows in grouped.splits.values()]
    assert not files[0] & files[1]
    assert not (files[0] | files[1]) & files[2]
    inputs = [{grouped.source.inputs[row] for row in rows.tolist()} for rows in grouped.splits.values()]
    assert not inputs[0] & inputs[2]


def test_each_side_has_its_tokens():
    dataset = prepare(opened(pairs(900)))
    target = dataset.spec.target
    assert target.kind == "text"
    assert dataset.spec.vocab_size == 2 + 6
    assert target.vocab_size == 2 + 6 + 2  # the words A to F, [END] and [MASK]
    rows = dataset.rows("train")[:5]
    batch = dataset.batch(rows)
    assert batch.references == tuple(dataset.source.parallel.texts[row] for row in rows.tolist())
    for row, reference in zip(batch.target, batch.references):
        ids = row[row != NOTHING]
        assert ids[0] == ids[-1] == target.end
        assert len(ids) == len(reference.split()) + 2
    assert torch.equal(batch.mask.sum(dim=1), torch.tensor([len(dataset.source.inputs[row]) for row in rows.tolist()]))


def test_few_words():
    assert few_words(["A B", "B C A"] * 20)
    assert not few_words(["A B", "B  C"] * 20)
    assert not few_words([f"A{number} B" for number in range(300)] * 20)
    assert not few_words(["A B"])


@pytest.fixture(scope="module")
def unequal():
    """Texts of 1 to 60 characters, and answers of as many or a few more or less."""
    random = np.random.default_rng(0)
    sizes = random.integers(1, 60, 3_000)
    texts, answers = (
        ["".join(random.choice(list("abcdef"), max(1, size + change))) for size, change in zip(sizes, changes)]
        for changes in (np.zeros(3_000, int), random.integers(-9, 9, 3_000))
    )
    return prepare(open_source((texts, answers), task="translate"))


def test_no_batch_has_more_steps_than_its_bound(unequal):
    for options in ({"batch_size": 16}, {"batch_size": 64, "batch_tokens": 900}):
        stream = Stream(unequal, seed=0, **options)
        most = options.get("batch_tokens") or 16 * unequal.sides[unequal.rows("train")].sum(1).mean() + 1
        epochs = [[stream[epoch * stream.per_epoch + number] for number in range(stream.per_epoch)] for epoch in (0, 1)]
        for epoch in epochs:
            seen = torch.cat([batch.items for batch in epoch])
            assert sorted(seen.tolist()) == unequal.rows("train").tolist()
            assert max(batch.input.numel() + batch.target[:, 1:].numel() for batch in epoch) <= most
            assert max(map(len, epoch)) > 4 * np.median([len(batch) for batch in epoch])
            assert min(batch.input.numel() + batch.target[:, 1:].numel() for batch in epoch) > 0.4 * most
            real = int(unequal.sides[unequal.rows("train")].sum())
            steps = sum(batch.input.numel() + batch.target[:, 1:].numel() for batch in epoch)
            assert real > 0.85 * steps
            assert steps > 0.85 * most * len(epoch)
        again = Stream(unequal, seed=0, **options)
        assert torch.equal(again[stream.per_epoch + 3].items, epochs[1][3].items)
        sets = [{tuple(sorted(batch.items.tolist())) for batch in epoch} for epoch in epochs]
        assert len(sets[0] & sets[1]) < 0.1 * stream.per_epoch


def test_what_is_longer_than_the_bound_stands_alone(unequal):
    for most in (30, 1):
        stream = Stream(unequal, 16, 0, batch_tokens=most)
        for number in range(stream.per_epoch):
            batch = stream[number]
            assert len(batch) == 1 or batch.input.numel() + batch.target[:, 1:].numel() <= most


def test_only_pairs_have_a_bound_of_tokens(place):
    with pytest.raises(InputError, match="batch_tokens"):
        triarch.train("digits", model="plain/nano", steps=1, set={"batch_tokens": 100}, out=place / "out")
