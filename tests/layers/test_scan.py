"""Both ways through a linear recurrence equal the loop over its steps, in values and in gradients."""

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck

from triarch.layers import gated_scan as gated
from triarch.layers.convolution import ShortConv
from triarch.layers.scan import at_end, chunked_scan, scan

WAYS = [scan, chunked_scan]


def loop(a, b, before):
    made = []
    for step in range(b.shape[1]):
        before = a[:, step] * before + b[:, step]
        made.append(before)
    return torch.stack(made, dim=1)


def gated_loop(x, before):
    gate, candidate = x.chunk(2, dim=-1)
    z = gate.sigmoid()
    g = torch.where(candidate >= 0, candidate + 0.5, candidate.sigmoid())
    return loop(1 - z, z * g, before)


def problem(length, dtype=torch.float32):
    torch.manual_seed(0)
    a = torch.rand(3, length, 5, dtype=dtype) * 1.2 - 0.2  # below zero too
    b, before = torch.randn(3, length, 5, dtype=dtype), torch.randn(3, 5, dtype=dtype)
    return [part.requires_grad_() for part in (a, b, before)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("length", [1, 2, 5, 16, 17, 300])
def test_equals_the_loop(way, length):
    inputs, weight = problem(length), torch.randn(3, length, 5)
    made, expected = way(*inputs), loop(*inputs)
    assert torch.allclose(made, expected, atol=1e-5)
    ours, theirs = (torch.autograd.grad((h * weight).sum(), inputs) for h in (made, expected))
    for mine, yours in zip(ours, theirs):
        assert torch.allclose(mine, yours, atol=1e-5)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("length", [1, 2, 7])
def test_gradients(way, length):
    assert gradcheck(way, problem(length, torch.float64))


@pytest.mark.parametrize("way", WAYS)
def test_any_layout_and_a_gradient_of_a_sum(way):
    inputs = problem(9)
    strided = [part.transpose(0, 1).contiguous().transpose(0, 1) for part in inputs[:2]]
    assert torch.allclose(way(*strided, inputs[2]), way(*inputs))
    ours, theirs = (torch.autograd.grad(h.sum(), inputs) for h in (way(*inputs), loop(*inputs)))
    for mine, yours in zip(ours, theirs):
        assert torch.allclose(mine, yours, atol=1e-5)


def test_nothing_before_is_zeros():
    a, b, before = problem(4)
    assert torch.equal(scan(a, b), scan(a, b, torch.zeros_like(before)))


def test_no_second_derivative():
    a, b, before = problem(4)
    (grad,) = torch.autograd.grad(scan(a, b, before).square().sum(), a, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


@pytest.mark.parametrize("block", [1, 15, 30, 1 << 17])
@pytest.mark.parametrize("length", [1, 2, 7])
def test_gated_scan(monkeypatch, block, length):
    monkeypatch.setattr(gated, "BLOCK", block)
    torch.manual_seed(0)
    x = torch.randn(3, length, 10, dtype=torch.float64, requires_grad=True)
    before = torch.rand(3, 5, dtype=torch.float64, requires_grad=True)
    assert gradcheck(gated.gated_scan, (x, before))
    assert torch.allclose(gated.gated_scan(x, before), gated_loop(x, before), atol=1e-12)
    monkeypatch.setattr(gated, "step_by_step", lambda _: False)
    assert torch.allclose(gated.gated_scan(x, before), gated_loop(x, before), atol=1e-12)
    assert gradcheck(gated.gated_scan, (x, before))


def test_exported_equals_eager():
    class Net(nn.Module):
        def forward(self, x, before):
            return gated.gated_scan(x, before)

    x, before = torch.randn(2, 11, 6), torch.rand(2, 3)
    exported = torch.export.export(Net(), (x, before))
    assert "cat" in exported.graph_module.code or "stack" in exported.graph_module.code  # the chunked way
    assert torch.allclose(exported.module()(x, before), gated_loop(x, before), atol=1e-5)


def test_state_at_the_true_end():
    a, b, before = problem(6)
    h = scan(a, b, before)
    ends = at_end(h, torch.tensor([6, 0, 2]), before)
    assert torch.equal(ends, torch.stack((h[0, 5], before[1], h[2, 1])))


@pytest.mark.parametrize("kernel_size", [1, 4])
def test_short_convolution_is_torchs(kernel_size):
    torch.manual_seed(0)
    ours, x = ShortConv(5, kernel_size), torch.randn(3, 9, 5, requires_grad=True)
    theirs = nn.Conv1d(5, 5, kernel_size, groups=5, padding=kernel_size - 1)
    theirs.load_state_dict(ours.state_dict())
    made, expected = ours(x), theirs(x.transpose(1, 2))[..., :9].transpose(1, 2)
    assert torch.allclose(made, expected, atol=1e-6)
    parameters = [(x, x), *zip(ours.parameters(), theirs.parameters())]
    mine = torch.autograd.grad(made.sin().sum(), [pair[0] for pair in parameters])
    yours = torch.autograd.grad(expected.sin().sum(), [pair[1] for pair in parameters])
    for one, other in zip(mine, yours):
        assert torch.allclose(one, other, atol=1e-5)
