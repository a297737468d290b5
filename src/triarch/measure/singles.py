"""Operators by themselves, to be timed: so that what one architecture alone makes use of has a price without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

TIMES = 8  # an operator is called so often, a layer half as often one after the other


@dataclass(frozen=True)
class Single:
    """A module of one kind of operator, and the shape of what it takes."""

    name: str
    make: Callable[[], nn.Module]
    shape: tuple[int, ...]

    @property
    def is_trained(self) -> bool:
        """Whether there is a way back: not through what writes where it is told."""
        return not self.name.endswith(("scan", "relu 2d"))

    def input(self, make: Callable[..., Tensor], rows: int = 1) -> Tensor:
        """`make` an input of `rows` times the rows, laid out as networks lay theirs out."""
        x = make(rows * self.shape[0], *self.shape[1:])
        return x.to(memory_format=torch.channels_last) if self.name.endswith("2d") else x


class _Again(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor], times: int = TIMES) -> None:
        super().__init__()
        self.function, self.times = function, times

    def forward(self, x: Tensor) -> list[Tensor]:
        made: list[Tensor] = []
        for _ in range(self.times):
            made = [self.function(x), *(made if self.training else ())]
        return made


def singles() -> Iterator[Single]:
    """Over the sizes that networks of up to some million parameters have."""
    yield from _recurrences()
    yield from _convolutions()
    yield from _products()
    for (name, function), shape in product(FUNCTIONS.items(), ((1, 32, 64), (1, 128, 64), (1, 128, 256), (1, 512, 64))):
        yield Single(name, lambda function=function: _Again(function), shape)  # type: ignore[misc]
    for heads, steps, width in ((4, 16, 16), (4, 64, 16), (4, 128, 32), (6, 128, 64), (8, 256, 64)):
        yield Single("attention", lambda: _Again(_attention), (1, heads, steps, width))
    for (name, function), shape in product(SCANS.items(), ((1, 32, 32), (1, 64, 128), (1, 96, 384))):
        yield Single(name, lambda function=function: _Again(function, 1), shape)  # type: ignore[misc]


def _recurrences() -> Iterator[Single]:
    sizes = ((8, 32, 32, False), (32, 64, 128, True), (64, 128, 32, True), (128, 192, 96, False), (256, 384, 64, False))
    kinds: tuple[type[nn.RNNBase], ...] = (nn.LSTM, nn.GRU, nn.RNN)
    for kind, (in_dim, dim, steps, both) in product(kinds, (*sizes, (16, 48, 256, True))):
        made = lambda kind=kind, in_dim=in_dim, dim=dim, both=both: kind(  # noqa: E731
            in_dim, dim, batch_first=True, bidirectional=both
        )
        yield Single(kind.__name__, made, (1, steps, in_dim))


def _convolutions() -> Iterator[Single]:
    alone, spread = (16, 5, 32), (32, 3, 96)
    for dim, taps, steps in (alone, (64, 3, 96), (128, 3, 128), (256, 3, 96), (64, 7, 32), (32, 9, 96), (32, 39, 96)):
        yield Single("convolution", _line(dim, taps), (1, dim, steps))
    for (dim, taps, steps), dilation in zip(
        (spread, (64, 3, 128), (128, 3, 32), (256, 3, 96), (48, 5, 128)), (2, 8, 4, 2, 16)
    ):
        yield Single("dilated convolution", _line(dim, taps, dilation), (1, dim, steps))
    for dim, taps, steps in ((32, 7, 96), (128, 7, 32), (256, 4, 128), (512, 7, 128), (64, 3, 96)):
        yield Single("depthwise convolution", _line(dim, taps, groups=dim), (1, dim, steps))
    sizes = ((16, 3, 16), (32, 3, 32), (64, 3, 16), (128, 3, 8), (256, 3, 4), (96, 1, 16), (256, 1, 8), (24, 5, 8))
    for dim, taps, side in (*sizes, (512, 3, 4)):
        yield Single("convolution 2d", _plane(dim, taps), (1, dim, side, side))
    for dim, taps, side in ((32, 3, 16), (64, 7, 8), (128, 5, 16), (384, 7, 4), (192, 3, 32)):
        yield Single("depthwise convolution 2d", _plane(dim, taps, dim), (1, dim, side, side))
    for dim, steps in ((16, 64), (64, 96), (128, 128), (256, 32)):
        yield Single("batch norm", lambda dim=dim: _stack(lambda: nn.BatchNorm1d(dim)), (1, dim, steps))  # type: ignore[misc]
        normed = lambda dim=dim: weight_norm(nn.Conv1d(dim, dim, 3, padding=1))  # noqa: E731
        yield Single("weight norm", lambda normed=normed: _stack(normed), (1, dim, steps))  # type: ignore[misc]
    for (dim, side), (name, function) in product(((16, 16), (64, 16), (32, 32), (256, 4)), PLANES.items()):
        yield Single(name, lambda function=function: _Again(function), (1, dim, side, side))  # type: ignore[misc]


def _products() -> Iterator[Single]:
    lone = ((64, 128, 1), (128, 512, 1), (256, 1024, 1), (512, 512, 1))
    many = ((32, 96, 32), (64, 256, 64), (128, 384, 32), (128, 512, 128), (256, 1024, 64), (256, 768, 128))
    for narrow, wide, rows in (*lone, *many, (384, 1536, 16), (48, 96, 128)):
        layers = lambda narrow=narrow, wide=wide: _stack(  # noqa: E731
            lambda: nn.Sequential(nn.Linear(narrow, wide), nn.Linear(wide, narrow))
        )
        yield Single("linear", layers, (rows, narrow))
    for times, rows, width in ((2, 16, 16), (8, 32, 32), (16, 64, 32), (8, 64, 64), (4, 128, 16)):
        yield Single("batched product", lambda: _Again(lambda x: x @ x.transpose(1, 2)), (times, rows, width))


def _stack(make: Callable[[], nn.Module]) -> nn.Module:
    return nn.Sequential(*(make() for _ in range(TIMES // 2)))


def _line(dim: int, taps: int, dilation: int = 1, groups: int = 1) -> Callable[[], nn.Module]:
    padding = dilation * (taps - 1) // 2
    return lambda: _stack(lambda: nn.Conv1d(dim, dim, taps, padding=padding, dilation=dilation, groups=groups))


def _plane(dim: int, taps: int, groups: int = 1) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        layers = _stack(lambda: nn.Conv2d(dim, dim, taps, padding=taps // 2, groups=groups))
        return layers.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    return make


def _attention(x: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(x, x, x)


def _added(x: Tensor) -> Tensor:
    held = torch.zeros_like(x[:, 0])
    for step in x.unbind(1):
        held = torch.addcmul(step, held, step, out=held)
    return held


def _mixed(x: Tensor) -> Tensor:
    held = torch.zeros_like(x[:, 0])
    for step in x.unbind(1):
        held = torch.lerp(held, step, step, out=held)
    return held


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu, "silu": F.silu, "relu": F.relu, "exp": torch.exp, "softplus": F.softplus, "sigmoid": torch.sigmoid,
    "sum of two": lambda x: x + x, "product of two": lambda x: x * x,
    "layer norm": lambda x: F.layer_norm(x, x.shape[-1:]), "flip": lambda x: x.flip(1),
    "concatenation": lambda x: torch.cat((x, x), -1), "mean": lambda x: x.mean(1),
    "transposed copy": lambda x: x.transpose(1, 2).contiguous(), "padding": lambda x: F.pad(x, (0, 0, 3, 0)),
    "running sum": lambda x: x.cumsum(1), "greatest of three": lambda x: F.max_pool1d(x, 3, 1, 1),
    "views": lambda x: x.chunk(4, -1)[0].select(1, 0),
}  # fmt: skip
PLANES: dict[str, Callable[[Tensor], Tensor]] = {
    "greatest of four 2d": lambda x: F.max_pool2d(x, 2), "mean 2d": lambda x: F.adaptive_avg_pool2d(x, 1),
    "clamp 2d": lambda x: F.hardtanh(x, 0, 6), "relu 2d": F.relu_,
}  # fmt: skip
SCANS: dict[str, Callable[[Tensor], Tensor]] = {"scan": _added, "mixing scan": _mixed}
