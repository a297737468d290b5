"""Dropout drops its share, keeps the mean, and hands the gradient to what it kept."""

import pytest
import torch

from triarch.layers.dropout import Dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_share_scale_and_gradient(p):
    torch.manual_seed(0)
    x = torch.ones(301, 7, 47, requires_grad=True)
    made = Dropout(p)(x)
    kept = made != 0
    assert kept.float().mean().item() == pytest.approx(1 - p, abs=0.01)
    assert torch.allclose(made[kept], torch.tensor(1 / (1 - p)), rtol=1e-3)
    made.sum().backward()
    assert torch.equal(x.grad, made)
    assert kept.float().mean(dim=0).std() < 0.05  # no place is dropped more than another
    assert not torch.equal(Dropout(p)(x), made)


def test_the_seed_decides():
    layer, x = Dropout(0.3), torch.randn(5, 9)
    drawn = []
    for _ in range(2):
        torch.manual_seed(1)
        drawn.append(layer(x))
    assert torch.equal(*drawn)


def test_nothing_is_dropped_outside_training_or_at_zero():
    x = torch.randn(5, 9)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x


@pytest.mark.parametrize("p", [-0.1, 1.0])
def test_impossible_shares_are_refused(p):
    with pytest.raises(ValueError, match="dropout"):
        Dropout(p)
