"""inception equals its paper's network of torch's layers, row by row on items without padding: outputs, gradients and
the moments of the batch norms, which see the real steps of all rows end to end."""

import pytest
import torch
from torch import nn

from exams.specs import CLASSES, inputs, mask, spec
from triarch.core.spec import Spec
from triarch.layers.geometry import halved_kernels
from triarch.models import registry

LENGTHS = [19, 5, 1, 9, 2]
CHANNELS = 5


class Restated(nn.Module):
    """Rows (1 C T), each computed by itself → rows (1 D T)."""

    def __init__(self, in_dim, depth, kernel_sizes):
        super().__init__()
        dim = 4 * CHANNELS
        self.blocks, self.shortcuts = nn.ModuleList(), nn.ModuleList()
        for number in range(depth):
            width = dim if number else in_dim
            block = nn.ModuleDict()
            if width > 1:
                block["bottleneck"] = nn.Conv1d(width, CHANNELS, 1, bias=False)
            narrow = CHANNELS if width > 1 else 1
            for size in kernel_sizes:
                block[f"conv{len(block)}"] = nn.Conv1d(narrow, CHANNELS, size, padding="same", bias=False)
            block["pooled"] = nn.Conv1d(width, CHANNELS, 1, bias=False)
            block["norm"] = nn.BatchNorm1d(dim)
            self.blocks.append(block)
        for number in range(depth // 3):
            conv = nn.Conv1d(dim if number else in_dim, dim, 1, bias=False)
            self.shortcuts.append(nn.ModuleDict({"conv": conv, "norm": nn.BatchNorm1d(dim)}))

    def forward(self, rows):
        before = rows
        for number, block in enumerate(self.blocks):
            rows = [part.relu() for part in normed(block["norm"], [concatenated(block, row) for row in rows])]
            if number % 3 == 2:
                shortcut = self.shortcuts[number // 3]
                passed = normed(shortcut["norm"], [shortcut["conv"](row) for row in before])
                before = rows = [(row + part).relu() for row, part in zip(rows, passed)]
        return rows


def concatenated(block, row):
    narrow = block["bottleneck"](row) if "bottleneck" in block else row
    convs = [conv(narrow) for name, conv in block.items() if name.startswith("conv")]
    return torch.cat([*convs, block["pooled"](nn.functional.max_pool1d(row, 3, 1, 1))], dim=1)


def normed(norm, rows):
    return norm(torch.cat(rows, dim=2)).split([row.shape[2] for row in rows], dim=2)


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("depth", [2, 3, 7])
@pytest.mark.parametrize(("in_dim", "longest", "kernel_sizes"), [(7, 39, (19, 9, 3)), (1, 11, (11, 5, 1))])
def test_equal(in_dim, longest, kernel_sizes, depth, training):
    """While training in double precision: the moments of a batch enlarge what single precision rounds off."""
    torch.manual_seed(0)
    dtype = torch.float64 if training else torch.float32
    data, architecture = Spec("waves", "series", (19, in_dim), CLASSES, ragged=True), registry.find("inception")
    settings = {"channels": CHANNELS, "depth": depth, "kernel_size": longest}
    ours = architecture.backbone(architecture.configure("nano", settings), data)
    for name, parameter in ours.named_parameters():
        nn.init.normal_(parameter, mean="norm.weight" in name, std=0.2)
    for name, buffer in ours.named_buffers():
        if buffer.is_floating_point():
            nn.init.uniform_(buffer, 0.5 if "var" in name else -0.5, 1.5 if "var" in name else 0.5)
    theirs = Restated(in_dim, depth, kernel_sizes)
    theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True)))
    ours, theirs = ours.to(dtype).train(training), theirs.to(dtype).train(training)

    x = inputs(data, len(LENGTHS), max(LENGTHS)).to(dtype)
    x[~mask(LENGTHS, 19)] = 1000.0
    mine, yours = x.clone().requires_grad_(), x.clone().requires_grad_()
    features, _ = ours(mine, mask(LENGTHS, 19))
    expected = theirs([row[:length].T[None] for row, length in zip(yours, LENGTHS)])
    loss, expected_loss = features.pooled.cos().sum(), torch.zeros(())
    for row, (values, length) in enumerate(zip(expected, LENGTHS)):
        made, values, pooled = features.values[row, :length], values[0].T, values[0].mean(dim=1)
        assert torch.allclose(made, values, atol=1e-5)
        assert torch.allclose(features.pooled[row], pooled, atol=1e-5)
        loss = loss + made.sin().sum()
        expected_loss = expected_loss + values.sin().sum() + pooled.cos().sum()

    loss.backward()
    expected_loss.backward()
    assert torch.allclose(mine.grad, yours.grad, atol=1e-5)
    for (name, parameter), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert parameter.grad.any(), name
        assert torch.allclose(parameter.grad, other.grad, atol=1e-5), name
    for buffer, other in zip(ours.buffers(), theirs.buffers(), strict=True):
        assert torch.allclose(buffer, other, atol=1e-5)


def test_text_is_embedded():
    torch.manual_seed(0)
    data, architecture = spec("text"), registry.find("inception")
    ours = architecture.backbone(architecture.configure("nano", {"channels": CHANNELS}), data).eval()
    theirs = Restated(4 * CHANNELS, 6, halved_kernels(17, 39)).eval()
    weights = list(ours.state_dict().values())
    theirs.load_state_dict(dict(zip(theirs.state_dict(), weights[1:], strict=True)))
    x = inputs(data, 2)
    expected = torch.cat(theirs([weights[0][row].T[None] for row in x]))
    assert torch.allclose(ours(x)[0].values, expected.transpose(1, 2), atol=1e-5)


@pytest.mark.parametrize(
    ("steps", "kernel_sizes"),
    [(1, (1, 1, 1)), (3, (3, 1, 1)), (8, (7, 3, 1)), (29, (29, 13, 7)), (38, (37, 19, 9)), (500, (39, 19, 9))],
)
def test_kernels_are_odd_and_no_longer_than_the_series(steps, kernel_sizes):
    assert halved_kernels(steps, 39) == kernel_sizes
