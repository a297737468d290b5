"""Operators that torch's counter leaves out or counts wrong: their multiply–adds, or their names.

A depthwise convolution on the way back, for one, it counts as if its channels met.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch.utils.flop_counter import flop_registry

from triarch.measure.kernels import Shape, attention_macs

aten = torch.ops.aten

# Words in the names of operators that hide multiply–adds: without a formula one of them would count as nothing.
COSTLY = re.compile(
    r"(^|_)((add|b)?mm|baddbmm|addb?mv|v?dot|matmul|linear|conv\w*|s?rnn|lstm|gru|attention|multi_head|linalg|fft|cdist"
    r"|(tri|bi)linear|cholesky|lstsq|svd|eigh?|qr|geqrf|ormqr|encoder)(_|$)"
)
# Of linear algebra, but no products.
NORMS = ("linalg_vector_norm", "linalg__powsum", "linalg_cross")


def is_opaque(operator: Any) -> bool:
    """Whether `operator` is known to be costly by its name, and nobody knows how to count it."""
    name = operator._schema.name.partition("::")[2].rstrip("_")
    if not COSTLY.search(name) or name in NORMS or operator.overloadpacket in COUNTED:
        return False
    return not operator.has_kernel_for_dispatch_key(torch._C.DispatchKey.CompositeImplicitAutograd)


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
COUNTED = {*flop_registry, *MACS}
