"""Translation from the table to the answer, by the verbs."""

import json

import pytest

import triarch
from made.spelled import pairs
from triarch.core.errors import InputError
from triarch.measure.translation import corpus_chrf


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
    assert triarch.evaluate(out, threads=1, beams=1).metrics == scored.metrics
    (one, two) = triarch.predict(out, ["abc", "fedcba"], threads=1).predictions
    assert (one.input, two.input) == ("abc", "fedcba")
    assert set(one.text) <= set("ABCDEF ")
    assert triarch.load(out).translate("abc") == [one.text]
    assert triarch.verify(out).ok
    described = triarch.describe(str(out))
    assert described.state_bytes
    assert described.params == trained.params
    assert triarch.inspect(table, **given).task == "translate"


def test_one_generator_writes_by_predict_and_by_generate(place):
    table, out, small = place / "pairs.csv", place / "artifact", place / "draft"
    pairs(300).to_csv(table, index=False)
    given = {"task": "translate", "input": "word", "target": "letters", "threads": 1}
    triarch.train(table, model="encoder+decoder/nano", steps=60, out=out, **given)
    triarch.train(table, model="gru+gru/nano", steps=20, out=small, **given)
    words = ["abc", "fedcba", "aabbccdd"]
    (place / "words.txt").write_text("\n".join(words))

    def generated(**options):
        options = {"max_tokens": 12, "threads": 1, "prompts": place / "words.txt", **options}
        return [text.text for text in triarch.generate(out, **options).texts]

    def predicted(**options):
        return [one.text for one in triarch.predict(out, words, threads=1, **options).predictions]

    assert generated(temperature=0) == predicted(max_tokens=12) == predicted(max_tokens=12, beams=1)
    assert generated(beams=4, length_penalty=0.5) == predicted(max_tokens=12, beams=4, length_penalty=0.5)
    assert generated(temperature=0, draft=str(small)) == generated(temperature=0)
    assert all(len(text.split()) <= 3 for text in predicted(max_tokens=3, beams=3))
    assert generated(seed=1) == generated(seed=1) != generated(seed=2)
    with pytest.raises(InputError, match="nothing to translate"):
        triarch.generate(out, prompt="")
    with pytest.raises(InputError, match="--beams 0"):
        triarch.predict(out, words, beams=0)
    with pytest.raises(InputError, match="--length-penalty"):
        triarch.predict(out, words, length_penalty=2.0)


def test_beams_are_scored_as_they_are_written(place):
    table, out = place / "pairs.csv", place / "artifact"
    pairs(300).to_csv(table, index=False)
    given = {"input": "word", "target": "letters"}
    triarch.train(table, task="translate", model="gru+gru/nano", steps=60, threads=1, out=out, **given)
    words, letters = (pairs(300)[name].tolist() for name in given.values())
    greedy = triarch.evaluate(out, table, split="all", threads=1, **given)
    searched = triarch.evaluate(out, table, split="all", threads=1, beams=4, length_penalty=0.5, **given)
    written = [one.text for one in triarch.predict(out, words, threads=1, beams=4, length_penalty=0.5).predictions]
    assert searched.metrics["corpus chrF"] == pytest.approx(corpus_chrf(written, letters))
    assert searched.metrics["corpus chrF"] != greedy.metrics["corpus chrF"]
    assert searched.metrics["loss"] == pytest.approx(greedy.metrics["loss"])


def test_what_translates_nothing_has_no_beams(place):
    triarch.train("digits", model="plain/nano", steps=2, threads=1, out=place / "other")
    with pytest.raises(InputError, match="models that translate"):
        triarch.predict(place / "other", "x.npy", beams=2)
    with pytest.raises(InputError, match="models that translate"):
        triarch.evaluate(place / "other", beams=2)


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


def test_no_law_of_scale_so_far(place):
    table = place / "pairs.csv"
    pairs(120).to_csv(table, index=False)
    with pytest.raises(InputError, match="not fitted to translations"):
        triarch.scale(table, task="translate", input="word", target="letters", seconds=60, models="gru+gru/nano")


def test_a_translation_stays_one_when_it_is_tuned(place):
    table = place / "pairs.csv"
    pairs(120).to_csv(table, index=False)
    columns = {"input": "word", "target": "letters"}
    triarch.train(table, task="translate", model="gru+gru/nano", steps=2, threads=1, out=place / "base", **columns)
    tuned = triarch.finetune(place / "base", table, steps=2, threads=1, out=place / "tuned", **columns)
    assert tuned.metric.name == "chrF"
