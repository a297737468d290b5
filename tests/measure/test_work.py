"""What a call does, on real tensors and on none."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from triarch.core.spec import reference
from triarch.core.types import Batch
from triarch.measure.weightless import weightless
from triarch.measure.work import work
from triarch.model import build
from triarch.models import registry
from triarch.ship.calibration import work_of
from triarch.tasks.classify import Classify


class Attention(nn.Module):
    def forward(self, x):
        return F.scaled_dot_product_attention(x, x, x)


@pytest.mark.parametrize(
    ("make", "shape", "expected"),
    [
        (lambda: nn.Linear(8, 9), (5, 8), {"product calls": 1, "product macs": 5 * 8 * 9, "views": 1}),
        (lambda: nn.Linear(8, 9), (1, 8), {"product calls": 1, "vector macs": 8 * 9}),
        (lambda: nn.Conv1d(6, 7, 3), (1, 6, 22), {"own calls": 1, "own macs": 20 * 6 * 7 * 3}),
        (lambda: nn.Conv1d(6, 7, 3), (2, 6, 22), {"convolution calls": 1, "convolution macs": 2 * 20 * 6 * 7 * 3}),
        (lambda: nn.Conv1d(6, 7, 3, dilation=2), (1, 6, 22), {"dilated calls": 1, "dilated channels": 7}),
        (lambda: nn.Conv2d(6, 6, 5, groups=6), (1, 6, 9, 9), {"grouped calls": 1, "grouped macs": 25 * 6 * 25}),
        (
            lambda: nn.LSTM(4, 5, 2, bidirectional=True, batch_first=True), (1, 7, 4),
            {"lstm calls": 4, "lstm steps": 28, "recurrent macs": 4 * 7 * 20 * 5, "product macs": 2 * 7 * 20 * 14},
        ),
        (Attention, (1, 2, 9, 4), {"attention calls": 1, "attention macs": 2 * 2 * 9 * 9 * 4}),
        (nn.GELU, (3, 5), {"calls": 1, "gelu numbers": 15}),
        (lambda: nn.Flatten(), (3, 5, 2), {"views": 1}),
    ],
)  # fmt: skip
def test_amounts(make, shape, expected):
    module, x = make(), torch.randn(*shape)
    found = work(module, lambda: module(x))
    assert {kind: found.get(kind) for kind in expected} == expected
    with weightless(module.to("meta")) as twin:
        nothing = torch.empty(*shape)
        assert work(twin, lambda: twin(nothing)) == found


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn", "mingru", "mamba2", "decoder", "tcn", "resnet", "vit"])
def test_where_nothing_is_computed_the_amounts_are_the_same(name):
    modality = registry.find(name).modalities[0]
    spec = reference(modality)
    x = torch.randint(9, (1, *spec.shape)) if modality == "text" else torch.randn(1, *spec.shape)
    with torch.device("meta"):
        empty = build(name, "nano", Classify(), spec)
    network = build(name, "nano", Classify(), spec)
    assert work_of(empty, Batch(x)) == work(network, lambda: network(Batch(x)))


@pytest.mark.parametrize(
    ("make", "shape", "expected"),
    [
        (
            lambda: nn.Linear(8, 9), (5, 8),
            {"product calls": 2, "product macs": 2 * 5 * 8 * 9, "weights": 81, "weight tensors": 2, "far bytes": 0},
        ),
        (
            lambda: nn.Conv1d(6, 7, 3), (2, 6, 22),
            {"convolution macs": 2 * 20 * 6 * 7 * 3, "back convolution macs": 2 * 20 * 6 * 7 * 3},
        ),
        (lambda: nn.Sequential(nn.Linear(4, 4), nn.GELU()), (3, 4), {"gelu numbers": 12, "back gelu numbers": 12}),
        (lambda: nn.GRU(4, 5, batch_first=True), (1, 7, 4), {"gru steps": 7, "gru recurrent macs": 7 * 15 * 5}),
    ],
)  # fmt: skip
def test_amounts_of_a_step_of_training(make, shape, expected):
    with torch.device("meta"):
        empty = make()

    def loss(module, x):
        made = module(x)
        return (made[0] if isinstance(made, tuple) else made).sum()

    with weightless(empty) as twin:
        nothing = torch.empty(*shape)
        found = work(twin, lambda: loss(twin, nothing).backward(), training=True)
        assert all(parameter.grad is None for parameter in twin.parameters())
    assert {kind: found.get(kind, 0) for kind in expected} == expected


def test_a_convolution_of_single_taps_goes_its_own_way():
    module, x = nn.Conv1d(64, 64, 1), torch.randn(2, 64, 400)
    assert work(module, lambda: module(x))["own macs"] == 2 * 400 * 64 * 64
