"""plain equals a Sequential of torch's layers, tcn the convolve-and-chomp of its paper's published code."""

import torch
from torch import nn
from torch.nn import functional as F

from exams.specs import inputs, spec
from triarch.core.spec import Spec, Target
from triarch.models import registry


def test_plain_equals_a_sequential():
    torch.manual_seed(0)
    plain = registry.find("plain")
    data = Spec("mnist", "image", (1, 28, 28), Target("class", tuple("0123456789")))
    ours = plain.backbone(plain.configure("classic", {}), data).eval()
    theirs = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64 * 7 * 7, 128), nn.ReLU(),
    )  # fmt: skip
    theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values())))
    x = torch.randn(4, 1, 28, 28)
    mine, yours = x.clone().requires_grad_(), x.clone().requires_grad_()
    pooled, expected = ours(mine)[0].pooled, theirs(yours)
    assert torch.allclose(pooled, expected, atol=1e-5)
    pooled.sin().sum().backward()
    expected.sin().sum().backward()
    assert torch.allclose(mine.grad, yours.grad, atol=1e-5)


def test_tcn_equals_pad_and_chomp():
    torch.manual_seed(0)
    tcn = registry.find("tcn")
    data = spec("series")
    ours = tcn.backbone(tcn.configure("nano", {"causal": True}), data).eval()
    x = inputs(data, 3)
    expected = x.transpose(1, 2)
    for number, block in enumerate(ours.blocks):
        made = expected
        for conv in (block.first, block.second):
            reach = 2 * 2**number
            made = F.conv1d(made, conv.weight, conv.bias, padding=reach, dilation=2**number)[..., :-reach].relu()
        expected = (made + block.residual(expected)).relu()
    features, _ = ours(x)
    assert torch.allclose(features.values, expected.transpose(1, 2), atol=1e-5)
    assert torch.allclose(features.pooled, expected[..., -1], atol=1e-5)


def test_tcn_reach():
    tcn = registry.find("tcn")
    data = Spec("long", "series", (200, 1), Target("class", ("a", "b")))
    backbone = tcn.backbone(tcn.configure("nano", {"causal": True, "depth": 4}), data).eval()
    x = torch.randn(1, 200, 1, requires_grad=True)
    backbone(x)[0].values[0, -1].sum().backward()
    seen = x.grad[0, :, 0].nonzero()[:, 0]
    assert 200 - seen.min().item() == 1 + 2 * 2 * (2**4 - 1)
