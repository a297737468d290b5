"""Comparison of two implementations: values within 1e-5, relative to the greatest where that is above one."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

Weights = Mapping[str, Tensor]


def perturb(module: nn.Module, std: float = 0.1) -> None:
    """Move every parameter, so that no norm, bias or token is left out by being one or zero."""
    for parameter in module.parameters():
        parameter.data.add_(torch.randn_like(parameter), alpha=std)


def assert_same(ours: Tensor, theirs: Tensor, name: str = "") -> None:
    """Equal but for rounding."""
    assert ours.shape == theirs.shape, name
    difference = (ours - theirs).abs().max().item()
    assert difference <= 1e-5 * max(1.0, theirs.abs().max().item()), f"{name} differs by {difference:.2g}"


def assert_same_gradients(ours: nn.Module, theirs: nn.Module, translate: Callable[[Weights], Weights]) -> None:
    """Of every parameter; `translate` makes of their weights, or gradients, ours."""
    expected = translate({name: parameter.grad for name, parameter in theirs.named_parameters()})
    gradients = {name: parameter.grad for name, parameter in ours.named_parameters()}
    assert gradients.keys() == expected.keys()
    for name, gradient in gradients.items():
        assert gradient.any(), name
        assert_same(gradient, expected[name], name)
