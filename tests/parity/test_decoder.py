"""decoder equals Transformers' GPT-2, Llama, Qwen2 and Mistral, weight for weight."""

import pytest
import torch
from torch import nn

from exams import exams
from exams.specs import inputs, mask, spec
from parity.compare import assert_same, assert_same_gradients, perturb
from triarch.layers.norm import RMSNorm
from triarch.models import registry

LENGTHS = [17, 3, 11, 1, 7]
SIZE = {"dim": 32, "depth": 3, "num_heads": 4, "hidden_dim": 48}
GPT2 = {"position": "learned", "norm": "layer", "feed": "gelu", "bias": "all"}
LIKE = {"vocab_size": 23, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48}


def test_gpt2():
    from transformers import GPT2Config, GPT2Model

    config = GPT2Config(vocab_size=23, n_positions=17, n_embd=32, n_layer=3, n_head=4, n_inner=48)
    agree(GPT2, GPT2Model(config), from_gpt2)


@pytest.mark.parametrize("num_kv_heads", [4, 2, 1])
def test_llama(num_kv_heads):
    from transformers import LlamaConfig, LlamaModel

    theirs = LlamaModel(LlamaConfig(**LIKE, num_key_value_heads=num_kv_heads))
    agree({"num_kv_heads": num_kv_heads}, theirs, from_llama)


def test_qwen2():
    from transformers import Qwen2Config, Qwen2Model

    theirs = Qwen2Model(Qwen2Config(**LIKE, num_key_value_heads=2))
    agree({"num_kv_heads": 2, "bias": "qkv"}, theirs, from_llama)


@pytest.mark.parametrize("window", [1, 5, 16, 17])
def test_mistral(window):
    from transformers import MistralConfig, MistralModel

    theirs = MistralModel(MistralConfig(**LIKE, num_key_value_heads=2, sliding_window=window))
    agree({"num_kv_heads": 2, "window": window}, theirs, from_llama)


def agree(settings, theirs, translate):
    """Forward, also chunk by chunk, and backward, with padding."""
    torch.manual_seed(0)
    decoder, data = registry.find("decoder"), spec("text")
    ours = decoder.backbone(decoder.configure("nano", {**SIZE, **settings}), data).eval()
    perturb(theirs.eval())
    ours.load_state_dict(translate(dict(theirs.named_parameters())))
    x, real = inputs(data, len(LENGTHS)), mask(LENGTHS, 17)
    made = ours(x, real)[0].values[real]
    expected = theirs(x, attention_mask=real.long()).last_hidden_state[real]
    assert_same(made, expected)
    state, steps = ours.start(len(x)), []
    for start in range(0, 17, 3):
        features, state = ours(x[:, start : start + 3], real[:, start : start + 3], state)
        steps.append(features.values)
    assert_same(torch.cat(steps, dim=1)[real], expected)
    made.sin().sum().backward()
    expected.sin().sum().backward()
    assert_same_gradients(ours, theirs, translate)


def from_gpt2(theirs):
    """GPT-2's projections are stored transposed."""
    ours = {"embed.project.weight": theirs["wte.weight"], "position.table": theirs["wpe.weight"]}
    names = {
        "attention_norm": "ln_1", "attention.qkv": "attn.c_attn", "attention.out": "attn.c_proj",
        "feed_norm": "ln_2", "feed.widen": "mlp.c_fc", "feed.narrow": "mlp.c_proj",
    }  # fmt: skip
    for layer in range(3):
        for name, foreign in names.items():
            weight = theirs[f"h.{layer}.{foreign}.weight"]
            ours[f"blocks.{layer}.{name}.weight"] = weight.T if weight.ndim == 2 else weight
            ours[f"blocks.{layer}.{name}.bias"] = theirs[f"h.{layer}.{foreign}.bias"]
    return ours | {"norm.weight": theirs["ln_f.weight"], "norm.bias": theirs["ln_f.bias"]}


def from_llama(theirs):
    """Also Qwen2's and Mistral's: what is apart there lies in one matrix here."""
    ours = {"embed.project.weight": theirs["embed_tokens.weight"], "norm.weight": theirs["norm.weight"]}
    names = {
        "attention_norm.weight": ["input_layernorm.weight"],
        "attention.qkv.weight": [f"self_attn.{part}_proj.weight" for part in "qkv"],
        "attention.out.weight": ["self_attn.o_proj.weight"],
        "feed_norm.weight": ["post_attention_layernorm.weight"],
        "feed.widen.weight": ["mlp.gate_proj.weight", "mlp.up_proj.weight"],
        "feed.narrow.weight": ["mlp.down_proj.weight"],
    }
    if "layers.0.self_attn.q_proj.bias" in theirs:
        names["attention.qkv.bias"] = [f"self_attn.{part}_proj.bias" for part in "qkv"]
    for layer in range(3):
        for name, parts in names.items():
            ours[f"blocks.{layer}.{name}"] = torch.cat([theirs[f"layers.{layer}.{part}"] for part in parts])
    return ours


@pytest.mark.parametrize(
    "settings", [GPT2, {"window": 4}, {"window": 1}, {"position": "alibi", "window": 6}, {"num_kv_heads": 1}], ids=str
)
def test_every_kind_passes_the_exams(settings):
    decoder = registry.find("decoder")
    exams.padding(decoder, "text", settings)
    exams.chunking(decoder, "series", settings)
    if settings.get("window") != 1:
        exams.causality(decoder, "series", settings)


def test_a_window_bounds_the_cache_and_the_reach():
    torch.manual_seed(0)
    decoder, data = registry.find("decoder"), spec("series")
    backbone = decoder.backbone(decoder.configure("nano", {"window": 4, "depth": 2}), data).eval()
    x = inputs(data, 2).requires_grad_()
    state = backbone.start(2)
    for step in range(19):
        _, state = backbone(x[:, step : step + 1], None, state)
        assert state.held == min(step + 1, 4) <= state.keys[0].shape[2] <= 4
    backbone(x)[0].values[0, -1].sum().backward()
    seen = x.grad[0].abs().sum(dim=1).nonzero()[:, 0]
    assert 19 - seen.min().item() == 1 + 2 * 3


def test_rms_norm_equals_torch():
    torch.manual_seed(0)
    ours, theirs = RMSNorm(48, eps=1e-6), nn.RMSNorm(48, eps=1e-6)
    perturb(theirs)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(3, 5, 48)
    mine, yours = x.clone().requires_grad_(), x.clone().requires_grad_()
    made, expected = ours(mine), theirs(yours)
    assert_same(made, expected)
    made.sin().sum().backward()
    expected.sin().sum().backward()
    assert_same(mine.grad, yours.grad)
    assert_same(ours.weight.grad, theirs.weight.grad)
