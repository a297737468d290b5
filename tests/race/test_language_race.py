"""A race of language models."""

import numpy as np
import pytest

import triarch


@pytest.fixture(scope="module")
def texts():
    random = np.random.default_rng(0)
    return [" ".join(random.choice(["ant", "bee", "cat"], 60)) for _ in range(120)]


def test_families_are_raced_by_bits_per_byte(texts, tmp_path):
    (tmp_path / "texts.txt").write_text("\n".join(texts) * 4)
    choice = triarch.choose(
        tmp_path / "texts.txt", task="language-model", tokenizer="bytes", context=32, steps=45, out=tmp_path / "out",
        models="gru/nano,tcn/nano,decoder/nano,encoder/nano", threads=1,
    )  # fmt: skip
    assert choice.metric.name == "bits per byte"
    raced = {one.model: one for one in choice.candidates if one.score is not None}
    assert {"gru/nano", "tcn/nano"} < raced.keys()
    counted = {one.model: one.state_bytes for one in choice.candidates}
    assert min(counted["decoder/nano"], counted["encoder/nano"]) > counted["gru/nano"] > 0
    (baseline,) = choice.baselines
    assert baseline.name == "5-grams of bytes"
    assert baseline.score < 1
    assert choice.verdict.kind == "baseline"
    done = triarch.evaluate(choice.artifact)
    assert done.metric.name == "bits per byte"
    names = {}
    exec(choice.verdict.baseline.code, names)
    told = names["model"].predict(names["x"]).sum() / names["y"].sum()
    assert told == pytest.approx(choice.verdict.baseline.score, rel=0.02)


def test_what_looks_ahead_is_no_candidate(texts, tmp_path):
    with pytest.raises(triarch.InputError, match="looks ahead"):
        triarch.choose(texts, task="language-model", models="textcnn", steps=1, out=tmp_path / "out")


def test_hidden_tokens_are_raced_without_a_classical_method(texts, tmp_path):
    choice = triarch.choose(
        texts, task="masked-model", tokenizer="bytes", context=32, steps=45, out=tmp_path / "out",
        models="gru/nano,encoder/nano", threads=1,
    )  # fmt: skip
    assert choice.baselines == []
    assert choice.metric.name == "loss"
    assert choice.verdict.model in ("gru/nano", "encoder/nano")
    assert "None" not in choice.verdict.text
