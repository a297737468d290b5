"""textcnn equals its paper's sum of torch's layers, row by row on items without padding: outputs and gradients."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from exams.specs import inputs, mask, spec
from triarch.models import registry

LENGTHS = [17, 5, 1, 9, 2]


class Restated(nn.Module):
    """One item at a time: (T) or (T C) → the responses (T D)."""

    def __init__(self, embed, dim, channels, kernel_sizes):
        super().__init__()
        self.embed = embed
        self.convs = nn.ModuleList(nn.Conv1d(dim, channels, size) for size in kernel_sizes)

    def forward(self, item):
        """Windows that begin (k - 1) // 2 steps before each step; beyond the item are zeros."""
        embedded = self.embed(item).T
        responses = []
        for conv in self.convs:
            (size,) = conv.kernel_size
            wide = F.pad(embedded, ((size - 1) // 2, size // 2))
            windows = [wide[:, step : step + size] for step in range(len(item))]
            responses.append(torch.cat([conv(window) for window in windows], dim=1))
        return F.relu(torch.cat(responses)).T


@pytest.mark.parametrize("kernel_sizes", [(3, 4, 5), (2,), (1, 7)])
@pytest.mark.parametrize("modality", ["text", "series"])
def test_equal(modality, kernel_sizes):
    torch.manual_seed(0)
    data, architecture = spec(modality), registry.find("textcnn")
    config = architecture.configure("nano", {"dim": 11, "channels": 6, "kernel_sizes": kernel_sizes})
    ours = architecture.backbone(config, data).eval()
    for parameter in ours.parameters():
        nn.init.normal_(parameter, std=0.3)
    embed = nn.Embedding(data.vocab_size, 11) if modality == "text" else nn.Linear(data.in_channels, 11)
    theirs = Restated(embed, 11, 6, kernel_sizes)
    theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True)))
    x = inputs(data, len(LENGTHS), max(LENGTHS))
    mine, yours = x.clone(), x.clone()
    if modality == "series":
        mine.requires_grad_()
        yours.requires_grad_()

    features, _ = ours(mine, mask(LENGTHS, x.shape[1]))
    expected = [theirs(row[:length]) for row, length in zip(yours, LENGTHS)]
    loss = features.pooled.cos().sum()
    expected_loss = torch.stack([values.amax(dim=0) for values in expected]).cos().sum()
    for row, values in enumerate(expected):
        made = features.values[row, : len(values)]
        assert torch.allclose(made, values, atol=1e-5)
        assert torch.allclose(features.pooled[row], values.amax(dim=0), atol=1e-5)
        loss, expected_loss = loss + made.sin().sum(), expected_loss + values.sin().sum()

    loss.backward()
    expected_loss.backward()
    if modality == "series":
        assert torch.allclose(mine.grad, yours.grad, atol=1e-5)
    for parameter, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert parameter.grad.any()
        assert torch.allclose(parameter.grad, other.grad, atol=1e-5)
