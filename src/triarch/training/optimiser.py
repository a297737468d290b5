"""What moves the weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from triarch.core.errors import InputError
from triarch.model import Model
from triarch.training.adapt import bodies, matrices, paces
from triarch.training.recipe import Recipe

Group = dict[str, Any]


class Muon(Optimizer):
    """Muon for the matrices between input and head, AdamW for all else (Jordan et al. 2024,
    https://kellerjordan.github.io/posts/muon).

    A step of a matrix is made orthogonal, as large as AdamW's usually is (Liu et al. 2025, arXiv 2502.16982), so that
    both have one learning rate and one decay.

    Args:
        inner: groups of matrices.
        others: groups of what else there is.
    """

    def __init__(self, inner: list[Group], others: list[Group], lr: float, momentum: float) -> None:
        self._parts: list[Optimizer] = [
            torch.optim.Muon(inner, lr=lr, momentum=momentum, adjust_lr_fn="match_rms_adamw"),
            AdamW(others, lr=lr, fused=True),
        ]
        super().__init__([group for part in self._parts for group in part.param_groups], {})
        self._share()

    def _share(self) -> None:
        """Let the parts move by the groups and the state of the whole."""
        groups = iter(self.param_groups)
        for part in self._parts:
            part.param_groups = [next(groups) for _ in part.param_groups]
            part.state = self.state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the state of another."""
        super().load_state_dict(state_dict)
        self._share()

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Once."""
        loss = None if closure is None else closure()
        for part in self._parts:
            part.step()
        return loss


def make_optimiser(model: Model, recipe: Recipe) -> Optimizer:
    """As the recipe says, fused where there is such; only matrices and kernels decay.

    Raises:
        InputError: Muon has no matrix to move.
    """
    settings = recipe.optimiser
    assert settings.lr is not None
    groups: list[Group] = [
        {"params": [p for p in parameters if (p.ndim >= 2) is decays], "weight_decay": decay, **pace}
        for parameters, pace in paces(model, recipe.adapt)
        for decays, decay in ((True, settings.weight_decay), (False, 0.0))
    ]
    if settings.name == "muon":
        inner = _inner(model)
        within, others = (
            _not_empty(
                [{**group, "params": [p for p in group["params"] if (id(p) in inner) is wanted]} for group in groups]
            )
            for wanted in (True, False)
        )
        if not within:
            raise InputError(
                f"muon moves matrices between input and head, and of {recipe.model} none is trained here",
                "--set optimiser.name=adamw, which moves kernels, heads and low ranks too",
            )
        return Muon(within, others, settings.lr, settings.momentum)
    groups = _not_empty(groups)
    if settings.name == "adamw":
        return AdamW(groups, lr=settings.lr, fused=True)
    nesterov = settings.momentum > 0
    return SGD(groups, lr=settings.lr, momentum=settings.momentum, nesterov=nesterov, fused=True)


def _inner(model: Model) -> set[int]:
    """The matrices of what stands before the head."""
    weights = [getattr(module, name) for body in bodies(model) for module, name in matrices(body)]
    return {id(weight) for weight in weights if isinstance(weight, nn.Parameter) and weight.ndim == 2}


def _not_empty(groups: list[Group]) -> list[Group]:
    return [group for group in groups if group["params"]]
