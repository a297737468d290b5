"""Operators that torch's counter leaves out or counts wrong: their multiply–adds, or their names.

A depthwise convolution on the way back, for one, it counts as if its channels met.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import torch

from triarch.measure.kernels import Shape, attention_macs

aten = torch.ops.aten

# Operators that hide multiply–adds and have no formula: if one of these is met, a count would silently miss it.
OPAQUE = (
    "mkldnn_rnn_layer", "mkldnn_rnn_layer_backward", "_thnn_fused_lstm_cell", "_thnn_fused_gru_cell", "_cudnn_rnn",
    "_native_multi_head_attention", "_scaled_dot_product_fused_attention_overrideable", "_flash_attention_forward",
    "mkldnn_linear", "mkldnn_convolution", "_trilinear", "_cdist_forward", "_fft_r2c", "_fft_c2c", "_fft_c2r",
    "linalg_qr", "_linalg_solve_ex", "linalg_inv_ex", "_linalg_svd", "_linalg_eigh", "linalg_matrix_exp",
)  # fmt: skip


def _attention(query: Shape, key: Shape, value: Shape, *others: Any) -> int:
    return attention_macs(query, key, value, causal=others[1:2] == (True,))


def _attention_backward(_grad: Shape, query: Shape, key: Shape, value: Shape, *others: Any) -> int:
    return attention_macs(query, key, value, causal=others[3], products=(3, 2))


def _convolution_backward(grad: Shape, x: Shape, weight: Shape, *others: Any) -> int:
    transposed, wanted = bool(others[4]), others[7]
    return x[0] * prod((x if transposed else grad)[2:]) * prod(weight) * sum(map(bool, wanted[:2]))


def _encoder_layer(x: Shape, *others: Any) -> int:
    rows, steps, dim = x
    hidden: int = others[13][0]
    return rows * steps * (4 * dim * dim + 2 * dim * hidden + 2 * steps * dim)


def _each(*shapes: Any) -> int:
    return prod(torch.broadcast_shapes(*shapes[:3]))


def _matrix(matrix: Shape, *_: Any) -> int:
    return prod(matrix)


def _added_matrix(_added: Shape, matrix: Shape, *_: Any) -> int:
    return prod(matrix)


def _operations(macs: Callable[..., int]) -> Callable[..., int]:
    return lambda *shapes, **_: 2 * macs(*shapes)


MACS: dict[Any, Callable[..., int]] = {
    aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
    aten.convolution_backward: _convolution_backward,
    aten._transformer_encoder_layer_fwd: _encoder_layer,
    aten.addcmul: _each,
    aten.addcmul_: _each,
    aten.lerp: _each,
    aten.lerp_: _each,
    aten.mv: _matrix,
    aten.addmv: _added_matrix,
    aten.dot: _matrix,
}
# As torch's counter takes them: it counts operations, two for a multiply–add.
FORMULAS = {operator: _operations(macs) for operator, macs in MACS.items()}
