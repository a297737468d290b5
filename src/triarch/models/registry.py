"""Finds the architectures: every file of a family's folder that ends with `ARCHITECTURE`, and other packages'."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from math import sqrt
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import TypeAdapter, ValidationError

from triarch.core.errors import InputError, near
from triarch.core.spec import MODALITIES, Modality
from triarch.layers.backbone import Backbone

Family = Literal["cnn", "rnn", "transformer", "hybrid"]
Size = Literal["nano", "micro", "classic", "tiny", "small", "base", "large"]
SIZES: tuple[Size, ...] = get_args(Size)
ENTRY_POINTS = "triarch.architectures"
CONTEXT_DIM = "context_dim"
"""The setting of architectures that can attend to a context: its width."""


@dataclass(frozen=True)
class Architecture:
    """An architecture and what the house must know of it.

    Attributes:
        config: frozen dataclass; its defaults are the smallest size.
        backbone: built as `backbone(config, spec)`.
        sizes: size → what changes from the smallest.
        learning_rates: lowest and highest that are worth a try with AdamW.
        causal: settings that make it causal; None: it never is.
        masked: settings with which it learns hidden tokens best.
        lacks: modality → why it does not serve it, in one line; it serves the others.
        name: given by the registry: the file's name.
    """

    family: Family
    config: type[Any]
    backbone: type[Backbone]
    sizes: Mapping[str, Mapping[str, Any]]
    learning_rates: tuple[float, float]
    causal: Mapping[str, Any] | None = None
    masked: Mapping[str, Any] = field(default_factory=dict)
    lacks: Mapping[Modality, str] = field(default_factory=dict)
    name: str = ""

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Those that it serves."""
        return tuple(modality for modality in MODALITIES if modality not in self.lacks)

    @property
    def abilities(self) -> tuple[str, ...]:
        """What can be asked of it beyond features."""
        crosses = any(known.name == CONTEXT_DIM for known in fields(self.config))
        return (*(("causal",) if self.causal is not None else ()), *(("cross",) if crosses else ()))

    @property
    def learning_rate(self) -> float:
        """The default: the geometric mean of the range."""
        low, high = self.learning_rates
        return sqrt(low * high)

    def configure(self, size: str, settings: Mapping[str, Any]) -> Any:
        """The config of a size with some settings changed.

        Raises:
            InputError: unknown size or setting, or a setting of the wrong type.
        """
        if size not in self.sizes:
            raise InputError(f"{self.name} has no size {size!r}", f"sizes: {', '.join(self.sizes)}")
        known = {field.name for field in fields(self.config)}
        for name in settings:
            if name not in known:
                raise InputError(f"{self.name} has no setting {name!r}", near(name, known))
        try:
            values = {**self.sizes[size], **settings}
            return TypeAdapter(self.config).validate_python(values)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise InputError(f"{self.name}: setting {place}: {first['msg']}, not {first['input']!r}") from error


@dataclass(frozen=True)
class Pairing:
    """The settings of both, and what the second sees of the first: each step, or its summary only."""

    source: Any
    target: Any
    sees: Literal["steps", "summary"] = "steps"


@dataclass(frozen=True)
class Coupled(Architecture):
    """Two architectures of which the first reads a text and the second writes another.

    Attributes:
        source, target: both.
    """

    source: Architecture = field(kw_only=True)
    target: Architecture = field(kw_only=True)

    def configure(self, size: str, settings: Mapping[str, Any]) -> Pairing:
        """The configs of a size of both; settings are `source` and `target`, a mapping each, and `sees`."""
        known = {field.name for field in fields(Pairing)}
        for name in settings:
            if name not in known:
                raise InputError(f"{self.name} has no setting {name!r}", near(name, known))
        parts = {"source": {}, "target": {}, **settings}
        for name in ("source", "target"):
            if not isinstance(parts[name], Mapping):
                raise InputError(f"{self.name}: the settings of its {name} are a mapping", "settings.target.depth=2")
        sees = parts.get("sees", "steps")
        if sees not in ("steps", "summary"):
            raise InputError(f"{self.name}: setting sees: {sees!r}", near(str(sees), ("steps", "summary")))
        target = {**(self.target.causal or {}), **parts["target"]}
        return Pairing(self.source.configure(size, parts["source"]), self.target.configure(size, target), sees)


def couple(name: str) -> Coupled:
    """The pair `encoder+decoder`.

    Raises:
        InputError: the second cannot write, or attends to nothing.
    """
    first, _, second = name.partition("+")
    source, target = find(first), find(second)
    if "cross" not in target.abilities:
        able = [known for known in names() if "cross" in find(known).abilities]
        raise InputError(f"{second} attends to no other's features", f"those that do: {', '.join(able)}")
    for one in (source, target):
        if "text" in one.lacks:
            raise InputError(f"{one.name} does not serve text: {one.lacks['text']}")
    (low, high), (least, most) = source.learning_rates, target.learning_rates
    return Coupled(
        family=target.family if source.family == target.family else "hybrid",
        config=Pairing,
        backbone=target.backbone,
        sizes={size: {} for size in source.sizes if size in target.sizes},
        learning_rates=(sqrt(low * least), sqrt(high * most)),
        lacks=dict.fromkeys(("image", "series"), "a pair translates texts"),
        name=f"{source.name}+{target.name}",
        source=source,
        target=target,
    )


def pairs() -> list[str]:
    """All pairs of one that serves text and one that attends to another's features, by name."""
    writers = [name for name in names() if "cross" in find(name).abilities]
    return [f"{source}+{target}" for source in names() if "text" not in find(source).lacks for target in writers]


def find(name: str) -> Architecture:
    """The architecture `name`, or a pair, `encoder+decoder`.

    Raises:
        InputError: there is none.
    """
    if "+" in name:
        return couple(name)
    if name in _files():
        return _load(_files()[name], name)
    if name in _foreign():
        loaded: Architecture = _foreign()[name].load()
        return replace(loaded, name=name)
    raise InputError(f"there is no architecture {name!r}", near(name, names()))


def names() -> list[str]:
    """All architectures, by name."""
    return sorted({*_files(), *_foreign()})


def parse(model: str) -> tuple[Architecture, str]:
    """`resnet/tiny` → the architecture and its size; the size is the smallest where none is named.

    Raises:
        InputError: unknown architecture or size.
    """
    name, _, size = model.partition("/")
    architecture = find(name)
    size = size or next(iter(architecture.sizes))
    architecture.configure(size, {})
    return architecture, size


def _load(module: str, name: str) -> Architecture:
    found: Architecture = import_module(module).ARCHITECTURE
    return replace(found, name=name)


def _files() -> dict[str, str]:
    """Name → module, read off the folders."""
    here = Path(__file__).parent
    package = __name__.rpartition(".")[0]
    return {
        module.name.replace("_", "-"): f"{package}.{family}.{module.name}"
        for family in get_args(Family)
        for module in pkgutil.iter_modules([str(here / family)])
    }


def _foreign() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


def summary(name: str) -> str:
    """The first line of what its file says about the architecture."""
    module = import_module(find(name).backbone.__module__)
    return (module.__doc__ or "").strip().splitlines()[0]
