"""A model is a backbone and a head, and here is the only place where one is built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from triarch.core.errors import InputError
from triarch.core.spec import Spec
from triarch.core.types import Batch
from triarch.layers.backbone import Backbone
from triarch.layers.embed import Embed
from triarch.layers.vocabulary import Vocabulary
from triarch.models import registry
from triarch.models.registry import Architecture
from triarch.tasks.task import Task


class Model(nn.Module):
    """Batch → output of the task."""

    def __init__(self, backbone: Backbone, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, batch: Batch) -> Tensor:
        """The head's output on the features of the whole input."""
        features, _ = self.backbone(batch.input, batch.mask)
        output: Tensor = self.head(features, batch)
        return output

    def arrange(self) -> Model:
        """Lay the kernels over images out with their channels last, the order that convolves fastest; no value changes.

        `build` does so; whoever puts other tensors in the place of the parameters does so again.
        """
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self


def build(architecture: str, size: str, task: Task, spec: Spec, settings: Mapping[str, Any] | None = None) -> Model:
    """Build an untrained model; its weights are drawn from torch's generator.

    Args:
        architecture: a name of the registry.
        size: a rung of its ladder.
        settings: what differs from that size.

    Raises:
        InputError: unknown names, settings that do not fit together, or a modality that it does not serve.
    """
    found = registry.find(architecture)
    if spec.modality in found.lacks:
        raise InputError(
            f"{architecture} does not serve {spec.modality}: {found.lacks[spec.modality]}",
            f"it serves: {', '.join(found.modalities)}",
        )
    if task.causal and found.causal is None:
        raise InputError(
            f"{architecture} looks ahead, which a {task.name} must not", "`triarch list` says which are causal"
        )
    config = found.configure(size, {**needed(found, task), **(settings or {})})
    try:
        backbone = found.backbone(config, task.view(spec))
        head = task.head(backbone.shape, spec)
    except ValueError as error:
        raise InputError(f"{architecture}/{size}: {error}", "change --set settings.…") from error
    for part in head.modules() if spec.target.logits.tied else ():
        if isinstance(part, Vocabulary) and isinstance(embed := getattr(backbone, "embed", None), Embed):
            part.tie(embed)
    return Model(backbone, head).arrange()


def unfit(task: Task, spec: Spec) -> dict[str, str]:
    """Architecture → why it cannot do the task on such data, for those that cannot."""
    found = {}
    for name in registry.names():
        architecture = registry.find(name)
        if spec.modality not in architecture.lacks:
            try:
                with torch.device("meta"):
                    build(name, next(iter(architecture.sizes)), task, spec)
            except InputError as error:
                found[name] = str(error).splitlines()[0]
    return found


def needed(architecture: Architecture, task: Task) -> Mapping[str, Any]:
    """The settings that `task` asks of an architecture, of any size: those that make it causal."""
    return architecture.causal or {} if task.causal else {}
