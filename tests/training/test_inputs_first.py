"""Learning the inputs before their labels."""

import numpy as np
import pytest
import torch

import triarch
from triarch.data.dataset import prepare
from triarch.data.open import open_source
from triarch.data.stream import Stream
from triarch.race.arms import Arms, inputs_first
from triarch.tasks.language_model import LanguageModel
from triarch.tasks.masked_model import MaskedModel
from triarch.training.inputs_first import _Inputs, _model, learn_inputs, unable
from triarch.training.recipe import make
from triarch.training.start import resolve


@pytest.fixture(scope="module")
def texts():
    random = np.random.default_rng(0)
    words = [" ".join(random.choice(["ant", "bee", "cat"], random.integers(2, 9))) for _ in range(300)]
    return prepare(open_source((words, np.arange(300) % 2)))


def recipe(texts, model="gru/nano", **entries):
    return resolve(make({"model": model, **entries}), texts)


def losses(texts, model, steps):
    found = []
    learn_inputs(recipe(texts, model), texts, steps, after_step=lambda trainer: found.append(trainer.loss))
    return found


@pytest.mark.parametrize("model", ["encoder/nano", "decoder/nano"])
def test_it_learns(texts, model):
    found = losses(texts, model, 60)
    assert np.mean(found[-10:]) < 0.7 * found[0]


def test_the_same_seed_gives_the_same_weights_whatever_ends_it(texts):
    one = learn_inputs(recipe(texts), texts, 5)
    other = learn_inputs(recipe(texts, seconds=9.0), texts, 10**6, after_step=lambda trainer: trainer.step == 5)
    third = learn_inputs(recipe(texts, seed=1), texts, 5)
    assert one.steps == other.steps == 5
    assert all(torch.equal(value, other.weights[name]) for name, value in one.weights.items())
    assert not all(torch.equal(value, third.weights[name]) for name, value in one.weights.items())


def test_what_looks_ahead_learns_hidden_tokens(texts):
    kinds = {model: type(_model(model, {}, texts)[1]) for model in ("encoder/nano", "gru/nano", "decoder/nano")}
    assert kinds == {"encoder/nano": MaskedModel, "gru/nano": MaskedModel, "decoder/nano": LanguageModel}


def test_hidden_tokens_are_learned_with_settings_that_suit_them(texts):
    own = {"position": "learned"}
    assert recipe(texts, "encoder/nano").settings == {}
    assert recipe(texts, "encoder/nano", inputs_first=2).settings == {"position": "rotary"}
    assert recipe(texts, "encoder/nano", inputs_first=2, settings=own).settings == own
    assert recipe(texts, "decoder/nano", inputs_first=2).settings == {}
    arms = Arms(texts)
    made = [arms[name].recipe(recipe(texts)).settings for name in ("encoder/nano", inputs_first("encoder/nano"))]
    assert made == [{}, {"position": "rotary"}]
    resumed = recipe(texts, "encoder/nano").model_copy(update={"inputs_first": 2})
    assert resolve(resumed, texts).settings == {}


def test_what_cannot_be_is_told_before_inputs_are_learned(monkeypatch, tmp_path):
    monkeypatch.setattr("triarch.training.inputs_first.learn_inputs", lambda *_, **__: pytest.fail("it learned"))
    random = np.random.default_rng(0)
    data = [" ".join(random.choice(["ant", "bee", "cat"], 5)) for _ in range(300)], np.arange(300) % 2
    entries = {"inputs_first": 2, "adapt.method": "lora", "optimiser.name": "muon"}
    with pytest.raises(triarch.InputError, match="muon moves matrices"):
        triarch.train(data, model="encoder/nano", steps=2, threads=1, set=entries, out=tmp_path / "a")


def test_no_token_is_lost_or_seen_that_is_sought(texts):
    stream = Stream(texts, 16, 0)
    plain, made = stream[0], next(_Inputs(stream).start(0))
    task = _model("decoder/nano", {}, texts)[1]
    asked = task.prepare(made)
    real = slice(None) if plain.mask is None else plain.mask
    assert torch.equal(asked.target[real], plain.input[real])
    assert torch.equal(asked.input[:, 1:], plain.input[:, :-1])


def test_a_training_that_adapts_what_was_learned_goes_on(tmp_path):
    random = np.random.default_rng(0)
    data = [" ".join(random.choice(["ant", "bee", "cat"], 5)) for _ in range(300)], np.arange(300) % 2
    entries = {"inputs_first": 2, "adapt.method": "lora"}
    triarch.train(data, model="encoder/nano", steps=2, threads=1, set=entries, out=tmp_path / "a")
    weights = (tmp_path / "a" / "model.safetensors").read_bytes()
    triarch.train(data, resume=tmp_path / "a")  # from its last checkpoint
    assert (tmp_path / "a" / "model.safetensors").read_bytes() == weights


def test_unable(texts):
    assert unable("gru/nano", texts) == ""
    assert "stride" in unable("convnext/nano", texts) or "feature" in unable("convnext/nano", texts)
    assert "texts with labels" in unable("gru/nano", prepare(open_source("digits")))
