"""A race of pairs of architectures that translate."""

import pytest

import triarch
from made.spelled import opened, pairs
from triarch.core.errors import InputError
from triarch.data.dataset import prepare
from triarch.model import candidates, unfit
from triarch.models import registry
from triarch.race.pairs import usual
from triarch.race.selection import selected
from triarch.tasks.classify import Classify
from triarch.tasks.translate import Translate

GIVEN = {"task": "translate", "input": "word", "target": "letters", "threads": 1}


def test_families_are_raced_by_chrf(tmp_path):
    pairs(300).to_csv(tmp_path / "pairs.csv", index=False)
    choice = triarch.choose(
        tmp_path / "pairs.csv", steps=12, out=tmp_path / "out", models="gru+gru/nano,gru+decoder/nano", **GIVEN
    )
    assert choice.metric.name == "chrF"
    raced = {one.model: one for one in choice.candidates if one.score is not None}
    assert {name: one.family for name, one in raced.items()} == {"gru+gru/nano": "rnn", "gru+decoder/nano": "hybrid"}
    assert all(one.state_bytes > 0 for one in raced.values())
    scores = {one.name: one.score for one in choice.baselines}
    assert scores["the source, copied"] == 0  # it has no capitals
    assert scores["dictionary"] == 1
    assert choice.verdict.kind == "baseline"
    assert any(
        note.startswith("exact match on confirm: ") and note.endswith("dictionary 1.000") for note in choice.notes
    )
    names = {}
    exec(choice.verdict.baseline.code, names)
    assert choice.verdict.baseline.score == pytest.approx(1.0)
    assert names["model"].predict(["abc"]) == ["A B C"]
    assert any(one.name == "texts of other items" for one in choice.reasons)
    assert triarch.evaluate(choice.artifact, threads=1).score == pytest.approx(choice.verdict.score)


def test_who_races_where_none_is_named():
    dataset = prepare(opened(pairs(120)))
    task = Translate(dataset.spec)
    cannot = unfit(task, dataset.spec)
    assert cannot == {}
    there = selected("text", (), (), (), cannot, candidates(task), usual(task))
    names = {model.partition("/")[0] for model in there}
    families = {registry.find(name).family for name in names}
    assert families == {"cnn", "rnn", "transformer", "hybrid"}
    assert {"gru+gru", "encoder+decoder", "tcn+tcn", "encoder+gru"} <= names
    assert "plain+gru" not in names
    named = selected("text", ("plain+gru", "*+tcn/nano"), (), ("hybrid",), cannot, candidates(task), usual(task))
    assert "tcn+tcn/nano" in named
    assert "plain+gru/nano" not in named  # a hybrid
    assert selected("text", (), ("cnn",), (), cannot, candidates(task), usual(task))[0].startswith("tcn+tcn/")
    with pytest.raises(InputError, match="no such model"):
        selected("text", ("gru",), (), (), cannot, candidates(task), usual(task))
    assert usual(Classify()) is None
