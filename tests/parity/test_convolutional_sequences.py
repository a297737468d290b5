"""In one dimension, resnet and convnext on a padded batch equal functions applied to each row alone.

Where the moments of a batch are wanted, the rows are joined first: so norms see real steps only, also while training.
Training is compared in double: sums over a thousand steps, through many norms, round to 1e-5 in single.
"""

from copy import deepcopy

import pytest
import torch
from torch.nn import functional as F

from exams.specs import inputs, mask
from parity.compare import assert_same
from parity.exchange import shake
from triarch.core.spec import Spec, Target
from triarch.models import registry

LENGTHS = [600, 40, 333, 1, 2]
CLASSES = Target("class", ("a", "b"))
LONG = Spec("long", "series", (600, 3), CLASSES, ragged=True)
SHORT = Spec("short", "series", (47, 3), CLASSES, ragged=True)
TEXT = Spec("text", "text", (47,), CLASSES, vocab_size=9, ragged=True)


def each(rows, function):
    return [function(row) for row in rows]


def norm(rows, layer, training):
    """Batch normalisation with the moments of all steps of all rows."""
    joined = torch.cat(rows, dim=-1)
    joined = F.batch_norm(joined, layer.running_mean, layer.running_var, layer.weight, layer.bias, training)
    return list(joined.split([row.shape[-1] for row in rows], dim=-1))


def conv_norm(rows, layer, width, stride, training):
    edges = ((width - 1) // 2, width // 2)
    made = each(rows, lambda row: F.conv1d(F.pad(row, edges), layer.conv.weight, stride=stride))
    return norm(made, layer.norm, training)


def resnet(backbone, rows, strides, kernels, large, training):
    rows = conv_norm(rows, backbone.stem, 7 if large else 3, 2 if large else 1, training)
    rows = each(rows, torch.relu)
    if large:
        rows = each(rows, lambda row: F.max_pool1d(row, 3, 2, 1))
    for stage, stride in zip(backbone.stages, strides):
        for number, block in enumerate(stage):
            step, made = stride if number == 0 else 1, rows
            widest = kernels.index(8)
            for place, (layer, width) in enumerate(zip([*block.convs, block.last], kernels)):
                made = conv_norm(made, layer, width, step if place == widest else 1, training)
                made = made if layer is block.last else each(made, torch.relu)
            shortcut = rows if block.shortcut is None else conv_norm(rows, block.shortcut, 1, step, training)
            rows = [(one + other).relu() for one, other in zip(made, shortcut)]
    return rows, torch.cat(each(rows, lambda row: row.mean(dim=-1)))


def convnext(backbone, rows, strides):
    def layer_norm(row, layer):
        return F.layer_norm(row.transpose(1, 2), row.shape[1:2], layer.weight, layer.bias, 1e-6).transpose(1, 2)

    def patches(row, conv, stride):
        row = F.pad(row, (0, -row.shape[-1] % stride) if stride > 1 else (conv.weight.shape[-1] // 2,) * 2)
        return F.conv1d(row, conv.weight, conv.bias, stride=stride)

    def whole(row):
        row = layer_norm(patches(row, backbone.stem.conv, strides[0]), backbone.stem_norm)
        for stage, stride in zip(backbone.stages, strides):
            if stage.norm is not None:
                row = patches(layer_norm(row, stage.norm), stage.shrink.conv, stride)
            for block in stage.blocks:
                dim = row.shape[1]
                made = F.conv1d(row, block.depthwise.weight, block.depthwise.bias, padding=3, groups=dim)
                made = F.gelu(block.widen(layer_norm(made, block.norm).transpose(1, 2)))
                row = row + (block.scale * block.narrow(made)).transpose(1, 2)
        return row

    def summary(row):
        return F.layer_norm(row.mean(dim=-1), row.shape[1:2], backbone.norm.weight, backbone.norm.bias, 1e-6)

    rows = each(rows, whole)
    return rows, torch.cat(each(rows, summary))


def check(name, settings, data, training, reference):
    architecture = registry.find(name)
    backbone = architecture.backbone(architecture.configure("nano", settings), data).train(training)
    torch.manual_seed(0)
    shake(backbone)
    lengths = [min(length, data.max_len) for length in LENGTHS]
    x, real = inputs(data, len(lengths)), mask(lengths, data.max_len)
    if training:
        backbone, x = backbone.double(), x if data.modality == "text" else x.double()
    twin = deepcopy(backbone)
    features, _ = backbone(x, real)
    rows = [twin.input(x[row : row + 1, :length]) for row, length in enumerate(lengths)]
    expected, pooled = reference(twin, rows)
    assert_same(features.pooled, pooled)
    assert features.mask.sum(dim=1).tolist() == [row.shape[-1] for row in expected]
    assert_same(features.values[features.mask], torch.cat([row[0].T for row in expected]))
    (features.pooled.sin().sum() + features.values[features.mask].cos().sum()).backward()
    (pooled.sin().sum() + sum(row.cos().sum() for row in expected)).backward()
    for (name, mine), yours in zip(backbone.named_parameters(), twin.parameters()):
        assert_same(mine.grad, yours.grad, name)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("bottleneck", [False, True])
@pytest.mark.parametrize("data", [LONG, SHORT, TEXT], ids=lambda data: data.name)
def test_resnet(data, bottleneck, training):
    kernels = (1, 8, 1) if bottleneck else (8, 5, 3)
    steps = (1, 2, 2) if data is LONG else (1, 1, 2)
    settings = {"channels": (16, 24, 32), "depths": (1, 2, 1), "bottleneck": bottleneck}

    def reference(backbone, rows):
        return resnet(backbone, rows, steps, kernels, data is LONG, training)

    check("resnet", settings, data, training, reference)


@pytest.mark.parametrize("data", [LONG, SHORT, TEXT], ids=lambda data: data.name)
def test_convnext(data):
    steps = (4, 2, 2) if data is LONG else (1, 1, 2)

    def reference(backbone, rows):
        return convnext(backbone, rows, steps)

    check("convnext", {"channels": (8, 12, 16), "depths": (1, 2, 1)}, data, True, reference)


def test_norms_remember_real_steps_only():
    from triarch.layers.norm import SequenceBatchNorm

    torch.manual_seed(0)
    ours, theirs = SequenceBatchNorm(4), torch.nn.BatchNorm1d(4)
    x, real = torch.randn(3, 4, 9) * 3 + 1, mask([9, 2, 5], 9)
    made = ours(x, real)
    expected = theirs(x.transpose(1, 2)[real])
    assert torch.equal(made.transpose(1, 2)[real], expected)
    assert not made.transpose(1, 2)[~real].any()
    assert torch.equal(ours.running_mean, theirs.running_mean)
    assert torch.equal(ours.running_var, theirs.running_var)
