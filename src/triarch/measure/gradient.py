"""How far back a network learns from: the gradient of its answer by distance.

The size of ∂ answer / ∂ step k, where k counts steps from where the answer is read, tells how much a training step can
change what is made of that step. In a plain recurrence it fades like the k-th power of its weights: Hochreiter 1991,
"Untersuchungen zu dynamischen neuronalen Netzen"; Pascanu, Mikolov, Bengio 2013, "On the difficulty of training
recurrent neural networks" (arXiv 1211.5063).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from triarch.core.results import Interval
from triarch.core.types import Batch
from triarch.measure.statistics import LEVEL

RESAMPLES = 1_000

Array = NDArray[np.float64]


def squares(network: nn.Module, batch: Batch, both_ends: bool, seed: int = 0) -> Array:
    """The squared Frobenius norm of ∂ output / ∂ embedded step, of each item at each distance: (B T).

    It is told from one product with random signs, whose square is that norm on average (Hutchinson 1990), so that only
    the mean over items means something. Distance is counted from the last real step; NaN where an item has none so far.

    Args:
        network: takes the batch; tokens are followed back to its embedding, series to the input itself.
        batch: a sequence, prepared by the task.
        both_ends: whether distance is counted from the nearer end, since the answer is not read at the last step only.
        seed: of the signs.

    Raises:
        ValueError: images, or tokens and no `nn.Embedding`.
    """
    was_training = network.training
    network.eval()
    with torch.inference_mode(False), torch.enable_grad(), ExitStack() as stack:
        steps, output = _followed(network, batch, stack)
        generator = torch.Generator().manual_seed(seed)
        signs = 2.0 * torch.randint(0, 2, output.shape, generator=generator) - 1.0
        (found,) = torch.autograd.grad((output * signs).sum(), steps)
    network.train(was_training)
    each = found.double().square().sum(dim=2).numpy()
    lengths = np.full(len(each), each.shape[1]) if batch.mask is None else batch.mask.sum(dim=1).numpy()
    return np.stack([_by_distance(row[:length], len(row), both_ends) for row, length in zip(each, lengths)])


def joined(parts: Sequence[Array]) -> Array:
    """The items of several batches, NaN where one has no such step: (I T)."""
    longest = max(part.shape[1] for part in parts)
    widths = [((0, 0), (0, longest - part.shape[1])) for part in parts]
    return np.concatenate([np.pad(part, width, constant_values=np.nan) for part, width in zip(parts, widths)])


def reach(found: Array) -> Array:
    """The root mean square over seeds and items (S I T) at each distance, as a part of its largest: (T).

    NaN where no item is so long.
    """
    return _reach(np.nansum(found, axis=(0, 1)), (~np.isnan(found)).sum(axis=(0, 1)).astype(float))


def part_left(found: Array, distance: int, seed: int = 0) -> tuple[float, Interval]:
    """What `reach` is at a distance, with its 95% interval: a bootstrap over seeds and then items (S I T)."""
    random = np.random.default_rng(seed)
    chosen, weight = (
        random.multinomial(count, np.full(count, 1 / count), size=RESAMPLES).astype(float) for count in found.shape[:2]
    )
    total, count = (
        sum(chosen[:, number, None] * (weight @ part[number]) for number in range(len(part)))
        for part in (np.nan_to_num(found), (~np.isnan(found)).astype(float))
    )
    made = _reach(total, count)[:, distance]
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.nanpercentile(made, (tail, 100 - tail))
    return float(reach(found)[distance]), (float(low), float(high))


def _followed(network: nn.Module, batch: Batch, stack: ExitStack) -> tuple[Tensor, Tensor]:
    """The embedded steps (B T D), which the gradient is taken by, and the network's output."""
    if batch.input.is_floating_point():
        if batch.input.ndim != 3:
            raise ValueError("the gradient by distance is for sequences")
        steps = batch.input.clone().requires_grad_()
        return steps, network(replace(batch, input=steps))
    embedding = next((module for module in network.modules() if isinstance(module, nn.Embedding)), None)
    if embedding is None:
        raise ValueError("it has no nn.Embedding, to which tokens could be followed back")
    seen: list[Tensor] = []

    def follow(*passed: Any) -> Tensor:
        seen.append(passed[-1].detach().requires_grad_())
        return seen[-1]

    stack.callback(embedding.register_forward_hook(follow).remove)
    output = network(batch)
    return seen[0], output


def _by_distance(row: Array, room: int, both_ends: bool) -> Array:
    """The squares of an item's steps, in their order, put by distance: (room); the mean of two that are as far."""
    made = np.full(room, np.nan)
    if not both_ends:
        made[: len(row)] = row[::-1]
        return made
    half = (len(row) + 1) // 2
    made[:half] = (row[:half] + row[::-1][:half]) / 2
    return made


def _reach(total: Array, count: Array) -> Array:
    """Roots of the means, as parts of the largest along the last dimension."""
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    largest = np.nanmax(mean, axis=-1, keepdims=True)
    made: Array = np.sqrt(np.divide(mean, largest, out=np.zeros_like(mean), where=largest > 0))
    return made
