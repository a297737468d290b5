"""Next tokens and hidden tokens."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from triarch.core.errors import InputError
from triarch.core.spec import Spec, Target
from triarch.core.types import NOTHING, Batch
from triarch.data.corpora.corpus import from_documents
from triarch.data.dataset import prepare
from triarch.model import build
from triarch.tasks.language_model import LanguageModel
from triarch.tasks.masked_model import MaskedModel
from triarch.training.evaluate import evaluate

SPEC = Spec("text", "text", (8,), Target("token", special=(0, 1, 10, 11), mask=11), vocab_size=12)


@pytest.fixture(scope="module")
def dataset():
    random = np.random.default_rng(0)
    words = ["ant", "bee", "cat", "dog"]
    return prepare(from_documents("words", [" ".join(random.choice(words, 40)) for _ in range(120)], "bytes", 32))


def test_shift() -> None:
    batch = Batch(torch.tensor([[10, 2, 3, 4], [10, 5, 0, 0]]), torch.tensor([[True] * 4, [True, True, False, False]]))
    made = LanguageModel().prepare(batch)
    assert made.input.tolist() == [[10, 2, 3], [10, 5, 0]]
    assert made.target.tolist() == [[2, 3, 4], [5, NOTHING, NOTHING]]
    assert made.mask.tolist() == [[True] * 3, [True, False, False]]


def test_bits_per_byte_are_all_bits_over_all_bytes(dataset) -> None:
    """A model that knows nothing takes log2 V bits for each token, whatever the lengths of the blocks."""
    task = LanguageModel()
    model = build("decoder", "nano", task, dataset.spec).eval()
    with torch.no_grad():
        model.backbone.embed.project.weight.zero_()
    rows = dataset.rows("confirm")
    scores = evaluate(model, task, dataset.batches(rows, 7))
    source = dataset.source
    tokens = (source.inputs.lengths[rows] - 1).sum()
    wanted = tokens * math.log2(dataset.spec.vocab_size) / source.labels[rows].sum()
    assert scores.score(task.primary) == pytest.approx(wanted, rel=1e-5)


def test_logits_come_from_the_embedding_itself(dataset) -> None:
    model = build("decoder", "nano", LanguageModel(), dataset.spec)
    assert not [name for name, _ in model.named_parameters() if name.startswith("head")]
    ids = torch.randint(2, dataset.spec.vocab_size, (2, 9))
    features, _ = model.eval().backbone(ids)
    assert torch.equal(model(Batch(ids)), features.values @ model.backbone.embed.project.weight.T)


def test_what_looks_ahead_is_refused(dataset) -> None:
    with pytest.raises(InputError, match="looks ahead"):
        build("textcnn", "nano", LanguageModel(), dataset.spec)
    with pytest.raises(InputError, match="feature of each token"):
        build("plain", "nano", MaskedModel(dataset.spec), dataset.spec)


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn", "mingru", "mamba2", "griffin", "rglru", "tcn", "decoder"])
def test_no_language_model_sees_what_comes(name: str, dataset) -> None:
    torch.manual_seed(0)
    model = build(name, "nano", LanguageModel(), dataset.spec).eval()
    ids = torch.randint(2, dataset.spec.vocab_size, (1, 20))
    other = ids.clone()
    other[0, 12] = (other[0, 12] + 1 - 2) % (dataset.spec.vocab_size - 2) + 2
    change = (model(Batch(ids)) - model(Batch(other))).abs().amax(dim=2)[0]
    assert change[:12].max() == 0
    assert change[12] > 0


def test_masks_are_those_of_bert() -> None:
    task = MaskedModel(SPEC)
    ids = torch.randint(2, 10, (64, 401))
    ids[:, 1:3] = torch.tensor([10, 0])
    made = task.prepare(Batch(ids, torch.ones_like(ids).bool()), torch.Generator().manual_seed(1))
    ids = ids[:, 1:]
    sought = made.target != NOTHING
    assert sought.float().mean() == pytest.approx(0.15 * 398 / 400, abs=2e-3)
    assert not sought[:, :2].any()
    assert torch.equal(made.target[sought], ids[sought])
    assert torch.equal(made.input[~sought], ids[~sought])
    shown = made.input[sought]
    assert (shown == 11).float().mean() == pytest.approx(0.8, abs=0.02)
    kept = (shown == ids[sought]).float().mean()
    assert kept == pytest.approx(0.1 + 0.1 / 8, abs=0.02)
    assert shown[shown != 11].max() < 10


def test_masks_change_with_the_step_and_not_with_the_run(dataset) -> None:
    task = MaskedModel(dataset.spec)
    batch = dataset.batch(dataset.rows("train")[:4])
    first, again, other = (task.prepare(batch, torch.Generator().manual_seed(seed)).input for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_tokenizer_without_mask_is_refused() -> None:
    with pytest.raises(InputError, match=r"no \[MASK\]"):
        MaskedModel(Spec("text", "text", (8,), Target("token"), vocab_size=12))


@pytest.mark.parametrize("soft_cap", [None, 0.5])
@pytest.mark.parametrize(("name", "kind"), [("decoder", LanguageModel), ("encoder", MaskedModel)])
def test_the_loss_is_that_of_all_logits(name: str, kind: type, soft_cap: float | None, dataset) -> None:
    """In training and not, of blocks of unequal length, and so are the gradients."""
    torch.manual_seed(0)
    task = kind(dataset.spec)
    model = build(name, "nano", task, dataset.spec, {"dropout": 0.0})
    model.head.vocabulary.soft_cap = soft_cap
    real = torch.arange(33) < torch.tensor([[9], [2], [33]])
    batch = task.prepare(replace(dataset.batch(np.arange(3)), mask=real))
    logits = model(replace(batch, target=None))
    each = F.cross_entropy(logits.transpose(1, 2), batch.target, ignore_index=NOTHING, reduction="none")
    expected = each.sum() / batch.target.ne(NOTHING).sum()
    found = task.loss(model(batch), batch)
    assert found.item() == pytest.approx(expected.item(), abs=1e-6)
    weights = list(model.parameters())
    for one, other in zip(torch.autograd.grad(found, weights), torch.autograd.grad(expected, weights)):
        assert (one - other).abs().max() <= 1e-6
    output = model.eval()(batch)
    assert task.loss(output, batch).item() == pytest.approx(expected.item(), abs=1e-6)
    metrics = task.metrics(output, batch)
    count = batch.target.ne(NOTHING).sum(dim=1)
    assert torch.allclose(metrics["loss"], each.sum(dim=1) / count, atol=1e-6)
    if kind is MaskedModel:
        right = logits.argmax(dim=2).eq(batch.target).sum(dim=1)
        assert torch.allclose(metrics["accuracy"], right / count)
