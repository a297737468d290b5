"""How fast language models train: beside Transformers, beside plain logits, and packed beside padded.

    python bench/language_speed.py
    python bench/language_speed.py --only gpt2 gpt2-fused
    python bench/language_speed.py --only encoder-packed documents-packed

Ours trains as `triarch pretrain` and `triarch train` do: the task's own loss and a fused AdamW. Theirs is Transformers'
GPT-2 with its own loss and `torch.optim.AdamW` as it comes, or with `fused=True`; or ours with one thing changed: all
logits at once, or batches padded to their longest. The same weights; losses are compared before anything is timed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from peers import AS_GPT2, GPT2, PEERS, hand_over
from sides import RESULTS, Entry, Side, against, compare, load, middle, rounds, show, summary
from train import LEARNING_RATE, macs_of, products
from triarch.core.machine import computing
from triarch.core.spec import Spec, Target
from triarch.core.types import Batch
from triarch.data.corpora.corpus import from_documents
from triarch.data.dataset import prepare
from triarch.data.open import open_source
from triarch.data.stream import Stream
from triarch.layers import pack
from triarch.measure.count import params
from triarch.model import Model, build
from triarch.models import registry
from triarch.tasks.classify import Classify
from triarch.tasks.language_model import Head, LanguageModel
from triarch.training.loop import make_optimiser
from triarch.training.recipe import make

RESULT = RESULTS / "language_speed.json"
OF_11M = {"dim": 384, "depth": 6, "num_heads": 6, "hidden_dim": 1536}
AGREE = 1e-4


@dataclass(frozen=True)
class Work:
    """What both sides learn: a step is a function of nothing that gives its loss.

    Attributes:
        macs: multiply–adds of the way forth; None: no ceiling is told.
        notes: facts for the results.
    """

    model: nn.Module
    ours: Side
    theirs: Side
    tokens: int
    macs: int | None = None
    notes: Entry | None = None


def stepping(model: nn.Module, fused: bool, losses: Callable[[], Iterator[torch.Tensor]]) -> Side:
    """Steps of training, one for each loss; the sum of the losses."""
    if fused:
        optimiser = make_optimiser(model, make({"model": "decoder", "optimiser": {"lr": LEARNING_RATE}}))
    else:
        optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)

    def run() -> float:
        model.train()
        whole = 0.0
        for loss in losses():
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            whole += loss.item()
        return whole

    return run


def ours(model: Model, task: Any, batches: list[Batch]) -> Side:
    """As in training."""
    return stepping(model, True, lambda: (task.loss(model(batch), batch) for batch in batches))


def blocks(rows: int, steps: int, vocab_size: int) -> tuple[Spec, Batch]:
    """Noise in the shape of blocks of a corpus."""
    spec = Spec("tokens", "text", (steps,), Target("token", special=(0, 1)), vocab_size=vocab_size)
    return spec, LanguageModel().prepare(Batch(torch.randint(2, vocab_size, (rows, steps + 1))))


def gpt2(vocab_size: int, fused: bool) -> Work:
    """The decoder of 11M parameters as GPT-2, 8x256 tokens."""
    spec, batch = blocks(8, 256, vocab_size)
    task = LanguageModel()
    model = build("decoder", "nano", task, spec, {**AS_GPT2, **OF_11M})
    config = registry.find("decoder").configure("nano", {**AS_GPT2, **OF_11M})
    other = PEERS["decoder"].make(config, spec)
    hand_over(model, other, GPT2)
    assert batch.target is not None
    # Their loss shifts the labels itself, and so leaves the last step out.
    labels = F.pad(batch.target[:, :-1], (1, 0))
    optimiser = torch.optim.AdamW(other.parameters(), lr=LEARNING_RATE, fused=fused or None)

    def theirs() -> float:
        other.train()
        loss = other.network(input_ids=batch.input, labels=labels).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return float(loss.item())

    unlabelled = replace(batch, target=None)
    difference = (model(unlabelled) - other(unlabelled)).abs().max().item()
    assert difference <= AGREE, difference
    macs = macs_of(model, unlabelled)
    return Work(model, ours(model, task, [batch]), theirs, batch.input.numel(), macs, {"difference": difference})


class Plain(LanguageModel):
    """All logits at once, and torch's own cross-entropy."""

    def head(self, shape: Any, spec: Spec) -> nn.Module:
        return Head(shape.dim, spec.vocab_size)

    def loss(self, output: torch.Tensor, batch: Batch) -> torch.Tensor:
        assert batch.target is not None
        return F.cross_entropy(output.flatten(0, 1), batch.target.flatten(), ignore_index=-100)


