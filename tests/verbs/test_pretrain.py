"""`triarch pretrain`, and what can be done with its artifact."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import triarch
from triarch.core.errors import InputError


@pytest.fixture(scope="module")
def texts(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    random = np.random.default_rng(0)
    for number in range(70):
        folder.joinpath(f"{number}.txt").write_text(" ".join(random.choice(["ant", "bee", "cat"], 60)))
    return folder


@pytest.mark.parametrize(
    ("objective", "model"), [("causal", "mingru/nano"), ("causal", "encoder/nano"), ("masked", "encoder/nano")]
)
def test_pretrain_evaluate_verify(texts: Path, tmp_path: Path, objective: str, model: str) -> None:
    out = tmp_path / "out"
    made = triarch.pretrain(texts, objective=objective, model=model, steps=30, context=32, tokenizer="bytes", out=out)
    assert made.metric.name == ("bits per byte" if objective == "causal" else "loss")
    assert triarch.load(out).config.settings == ({} if objective == "causal" else {"position": "rotary"})
    assert triarch.verify(out).ok
    own = triarch.evaluate(out)
    assert own.split == "confirm"
    again = triarch.evaluate(out, texts, split="confirm")
    assert again.score == own.score
    (tmp_path / "other.txt").write_text("ant bee cat " * 30)
    other = triarch.evaluate(out, tmp_path / "other.txt")
    assert other.n == -(-361 // 32)
    assert other.notes
    given = triarch.evaluate(out, ["ant", "ant", ""])
    assert given.n == 2
    assert "2 of 2 documents or stretches are kept" in given.notes
    loaded = triarch.load(out)
    assert loaded.logits([[2, 3, 4]]).shape == (1, 3, loaded.config.spec.vocab_size)
    assert torch.isfinite(loaded.logits([[2, 3, 4]])).all()
    size = loaded.config.spec.vocab_size
    for ids in ([2, 3], [[]], [[2], [2, 3]], [[2, size]], [[-1]], [[2.5]], [["ant"]]):
        with pytest.raises(InputError, match="token ids"):
            loaded.logits(ids)
    with pytest.raises(InputError, match=loaded.config.task):
        loaded.forecast([np.zeros((3, 1))])
    told = triarch.describe(str(out), batch_size=2)
    assert 0 < told.macs < told.training_macs
    assert told.training_memory_bytes > told.peak_memory_bytes > 0


def test_a_text_that_was_learned_takes_fewer_bits(texts: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = triarch.pretrain(texts, model="gru/nano", steps=150, context=64, tokenizer="bytes", out=out)
    assert made.score < 1.5
    (tmp_path / "noise.txt").write_text("qzj xkv wpy " * 30)
    assert triarch.evaluate(out, tmp_path / "noise.txt").score > 3 * made.score


def test_the_same_seed_gives_the_same_score(texts: Path, tmp_path: Path) -> None:
    scores = [
        triarch.pretrain(
            texts, objective="masked", model="lstm/nano", steps=5, context=32, tokenizer="bytes", threads=1,
            workers=workers, out=tmp_path / f"out{workers}",
        ).score
        for workers in (0, 1)
    ]  # fmt: skip
    assert scores[0] == scores[1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"objective": "sideways"}, "objective"),
        ({"model": "textcnn/nano"}, "looks ahead"),
        ({"context": 1}, "context"),
        ({"tokenizer": "words"}, "tokenizer"),
        ({"data": "missing.txt"}, "no corpus"),
    ],
)
def test_bad_options(texts: Path, tmp_path: Path, options: dict[str, object], said: str) -> None:
    given = {"data": texts, "steps": 1, "tokenizer": "bytes", "out": tmp_path / "out", **options}
    with pytest.raises(InputError, match=said):
        triarch.pretrain(given.pop("data"), **given)
    assert not (tmp_path / "out").exists()


def test_bad_texts(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("größer".encode("latin-1") * 100)
    with pytest.raises(InputError, match="not UTF-8"):
        triarch.pretrain(tmp_path / "latin.txt", steps=1)
    (tmp_path / "short.txt").write_text("too short")
    with pytest.raises(InputError, match="3 at least"):
        triarch.pretrain(tmp_path / "short.txt", steps=1)


def test_whole_words(texts: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    given = {"objective": "masked", "model": "encoder/nano", "steps": 2, "context": 32}
    triarch.pretrain(texts, **given, set=["whole_words=true"], out=out)
    words = triarch.load(out).config.spec.target.words
    assert len(words) == triarch.load(out).config.spec.vocab_size
    assert set(words) > {"0", "3"}
    assert triarch.load(out).task.joins is not None
    assert triarch.evaluate(out).score > 0
    for changed, said in (({"tokenizer": "bytes"}, "no words"), ({"objective": "causal"}, "whole_words")):
        with pytest.raises(InputError, match=said):
            triarch.pretrain(texts, **{**given, "model": "decoder/nano", **changed}, set={"whole_words": True})


SERIES = "#remark\n@problemName Gestures\n@data\n" + "0.1,0.2,0.3:wave\n" * 40


def test_what_cleaning_took_out_is_told(texts: Path, tmp_path: Path) -> None:
    read = [path.read_text() for path in sorted(texts.iterdir())]
    made = triarch.pretrain(
        [*read, read[0], "short"], model="mingru/nano", steps=1, tokenizer="bytes", out=tmp_path / "x"
    )
    assert "70 of 72 documents or stretches are kept" in made.notes
    assert any("1 shorter than 16 bytes" in note and "1 exact copies" in note for note in made.notes)


def test_what_is_no_text_is_told(tmp_path: Path) -> None:
    gestures, mixed = tmp_path / "gestures", tmp_path / "mixed"
    for folder in (gestures, mixed):
        folder.mkdir()
        (folder / "Gestures_TRAIN.ts").write_text(SERIES)
    for place in (gestures, gestures / "Gestures_TRAIN.ts"):
        with pytest.raises(InputError, match=r"holds time series, not text[\s\S]*triarch choose"):
            triarch.pretrain(place, steps=1)
    (tmp_path / "mails.csv").write_text("text\n" + "a mail that says something\n" * 9)
    with pytest.raises(InputError, match="is a table, not text"):
        triarch.pretrain(tmp_path / "mails.csv", steps=1)
    (mixed / "code.ts").write_text("@Component({})\n" + "".join(f"let x{n} = {n * n} + y;\n" for n in range(999)))
    noted = triarch.inspect(mixed, task="language-model").notes
    assert "1 files are left out, they are no text: Gestures_TRAIN.ts" in noted


@pytest.mark.parametrize(
    ("more", "said"),
    [([1], "document 70 is no text: int"), ([None], "NoneType")],
)
def test_bad_lists_of_texts(more: list[object], said: str) -> None:
    texts = [f"text {number} " * 9 for number in range(70)]
    with pytest.raises(InputError, match=said):
        triarch.pretrain([*texts, *more], steps=1)


def test_texts_that_are_alike_are_told_as_such() -> None:
    with pytest.raises(InputError, match=r"1 document.* 79 exact copies"):
        triarch.pretrain(["the same text " * 20] * 80, steps=1)
    with pytest.raises(InputError, match="bytes is no corpus"):
        triarch.pretrain(b"bytes " * 900, steps=1)


def test_a_mark_that_is_written_in_a_text_is_text(texts: Path, tmp_path: Path) -> None:
    triarch.pretrain(texts, steps=1, context=32, tokenizer="bytes", out=tmp_path / "out")
    preprocessor = triarch.load(tmp_path / "out").preprocessor
    ids = preprocessor.encode(["a[END]b"])[0]
    assert len(ids) == 1 + len("a[END]b")
    assert preprocessor.tokenizer.decode(ids[1:].tolist()) == "a[END]b"


def test_the_built_in_corpus(tmp_path: Path) -> None:
    made = triarch.pretrain("web", model="mingru/nano", steps=2, context=64, tokenizer="bytes", out=tmp_path / "out")
    assert made.metric.name == "bits per byte"
