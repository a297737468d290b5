"""How fast our networks train, beside other people's: the same weights, the same items, steps in turn.

    python bench/train.py
    python bench/train.py --only decoder --threads 1

A step is forward, loss, backward and optimiser: ours as in training (fused AdamW), theirs as it comes (its model and
`torch.optim.AdamW`). Neither has dropout, subnormal numbers are flushed for both. Outputs are compared before anything
is timed. The same rounds multiply matrices at the best speed found, so that a step can be held against what the
processor could do: 3 x 2 floating-point operations for each multiply–add of the forward pass.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from peers import PEERS, difference, pair
from sides import RESULTS, Entry, Side, against, compare, load, middle, rounds, show, summary
from triarch.core.machine import computing
from triarch.core.spec import Spec, Target
from triarch.core.types import Batch
from triarch.data.dataset import prepare
from triarch.data.open import open_source
from triarch.data.stream import Stream
from triarch.measure.count import macs, params
from triarch.training.loop import make_optimiser
from triarch.training.recipe import make

RESULT = RESULTS / "train.json"
LEARNING_RATE = 1e-4
RAGGED_BATCHES = 32


@dataclass(frozen=True)
class Work:
    """What the two sides train on: each pass is over the same items, in batches of its own."""

    architecture: str
    ours: nn.Module
    theirs: nn.Module
    batches: list[Batch]
    their_batches: list[Batch]


def images(rows: int, side: int) -> tuple[Spec, Batch]:
    """Noise in the shape of colour pictures."""
    spec = Spec("images", "image", (3, side, side), Target("class", tuple("0123456789")))
    return spec, Batch(torch.randn(rows, *spec.shape), target=torch.randint(10, (rows,)))


def texts(rows: int, steps: int, ragged: bool) -> tuple[Spec, Batch]:
    """Noise in the shape of texts and their classes; with `ragged`, between half and all of the steps are real."""
    spec = Spec("texts", "text", (steps,), Target("class", tuple("0123456789")), ragged=ragged, vocab_size=256)
    tokens = torch.randint(256, (rows, steps))
    mask = torch.arange(steps) < torch.randint(steps // 2, steps + 1, (rows, 1)) if ragged else None
    return spec, Batch(tokens, mask, torch.randint(10, (rows,)))


def same(architecture: str, data: tuple[Spec, Batch], settings: Mapping[str, Any]) -> Work:
    """One batch, the same for both; `settings` name every size."""
    spec, batch = data
    ours, theirs = pair(architecture, "nano", spec, settings)
    assert theirs is not None
    return Work(architecture, ours, theirs, [batch], [batch])


def decoder() -> Work:
    spec, batch = texts(8, 257, ragged=False)
    batch = Batch(batch.input[:, :-1], target=batch.input[:, 1:])
    settings = {"dim": 384, "depth": 6, "num_heads": 6, "hidden_dim": 1536}
    return same("decoder", (spec, batch), settings)


def resnet() -> Work:
    settings = {"channels": (64, 128, 256, 512), "depths": (2, 2, 2, 2), "bottleneck": False}
    return same("resnet", images(64, 32), settings)


def vit() -> Work:
    return same("vit", images(64, 32), {"dim": 192, "depth": 12, "num_heads": 3, "hidden_dim": 768})


def mingru() -> Work:
    return same("mingru", texts(64, 128, ragged=True), {"dim": 256, "depth": 1, "kernel_size": 1})


def mamba2(rows: int, steps: int, depth: int) -> Work:
    spec, batch = texts(rows, steps + 1, ragged=False)
    batch = Batch(batch.input[:, :-1], target=batch.input[:, 1:])
    return same("mamba2", (spec, batch), {"dim": 256, "depth": depth, "head_dim": 64, "state_dim": 64})


def lstm() -> Work:
    """Real texts: ours in the batches of its stream, theirs packed, in random order."""
    dataset = prepare(open_source("languages"))
    ours, theirs = pair("lstm", "nano", dataset.spec, {"dim": 256, "depth": 1})
    assert theirs is not None
    stream = Stream(dataset, 64, seed=0)
    batches = [stream[number] for number in range(RAGGED_BATCHES)]
    items = np.concatenate([batch.items for batch in batches if batch.items is not None])
    order = np.random.default_rng(0).permutation(items).reshape(RAGGED_BATCHES, -1)
    return Work("lstm", ours, theirs, batches, [dataset.batch(rows) for rows in order])


@dataclass(frozen=True)
class Comparison:
    """What is compared, and what is asked of it.

    Attributes:
        bar: times their speed.
        ceiling: part of the speed of matrix products; None: not asked.
    """

    make: Callable[[], Work]
    what: str
    unit: str
    bar: float
    ceiling: float | None = None


COMPARISONS = {
    "decoder": Comparison(decoder, "GPT-2 of 11M, 8x256 tokens; Transformers", "tokens", 1.15, 0.58),
    "resnet": Comparison(resnet, "ResNet-18, 64 pictures of 32x32; Transformers", "pictures", 1.1, 0.52),
    "vit": Comparison(vit, "ViT-tiny/4, 64 pictures of 32x32; Transformers", "pictures", 1.0),
    "mingru": Comparison(mingru, "width 256, no convolution, 64x128 padded tokens; nn.LSTM", "tokens", 2.5),
    "lstm": Comparison(lstm, "width 256, real texts in buckets; packed nn.LSTM", "tokens", 2.5),
    "mamba2": Comparison(partial(mamba2, 64, 128, 1), "width 256, 64x128 tokens; Transformers", "tokens", 3.0),
    "mamba2-chunk": Comparison(
        partial(mamba2, 8, 256, 4), "as long as a chunk of theirs: width 256, 8x256 tokens; Transformers", "tokens", 3.0
    ),
}


def step(network: nn.Module, optimiser: torch.optim.Optimizer, batch: Batch) -> None:
    """Forward, loss, backward, optimiser."""
    assert batch.target is not None
    logits = network(batch)
    loss = F.cross_entropy(logits.flatten(0, -2), batch.target.flatten())
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def training(network: nn.Module, optimiser: torch.optim.Optimizer, batches: list[Batch]) -> Side:
    """A pass over the batches."""
    network.train()

    def run() -> None:
        for batch in batches:
            step(network, optimiser, batch)

    return run


def products() -> tuple[Side, float]:
    """The product of matrices that runs fastest here, and its floating-point operations."""
    found = {}
    for size in (768, 1024, 1536, 2048, 3072):
        a, b = torch.randn(size, size), torch.randn(size, size)
        times = []
        for _ in range(5):
            begin = time.perf_counter()
            a @ b
            times.append(time.perf_counter() - begin)
        found[2 * size**3 / min(times)] = (a, b)
    a, b = found[max(found)]
    return lambda: a @ b, 2 * len(a) ** 3


def count(batch: Batch, unit: str) -> int:
    """Items of a batch: pictures, or real tokens."""
    if unit == "pictures":
        return len(batch)
    return int(batch.input.numel() if batch.mask is None else batch.mask.sum())


def measure(name: str, threads: int, number: int, seconds: float) -> Iterator[Entry]:
    """What is known of a comparison after each round."""
    comparison = COMPARISONS[name]
    with computing(threads, seed=0, flush_denormals=True):
        work = comparison.make()
        entry: Entry = {"what": comparison.what, "unit": comparison.unit, "threads": threads}
        entry |= {"bar": comparison.bar, "ceiling_bar": comparison.ceiling, "params": params(work.ours)}
        entry["difference"] = (
            difference(work.ours, work.theirs, work.batches[0]) if PEERS[work.architecture].names else None
        )
        entry["items"] = sum(count(batch, comparison.unit) for batch in work.batches)
        entry["macs"] = sum(macs_of(work.ours, batch) for batch in work.batches)
        ours = make_optimiser(work.ours, make({"model": work.architecture, "optimiser": {"lr": LEARNING_RATE}}))
        theirs = torch.optim.AdamW(work.theirs.parameters(), lr=LEARNING_RATE)
        gemm, operations = products()
        sides = {
            "ours": training(work.ours, ours, work.batches),
            "theirs": training(work.theirs, theirs, work.their_batches),
            "products": gemm,
        }
        entry["rounds"] = []

        def part_of_ceiling(one: Entry) -> float:
            return 6 * entry["macs"] / one["ours"]["wall"] / (operations / one["products"]["wall"])

        for one in rounds(sides, number, seconds):
            entry["rounds"].append(one)
            entry |= summary(entry["rounds"], threads)
            entry["products_per_second"] = operations / middle(entry["rounds"], lambda one: one["products"]["wall"])
            entry["of_ceiling"] = middle(entry["rounds"], part_of_ceiling)
            yield entry


def macs_of(network: nn.Module, batch: Batch) -> int:
    """Multiply–adds of a forward pass."""
    meta, there = copy.deepcopy(network).to("meta"), batch.to("meta")
    return macs(meta, lambda: meta(there))


def report() -> None:
    """Print what the results say."""
    rows = [
        (
            f"{name}: {entry['what']}",
            f"{entry['items'] / entry['ours_seconds']:,.0f}", f"{entry['items'] / entry['theirs_seconds']:,.0f}",
            against(entry["ratio"], entry["bar"]), against(entry["of_ceiling"], entry["ceiling_bar"]),
            f"{entry['threads_at_work']:.0%}", f"{entry['load']:.1f}",
        )
        for name, entry in load(RESULT).items()
        if name in COMPARISONS
    ]  # fmt: skip
    columns = ("training", "ours a second", "theirs", "ratio", "of products' speed", "threads at work", "load")
    show("Training", columns, rows)


def main() -> None:
    compare(__doc__, Path(__file__), RESULT, list(COMPARISONS), 3.0, measure)
    report()


if __name__ == "__main__":
    main()