def logits(size: str) -> Work:
    """The loss chunk by chunk beside that of all logits: 16x256 tokens of 8,192."""
    spec, batch = blocks(16, 256, 8192)
    both = []
    for task in (LanguageModel(), Plain()):
        torch.manual_seed(0)
        model = build("decoder", size, task, spec, {"dropout": 0.0})
        both.append((model, ours(model, task, [batch])))
    return Work(both[0][0], both[0][1], both[1][1], batch.input.numel())


@contextmanager
def padded() -> Iterator[None]:
    """Inside, nothing is packed."""
    before, pack.SPARED = pack.SPARED, float("inf")  # type: ignore[assignment]
    try:
        yield
    finally:
        pack.SPARED = before


def packing(name: str, task: Any, spec: Spec, batches: list[Batch], settings: dict[str, Any],
            other: list[Batch] | None = None, size: str = "nano") -> Work:  # fmt: skip
    """Packed beside padded; `other` are the padded side's own batches of the same items."""
    sides = []
    for given in (batches, other or batches):
        torch.manual_seed(0)
        model = build(name, size, task, spec, {**settings, "dropout": 0.0})
        sides.append((model, ours(model, task, given)))
    there = sides[1][1]

    def theirs() -> object:
        with padded():
            return there()

    whole = sum(batch.input.numel() for batch in other or batches)
    real = sum(int(batch.input.numel() if batch.mask is None else batch.mask.sum()) for batch in batches)
    notes = {"fill": real / whole, "same_batches": other is None}
    return Work(sides[0][0], sides[0][1], theirs, real, None, notes)


def lengths(count: int) -> np.ndarray:
    """Of texts: few are long."""
    drawn = np.random.default_rng(0).lognormal(np.log(68), 0.75, count)
    return np.clip(drawn.round(), 4, 256).astype(np.int64)


def ragged(order: np.ndarray, rows: int) -> tuple[Spec, list[Batch]]:
    """Classified texts in batches, in the order in which these lengths come."""
    spec = Spec("texts", "text", (256,), Target("class", tuple("0123456789")), ragged=True, vocab_size=8192)
    random = torch.Generator().manual_seed(0)
    batches = []
    for part in torch.from_numpy(order).split(rows):
        steps = int(part.max())
        ids = torch.randint(8192, (len(part), steps), generator=random)
        real = torch.arange(steps) < part[:, None]
        batches.append(Batch(ids * real, real, torch.randint(10, (len(part),), generator=random)))
    return spec, batches


def encoder(buckets: bool, settings: dict[str, Any], count: int = 64, rows: int = 16) -> Work:
    """Packed, in any order; padded, in any order or in buckets of length."""
    drawn = lengths(count)
    spec, batches = ragged(drawn, rows)
    other = ragged(np.sort(drawn), rows)[1] if buckets else None
    return packing("encoder", Classify(), spec, batches, settings, other)


def documents(buckets: bool) -> Work:
    """A language model on a corpus of short documents: the texts of `languages`, six at a time."""
    source = open_source("languages")
    texts = [str(text) for text in source.inputs]
    joined = [" ".join(texts[start : start + 1 + start % 11]) for start in range(0, len(texts), 11)]
    dataset = prepare(from_documents("documents", joined, "bytes", 256))
    task = LanguageModel(dataset.spec)
    rows = dataset.rows("train")[:256]
    parts = [part for part in np.split(np.random.default_rng(0).permutation(rows), 8) if len(part)]
    batches = [task.prepare(dataset.batch(part)) for part in parts]
    other = None
    if buckets:
        stream = Stream(dataset, 32, seed=0)
        batches = other = [task.prepare(stream[number]) for number in range(8)]
    return packing("decoder", task, dataset.spec, batches, {}, other, "tiny")


@dataclass(frozen=True)
class Comparison:
    """What is compared, and what is asked of it."""

    make: Callable[[], Work]
    what: str
    bar: float | None = None
    ceiling: float | None = None


