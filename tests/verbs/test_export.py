"""`triarch export`, and the other verbs on a folder of Transformers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import triarch
from ship.test_transformers_parity import ours
from triarch.core.errors import InputError
from triarch.core.spec import Logits
from triarch.data.tokens import encode
from triarch.ship.transformers import write


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with a corpus, an artifact that learned it, and the same as a folder of Transformers."""
    folder = tmp_path_factory.mktemp("made")
    random = np.random.default_rng(0)
    (folder / "texts").mkdir()
    for number in range(70):
        (folder / "texts" / f"{number}.txt").write_text(" ".join(random.choice(["ant", "bee", "cat"], 60)))
    triarch.pretrain(
        folder / "texts", model="decoder/nano", steps=20, context=32, tokenizer="bytes", out=folder / "ours"
    )
    told = triarch.export(folder / "ours", out=folder / "theirs")
    assert told.layout == "llama"
    assert set(told.files) == {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert told.bytes == sum(told.files.values())
    return folder


def test_the_score_is_the_same(made):
    (made / "other.txt").write_text("ant bee cat " * 30)
    ours, theirs = (triarch.evaluate(made / name, made / "other.txt") for name in ("ours", "theirs"))
    assert theirs.n == ours.n
    assert theirs.score == pytest.approx(ours.score, rel=1e-5)


@pytest.mark.slow
def test_describe(made):
    told = triarch.describe(str(made / "theirs"))
    weights = triarch.load(made / "ours").model.parameters()
    assert told.params == sum(parameter.numel() for parameter in weights)
    assert (told.family, told.data) == ("transformer", "theirs")
    assert told.state_bytes > 0


def test_what_it_cannot_do_is_refused(made):
    with pytest.raises(InputError, match="keeps no answers to verify"):
        triarch.verify(made / "theirs")
    with pytest.raises(InputError, match="does not know where its data is"):
        triarch.evaluate(made / "theirs")
    with pytest.raises(InputError, match="no layout 'onnyx'"):
        triarch.export(made / "ours", to="onnyx")
    with pytest.raises(InputError, match="not an empty folder"):
        triarch.export(made / "ours", out=made / "texts")


def test_folders_are_numbered_where_none_is_named(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [triarch.export(made / "theirs").folder for _ in range(2)] == ["exports/theirs-1", "exports/theirs-2"]
    assert np.array_equal(
        triarch.load("exports/theirs-2").logits([[2, 3, 4]]), triarch.load(made / "theirs").logits([[2, 3, 4]])
    )


def test_it_goes_on_with_a_text_and_learns_on(made, tmp_path):
    """Also where logits are read off a matrix of their own, which a new training must not take away."""
    theirs = write(ours("decoder", logits=Logits(tied=False)), tmp_path / "theirs")
    expected = triarch.load(theirs)
    told = triarch.generate(theirs, prompt="The same", max_tokens=5, temperature=0.0).texts[0]
    ids = expected.logits([encode(expected.preprocessor.tokenizer, ["The same"])[0].tolist()])
    assert told.token_ids[0] in ids[0, -1].topk(8).indices.tolist()
    slow = ["optimiser.lr=1e-9"]
    triarch.finetune(theirs, made / "texts", task="language-model", steps=1, set=slow, out=tmp_path / "tuned")
    tuned = triarch.load(tmp_path / "tuned")
    assert not tuned.config.spec.target.logits.tied
    same = [[2, 3, 4, 5]]
    assert np.allclose(tuned.logits(same), expected.logits(same), atol=1e-4)
    assert triarch.export(tmp_path / "tuned", out=tmp_path / "again").layout == "llama"
