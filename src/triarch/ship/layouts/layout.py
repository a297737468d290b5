"""What a layout says: which fields and tensors of theirs are which settings and tensors of ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from triarch.core.spec import Logits, Spec
from triarch.ship.layouts.fields import Fields

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Pair:
    """Tensors of ours that hold what tensors of theirs hold.

    ours₁ ours₂ … one after the other = scale · (theirs₁ theirs₂ … one after the other + shift).

    Attributes:
        ours: names; empty where ours has nothing of the kind, and theirs is zeros of `shape`.
        theirs: names; empty where ours is zeros.
        sizes: of theirs along `axis`, where there are several.
        axis: of ours, along which they lie one after the other.
        turned: theirs, with its last two axes exchanged.
        row: theirs has one axis more, of 1, before those of ours.
    """

    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    sizes: Shape = ()
    axis: int = 0
    turned: bool = False
    row: bool = False
    scale: float = 1.0
    shift: float = 0.0
    shape: Shape = ()

    def their_shapes(self, ours: Mapping[str, Tensor]) -> dict[str, Shape]:
        """The shape of each of theirs, beside a state dict of ours, of which only shapes are read."""
        if not self.ours:
            return dict.fromkeys(self.theirs, self.shape)
        whole = list(ours[self.ours[0]].shape)
        whole[self.axis] = sum(ours[name].shape[self.axis] for name in self.ours)
        shapes = {}
        for name, size in zip(self.theirs, self.sizes or (whole[self.axis],)):
            shape = [*whole]
            shape[self.axis] = size
            turned = (*shape[:-2], shape[-1], shape[-2]) if self.turned else tuple(shape)
            shapes[name] = (1, *turned) if self.row else turned
        return shapes

    def to_ours(self, theirs: Callable[[str], Tensor], ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Ours in 32 bits, from what reads theirs and a state dict of ours, of which only shapes are read."""
        if not self.theirs:
            return {name: torch.zeros(ours[name].shape) for name in self.ours}
        parts = [theirs(name).float().squeeze(0) if self.row else theirs(name).float() for name in self.theirs]
        whole = torch.cat([part.mT for part in parts] if self.turned else parts, dim=self.axis)
        whole = whole.add_(self.shift) if self.shift else whole
        whole = whole.mul_(self.scale) if self.scale != 1 else whole
        split = whole.split([ours[name].shape[self.axis] for name in self.ours], dim=self.axis)
        return {name: part.clone(memory_format=torch.contiguous_format) for name, part in zip(self.ours, split)}

    def to_theirs(self, ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Theirs, of a state dict of ours."""
        if not self.ours:
            return {name: torch.zeros(self.shape) for name in self.theirs}
        whole = torch.cat([ours[name] for name in self.ours], dim=self.axis) / self.scale - self.shift
        split = whole.split(self.sizes or (whole.shape[self.axis],), dim=self.axis)
        return {
            name: (part.mT if self.turned else part[None] if self.row else part).clone(
                memory_format=torch.contiguous_format
            )
            for name, part in zip(self.theirs, split)
        }


def same(ours: str, theirs: str, turned: bool = False, scale: float = 1.0, shift: float = 0.0) -> Pair:
    """One tensor for one."""
    return Pair((ours,), (theirs,), turned=turned, scale=scale, shift=shift)


def joined(ours: str, theirs: Sequence[str], sizes: Shape, axis: int = 0) -> Pair:
    """One of ours for several of theirs."""
    return Pair((ours,), tuple(theirs), sizes, axis=axis)


@dataclass(frozen=True)
class Answers:
    """Of a model that writes a text from another, what it writes.

    Attributes:
        vocab_size: V.
        first, end: the tokens that begin and end it.
        shared: whether one tokenizer serves both texts.
    """

    vocab_size: int
    first: int
    end: int
    shared: bool


@dataclass(frozen=True)
class Told:
    """What a config tells of a model.

    Attributes:
        settings: of the architecture, from its smallest size on.
        context: T, the steps that it is for.
        task: its name; None: the folder holds a backbone without a head.
        layers: how many; so many tensors at least must be in the folder.
        answers: None where it writes no other text than it reads.
    """

    architecture: str
    settings: Mapping[str, Any]
    context: int
    vocab_size: int
    task: str | None
    logits: Logits
    layers: int
    answers: Answers | None = None


@dataclass(frozen=True)
class Layout:
    """A layout of Transformers.

    Attributes:
        kinds: `model_type`s of config.json that it reads.
        classes: `architectures` of config.json → task; None for a backbone without a head.
        architectures: of ours, that it writes.
        task: of those.
        prefix: of the tensors of the backbone, where it is not saved alone.
        read: fields, and the task → what they tell.
        write: our config, and the spec → fields.
        pairs: our config, the spec, and whether there is a head → which tensors are which.
        ignored: patterns of tensors that change no answer.
        aliases: ends of names of tensors, as older files have them → as they are now.
        shared: tensors → the one that may hold the same in their place.
    """

    name: str
    kinds: tuple[str, ...]
    classes: Mapping[str, str | None]
    architectures: tuple[str, ...]
    task: str
    prefix: str
    read: Callable[[Fields, str | None], Told]
    write: Callable[[Any, Spec], dict[str, Any]]
    pairs: Callable[[Any, Spec, bool], list[Pair]]
    ignored: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    shared: Mapping[str, str] = field(default_factory=dict)

    def bare(self, classes: Sequence[str]) -> list[str]:
        """The class of the backbone alone, for that of a whole model."""
        alone = (name for name, task in self.classes.items() if task is None)
        return [next(name for name in alone if classes[0].startswith(name.removesuffix("Model")))]


def demand(*parts: tuple[str, Any, Mapping[str, Any]]) -> None:
    """Check that configs have the settings of a layout: (what comes before their names, the config, name → value) each.

    Raises:
        ValueError: some have not; all of them, as they would be trained with.
    """
    faults = [
        f"--set settings.{side}{name}={json.dumps(value).strip(chr(34))}"
        for side, config, wanted in parts
        for name, value in wanted.items()
        if getattr(config, name) != value
    ]
    if faults:
        raise ValueError(f"it would be trained with {' '.join(faults)}")
