"""Counts against hand formulas."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from triarch.measure.count import macs, params, weight_bytes
from triarch.measure.memory import peak_bytes

B, T, D = 2, 64, 128


def count(make, *shape):
    with torch.device("meta"):
        module, x = make(), torch.empty(*shape)
    return macs(module, lambda: module(x))


class Attention(nn.Module):
    def forward(self, x):
        return F.scaled_dot_product_attention(x, x, x, is_causal=False)


@pytest.mark.parametrize(
    ("make", "shape", "expected"),
    [
        (lambda: nn.Linear(D, 3), (B, T, D), B * T * D * 3),
        (lambda: nn.Conv2d(6, 8, 3, padding=1), (B, 6, 10, 12), B * 10 * 12 * 6 * 8 * 9),
        (lambda: nn.Conv2d(6, 8, 3, groups=2, stride=2), (B, 6, 11, 13), B * 5 * 6 * 6 * 8 * 9 // 2),
        (lambda: nn.Conv1d(6, 8, 3, dilation=4), (B, 6, T), B * (T - 8) * 6 * 8 * 3),
        (lambda: nn.RNN(D, 32, batch_first=True), (B, T, D), B * T * 32 * (D + 32)),
        (lambda: nn.GRU(D, 32, batch_first=True), (B, T, D), 3 * B * T * 32 * (D + 32)),
        (lambda: nn.LSTM(D, 32, batch_first=True), (B, T, D), 4 * B * T * 32 * (D + 32)),
        (
            lambda: nn.LSTM(D, 32, 2, bidirectional=True, batch_first=True), (B, T, D),
            2 * 4 * B * T * 32 * (D + 32 + 64 + 32),
        ),
        (Attention, (B, 4, T, 16), 2 * B * 4 * T * T * 16),
        (
            lambda: nn.TransformerEncoderLayer(D, 4, 512, batch_first=True), (B, T, D),
            B * T * (4 * D * D + 2 * D * 512) + 2 * B * T * T * D,
        ),
    ],
)  # fmt: skip
def test_multiply_adds(make, shape, expected):
    assert count(make, *shape) == pytest.approx(expected, rel=0.01)


def test_an_operator_that_hides_its_work_is_refused():
    q = torch.randn(1, 2, 8, 4)
    with pytest.raises(ValueError, match="cannot be counted"):
        macs(nn.Identity(), lambda: F.scaled_dot_product_attention(q, q, q))


def test_parameters_are_counted_once():
    tied = nn.ModuleList([nn.Linear(5, 5, bias=False), nn.BatchNorm1d(5)])
    tied.append(tied[0])
    assert params(tied) == 25 + 10
    assert weight_bytes(tied) == 4 * (25 + 10 + 10) + 8


def test_peak_memory():
    x = torch.zeros(1000)
    assert peak_bytes(lambda: (x + 1) + 1, held=x.nbytes) == 3 * x.nbytes
    assert peak_bytes(lambda: x.view(10, 100).t(), held=x.nbytes) == x.nbytes

    def chain():
        value = x
        for _ in range(10):
            value = value + 1
        return value

    assert peak_bytes(chain, held=0) == 2 * x.nbytes
    assert peak_bytes(lambda: [x + 1 for _ in range(10)], held=0) == 10 * x.nbytes
