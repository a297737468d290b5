"""decoder equals Transformers' GPT-2, Llama, Qwen2 and Mistral, weight for weight."""

import pytest
import torch
from torch import nn

from exams import exams
from exams.specs import inputs, mask, spec
from parity.compare import assert_same, assert_same_gradients, perturb
from parity.layouts import translation
from triarch.layers.norm import RMSNorm
from triarch.models import registry
from triarch.ship.layouts import gpt2, llama

LENGTHS = [17, 3, 11, 1, 7]
SIZE = {"dim": 32, "depth": 3, "num_heads": 4, "hidden_dim": 48}
GPT2 = {"position": "learned", "norm": "layer", "feed": "gelu", "bias": "all"}
LIKE = {"vocab_size": 23, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48}


def test_gpt2():
    from transformers import GPT2Config, GPT2Model

    config = GPT2Config(vocab_size=23, n_positions=17, n_embd=32, n_layer=3, n_head=4, n_inner=48)
    agree(GPT2, GPT2Model(config), gpt2.LAYOUT)


@pytest.mark.parametrize("num_kv_heads", [4, 2, 1])
def test_llama(num_kv_heads):
    from transformers import LlamaConfig, LlamaModel

    theirs = LlamaModel(LlamaConfig(**LIKE, num_key_value_heads=num_kv_heads))
    agree({"num_kv_heads": num_kv_heads}, theirs, llama.LAYOUT)


def test_qwen2():
    from transformers import Qwen2Config, Qwen2Model

    theirs = Qwen2Model(Qwen2Config(**LIKE, num_key_value_heads=2))
    agree({"num_kv_heads": 2, "bias": "qkv"}, theirs, llama.LAYOUT)


@pytest.mark.parametrize("window", [1, 5, 16, 17])
def test_mistral(window):
    from transformers import MistralConfig, MistralModel

    theirs = MistralModel(MistralConfig(**LIKE, num_key_value_heads=2, sliding_window=window))
    agree({"num_kv_heads": 2, "window": window}, theirs, llama.LAYOUT)


def agree(settings, theirs, layout):
    """Forward, also chunk by chunk, and backward, with padding."""
    torch.manual_seed(0)
    decoder, data = registry.find("decoder"), spec("text")
    config = decoder.configure("nano", {**SIZE, **settings})
    ours = decoder.backbone(config, data).eval()
    translate = translation(layout, ours, config, data)
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
