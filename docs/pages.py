"""Writes docs/architectures/: a page for each architecture, from its docstring, its settings and its counted cost."""

from __future__ import annotations

import inspect
import sys
from dataclasses import fields
from pathlib import Path

import torch

from triarch.core.spec import Modality, reference
from triarch.measure.count import macs, params
from triarch.models import registry
from triarch.models.registry import Architecture

FOLDER = Path(__file__).parent / "architectures"
NOMINAL = {"image": "32×32×3", "text": "128 tokens", "series": "96 steps"}


def page(architecture: Architecture) -> str:
    """Markdown."""
    module = inspect.getmodule(architecture.backbone)
    text = inspect.getdoc(module) or ""
    first, _, rest = text.partition("\n\n")
    causal = ", ".join(f"`{name}={value}`" for name, value in (architecture.causal or {}).items())
    masked = [f"`{name}={value}`" for name, value in architecture.masked.items()]
    facts = [
        f"- family: {architecture.family}",
        f"- serves: {', '.join(architecture.modalities)}",
        *(f"- not {modality}: {reason}" for modality, reason in architecture.lacks.items()),
        f"- step by step: {'always' if causal == '' else 'with ' + causal}" if architecture.causal is not None else
        "- step by step: no, it is not causal",
        *(f"- hidden tokens: learned with {setting}, if not set otherwise" for setting in masked),
        "- learning rates worth trying with AdamW: {:g} to {:g}".format(*architecture.learning_rates),
        f"- source: `{module.__name__.replace('.', '/')}.py`" if module else "",
    ]  # fmt: skip
    use = f"    triarch train DATA --model {architecture.name}/{([*architecture.sizes] * 2)[1]}"
    parts = [f"# {architecture.name}", first, rest, "\n".join(facts), use, "## Settings", _settings(architecture)]
    parts += [
        "## Sizes",
        "Backbone alone, without a head: parameters, and multiply–adds for one item.",
        _sizes(architecture),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _settings(architecture: Architecture) -> str:
    told = inspect.getdoc(architecture.config) or ""
    rows = [f"| `{field.name}` | `{field.default!r}` |" for field in fields(architecture.config)]
    return "\n".join([told, "", "| setting | at the smallest size |", "|---|---|", *rows])


def _sizes(architecture: Architecture) -> str:
    columns = [
        f"{NOMINAL[modality]} {what}"
        for modality in architecture.modalities
        for what in ("parameters", "multiply–adds")
    ]
    lines = [f"| size | changes | {' | '.join(columns)} |", "|---" * (2 + len(columns)) + "|"]
    for size, changes in architecture.sizes.items():
        told = ", ".join(f"{name} {value}" for name, value in changes.items()) or "–"
        counts = [cell for modality in architecture.modalities for cell in _counts(architecture, size, modality)]
        lines.append(f"| {size} | {told} | {' | '.join(counts)} |")
    return "\n".join(lines)


def _counts(architecture: Architecture, size: str, modality: Modality) -> tuple[str, str]:
    spec = reference(modality)
    with torch.device("meta"):
        backbone = architecture.backbone(architecture.configure(size, {}), spec)
        x = torch.zeros(1, *spec.shape, dtype=torch.long if modality == "text" else torch.float32)
    return short(params(backbone)), short(macs(backbone, lambda: backbone(x)))


def short(number: float) -> str:
    """Three digits and a unit."""
    for unit in ("", " k", " M"):
        if number < 999.5:
            return f"{number:.3g}{unit}"
        number /= 1000
    return f"{number:.3g} G"


def index() -> str:
    """The list of all pages."""
    lines = ["# Architectures", "", "Written by `make docs` from the docstrings; costs are counted, not estimated.", ""]
    for family in ("cnn", "rnn", "transformer", "hybrid"):
        members = [name for name in registry.names() if registry.find(name).family == family]
        if members:
            lines += [f"## {family}", "", *(f"- [{name}]({name}.md): {registry.summary(name)}" for name in members), ""]
    return "\n".join(lines)


def pages() -> dict[Path, str]:
    """Every file of the folder as it should be."""
    made = {FOLDER / f"{name}.md": page(registry.find(name)) for name in registry.names()}
    return made | {FOLDER / "README.md": index()}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    written = pages()
    for path in FOLDER.glob("*.md"):
        if path not in written:
            path.unlink()
    for path, content in written.items():
        path.write_text(content)
    print(f"{len(written)} pages", file=sys.stderr)
