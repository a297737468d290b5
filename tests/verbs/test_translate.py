"""Translation from the table to the answer, by the verbs."""

import json

import pytest

import triarch
from made.spelled import pairs
from triarch.core.errors import InputError


def test_from_table_to_answer(place):
    table = place / "pairs.csv"
    pairs(300).to_csv(table, index=False)
    out = place / "artifact"
    given = {"task": "translate", "input": "word", "target": "letters"}
    trained = triarch.train(table, model="gru+gru/nano", steps=120, threads=1, out=out, **given)
    assert trained.metric.name == "chrF"
    assert json.loads((out / "config.json").read_text())["spec"]["target"]["tokenizer"] == ""
    scored = triarch.evaluate(out, threads=1)
    assert {"chrF", "exact match", "loss", "bits per byte", "corpus chrF", "corpus BLEU"} == set(scored.metrics)
    assert 0.2 < scored.score <= 1
    other = triarch.evaluate(out, table, input="word", target="letters", split="confirm", threads=1)
    assert other.metrics == scored.metrics
    (one, two) = triarch.predict(out, ["abc", "fedcba"], threads=1).predictions
    assert (one.input, two.input) == ("abc", "fedcba")
    assert set(one.text) <= set("ABCDEF ")
    assert triarch.load(out).translate("abc") == [one.text]
    assert triarch.verify(out).ok
    described = triarch.describe(str(out))
    assert described.state_bytes
    assert described.params == trained.params
    assert triarch.inspect(table, **given).task == "translate"


def test_answers_that_were_changed_are_found(place):
    table = place / "pairs.csv"
    pairs(120).to_csv(table, index=False)
    given = {"task": "translate", "input": "word", "target": "letters"}
    out = place / "artifact"
    triarch.train(table, model="tcn+tcn/nano", steps=20, threads=1, out=out, **given)
    tokens = out / "answers.tokenizer.json"
    tokens.write_text("{}")
    with pytest.raises(InputError, match="cannot be opened"):
        triarch.load(out)


def test_no_race_so_far(place):
    table = place / "pairs.csv"
    pairs(120).to_csv(table, index=False)
    with pytest.raises(InputError, match="do not race"):
        triarch.choose(table, task="translate", input="word", target="letters", seconds=20)


def test_a_translation_stays_one_when_it_is_tuned(place):
    table = place / "pairs.csv"
    pairs(120).to_csv(table, index=False)
    columns = {"input": "word", "target": "letters"}
    triarch.train(table, task="translate", model="gru+gru/nano", steps=2, threads=1, out=place / "base", **columns)
    tuned = triarch.finetune(place / "base", table, steps=2, threads=1, out=place / "tuned", **columns)
    assert tuned.metric.name == "chrF"
