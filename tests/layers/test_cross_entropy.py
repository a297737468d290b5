"""The cross-entropy of a vocabulary, chunk by chunk, against torch's of all logits."""

import pytest
import torch
from torch.nn import functional as F

from triarch.core.types import NOTHING
from triarch.layers import cross_entropy
from triarch.layers.cross_entropy import each_nats, mean_nats
from triarch.measure.count import training_macs
from triarch.measure.memory import peak_bytes
from triarch.measure.weightless import weightless

M, D, V = 23, 5, 11


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Four chunks, the last of them shorter."""
    monkeypatch.setattr(cross_entropy, "STEPS", 6)
    monkeypatch.setattr(cross_entropy, "NUMBERS", 6 * V)


def made(bias: bool, dtype=torch.float32):
    torch.manual_seed(0)
    target = torch.randint(V, (M,))
    target[[0, 7, 22]] = NOTHING
    parts = (torch.randn(M, D), 3 * torch.randn(V, D), torch.randn(V) if bias else None)
    return (*(None if part is None else part.to(dtype).requires_grad_() for part in parts), target)


@pytest.mark.parametrize("bias", [False, True])
def test_equals_torch(bias):
    x, table, more, target = made(bias)
    trained = [part for part in (x, table, more) if part is not None]
    expected = F.cross_entropy(F.linear(x, table, more), target, ignore_index=NOTHING)
    found = mean_nats(x, table, more, target)
    assert found.item() == pytest.approx(expected.item(), abs=1e-6)
    for one, other in zip(torch.autograd.grad(2 * found, trained), torch.autograd.grad(2 * expected, trained)):
        assert (one - other).abs().max() <= 1e-6


@pytest.mark.parametrize("bias", [False, True])
def test_autocast_multiplies_in_bfloat16(bias):
    x, table, more, target = made(bias)
    trained = [part for part in (x, table, more) if part is not None]
    with torch.autocast("cpu", torch.bfloat16):
        expected = F.cross_entropy(F.linear(x, table, more), target, ignore_index=NOTHING)
        found = mean_nats(x, table, more, target)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(expected.item(), rel=0.01)
    for one, other in zip(torch.autograd.grad(found, trained), torch.autograd.grad(expected, trained)):
        assert one.dtype == torch.float32
        assert (one - other).abs().max() <= 0.02 * other.abs().max()


@pytest.mark.parametrize("bias", [False, True])
def test_gradients(bias):
    x, table, more, target = made(bias, torch.float64)
    assert torch.autograd.gradcheck(lambda *parts: mean_nats(*parts, target), (x, table, more))


def test_a_matrix_that_is_not_trained_costs_no_gradient():
    x, table, _, target = made(False)
    mean_nats(x, table.detach(), None, target).backward()
    assert x.grad.any()
    assert table.grad is None


def test_tokens_without_hope_are_told_exactly():
    x, table = torch.ones(1, 1), torch.tensor([[0.0], [500.0]])
    assert mean_nats(x, table, None, torch.tensor([0])).item() == 500


@pytest.mark.parametrize("bias", [False, True])
def test_each(bias):
    x, table, more, target = made(bias)
    logits = F.linear(x, table, more)
    nats, found = each_nats(lambda part: F.linear(part, table, more), x, target)
    expected = F.cross_entropy(logits, target, ignore_index=NOTHING, reduction="none")
    assert torch.allclose(nats, expected, atol=1e-6)
    assert torch.equal(found, logits.argmax(dim=1) == target)
    assert not found[target == NOTHING].any()


def test_logits_of_all_are_never_there():
    x, table, target = torch.randn(300, D), torch.randn(V, D), torch.zeros(300, dtype=torch.long)
    held = x.nbytes + table.nbytes + target.nbytes
    assert peak_bytes(lambda: mean_nats(x, table, None, target), held) - held < 300 * V * 4
    assert peak_bytes(lambda: F.cross_entropy(F.linear(x, table), target), held) - held > 300 * V * 4


def test_it_is_counted_as_three_products():
    linear = torch.nn.Linear(D, V, device="meta")
    with weightless(linear) as twin:
        x = torch.empty(M, D, requires_grad=True)
        target = torch.zeros(M, dtype=torch.long)
        found = training_macs(twin, lambda: mean_nats(x, twin.weight, None, target))
    assert found == 3 * M * D * V
