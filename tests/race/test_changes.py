"""What the items of each kind of data are put to."""

from dataclasses import replace

import pytest

from triarch.core.spec import Future
from triarch.data.dataset import prepare
from triarch.data.open import open_source
from triarch.race.changes import _contexts, ablations, disturbances
from triarch.tasks import registry as tasks


@pytest.mark.parametrize("data", ["digits", "languages", "japanese-vowels", "co2"])
def test_every_change_leaves_items_that_a_network_takes(data):
    dataset = prepare(open_source(data))
    task = tasks.infer(dataset.spec)
    rows = dataset.rows("confirm")[:20]
    kept = list(dataset.batches(rows))
    changes = [*ablations(dataset), *disturbances(dataset)]
    assert len({change.name for change in changes}) == len(changes) >= 5
    assert all(change.uses and change.act for change in ablations(dataset))
    for change in changes:
        (batch,), (again,) = change.batches(kept, 0), change.batches(kept, 0)
        assert batch.input.equal(again.input)
        assert batch.items.equal(kept[0].items)
        assert batch.input.dtype == kept[0].input.dtype
        assert not (batch.input.shape == kept[0].input.shape and batch.input.equal(kept[0].input)), change.name
        assert task.prepare(batch).input.isfinite().all()


def test_many_channels_go_in_groups_and_gray_is_for_colours():
    names = [one.name for one in ablations(prepare(open_source("japanese-vowels")))]
    assert names[-8:] == [
        *(f"without channels {first}–{first + 1}" for first in (0, 2, 4, 6)),
        *(f"without channel {number}" for number in (8, 9, 10, 11)),
    ]
    assert "in gray" not in [one.name for one in ablations(prepare(open_source("digits")))]


def test_the_context_of_a_forecast_is_shortened_to_whole_seasons():
    names = [one.name for one in ablations(prepare(open_source("co2"))) if one.kind == "context"]
    assert names == ["last 52 of 156 steps only"]
    whole = Future(8, 160, season=20)
    assert _contexts(whole) == [80, 40]
    assert _contexts(replace(whole, season=1)) == [80, 40]
    assert _contexts(replace(whole, season=50)) == [50]
    assert _contexts(replace(whole, season=100)) == []


def test_gaps_are_filled_as_the_reader_was_asked_to():
    dataset = prepare(open_source("co2"))
    line, last = (disturbances(dataset, impute)[1] for impute in (None, "last"))
    assert line.name.endswith("a line")
    assert last.name.endswith("the last value")
    batches = list(dataset.batches(dataset.rows("confirm")[:5]))
    assert not line.batches(batches, 0)[0].input.equal(last.batches(batches, 0)[0].input)
