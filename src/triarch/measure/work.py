"""What a call does, in amounts from which its time can be foretold: so many operators of each kind, and how large.

Counted on the CPU or inside `weightless`, where nothing is computed: the amounts are the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from triarch.measure.kernels import GATES, RECURRENT, Kernels

Work = dict[str, float]
"""Kind → amount: calls, multiply–adds, numbers or bytes."""

PRODUCTS = ("mm", "addmm", "bmm", "baddbmm")
# Where numbers of one kind take longer than those of another.
CURVES = ("exp", "expm1", "log", "silu", "sigmoid", "tanh", "cos", "sin", "pow", "sqrt", "rsqrt")
MOVES = ("cat", "flip", "constant_pad_nd", "tril", "im2col", "embedding", "index")
SUMS = ("linalg_vector_norm", "_weight_norm_interface", "mean", "sum", "amax", "_adaptive_avg_pool2d")
SCATTERED = ("clone", "copy", "_to_copy")
OF_THEIR_OWN = ("gelu", "softplus", "native_layer_norm", "cumsum", "max_pool2d_with_indices", "bernoulli")
NUMBERS = {
    **dict.fromkeys(CURVES, "curve"), **dict.fromkeys(MOVES, "move"), **dict.fromkeys(SUMS, "sum"),
    **dict.fromkeys(SCATTERED, "scatter"), **{name: name for name in OF_THEIR_OWN},
}  # fmt: skip
# Weights beyond these bytes are fetched anew for each call, from further away than the nearest cache.
NEAR = 1 << 20
# torch gives a lone convolution of few numbers and a small kernel to loops of its own, any other to oneDNN.
FEW_NUMBERS, SMALL_KERNEL, MANY_ROWS = 20_480, 3, 16


def work(module: nn.Module, run: Callable[[], object], training: bool = False) -> Work:
    """The amounts of `run`, which calls `module`; called outside of inference mode.

    Args:
        training: `run` goes forth and back, inside `weightless`; what it costs to clip the gradients and move the
            weights belongs to it. Otherwise in evaluation.
    """
    was_training = module.training
    module.train(training)
    found: Counter[str] = Counter()

    def enter(*_: Any) -> None:
        found["modules"] += 1

    hook = register_module_forward_pre_hook(enter)
    try:
        with torch.set_grad_enabled(training), _Recurrences(found, training) as hidden, _Operators(found, hidden):
            run()
    finally:
        hook.remove()
        module.train(was_training)
        if training:
            module.zero_grad()
    every = list(module.parameters())
    if training:
        # A batch seldom has but one row, so that such a product has no price of its own.
        found["product macs"] += found.pop("vector macs", 0)
        return {**found, "weights": sum(one.numel() for one in every), "weight tensors": len(every)}
    return {**found, "far bytes": max(0, sum(one.nbytes for one in every) - NEAR)}


class _Recurrences(Kernels):
    """Notes recurrences, and hides what they, or their stand-ins, are made of."""

    def __init__(self, found: Counter[str], training: bool) -> None:
        super().__init__()
        self.found, self.training, self.hidden = found, training, False

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        name = getattr(func, "__name__", "")
        found = name in RECURRENT and isinstance(args[3], bool)
        self.hidden = found
        try:
            made = super().__torch_function__(func, types, args, kwargs)  # type: ignore[no-untyped-call]
        finally:
            self.hidden = False
        if found:
            steps_first = args[0].transpose(0, 1) if args[8] else args[0]
            self._note(name, steps_first.shape, made[1].shape[-1], depth=args[4], both=args[7])
        return made

    def _note(self, name: str, shape: Sequence[int], dim: int, depth: int, both: bool) -> None:
        """A recurrence over (T B in_dim) with states of width `dim`."""
        steps, rows, in_dim = shape
        directions, gates = 1 + both, GATES.get(name, 4) * dim
        self.found[f"{name} calls"] += depth * directions
        self.found[f"{name} steps"] += depth * directions * steps
        # The way back is one kernel for an LSTM, for others a graph of steps, each with a gradient of all weights.
        own = f"{name} " if self.training else ""
        self.found[f"{own}gate numbers"] += depth * directions * steps * rows * gates
        self.found[f"{own}recurrent macs"] += depth * directions * steps * rows * gates * dim
        entering = in_dim + (depth - 1) * directions * dim
        self.found["product macs"] += (3 if self.training else 1) * directions * steps * rows * gates * entering
        if self.training:
            self.found["step weights"] += depth * directions * steps * gates * dim * (name != "lstm")


class _Operators(TorchDispatchMode):
    def __init__(self, found: Counter[str], recurrences: _Recurrences) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found, self.recurrences = found, recurrences

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        made = func(*args, **(kwargs or {}))
        if not self.recurrences.hidden and func.namespace == "aten":
            taken = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
            given = [one for one in tree_leaves(made) if isinstance(one, Tensor)]
            self.found.update(_amounts(func, args, taken, given))
        return made


def _amounts(func: Any, args: Sequence[Any], taken: list[Tensor], given: list[Tensor]) -> dict[str, float]:
    """The amounts of one operator; on the way back it has kinds of its own."""
    name = func._schema.name.partition("::")[2].rstrip("_")
    if _is_free(name, func, taken, given):
        return {"views": 1}
    forth = re.sub("_backward(_data)?$", "", name)
    if forth == name:
        return _forth(name, args, taken, given)
    if forth == "convolution":
        grad, x, weight = taken
        found = _convolution(x, weight, grad, args[4], args[6])
        found = {kind: amount * (sum(args[-1][:2]) if "macs" in kind else 1) for kind, amount in found.items()}
    else:
        found = _forth(forth, args, taken[1:], given)
    return {f"back {kind}": amount for kind, amount in found.items()}


def _forth(name: str, args: Sequence[Any], taken: list[Tensor], given: list[Tensor]) -> dict[str, float]:
    if name in PRODUCTS:
        return _product(*taken[-2:])
    if name == "convolution":
        return _convolution(taken[0], taken[1], given[0], args[3], args[5])
    if name.startswith("_scaled_dot_product"):
        rows, steps, keys = prod(taken[0].shape[:2]), taken[0].shape[2], taken[1].shape[2]
        return {"attention calls": 1, "attention macs": 2 * rows * steps * keys * taken[0].shape[3],
                "attention pairs": rows * steps * keys}  # fmt: skip
    numbers = max((one.numel() for one in (*given, *taken)), default=0)
    if name == "native_batch_norm":
        return {"sum calls": 1, "batch norm calls": 1, "numbers": numbers}
    kind = NUMBERS.get(name, "")
    if kind in ("move", "scatter"):
        return {"move calls": 1, f"{kind} numbers": sum(one.numel() for one in given)}
    calls = "sum calls" if kind in ("sum", "native_layer_norm", "cumsum", "max_pool2d_with_indices") else "calls"
    return {calls: 1, f"{kind} numbers".strip(): numbers}


def _is_free(name: str, func: Any, taken: list[Tensor], given: list[Tensor]) -> bool:
    """Whether nothing is read or written: a view, or memory as it is."""
    if name in ("empty", "new_empty", "empty_like"):
        return True
    held = {one.untyped_storage()._cdata for one in taken}
    return not func._schema.is_mutable and all(one.untyped_storage()._cdata in held for one in given)


def _product(left: Tensor, right: Tensor) -> dict[str, float]:
    """(… M K) by (… K N)."""
    (rows, inner), columns, times = left.shape[-2:], right.shape[-1], prod(left.shape[:-2])
    macs = times * rows * inner * columns
    calls: dict[str, float] = {"product calls": 1} if times == 1 else {"batched product calls": 1}
    if rows == 1:
        return {**calls, "vector macs": macs}
    size = times * (rows * inner + inner * columns + rows * columns)
    return {**calls, "product macs": macs, "product bytes": size * left.itemsize}


def _convolution(
    x: Tensor, weight: Tensor, made: Tensor, strides: Sequence[int], spreads: Sequence[int]
) -> dict[str, float]:
    macs, taps, rows = made.numel() * prod(weight.shape[1:]), prod(weight.shape[2:]), len(x)
    if x.shape[1] > weight.shape[1]:
        return {"grouped calls": 1, "grouped macs": macs, "grouped bytes": x.nbytes + made.nbytes}
    dilated = max(spreads) > 1
    plain = taps == 1 and not dilated and max(strides) == 1 and rows < MANY_ROWS
    kernel = min(weight.shape[2:]) if x.ndim > 3 else 1
    if not plain and (kernel > SMALL_KERNEL or rows > 1 or x.numel() > FEW_NUMBERS):
        return {"convolution calls": 1, "convolution macs": macs, "convolution bytes": x.nbytes + made.nbytes,
                "convolution weights": weight.nbytes}  # fmt: skip
    columns = taps * x.shape[1] * rows * prod(made.shape[2:]) * x.itemsize
    if dilated:
        return {"dilated calls": 1, "dilated channels": rows * made.shape[1], "dilated macs": macs}
    return {"own calls": 1, "own macs": macs, "own columns": columns * (taps > 1), "own weights": weight.nbytes}


def kinds(every: Sequence[Work]) -> list[str]:
    """The kinds that occur, by name."""
    return sorted(set(chain.from_iterable(every)))
