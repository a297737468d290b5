"""Ours against somebody else's module: the same weights must give the same outputs and gradients."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from parity.compare import assert_same


def shake(module: nn.Module) -> None:
    """Random weights, norms, biases and running statistics, so that none is left out by being 0 or 1."""
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if not value.is_floating_point():
                continue
            if value.ndim > 1:
                nn.init.normal_(value, std=value[0].numel() ** -0.5)
            elif "bias" in name or "mean" in name:
                nn.init.normal_(value, std=0.3)
            else:
                nn.init.uniform_(value, 0.5, 1.5)


def hand_over(ours: nn.Module, theirs: nn.Module, rename: Callable[[str], str]) -> dict[str, str]:
    """Ours shaken, and its weights in theirs, every one of both; → their names and ours.

    Args:
        rename: their name → ours.
    """
    shake(ours)
    weights = ours.state_dict()
    names = {name: rename(name) for name in theirs.state_dict()}
    assert sorted(names.values()) == sorted(weights)
    theirs.load_state_dict({name: weights[mine] for name, mine in names.items()})
    return names


def agree(
    ours: nn.Module,
    theirs: nn.Module,
    names: dict[str, str],
    x: Tensor,
    run_ours: Callable[[Tensor], tuple[Tensor, ...]],
    run_theirs: Callable[[Tensor], tuple[Tensor, ...]],
) -> None:
    """The same outputs, and gradients of the input and of every parameter, in the mode that both are in."""
    mine, yours = x.clone().requires_grad_(), x.clone().requires_grad_()
    made, expected = run_ours(mine), run_theirs(yours)
    for number, (one, other) in enumerate(zip(made, expected, strict=True)):
        assert one.std() > 0.01
        assert_same(one, other, f"output {number}")
    ours.zero_grad()
    theirs.zero_grad()
    sum(one.sin().sum() for one in made).backward()
    sum(other.sin().sum() for other in expected).backward()
    assert_same(mine.grad, yours.grad, "gradient of the input")
    gradients = {name: parameter.grad for name, parameter in ours.named_parameters()}
    for name, parameter in theirs.named_parameters():
        assert_same(gradients[names[name]], parameter.grad, f"gradient of {name}")
