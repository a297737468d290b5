"""The exam that every architecture sits. Each function raises AssertionError where it is failed.

They take an `Architecture`, so that one from another package can sit them too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from exams.specs import SPECS, batch, inputs, mask, spec
from triarch.core.spec import Modality, Spec
from triarch.core.types import Features
from triarch.layers.backbone import Backbone
from triarch.measure.count import macs, params
from triarch.models.registry import Architecture
from triarch.tasks.classify import Classify

TOLERANCE = 1e-5


def make(
    architecture: Architecture, data: Spec, size: str = "nano", settings: Mapping[str, Any] | None = None
) -> Backbone:
    """A backbone with weights from seed 0, in eval mode."""
    torch.manual_seed(0)
    return architecture.backbone(architecture.configure(size, settings or {}), data).eval()


def builds(architecture: Architecture, modality: Modality) -> None:
    """At every size, from several specs, with ladders that rise."""
    for data in SPECS[modality]:
        counts = []
        for size in architecture.sizes:
            with torch.device("meta"):
                backbone = architecture.backbone(architecture.configure(size, {}), data)
                features, _ = backbone(inputs(data, 2).to("meta"))
            assert features.pooled.shape == (2, backbone.shape.pooled_dim)
            counts.append(params(backbone))
            assert macs(backbone, lambda: backbone(inputs(data, 1).to("meta"))) > 0  # noqa: B023
        assert counts == sorted(counts)


def shapes(architecture: Architecture, modality: Modality) -> None:
    """Outputs are as `FeatureShape` says."""
    data = spec(modality)
    backbone = make(architecture, data)
    x = batch(data, 6)
    features, state = backbone(x.input, x.mask)
    shape = backbone.shape
    assert state is None
    assert features.kind == shape.kind
    assert features.pooled.shape == (6, shape.pooled_dim)
    width = features.values.shape[1] if shape.kind == "grid" else features.values.shape[2]
    assert width == shape.dim
    assert features.values.ndim == (4 if shape.kind == "grid" else 3)
    if features.mask is not None:
        assert features.mask.shape == features.values.shape[:2]
    assert torch.isfinite(features.values).all()
    assert torch.isfinite(features.pooled).all()


def gradients(architecture: Architecture, modality: Modality) -> None:
    """Within five batches they reach every parameter, also behind a gate that begins closed."""
    data = spec(modality)
    model = make(architecture, data)
    head = Classify().head(model.shape, data)
    model.train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=architecture.learning_rate)
    waiting = dict(model.named_parameters())
    for seed in range(5):
        example = batch(data, 6, seed)
        features, _ = model(example.input, example.mask)
        optimiser.zero_grad()
        Classify().loss(head(features, example), example).backward()
        optimiser.step()
        waiting = {name: value for name, value in waiting.items() if value.grad is None or not value.grad.any()}
    assert not waiting, f"no gradient reaches {', '.join(waiting)}"


def overfits(architecture: Architecture, modality: Modality) -> None:
    """One batch is learned by heart."""
    data = spec(modality)
    backbone = make(architecture, data)
    head = Classify().head(backbone.shape, data)
    backbone.train()
    parameters = [*backbone.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=architecture.learning_rate)
    example = batch(data, 6)
    for _ in range(400):
        features, _ = backbone(example.input, example.mask)
        loss = Classify().loss(head(features, example), example)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if loss.item() < 0.01:
            break
    backbone.eval()
    features, _ = backbone(example.input, example.mask)
    assert Classify().metrics(head(features, example), example)["accuracy"].all()


def bfloat16(architecture: Architecture, modality: Modality) -> None:
    """A step whose products are in bfloat16 has about the gradient of one in float32, and weights stay float32."""
    data = spec(modality)
    backbone = make(architecture, data)
    head = Classify().head(backbone.shape, data)
    example = batch(data, 6)
    found = []
    for low in (False, True):
        backbone.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            features, _ = backbone(example.input, example.mask)
            loss = Classify().loss(head(features, example), example)
        loss.backward()
        gradients = [p.grad.flatten() for p in backbone.parameters() if p.grad is not None]
        assert {one.dtype for one in gradients} == {torch.float32}
        found.append((loss.detach(), torch.cat(gradients)))
    (loss, gradient), (low_loss, low_gradient) = found
    torch.testing.assert_close(low_loss, loss, rtol=0.05, atol=0.02)
    assert torch.cosine_similarity(low_gradient, gradient, dim=0) > 0.95


def padding(architecture: Architecture, modality: Modality, settings: Mapping[str, Any] | None = None) -> None:
    """Whatever stands in the padding, and however much of it there is, a row gives what it gives alone."""
    data = spec(modality)
    backbone = make(architecture, data, settings=settings)
    lengths = [5, data.max_len, 1, 8]
    x = inputs(data, len(lengths))
    together = _features(backbone, x, mask(lengths, x.shape[1]))
    wide = torch.cat((x, inputs(data, len(lengths), 4, seed=1)), dim=1)
    for row, length in enumerate(lengths):
        wide[row, length:] = inputs(data, 1, wide.shape[1] - length, seed=2)[0] * (1 if modality == "text" else 1000)
    garbage = _features(backbone, wide, mask(lengths, wide.shape[1]))
    for row, length in enumerate(lengths):
        alone = _features(backbone, x[row : row + 1, :length], None)
        steps = alone.values.shape[1]
        for other in (together, garbage):
            _same(other.pooled[row], alone.pooled[0])
            _same(other.values[row, :steps], alone.values[0])


def company(architecture: Architecture, modality: Modality) -> None:
    """The other rows of the batch change nothing."""
    data = spec(modality)
    backbone = make(architecture, data)
    x = inputs(data, 5)
    together = _features(backbone, x, None)
    for row in range(5):
        alone = _features(backbone, x[row : row + 1], None)
        _same(together.pooled[row], alone.pooled[0])
        _same(together.values[row], alone.values[0])


def causality(architecture: Architecture, modality: Modality, settings: Mapping[str, Any] | None = None) -> None:
    """No step sees the future."""
    assert architecture.causal is not None
    data = spec(modality)
    backbone = make(architecture, data, settings={**architecture.causal, **(settings or {})})
    x = inputs(data, 3)
    before = _features(backbone, x, None)
    for cut in (1, 4, data.max_len - 1):
        changed = torch.cat((x[:, :cut], inputs(data, 3, data.max_len - cut, seed=3)), dim=1)
        after = _features(backbone, changed, None)
        _same(after.values[:, :cut], before.values[:, :cut])
        assert not torch.allclose(after.values[:, cut:], before.values[:, cut:])


def chunking(architecture: Architecture, modality: Modality, settings: Mapping[str, Any] | None = None) -> None:
    """Chunk by chunk gives what the whole gives, also where rows move on by different numbers of steps."""
    assert architecture.causal is not None
    data = spec(modality)
    backbone = make(architecture, data, settings={**architecture.causal, **(settings or {})})
    x = inputs(data, 3)
    whole = _features(backbone, x, None).values
    for sizes in ([data.max_len], [1] * data.max_len, [4, 1, 2, data.max_len - 7]):
        state = backbone.start(3)
        for start, size in zip(accumulate(sizes, initial=0), sizes):
            features, state = backbone(x[:, start : start + size], None, state)
            _same(features.values, whole[:, start : start + size])
            _same(features.pooled, whole[:, start + size - 1])
        assert state.position.tolist() == [data.max_len] * 3
    _unequal_chunks(backbone, x, whole)


def _unequal_chunks(backbone: Backbone, x: Tensor, whole: Tensor, context: Features | None = None) -> None:
    state = backbone.start(3)
    if context is not None:
        state = replace(state, context=backbone.read(context))
    done = [0, 0, 0]
    for moves in ([5, 2, 4], [1, 3, 0], [2, 2, 6]):
        width = max(moves)
        chunk = torch.stack([_slice(x[row], done[row], width) for row in range(3)])
        features, state = backbone(chunk, mask(moves, width), state)
        for row, move in enumerate(moves):
            _same(features.values[row, :move], whole[row, done[row] : done[row] + move])
            done[row] += move
        assert state.position.tolist() == done
    # the same rows in another order, one of them twice; and back from a snapshot
    index = torch.tensor([2, 0, 2])
    picked, saved = state.rows(index), state.snapshot()
    following = torch.stack([x[row, done[row] : done[row] + 1] for row in index])
    features, _ = backbone(following, None, picked)
    for position, row in enumerate(index.tolist()):
        _same(features.values[position, 0], whole[row, done[row]])
    backbone(x[:, :2], None, state)
    state.restore(saved)
    following = torch.stack([x[row, done[row] : done[row] + 1] for row in range(3)])
    features, _ = backbone(following, None, state)
    for row in range(3):
        _same(features.values[row, 0], whole[row, done[row]])


def _slice(row: Tensor, start: int, width: int) -> Tensor:
    """`width` steps from `start`; beyond the end the first ones again, as padding."""
    return torch.cat((row[start : start + width], row))[:width]


def cross(architecture: Architecture, modality: Modality, settings: Mapping[str, Any] | None = None) -> None:
    """It reads its context, no padding of it and no future, and chunk by chunk what it reads of it in the whole."""
    assert "cross" in architecture.abilities
    assert architecture.causal is not None
    data = spec(modality)
    backbone = make(architecture, data, settings={**architecture.causal, "context_dim": 11, **(settings or {})})
    x, sources = inputs(data, 3), [6, 1, 4]
    context = _context(sources, 6)
    whole = _features(backbone, x, None, context).values
    garbage = _context(sources, 9)
    _same(_features(backbone, x, None, garbage).values, whole)
    for row, length in enumerate(sources):
        alone = replace(context, values=context.values[row : row + 1, :length], mask=None)
        _same(_features(backbone, x[row : row + 1], None, alone).values[0], whole[row])
        other = replace(alone, values=alone.values + 1)
        assert not torch.allclose(_features(backbone, x[row : row + 1], None, other).values[0], whole[row])
    changed = torch.cat((x[:, :4], inputs(data, 3, data.max_len - 4, seed=3)), dim=1)
    _same(_features(backbone, changed, None, context).values[:, :4], whole[:, :4])
    for sizes in ([data.max_len], [1] * data.max_len, [4, 1, 2, data.max_len - 7]):
        state, given = backbone.start(3), context
        for start, size in zip(accumulate(sizes, initial=0), sizes):
            features, state = backbone(x[:, start : start + size], None, state, given)
            given = None
            _same(features.values, whole[:, start : start + size])
    _unequal_chunks(backbone, x, whole, context)


def cross_gradients(architecture: Architecture, modality: Modality) -> None:
    """They reach every parameter, and the context."""
    data = spec(modality)
    model = make(architecture, data, settings={**(architecture.causal or {}), "context_dim": 11}).train()
    context = _context([6, 1, 4], 6)
    context.values.requires_grad_()
    features, _ = model(inputs(data, 3), None, None, context)
    (features.values * torch.randn_like(features.values)).sum().backward()
    missed = [name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()]
    assert not missed, f"no gradient reaches {', '.join(missed)}"
    assert context.values.grad is not None
    reached = context.values.grad.abs().sum(dim=2) > 0
    assert context.mask is not None
    assert (reached == context.mask).all()


def _context(lengths: Sequence[int], steps: int) -> Features:
    """A context of 11 widths, the same for each row whatever comes after its end."""
    values = torch.randn(len(lengths), max(lengths), 11, generator=torch.Generator().manual_seed(5))
    padding = 1000 * torch.randn(len(lengths), steps - max(lengths), 11)
    values = torch.cat((values, padding), dim=1)
    real = mask(lengths, steps)
    return Features(
        torch.where(real[..., None], values, 1000 * torch.randn_like(values)), real, "sequence", values[:, 0]
    )


def survives_saving(architecture: Architecture, modality: Modality, folder: Path) -> None:
    """Saved and loaded, the answers are the same to the bit."""
    from triarch.data.dataset import prepare
    from triarch.data.nominal import nominal_source
    from triarch.model import build
    from triarch.ship.artifact import Artifact, load, new_config, save

    dataset = prepare(nominal_source(modality))
    model = build(architecture.name, "nano", Classify(), dataset.spec)
    config = new_config(architecture.name, "nano", {}, Classify(), dataset.spec)
    artifact = Artifact(config, model, Classify(), dataset.preprocessor)
    save(artifact, folder, "", dataset.source.take(dataset.splits["train"]))
    again = load(folder)
    sample = dataset.source.take(dataset.splits["select"])
    assert again.config == config
    assert (again.answers(sample) == artifact.answers(sample)).all()


def _features(backbone: Backbone, x: Tensor, real: Tensor | None, context: Features | None = None) -> Features:
    with torch.no_grad():
        return backbone(x, real, None, context)[0]


def _same(a: Tensor, b: Tensor) -> None:
    difference = (a - b).abs().max().item() if a.numel() else 0.0
    scale = max(1.0, b.abs().max().item() if b.numel() else 1.0)
    assert a.shape == b.shape
    assert difference <= TOLERANCE * scale, f"differs by {difference:.2g}"
