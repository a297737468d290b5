"""Tensors that have sizes, but no numbers: where costs are counted and nothing is computed."""

from __future__ import annotations

from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor


def only_sizes(tensor: Tensor) -> bool:
    """Whether `tensor` has no numbers, so that nothing can depend on them."""
    return tensor.is_meta or isinstance(tensor, FakeTensor)
