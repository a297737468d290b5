"""Packed rows against padded ones: the same features and gradients, whatever the lengths."""

import pytest
import torch

from exams.specs import inputs, mask, spec
from parity.compare import assert_same
from triarch.layers import pack as packing
from triarch.layers.pack import Pack, pack
from triarch.models import registry

LENGTHS = [5, 17, 1, 8, 5, 5, 17]


def test_the_row_and_back():
    real = mask([2, 0, 3, 2], 4)
    made = Pack.of(real)
    x = torch.arange(16.0).view(4, 4, 1)
    assert made.groups == ((2, 2), (1, 3))
    assert made.longest == 3
    assert made.flat(x)[0, :, 0].tolist() == [0, 1, 12, 13, 8, 9, 10]
    assert made.places[0].tolist() == [0, 1, 0, 1, 0, 1, 2]
    assert torch.equal(made.padded(made.flat(x), real), x * real[..., None])


def test_only_where_there_is_much_padding():
    assert pack(None, 1000) is None
    assert pack(mask([8, 8], 8), 1000) is None
    assert pack(mask([7, 8], 8), 100) is None
    assert pack(mask([100, 1], 100), 100) is not None


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("encoder", {}),
        ("encoder", {"pool": "class", "position": "rotary"}),
        ("encoder", {"position": "alibi", "kinds": 2, "embed_norm": True}),
        ("encoder", {"causal": True, "position": "sinusoidal"}),
        ("decoder", {}),
        ("decoder", {"position": "alibi", "window": 3}),
        ("decoder", {"position": "learned", "window": 4, "num_kv_heads": 1}),
    ],
    ids=str,
)
def test_packed_equals_padded(name, settings, monkeypatch):
    torch.manual_seed(0)
    architecture, data = registry.find(name), spec("text")
    backbone = architecture.backbone(architecture.configure("nano", {**settings, "dropout": 0.0}), data)
    x, real = inputs(data, len(LENGTHS)), mask(LENGTHS, 17)
    weights = list(backbone.parameters())
    found = []
    for spared in (0, 1e9):
        monkeypatch.setattr(packing, "SPARED", spared)
        features, _ = backbone(x, real)
        loss = features.values[real].sin().sum() + features.pooled.cos().sum()
        found.append((features.values[real], features.pooled, *torch.autograd.grad(loss, weights)))
    for packed, padded in zip(*found):
        assert_same(packed, padded)


def test_padding_is_not_computed(monkeypatch):
    """Of the padded steps nothing reaches a linear layer."""
    monkeypatch.setattr(packing, "SPARED", 0)
    architecture, data = registry.find("encoder"), spec("text")
    backbone = architecture.backbone(architecture.configure("nano", {}), data)
    seen = []
    backbone.blocks[0].feed.widen.register_forward_hook(lambda *parts: seen.append(parts[2].shape))
    backbone(inputs(data, len(LENGTHS)), mask(LENGTHS, 17))
    assert seen == [(1, sum(LENGTHS), 128)]
