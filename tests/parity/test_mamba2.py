"""mamba2 equals Transformers' Mamba2Model: outputs, states and gradients, padded and step by step."""

import pytest
import torch
from torch import nn
from transformers import Mamba2Config, Mamba2Model

from exams.specs import inputs, mask, spec
from triarch.models import registry

LENGTHS = [17, 3, 11, 1, 7]
CASES = {
    "one group": ({}, {"chunk_size": 4}),
    "two groups": ({"num_groups": 2}, {"chunk_size": 8}),
    "four groups of one head": ({"num_groups": 4, "state_dim": 3}, {"chunk_size": 256}),
    "two wide heads": ({"head_dim": 24, "state_dim": 40, "dim": 24, "depth": 3}, {"chunk_size": 5}),
    "limited dt": ({"dt_limits": (0.3, 0.9)}, {"chunk_size": 16}),
    "long convolution without bias": ({"kernel_size": 6, "dim": 32, "head_dim": 8}, {"use_conv_bias": False}),
}  # fmt: skip
MIXER = {
    "conv1d.weight": "conv.weight", "conv1d.bias": "conv.bias", "dt_bias": "dt.bias", "A_log": "log_a", "D": "d",
    "out_proj.weight": "leave.weight",
}  # fmt: skip


def pair(case):
    """Ours and theirs with the same weights, none of which is 0 or 1."""
    torch.manual_seed(0)
    settings, foreign = CASES[case]
    architecture = registry.find("mamba2")
    config = architecture.configure("nano", {"directions": 1, "dropout": 0.0, **settings})
    ours = architecture.backbone(config, spec("text"))
    theirs = Mamba2Model(
        Mamba2Config(
            num_heads=2 * config.dim // config.head_dim, head_dim=config.head_dim, vocab_size=spec("text").vocab_size,
            hidden_size=config.dim, state_size=config.state_dim, num_hidden_layers=config.depth, expand=2,
            conv_kernel=config.kernel_size, n_groups=config.num_groups, pad_token_id=0,
            time_step_limit=config.dt_limits or (0.0, float("inf")), **foreign,
        )
    ).eval()  # fmt: skip
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.5 if parameter.ndim == 1 else parameter[0].numel() ** -0.5)
    with torch.no_grad():
        for mine, yours in partners(ours, theirs).items():
            ours.get_parameter(mine).copy_(yours(lambda parameter: parameter))
        if not theirs.config.use_conv_bias:
            for block in ours.blocks.blocks:
                block.mixer.conv.bias.zero_()
    return ours, theirs


def partners(ours, theirs):
    """The name of each of our parameters → how to read it, or its gradient, off theirs."""

    def whole(parameter):
        return lambda read: read(parameter)

    def rows(parameter, start, end):
        return lambda read: read(parameter)[start:end]

    found = {"embed.project.weight": whole(theirs.embeddings.weight), "blocks.norm.weight": whole(theirs.norm_f.weight)}
    for number, layer in enumerate(theirs.layers):
        start = f"blocks.blocks.{number}"
        found[f"{start}.mixer_norm.weight"] = whole(layer.norm.weight)
        weights = dict(layer.mixer.named_parameters())
        found |= {f"{start}.mixer.{mine}": whole(weights[name]) for name, mine in MIXER.items() if name in weights}
        entering = weights["in_proj.weight"]
        gated, heads = layer.mixer.intermediate_size, layer.mixer.num_heads
        found[f"{start}.mixer.gate.weight"] = rows(entering, 0, gated)
        found[f"{start}.mixer.enter.weight"] = rows(entering, gated, -heads)
        found[f"{start}.mixer.dt.weight"] = rows(entering, -heads, None)
        size = layer.mixer.norm.group_size
        for group in range(layer.mixer.n_groups):
            scale = rows(layer.mixer.norm.weight, group * size, (group + 1) * size)
            found[f"{start}.mixer.norms.{group}.weight"] = scale
    rest = set(dict(ours.named_parameters())) - set(found)
    assert all(name.endswith("conv.bias") for name in rest)
    assert not rest or not theirs.config.use_conv_bias
    return found


def same(made, expected):
    assert made.shape == expected.shape
    assert (made - expected).abs().max() <= 1e-5 * max(1, expected.abs().max())


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("padded", [False, True])
def test_outputs_and_gradients(case, padded):
    ours, theirs = pair(case)
    x = inputs(spec("text"), len(LENGTHS))
    real = mask(LENGTHS if padded else [17] * 5, 17)
    made = ours(x, real if padded else None)[0].values[real]
    expected = theirs(x, attention_mask=real.long() if padded else None, use_cache=False).last_hidden_state[real]
    same(made, expected)
    weight = torch.randn_like(made)
    (made * weight).sum().backward()
    (expected * weight).sum().backward()
    for mine, yours in partners(ours, theirs).items():
        same(ours.get_parameter(mine).grad, yours(lambda parameter: parameter.grad))


@pytest.mark.parametrize("case", ["one group", "two groups", "long convolution without bias"])
def test_states(case):
    ours, theirs = pair(case)
    x = inputs(spec("text"), 3)
    with torch.no_grad():
        features, state = ours(x[:, :12], None, ours.start(3))
        expected = theirs(x[:, :12], use_cache=True)
        same(features.values, expected.last_hidden_state)
        for now in range(12, 17):
            features, state = ours(x[:, now : now + 1], None, state)
            expected = theirs(x[:, now : now + 1], cache_params=expected.cache_params, use_cache=True)
            same(features.values, expected.last_hidden_state)
            for layer, held in enumerate(state.memory[::2]):
                same(held, expected.cache_params.get_recurrent_state(layer, state_idx=0))


def test_every_parameter_tells():
    """Were one of them left out, the comparison above would fail."""
    ours, theirs = pair("two groups")
    x = inputs(spec("text"), 3)
    with torch.no_grad():
        expected = theirs(x, use_cache=False).last_hidden_state
        for name, parameter in ours.named_parameters():
            before = parameter.clone()
            parameter.mul_(1.01)
            with pytest.raises(AssertionError):
                same(ours(x)[0].values, expected)
            parameter.copy_(before)
            assert name
        same(ours(x)[0].values, expected)