TINY = {"dim": 192, "depth": 4, "num_heads": 6, "hidden_dim": 768}
COMPARISONS = {
    "gpt2": Comparison(lambda: gpt2(256, False), "GPT-2 of 11M, 8x256, 256 tokens; Transformers", 1.2, 0.58),
    "gpt2-fused": Comparison(lambda: gpt2(256, True), "the same; Transformers with fused AdamW", 1.1, 0.58),
    "gpt2-8k": Comparison(lambda: gpt2(8192, False), "8,192 tokens; Transformers", 1.2, 0.58),
    "gpt2-8k-fused": Comparison(lambda: gpt2(8192, True), "8,192 tokens; Transformers with fused AdamW", 1.1, 0.58),
    "logits-nano": Comparison(lambda: logits("nano"), "decoder/nano, 16x256, 8,192 tokens; all logits at once"),
    "logits-tiny": Comparison(lambda: logits("tiny"), "decoder/tiny, 16x256, 8,192 tokens; all logits at once"),
    "encoder-packed": Comparison(lambda: encoder(False, OF_11M, 16), "encoder 11M; padded to the batch's longest", 2.0),
    "encoder-buckets": Comparison(lambda: encoder(True, TINY), "encoder of width 192; padded, in buckets of length"),
    "encoder-packed-tiny": Comparison(lambda: encoder(False, TINY), "encoder of width 192; padded to the longest"),
    "encoder-packed-nano": Comparison(lambda: encoder(False, {}), "encoder/nano; padded to the longest"),
    "documents-packed": Comparison(lambda: documents(False), "decoder/tiny, short documents; padded to the longest"),
    "documents-buckets": Comparison(lambda: documents(True), "decoder/tiny, short documents, buckets; padded"),
}


def measure(name: str, threads: int, number: int, seconds: float) -> Iterator[Entry]:
    """What is known of a comparison after each round."""
    comparison = COMPARISONS[name]
    with computing(threads, seed=0, flush_denormals=True):
        work = comparison.make()
        entry: Entry = {"what": comparison.what, "threads": threads, "params": params(work.model)}
        entry |= {"bar": comparison.bar, "ceiling_bar": comparison.ceiling, "tokens": work.tokens, "macs": work.macs}
        entry |= work.notes or {}
        losses = work.ours(), work.theirs()
        entry["losses"] = losses
        if entry.get("same_batches", True) and name.startswith(("logits", "encoder", "documents")):
            assert abs(losses[0] - losses[1]) <= AGREE * abs(losses[1]), losses
        gemm, operations = products()
        sides = {"ours": work.ours, "theirs": work.theirs, "products": gemm}
        entry["rounds"] = []
        for one in rounds(sides, number, seconds):
            entry["rounds"].append(one)
            entry |= summary(entry["rounds"], threads)
            if work.macs:
                entry["of_ceiling"] = middle(entry["rounds"], lambda one: _part(work.macs, operations, one, "wall"))
                entry["of_ceiling_cpu"] = middle(entry["rounds"], lambda one: _part(work.macs, operations, one, "cpu"))
            yield entry


def _part(macs: int | None, operations: float, one: Entry, clock: str) -> float:
    return 6 * (macs or 0) / one["ours"][clock] / (operations / one["products"][clock])


def report() -> None:
    """Print what the results say."""
    rows = [
        (
            f"{name}: {entry['what']}", f"{entry['tokens'] / entry['ours_seconds']:,.0f}",
            against(entry["ratio"], entry["bar"]), f"{entry['cpu_ratio']:.2f}",
            against(entry.get("of_ceiling"), entry["ceiling_bar"]),
            f"{entry['fill']:.0%}" if "fill" in entry else "–", f"{entry['load']:.1f}",
        )
        for name, entry in load(RESULT).items()
        if name in COMPARISONS
    ]  # fmt: skip
    columns = ("training", "real tokens a second", "ratio", "by processor time", "of products' speed", "fill", "load")
    show("Language", columns, rows)


def main() -> None:
    compare(__doc__, Path(__file__), RESULT, list(COMPARISONS), 3.0, measure)
    report()


if __name__ == "__main__":
    main()
