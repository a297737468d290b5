"""encoder equals torch.nn.TransformerEncoderLayer, its rotary positions Llama's, its ALiBi BLOOM's."""

import pytest
import torch
from torch import nn

from exams.specs import inputs, mask, spec
from triarch.layers.position import alibi_slopes, rotary, rotate, sinusoidal
from triarch.models import registry

LENGTHS = [17, 3, 11, 1, 7]
NAMES = {
    "self_attn.in_proj_weight": "attention.qkv.weight", "self_attn.in_proj_bias": "attention.qkv.bias",
    "self_attn.out_proj.weight": "attention.out.weight", "self_attn.out_proj.bias": "attention.out.bias",
    "linear1.weight": "feed.widen.weight", "linear1.bias": "feed.widen.bias",
    "linear2.weight": "feed.narrow.weight", "linear2.bias": "feed.narrow.bias",
    "norm1.weight": "attention_norm.weight", "norm1.bias": "attention_norm.bias",
    "norm2.weight": "feed_norm.weight", "norm2.bias": "feed_norm.bias",
}  # fmt: skip


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("causal", [True, False])
def test_blocks_equal_torch(norm_first, causal):
    torch.manual_seed(0)
    architecture = registry.find("encoder")
    config = architecture.configure("nano", {"norm_first": norm_first, "causal": causal, "depth": 3})
    ours = architecture.backbone(config, spec("text")).eval()
    for parameter in ours.parameters():  # biases and norms too, so that none is left out by being zero
        nn.init.normal_(parameter, std=0.1)
    theirs = [
        nn.TransformerEncoderLayer(
            config.dim, config.num_heads, config.hidden_dim, 0.0, "gelu", batch_first=True, norm_first=norm_first
        )
        for _ in ours.blocks
    ]
    for layer, block in zip(theirs, ours.blocks):
        weights = block.state_dict()
        layer.load_state_dict({theirs_name: weights[name] for theirs_name, name in NAMES.items()})
    x = torch.randn(5, 17, config.dim)
    mine, yours = x.clone().requires_grad_(), x.clone().requires_grad_()
    real = mask(LENGTHS, 17)
    made = mine
    view = ours.sight(real, torch.arange(17))
    for block in ours.blocks:
        made, _ = block(made, view)
    expected = yours
    forbidden = torch.ones(17, 17, dtype=torch.bool).triu(1) if causal else None
    for layer in theirs:
        expected = layer(expected, src_mask=forbidden, src_key_padding_mask=~real)
    assert torch.allclose(made[real], expected[real], atol=1e-5)
    made[real].sin().sum().backward()
    expected[real].sin().sum().backward()
    assert torch.allclose(mine.grad, yours.grad, atol=1e-5)
    for layer, block in zip(theirs, ours.blocks):
        gradients = {name: parameter.grad for name, parameter in block.named_parameters()}
        for name, parameter in layer.named_parameters():
            assert torch.allclose(gradients[NAMES[name]], parameter.grad, atol=1e-5)


def test_rotary_equals_llama():
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, apply_rotary_pos_emb

    q, k = torch.randn(2, 3, 17, 8), torch.randn(2, 3, 17, 8)
    places = torch.arange(17)[None].expand(2, -1)
    config = LlamaConfig(hidden_size=24, num_attention_heads=3, head_dim=8)
    cos, sin = LlamaRotaryEmbedding(config)(q, places)
    expected = apply_rotary_pos_emb(q, k, cos, sin)
    for angles in (rotary(places, 8), rotary(places[0], 8)):
        for x, turned in zip((q, k), expected):
            assert torch.allclose(rotate(x.transpose(1, 2), *angles).transpose(1, 2), turned, atol=1e-5)


def test_alibi_equals_bloom():
    from transformers.models.bloom.modeling_bloom import build_alibi_tensor

    built = build_alibi_tensor(torch.ones(1, 17), 8, torch.float32).reshape(8, 17)
    assert torch.allclose(alibi_slopes(8, torch.device("cpu"))[:, None] * torch.arange(17), built, atol=1e-5)


@pytest.mark.parametrize("causal", [True, False])
def test_alibi_in_attention(causal):
    torch.manual_seed(0)
    architecture = registry.find("encoder")
    settings = {"position": "alibi", "causal": causal, "depth": 1}
    backbone = architecture.backbone(architecture.configure("nano", settings), spec("text"))
    attention = backbone.blocks[0].attention
    x = torch.randn(2, 17, 32)
    real = mask([17, 9], 17)
    made, _ = attention(x, backbone.sight(real, torch.arange(17)))
    q, k, v = (part.unflatten(-1, (2, 16)).transpose(1, 2) for part in attention.qkv(x).chunk(3, dim=-1))
    distance = torch.arange(17)[:, None] - torch.arange(17)
    scores = q @ k.transpose(-1, -2) / 4 - torch.tensor([2**-4, 2**-8])[:, None, None] * distance.abs()
    scores = scores.masked_fill(~real[:, None, None], float("-inf"))
    if causal:
        scores = scores.masked_fill(distance < 0, float("-inf"))
    expected = attention.out((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))
    assert torch.allclose(made[real], expected[real], atol=1e-5)


def test_sinusoidal_is_the_papers():
    waves = sinusoidal(torch.arange(5), 6)
    for place in range(5):
        for pair in range(3):
            angle = torch.tensor(place / 10_000 ** (2 * pair / 6))
            assert waves[place, 2 * pair].item() == pytest.approx(angle.sin().item(), abs=1e-6)
            assert waves[place, 2 * pair + 1].item() == pytest.approx(angle.cos().item(), abs=1e-6)


@pytest.mark.parametrize("position", ["sinusoidal", "learned", "rotary", "alibi"])
@pytest.mark.parametrize("pool", ["mean", "class"])
def test_every_position_passes_the_exams(position, pool):
    from exams import exams

    encoder = registry.find("encoder")
    exams.padding(encoder, "text", {"position": position, "pool": pool})
    if pool == "mean":
        exams.causality(encoder, "series", {"position": position})
        exams.chunking(encoder, "series", {"position": position})


def test_positions_matter():
    encoder = registry.find("encoder")
    data = spec("text")
    x = inputs(data, 2)
    for position in ("sinusoidal", "learned", "rotary", "alibi"):
        torch.manual_seed(0)
        backbone = encoder.backbone(encoder.configure("nano", {"position": position}), data).eval()
        straight, shuffled = backbone(x)[0].pooled, backbone(x[:, torch.randperm(17)])[0].pooled
        assert not torch.allclose(straight, shuffled, atol=1e-4)
