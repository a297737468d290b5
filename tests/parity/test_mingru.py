"""mingru equals the paper's formulas written as a loop over the steps, weight for weight, in both directions.

Its scan also equals the one in log space of the paper's appendix B, which other implementations use.
"""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from exams.specs import inputs, mask, spec
from triarch.layers.gated_scan import gated_scan
from triarch.models import registry

LENGTHS = [19, 3, 11, 1, 7]


def mixed(mixer, x):
    """One row (T D), step by step."""
    kernel, dim = mixer.conv.weight[:, 0] if mixer.conv else torch.ones(x.shape[1], 1), x.shape[1]
    hidden, made = torch.zeros(dim), []
    padded = torch.cat((torch.zeros(kernel.shape[1] - 1, dim), x))
    for step in range(len(x)):
        convolved = (padded[step : step + kernel.shape[1]] * kernel.T).sum(dim=0)
        update, candidate = (mixer.gates.weight @ convolved + mixer.gates.bias).chunk(2)
        z = 1 / (1 + torch.exp(-update))
        candidate = torch.where(candidate >= 0, candidate + 0.5, 1 / (1 + torch.exp(-candidate)))
        hidden = (1 - z) * hidden + z * candidate
        made.append(hidden)
    return torch.stack(made)


def restated(ours, row):
    """The stack of blocks on one row (T D)."""
    for block in ours.blocks.blocks:
        normed = F.layer_norm(row, row.shape[1:], block.mixer_norm.weight, block.mixer_norm.bias)
        if ours.directions == 1:
            row = row + mixed(block.mixer, normed)
        else:
            back = mixed(block.mixer.backwards, normed.flip(0)).flip(0)
            row = row + mixed(block.mixer.forwards, normed) + back
        if block.feed is not None:
            normed = F.layer_norm(row, row.shape[1:], block.feed_norm.weight, block.feed_norm.bias)
            row = row + block.feed[2](F.gelu(block.feed[0](normed)))
    return F.layer_norm(row, row.shape[1:], ours.blocks.norm.weight, ours.blocks.norm.bias)


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("settings", [{}, {"kernel_size": 1, "depth": 1}, {"hidden_dim": 12, "depth": 3}])
def test_equal(directions, settings):
    torch.manual_seed(0)
    data, architecture = spec("series"), registry.find("mingru")
    config = architecture.configure("nano", {"dim": 10, "directions": directions, **settings})
    ours = architecture.backbone(config, data).eval()
    for parameter in ours.parameters():
        nn.init.normal_(parameter, mean=0.1, std=0.4)
    x = inputs(data, len(LENGTHS))
    mine, yours = x.clone().requires_grad_(), x.clone().requires_grad_()
    weight = torch.randn(len(LENGTHS), x.shape[1], config.dim)

    features, _ = ours(mine, mask(LENGTHS, x.shape[1]))
    rows = [restated(ours, ours.embed.project(yours[row, :length])) for row, length in enumerate(LENGTHS)]
    ends = [row[-1] if directions == 1 else torch.cat((row[-1], row[0])) for row in rows]
    for row, length in enumerate(LENGTHS):
        assert torch.allclose(features.values[row, :length], rows[row], atol=1e-5)
    assert torch.allclose(features.pooled, torch.stack(ends), atol=1e-5)

    loss = features.pooled.sin().sum() + (features.values * weight)[mask(LENGTHS, x.shape[1])].sum()
    expected = torch.stack(ends).sin().sum() + sum((r * w[: len(r)]).sum() for r, w in zip(rows, weight))
    parameters = list(ours.parameters())
    ours_grad = torch.autograd.grad(loss, [mine, *parameters])
    theirs_grad = torch.autograd.grad(expected, [yours, *parameters])
    for one, other in zip(ours_grad, theirs_grad):
        assert other.any()
        assert (one - other).abs().max() <= 1e-5 * max(1.0, other.abs().max().item())


def test_equals_the_scan_in_log_space():
    torch.manual_seed(0)
    x = torch.randn(3, 40, 14, requires_grad=True)
    gate, candidate = x.chunk(2, dim=-1)
    log_g = torch.where(candidate >= 0, (F.relu(candidate) + 0.5).log(), -F.softplus(-candidate))
    log_kept = -F.softplus(gate).cumsum(dim=1)
    expected = (log_kept + (log_g - F.softplus(-gate) - log_kept).logcumsumexp(dim=1)).exp()
    made = gated_scan(x)
    assert torch.allclose(made, expected, atol=1e-5)
    (mine,), (yours,) = (torch.autograd.grad(h.sin().sum(), x, retain_graph=True) for h in (made, expected))
    assert torch.allclose(mine, yours, atol=1e-5)


@pytest.mark.parametrize("settings", [{"kernel_size": 1}, {"hidden_dim": 12, "depth": 1}])
def test_every_block_passes_the_exams(settings):
    from exams import exams

    mingru = registry.find("mingru")
    exams.padding(mingru, "text", settings)
    exams.causality(mingru, "series", settings)
    exams.chunking(mingru, "series", settings)
