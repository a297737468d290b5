"""Attention to a context against torch's, and formulas written out; a pair of Transformers against torch's."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from exams.specs import mask
from parity.compare import assert_same, perturb
from triarch.core.spec import Spec, Target
from triarch.core.types import Batch, Features
from triarch.layers.cross import CrossAttention, RecurrentAttention
from triarch.model import build
from triarch.tasks.translate import Translate

SPEC = Spec("pairs", "text", (9,), Target("text", vocab_size=19, max_len=7, end=2), ragged=True, vocab_size=23)
LENGTHS = [9, 1, 5, 7]
REAL = mask(LENGTHS, 9)


def context(dim):
    torch.manual_seed(0)
    return Features(torch.randn(4, 9, dim), REAL, "sequence", torch.randn(4, dim))


def test_many_heads():
    seen = context(12)
    ours, theirs = CrossAttention(16, 12, num_heads=4), nn.MultiheadAttention(16, 4, kdim=12, vdim=12, batch_first=True)
    perturb(ours)
    perturb(theirs)
    key, value = ours.read_key_value.weight.data.chunk(2)
    theirs.q_proj_weight.data, theirs.k_proj_weight.data, theirs.v_proj_weight.data = ours.query.weight.data, key, value
    theirs.in_proj_bias.data = torch.cat((ours.query.bias.data, ours.read_key_value.bias.data))
    theirs.out_proj.load_state_dict(ours.out.state_dict())
    x = torch.randn(4, 6, 16, requires_grad=True)
    made = ours(x, ours.read(seen))
    expected, _ = theirs(x, seen.values, seen.values, key_padding_mask=~REAL)
    assert_same(made, expected)
    assert_same(*(torch.autograd.grad(one.square().sum(), x)[0] for one in (made, expected)))


@pytest.mark.parametrize("score", ["additive", "dot"])
def test_attention_of_recurrences(score):
    """Step by step, key by key."""
    seen = context(12)
    layer = RecurrentAttention(16, 12, score)
    x = torch.randn(4, 6, 16)
    made = layer(x, layer.read(seen))
    for row, length in enumerate(LENGTHS):
        for step in range(6):
            h, scores = x[row, step], []
            for place in range(length):
                s = seen.values[row, place]
                if score == "additive":
                    joint = layer.query.weight @ h + layer.key.weight @ s + layer.key.bias
                    scores.append(layer.score.weight[0] @ torch.tanh(joint))
                else:
                    scores.append(h @ layer.key.weight @ s)
            share = torch.stack(scores).softmax(dim=0)
            c = sum(part * seen.values[row, place] for place, part in enumerate(share))
            assert_same(made[row, step], torch.tanh(layer.join.weight @ torch.cat((c, h)) + layer.join.bias))


def test_pair_of_transformers():
    """An encoder and a decoder, norms first, as `nn.Transformer` has them; the head is the decoder's embedding."""
    settings = {
        "source": {"position": "sinusoidal"},
        "target": {"position": "sinusoidal", "norm": "layer", "feed": "gelu", "bias": "all", "hidden_dim": 96},
    }
    torch.manual_seed(0)
    ours = build("encoder+decoder", "nano", Translate(SPEC), SPEC, settings).eval()
    perturb(ours)
    reads = nn.TransformerEncoderLayer(32, 2, 128, activation=F.gelu, batch_first=True, norm_first=True)
    writes = nn.TransformerDecoderLayer(
        32, 2, 96, activation=lambda x: F.gelu(x, approximate="tanh"), batch_first=True, norm_first=True
    )
    theirs = nn.Transformer(
        32, 2, custom_encoder=nn.TransformerEncoder(reads, 2, nn.LayerNorm(32), enable_nested_tensor=False),
        custom_decoder=nn.TransformerDecoder(writes, 2, nn.LayerNorm(32)), batch_first=True,
    ).eval()  # fmt: skip
    for own, other in zip(ours.source.blocks, theirs.encoder.layers):
        _same_block(own, other)
        other.norm2.load_state_dict(own.feed_norm.state_dict())
    for own, other in zip(ours.backbone.blocks, theirs.decoder.layers):
        _same_block(own, other)
        other.norm2.load_state_dict(own.cross_norm.state_dict())
        other.norm3.load_state_dict(own.feed_norm.state_dict())
        other.multihead_attn.in_proj_weight.data = torch.cat((own.cross.query.weight, own.cross.read_key_value.weight))
        other.multihead_attn.in_proj_bias.data = torch.cat((own.cross.query.bias, own.cross.read_key_value.bias))
        other.multihead_attn.out_proj.load_state_dict(own.cross.out.state_dict())
    theirs.encoder.norm.load_state_dict(ours.source.norm.state_dict())
    theirs.decoder.norm.load_state_dict(ours.backbone.norm.state_dict())
    ids, given = torch.randint(23, (4, 9)), torch.randint(19, (4, 7))
    made = ours(replace(Batch(ids, REAL), given=given))
    places = {name: torch.arange(steps) for name, steps in (("source", 9), ("backbone", 7))}
    source, target = (
        part.position(part.embed.project(x), places[name], None)
        for name, part, x in (("source", ours.source, ids), ("backbone", ours.backbone, given))
    )
    causal = nn.Transformer.generate_square_subsequent_mask(7)
    features = theirs(
        source, target, tgt_mask=causal, src_key_padding_mask=~REAL, memory_key_padding_mask=~REAL, tgt_is_causal=True
    )
    assert_same(made, features @ ours.backbone.embed.project.weight.T)


def _same_block(own, other):
    other.norm1.load_state_dict(own.attention_norm.state_dict())
    other.self_attn.in_proj_weight.data = own.attention.qkv.weight.data
    other.self_attn.in_proj_bias.data = own.attention.qkv.bias.data
    other.self_attn.out_proj.load_state_dict(own.attention.out.state_dict())
    other.linear1.load_state_dict(own.feed.widen.state_dict())
    other.linear2.load_state_dict(own.feed.narrow.state_dict())
