"""A longer context for a trained model: every kind of position, and the same in Transformers."""

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

import triarch
from triarch.core.errors import InputError
from triarch.layers.position import Rotary
from triarch.training.longer import lengthen, stretched
from triarch.training.recipe import make

TEXTS = [f"{'the ant and the bee saw a cat'[number % 7 :]} {number} " * 12 for number in range(70)]


def theirs(kind, head_dim, before, times):
    """Transformers' frequencies for a context of `before` steps that is `times` longer."""
    rope = {"rope_type": kind, "rope_theta": 10_000.0, "factor": times, "original_max_position_embeddings": before}
    if kind == "llama3":
        rope |= {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
    if kind == "dynamic":  # with a factor of 1 it raises the base as much as the text is longer
        rope |= {"factor": 1.0}
    config = LlamaConfig(
        hidden_size=2 * head_dim, num_attention_heads=2, head_dim=head_dim, max_position_embeddings=before,
        rope_parameters=rope,
    )  # fmt: skip
    return ROPE_INIT_FUNCTIONS[kind](config, "cpu", seq_len=int(before * times))[0]


@pytest.mark.parametrize("times", [2.0, 5.0])
@pytest.mark.parametrize(("how", "kind"), [("linear", "linear"), ("llama3", "llama3"), ("ntk", "dynamic")])
def test_the_formulas_are_those_of_transformers(how, kind, times):
    made = stretched(Rotary(), 32, 128, int(128 * times), how).frequency(32, torch.device("cpu"))
    assert torch.allclose(made, theirs(kind, 32, 128, times), rtol=1e-5)


def test_twice_is_once_with_both():
    once = stretched(Rotary(), 16, 64, 512, "llama3")
    assert stretched(stretched(Rotary(), 16, 64, 128, "llama3"), 16, 128, 512, "llama3") == once
    linear = stretched(stretched(Rotary(), 16, 64, 128, "linear"), 16, 128, 512, "linear")
    assert linear == Rotary(factor=8.0)
    ntk = stretched(stretched(Rotary(), 16, 64, 128, "ntk"), 16, 128, 512, "ntk")
    assert ntk.base == pytest.approx(stretched(Rotary(), 16, 64, 512, "ntk").base)
    assert stretched(Rotary(), 16, 64, 512, "none") == Rotary()


GPT2 = {"position": "learned", "norm": "layer", "feed": "gelu", "bias": "all"}
MODELS = {
    "rotary": ("decoder/nano", {}, "rotary positions, scaling llama3"),
    "windowed": ("decoder/nano", {"window": 8}, "rotary positions as they were"),
    "learned": ("decoder/nano", GPT2, "learned positions, of which those beyond 32 are new"),
    "waves": ("decoder/nano", {"position": "sinusoidal"}, "sinusoidal positions"),
    "alibi": ("decoder/nano", {"position": "alibi"}, "alibi positions"),
    "recurrent": ("gru/nano", {}, "no positions"),
    "hybrid": ("griffin/nano", {}, "no positions"),
}


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bases")
    for name, (model, settings, _) in MODELS.items():
        triarch.pretrain(
            TEXTS, model=model, steps=3, context=32, tokenizer="bytes", out=folder / name, threads=1,
            set={f"settings.{key}": value for key, value in settings.items()},
        )  # fmt: skip
    return folder


@pytest.mark.parametrize("name", MODELS)
def test_longer_and_opened_again(name, bases, tmp_path):
    done = triarch.finetune(bases / name, TEXTS, context=96, steps=2, out=tmp_path / "long", threads=1)
    assert done.notes[0] == f"context: 96 tokens, was 32; {MODELS[name][2]}"
    assert ("new: 64 rows of backbone.position.table" in done.notes) == (name == "learned")
    model = triarch.load(tmp_path / "long")
    assert model.config.spec.shape == model.preprocessor.settings.shape == (96,)
    assert triarch.verify(tmp_path / "long").ok
    assert torch.isfinite(model.logits(torch.randint(2, 200, (1, 96)))).all()
    again = triarch.train(TEXTS, recipe=tmp_path / "long" / "run" / "recipe.yaml", out=tmp_path / "again", threads=1)
    assert again.score == done.score
    assert again.notes == done.notes
    assert triarch.generate(tmp_path / "long", prompt="the ant " * 8, max_tokens=20, threads=1).texts[0].tokens


@pytest.mark.parametrize("how", ["llama3", "ntk", "linear", "none"])
def test_transformers_computes_the_same(how, bases, tmp_path):
    triarch.finetune(
        bases / "rotary", TEXTS, context=96, steps=2, out=tmp_path / "long", threads=1, set=[f"adapt.scaling={how}"]
    )
    triarch.export(tmp_path / "long", to="hf", out=tmp_path / "hf")
    model = triarch.load(tmp_path / "long")
    ids = torch.randint(2, 200, (2, 96), generator=torch.Generator().manual_seed(0))
    ours = model.logits(ids)
    with torch.no_grad():
        reopened = AutoModelForCausalLM.from_pretrained(tmp_path / "hf").eval()
        assert (reopened(ids).logits - ours).abs().max() <= 1e-5 * max(1.0, ours.abs().max())
    assert reopened.config.max_position_embeddings == 96
    assert (triarch.load(tmp_path / "hf").logits(ids) - ours).abs().max() <= 1e-5 * max(1.0, ours.abs().max())


def test_learned_places_of_gpt2_go_along(bases, tmp_path):
    triarch.finetune(bases / "learned", TEXTS, context=64, steps=1, out=tmp_path / "long", threads=1,
                     set=["optimiser.lr=1e-9"])  # fmt: skip
    before, after = (load_file(folder / "model.safetensors") for folder in (bases / "learned", tmp_path / "long"))
    name = "backbone.position.table"
    assert torch.allclose(after[name][:32], before[name], atol=1e-6)
    assert after[name].shape == (64, before[name].shape[1])
    triarch.export(tmp_path / "long", to="hf", out=tmp_path / "hf")
    ids = torch.randint(2, 200, (1, 64))
    with torch.no_grad():
        found = AutoModelForCausalLM.from_pretrained(tmp_path / "hf").eval()(ids).logits
    assert (found - triarch.load(tmp_path / "long").logits(ids)).abs().max() <= 1e-5


def test_shorter_is_no_scaling(bases, tmp_path):
    done = triarch.finetune(bases / "rotary", TEXTS, context=16, steps=1, out=tmp_path / "short", threads=1)
    assert done.notes[:2] == ["context: 16 tokens, was 32", "70 of 70 documents or stretches are kept"]
    assert "rotary" not in triarch.load(tmp_path / "short").config.settings


@pytest.mark.parametrize("way", ["head", "lora"])
def test_new_places_that_would_not_be_learned_are_refused(way, bases, tmp_path):
    with pytest.raises(InputError, match="learned positions"):
        triarch.finetune(bases / "learned", TEXTS, adapt=way, context=64, steps=1, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_a_user_scales_is_left_alone():
    recipe = make({"model": "decoder/nano", "context": 64, "settings": {"rotary": {"base": 5e5}}})
    assert lengthen(recipe, 32, {}) == (
        recipe,
        "context: 64 tokens, was 32; rotary positions as the settings have them",
    )
    scaled, said = lengthen(recipe, 32, {"rotary": {"base": 5e5}})
    assert scaled.settings["rotary"] == {"base": 5e5, "factor": 2.0, "trained": 32, "slow": 1.0, "fast": 4.0}
    assert lengthen(scaled, 32, {"rotary": {"base": 5e5}}) == (scaled, said)
