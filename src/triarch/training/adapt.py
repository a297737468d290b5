"""A trained network on its way to another task: what is taken over from it, and what of it may change.

`full`: everything. `head`: the backbone stays as it is, but for the table of tokens where the head shares it.
`gradual`: stage after stage from the head down, each with a smaller learning rate than the one above (Howard, Ruder
2018, arXiv 1801.06146). `lora`: the backbone stays, and to each of its matrices one of low rank is added (Hu et al.
2021, arXiv 2106.09685), which is merged in at the end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from triarch.core.errors import InputError
from triarch.model import Model, Pair
from triarch.training.recipe import Adapt

FROZEN_UNTIL = 0.5  # of the steps: by then the lowest stage may change
RECURRENT = ("weight_ih", "weight_hh")


class LowRank(nn.Module):
    """W → W + s U D, where U (rows, rank) begins with zeros and s is `alpha` / rank; a kernel is taken as a matrix."""

    def __init__(self, weight: Tensor, rank: int, alpha: float) -> None:
        super().__init__()
        rows, columns = weight.shape[0], weight[0].numel()
        rank = min(rank, rows, columns)
        self.down = nn.Parameter(torch.empty(rank, columns))
        self.up = nn.Parameter(torch.zeros(rows, rank))
        self.scale = alpha / rank
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        """The same shape."""
        return weight + self.scale * (self.up @ self.down).view_as(weight)


def take_over(model: Model, weights: Mapping[str, Tensor], origin: str) -> list[str]:
    """Copy the weights of another model's backbone, and of its head where that fits; tells what is new, in words.

    Rows that a vocabulary, or places, have more than there were keep the values that they were drawn with.

    Raises:
        InputError: the backbone is another.
    """
    there = model.state_dict()
    new: list[str] = []
    head: list[str] = []
    with torch.no_grad():
        for name, value in there.items():
            old = weights.get(name)
            if old is not None and old.shape == value.shape:
                value.copy_(old)
            elif old is not None and _rows_fit(name, old, value):
                rows = min(len(old), len(value))
                value[:rows].copy_(old[:rows])
                new.append(f"{len(value) - rows:,} rows of {name}" if len(value) > rows else f"{name}, cut")
            elif name.startswith("head."):
                head = ["the head"]
            else:
                shape = "not there" if old is None else f"of shape {tuple(old.shape)}"
                raise InputError(
                    f"{origin} has another backbone: {name} is {shape}, {tuple(value.shape)} is wanted",
                    "fine-tune it with the model and the settings that it was trained with",
                )
    return [f"new: {', '.join([*new, *head])}"] if new or head else []


def _rows_fit(name: str, old: Tensor, value: Tensor) -> bool:
    """Whether two tables differ in the number of their rows only, as those of tokens and of places may."""
    vocabulary = name.startswith("head.vocabulary.")
    table = vocabulary or (old.ndim == value.ndim == 2 and not name.startswith("head."))
    return table and old.shape[1:] == value.shape[1:]


def bodies(model: Model) -> list[nn.Module]:
    """What stands before the head: the backbone, and before it, where a pair translates, the one that reads."""
    return [model.source, model.backbone] if isinstance(model, Pair) else [model.backbone]


def adapt(model: Model, how: Adapt) -> None:
    """Let change of a model what `how` says."""
    for body in bodies(model) if how.method in ("head", "lora") else ():
        body.requires_grad_(False)
        for module, name in matrices(body) if how.method == "lora" else ():
            weight = getattr(module, name)
            parametrize.register_parametrization(module, name, LowRank(weight, how.rank, how.alpha))
    vocabulary = getattr(model.head, "vocabulary", None)
    if how.method == "head" and vocabulary is not None:
        vocabulary.table.requires_grad_(True)


def matrices(module: nn.Module) -> list[tuple[nn.Module, str]]:
    """The weights with two dimensions or more that are no table of embeddings: their modules and names."""
    return [
        (part, name)
        for part in module.modules()
        if not isinstance(part, nn.Embedding)
        for name in (*dict(part.named_parameters(recurse=False)), *_parametrized(part))
        if (name == "weight" or name.startswith(RECURRENT)) and getattr(part, name).ndim >= 2
    ]


def merge(model: Model) -> Model:
    """Write what was added into the weights themselves; the model computes what it did."""
    for module in list(model.modules()):
        for name, parts in _parametrized(module).items():
            if not isinstance(parts[-1], LowRank):
                continue
            with torch.no_grad():
                if len(parts) == 1:
                    parametrize.remove_parametrizations(module, name, leave_parametrized=True)
                else:  # what was there before, as weight normalisation, takes the sum
                    value = getattr(module, name)
                    del parts[-1]
                    setattr(module, name, value)
    return model


def _parametrized(module: nn.Module) -> dict[str, nn.ModuleList]:
    """Of the weights that are made of others, by name, what makes them."""
    if not parametrize.is_parametrized(module):
        return {}
    return {name: cast(nn.ModuleList, parts) for name, parts in cast(nn.ModuleDict, module.parametrizations).items()}


def adapter(model: Model) -> dict[str, Tensor]:
    """The low ranks and the head alone, by name."""
    return {
        name: value.contiguous()
        for name, value in model.state_dict().items()
        if name.startswith("head.") or (".parametrizations." in f".{name}" and name.endswith((".up", ".down")))
    }


def trained_params(model: nn.Module) -> int:
    """Parameters that may change."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def stages(model: Model) -> list[list[nn.Parameter]]:
    """The parameters from the input to the head: each child of a backbone, each block of a list, the head."""
    found: list[list[nn.Parameter]] = []
    for body in bodies(model):
        found += [own] if (own := list(body.parameters(recurse=False))) else []
        for child in body.children():
            parts = list(child.children()) if isinstance(child, nn.ModuleList | nn.Sequential) else [child]
            found += [parameters for part in parts if (parameters := list(part.parameters()))]
    head = list(model.head.parameters())
    return [*found, *([head] if head else [])]


def paces(model: Model, how: Adapt) -> list[tuple[list[nn.Parameter], dict[str, Any]]]:
    """Parameters that are trained alike, with `scale`, of their learning rate, and `begins`, the share of the steps
    before which they stay.
    """
    if how.method != "gradual":
        return [([parameter for parameter in model.parameters() if parameter.requires_grad], {})]
    ordered = stages(model)
    top = len(ordered) - 1
    return [
        (group, {"scale": how.layer_decay ** (top - place), "begins": FROZEN_UNTIL * (top - place) / max(1, top)})
        for place, group in enumerate(ordered)
    ]
