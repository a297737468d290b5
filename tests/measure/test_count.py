"""Counts against hand formulas."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from triarch.core.spec import reference
from triarch.core.types import Batch
from triarch.measure.count import macs, params, training_macs, weight_bytes
from triarch.measure.operators import is_opaque
from triarch.measure.weightless import weightless
from triarch.model import build
from triarch.models import registry
from triarch.tasks.classify import Classify

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


@pytest.mark.parametrize(
    ("steps", "pairs"),
    [
        (64, 64 * 64),
        (600, 512 * 512 + 88 * 600),
        (1024, 512 * 512 + 512 * 1024),
    ],
)
def test_of_a_causal_half_the_blocks_count_that_are_computed(steps, pairs):
    q, k = torch.empty(B, 4, steps, 16, device="meta"), torch.empty(B, 2, steps, 16, device="meta")
    run = lambda: F.scaled_dot_product_attention(q, k, k, is_causal=True, enable_gqa=True)  # noqa: E731
    assert macs(nn.Identity(), run) == 2 * B * 4 * 16 * pairs


def test_attention_counts_alike_on_every_device():
    q = torch.randn(1, 2, 640, 4)
    for is_causal in (False, True):
        counts = [
            macs(nn.Identity(), lambda q=one: F.scaled_dot_product_attention(q, q, q, is_causal=is_causal))  # noqa: B023
            for one in (q, q.to("meta"))
        ]
        assert counts[0] == counts[1] > 0


def test_the_fast_path_of_an_encoder_is_counted():
    layer, x = nn.TransformerEncoderLayer(D, 4, 512, batch_first=True), torch.randn(B, T, D)
    attention, norms = layer.self_attn, (layer.norm1, layer.norm2)
    whole = lambda: torch._transformer_encoder_layer_fwd(  # noqa: E731
        x, D, 4, attention.in_proj_weight, attention.in_proj_bias, attention.out_proj.weight, attention.out_proj.bias,
        False, False, 1e-5, *(part for norm in norms for part in (norm.weight, norm.bias)),
        layer.linear1.weight, layer.linear1.bias, layer.linear2.weight, layer.linear2.bias,
    )  # fmt: skip
    expected = B * T * (4 * D * D + 2 * D * 512) + 2 * B * T * T * D
    assert macs(layer, whole) == macs(layer, lambda: layer(x)) == expected


def test_an_operator_that_hides_its_work_is_refused():
    with pytest.raises(ValueError, match="_fft_r2c cannot be counted"):
        macs(nn.Identity(), lambda: torch.fft.rfft(torch.randn(8)))


OPAQUE = (
    "mkldnn_rnn_layer", "mkldnn_rnn_layer_backward", "_thnn_fused_lstm_cell", "_thnn_fused_gru_cell", "_cudnn_rnn",
    "_native_multi_head_attention", "_scaled_dot_product_fused_attention_overrideable", "mkldnn_linear",
    "mkldnn_convolution", "slow_conv_dilated2d", "_trilinear", "_cdist_forward", "_fft_r2c", "_fft_c2c", "linalg_qr",
    "_linalg_solve_ex", "linalg_inv_ex", "_linalg_svd", "_linalg_eigh", "linalg_matrix_exp", "_int_mm", "vdot",
)  # fmt: skip
CLEAR = (
    "mm",
    "addmm",
    "bmm",
    "convolution",
    "linear",
    "matmul",
    "lgamma",
    "add",
    "linalg_vector_norm",
    "upsample_linear1d",
)


@pytest.mark.parametrize(("names", "opaque"), [(OPAQUE, True), (CLEAR, False)])
def test_costly_operators_are_known_by_their_names(names, opaque):
    for name in names:
        packet = getattr(torch.ops.aten, name)
        assert is_opaque(getattr(packet, packet.overloads()[0])) == opaque, name


@pytest.mark.parametrize("name", [name for name in registry.names() if "text" in registry.find(name).modalities])
def test_padding_costs_what_steps_cost(name):
    """What is padded is computed like the rest, so that a mask changes no count."""
    spec = reference("text")
    with torch.device("meta"):
        model = build(name, "nano", Classify(), spec)
        x, mask = torch.empty(3, *spec.shape, dtype=torch.long), torch.ones(3, *spec.shape, dtype=torch.bool)
    assert macs(model, lambda: model(Batch(x, mask))) == macs(model, lambda: model(Batch(x))) > 0


def training(make, *shape, wanted=True):
    """Multiply–adds forth and forth and back."""
    with torch.device("meta"):
        module = make()
    with weightless(module) as twin:
        x = torch.empty(*shape, requires_grad=wanted)
        run = lambda: twin(x)[0].sum() if isinstance(twin, nn.RNNBase) else twin(x).sum()  # noqa: E731
        return macs(twin, run), training_macs(twin, run)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: nn.Linear(D, 3), (B, T, D)),
        (lambda: nn.Conv2d(6, 8, 3, groups=2, stride=2), (B, 6, 11, 13)),
        (lambda: nn.Conv1d(6, 6, 5, groups=6, dilation=4), (B, 6, T)),
        (lambda: nn.ConvTranspose1d(6, 8, 4, stride=2), (B, 6, T)),
        (lambda: nn.RNN(D, 32, batch_first=True), (B, T, D)),
        (lambda: nn.GRU(D, 32, 2, bidirectional=True), (T, B, D)),
        (lambda: nn.LSTM(D, 32, 2, bidirectional=True, batch_first=True), (B, T, D)),
    ],
)
def test_the_way_back_is_twice_the_way_forth(make, shape):
    forth, both = training(make, *shape)
    assert both == 3 * forth > 0


def test_the_gradient_of_an_input_is_only_counted_where_it_is_taken():
    forth, both = training(lambda: nn.Conv1d(6, 8, 3), B, 6, T, wanted=False)
    assert both == 2 * forth
    forth, both = training(lambda: nn.GRU(D, 32), T, B, D, wanted=False)
    assert both == 3 * forth


def test_attention_goes_back_at_two_and_a_half_times():
    forth, both = training(Attention, B, 4, T, 16)
    assert both == 3.5 * forth


def test_parameters_are_counted_once():
    tied = nn.ModuleList([nn.Linear(5, 5, bias=False), nn.BatchNorm1d(5)])
    tied.append(tied[0])
    assert params(tied) == 25 + 10
    assert weight_bytes(tied) == 4 * (25 + 10 + 10) + 8
