"""The feed-forward part of a block as many parts, of which each step goes through a few."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F

from triarch.layers.unreal import only_sizes


class Experts(nn.Module):
    """Σₑ wₑ SwiGLUₑ(x) over the k experts that the router scores highest, w the softmax of these scores.

    As in Mixtral (Jiang et al. 2024, arXiv 2401.04088): every step goes to its k, however many others do. So that all
    experts are used, training also makes E Σₑ fₑ pₑ small (Fedus et al. 2021, arXiv 2101.03961), where fₑ is how many
    of the steps went to expert e, and pₑ its mean share of the softmax over all. Its gradient is put in at the router
    on the way back, so that it needs no place in the loss of any task, and does not show there.

    Args:
        hidden_dim: width inside one expert.
        num_experts: E.
        top_k: k.
        balance: weight of that term; the loss of the task must reach the way back unscaled.
    """

    def __init__(self, dim: int, hidden_dim: int, num_experts: int, top_k: int, balance: float) -> None:
        super().__init__()
        if not 1 <= top_k <= num_experts:
            raise ValueError(f"top_k is 1 to num_experts, {num_experts}, not {top_k}")
        self.num_experts, self.top_k, self.balance = num_experts, top_k, balance
        self.router = nn.Linear(dim, num_experts, bias=False)
        self.widen = nn.Parameter(torch.empty(num_experts, 2 * hidden_dim, dim))
        self.narrow = nn.Parameter(torch.empty(num_experts, dim, hidden_dim))
        for matrix in (self.widen, self.narrow):
            bound = matrix.shape[-1] ** -0.5
            nn.init.uniform_(matrix, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """(… D) → (… D)."""
        steps = x.flatten(0, -2)
        odds = self.router(steps).softmax(dim=-1)
        chosen = odds.detach().topk(self.top_k, dim=-1).indices
        if self.training and self.balance:
            odds = _Balanced.apply(odds, chosen, self.balance)  # type: ignore[no-untyped-call]
        weight = odds.gather(1, chosen)
        weight = weight / weight.sum(dim=1, keepdim=True)
        order = chosen.flatten().argsort(stable=True)
        parts = steps[order // self.top_k].split(self._sizes(chosen))
        made = [
            self._expert(part, widen, narrow)
            for part, widen, narrow in zip(parts, self.widen.unbind(), self.narrow.unbind())
            if len(part)
        ]
        of_steps = torch.cat(made)[order.argsort()].view(*chosen.shape, -1)
        mixed: Tensor = weight[:, None] @ of_steps
        return mixed.view(x.shape)

    @staticmethod
    def _expert(x: Tensor, widen: Tensor, narrow: Tensor) -> Tensor:
        gate, up = F.linear(x, widen).chunk(2, dim=-1)
        return F.linear(F.silu(gate) * up, narrow)

    def _sizes(self, chosen: Tensor) -> list[int]:
        """How many steps go to each expert; as evenly as can be where nothing is computed, only counted."""
        if only_sizes(chosen):
            whole, over = divmod(chosen.numel(), self.num_experts)
            return [whole + (number < over) for number in range(self.num_experts)]
        sizes: list[int] = chosen.flatten().bincount(minlength=self.num_experts).tolist()
        return sizes


class _Balanced(torch.autograd.Function):
    """The odds (M E) as they are; on the way back they get the gradient of the balance too."""

    @staticmethod
    def forward(ctx: FunctionCtx, odds: Tensor, chosen: Tensor, balance: float) -> Tensor:
        used = F.one_hot(chosen, odds.shape[1]).sum(dim=(0, 1)).to(odds.dtype)
        ctx.save_for_backward(used * (balance * odds.shape[1] / len(odds) ** 2))
        return odds.view_as(odds)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (pull,) = ctx.saved_tensors
        return grad + pull, None, None
