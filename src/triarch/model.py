"""A model is a backbone and a head, and here is the only place where one is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from triarch.core.errors import InputError
from triarch.core.spec import Spec
from triarch.core.state import State
from triarch.core.types import Batch, Features
from triarch.layers.backbone import Backbone
from triarch.layers.embed import Embed
from triarch.layers.vocabulary import Vocabulary
from triarch.models import registry
from triarch.models.registry import CONTEXT_DIM, Architecture, Coupled
from triarch.tasks.task import Task
from triarch.tasks.translate import Translate

Sees = Literal["steps", "summary"]


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


class Pair(Model):
    """One backbone that reads a text, and one that writes another and attends to what the first made of it.

    Args:
        source: the one that reads.
        backbone: the one that writes; it has the ability `cross`.
        end: the token that ends answers.
        most: tokens of the longest answer, its [END] included.
        sees: each step of what was read, or only its summary, as before there was attention (Sutskever et al. 2014,
            arXiv 1409.3215).
        first: the token that begins answers, and is never written; None: `end` does.
    """

    def __init__(
        self,
        source: Backbone,
        backbone: Backbone,
        head: nn.Module,
        end: int,
        most: int,
        sees: Sees = "steps",
        first: int | None = None,
    ) -> None:
        super().__init__(backbone, head)
        self.source = source
        self.end, self.most, self.sees = end, most, sees
        self.first = end if first is None else first

    def forward(self, batch: Batch) -> Tensor:
        """Scores (B T V) of each token after those that are `given`; where none are, it writes them first."""
        context = self.context(batch)
        if batch.given is None:
            written = self.write(batch, context)
            first = torch.full_like(written[:, :1], self.first)
            batch = replace(batch, given=torch.cat((first, written[:, :-1]), dim=1))
        assert batch.given is not None
        features, _ = self.backbone(batch.given, None, None, context)
        output: Tensor = self.head(features, batch)
        return output

    def context(self, batch: Batch) -> Features:
        """What the first makes of its text."""
        features: Features = self.source(batch.input, batch.mask)[0]
        if self.sees == "summary":
            return replace(features, values=features.pooled[:, None], mask=None)
        return features

    def begin(self, context: Features) -> State:
        """The state of the backbone that writes, before the first token: what it reads is in it."""
        state = self.backbone.start(len(context.values), context.values.device, self.most)
        return replace(state, context=self.backbone.read(context))

    @torch.no_grad()
    def write(self, batch: Batch, context: Features | None = None) -> Tensor:
        """The likeliest token each time, until [END] or the longest answer: (B T), zeros after [END].

        Rows that are done are left out as soon as they are half of those that were still written.
        """
        state = self.begin(self.context(batch) if context is None else context)
        rows = torch.arange(len(batch), device=batch.input.device)
        written = torch.zeros(len(batch), self.most, dtype=torch.long, device=batch.input.device)
        token = torch.full((len(batch), 1), self.first, dtype=torch.long, device=batch.input.device)
        done = torch.zeros_like(rows, dtype=torch.bool)
        for step in range(self.most):
            features, after = self.backbone(token, None, state)
            assert after is not None
            state = after
            scores = self.head(features, batch)
            if self.first != self.end:
                scores[..., self.first] = float("-inf")
            token = scores.argmax(dim=-1)
            written[rows, step] = token[:, 0].masked_fill(done, 0)
            done = done | (token[:, 0] == self.end)
            if done.all():
                return written[:, : step + 1]
            if 2 * int(done.sum()) >= len(done):
                left = (~done).nonzero().flatten()
                rows, token, done, state = rows[left], token[left], done[left], state.rows(left)
        return written


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
    if isinstance(found, Coupled) != isinstance(task, Translate):
        raise InputError(
            f"{architecture} {'is a pair' if isinstance(found, Coupled) else 'alone'}, and the task is {task.name}",
            "a pair, lstm+lstm/nano say, is for translate and for nothing else",
        )
    if isinstance(found, Coupled) and isinstance(task, Translate):
        return _pair(found, size, task, spec, settings or {})
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
    if spec.target.logits.tied:
        _tie(head, backbone)
    return Model(backbone, head).arrange()


def _pair(found: Coupled, size: str, task: Translate, spec: Spec, settings: Mapping[str, Any]) -> Pair:
    """A backbone that reads, and another that attends to it and writes, whose embedding is also its head's."""
    config = found.configure(size, settings)
    try:
        source = found.source.backbone(config.source, task.view(spec))
        if source.shape.kind != "sequence":
            raise ValueError(f"{found.source.name} makes no sequence of a text")
        width = source.shape.dim if config.sees == "steps" else source.shape.pooled_dim
        backbone = found.target.backbone(replace(config.target, **{CONTEXT_DIM: width}), task.answer(spec))
        head = task.head(backbone.shape, spec)
    except ValueError as error:
        raise InputError(f"{found.name}/{size}: {error}", "change --set settings.…") from error
    _tie(head, backbone)
    return Pair(source, backbone, head, spec.target.end, spec.target.max_len, config.sees, spec.target.first)


def _tie(head: nn.Module, backbone: Backbone) -> None:
    """A head over a vocabulary takes the embedding of the backbone before it."""
    for part in head.modules():
        if isinstance(part, Vocabulary) and isinstance(embed := getattr(backbone, "embed", None), Embed):
            part.tie(embed)


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
