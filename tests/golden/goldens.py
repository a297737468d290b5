"""Recorded counts and losses of every architecture: `make golden` adds what is missing, `--accept` also rewrites.

Names of architectures on the command line limit it to those.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import torch

from triarch.core.machine import computing
from triarch.core.spec import Modality, reference
from triarch.core.types import Batch
from triarch.data.dataset import prepare
from triarch.data.nominal import nominal_source
from triarch.measure.count import macs, params
from triarch.models import registry
from triarch.models.registry import Architecture
from triarch.tasks.classify import Classify
from triarch.training.loop import Trainer
from triarch.training.recipe import make
from triarch.training.start import resolve, start

HERE = Path(__file__).parent
STEPS, TOLERANCE = 5, 1e-5


def read(name: str) -> dict[str, Any]:
    """The golden of an architecture."""
    path = HERE / f"{name}.json"
    assert path.exists(), f"{name} has no golden yet: run `make golden`"
    return json.loads(path.read_text())


def nominal_counts(architecture: Architecture, modality: Modality) -> dict[str, dict[str, int]]:
    """Parameters and multiply–adds of the backbone at each size, on the nominal data."""
    spec = reference(modality)
    counts = {}
    for size in architecture.sizes:
        with torch.device("meta"):
            backbone = architecture.backbone(architecture.configure(size, {}), spec)
            x = torch.zeros(1, *spec.shape, dtype=torch.long if modality == "text" else torch.float32)
        counts[size] = {"params": params(backbone), "macs": macs(backbone, lambda: backbone(Batch(x).input))}  # noqa: B023
    return counts


def losses(architecture: Architecture, modality: Modality) -> list[float]:
    """The losses of five training steps at nano on the nominal data, on one thread."""
    dataset = prepare(nominal_source(modality))
    recipe = resolve(make({"model": architecture.name, "steps": STEPS, "batch_size": 8, "augment": False}), dataset)
    made: list[float] = []

    def note(trainer: Trainer) -> bool:
        made.append(trainer.loss)
        return False

    with computing(1, seed=0, flush_denormals=True):
        start(recipe, dataset, Classify()).run(after_step=note)
    return made


def record(accept: bool, names: list[str]) -> int:
    """Write the goldens that are missing; with `accept` all that differ. The number of those refused."""
    refused = 0
    for name in names:
        architecture, path = registry.find(name), HERE / f"{name}.json"
        golden = {
            "counts": {modality: nominal_counts(architecture, modality) for modality in architecture.modalities},
            "losses": {modality: losses(architecture, modality) for modality in architecture.modalities},
        }
        if path.exists() and same(golden, read(name)):
            continue
        if path.exists() and not accept:
            print(f"{path.name} differs and is kept; `make golden ACCEPT=--accept` rewrites it")
            refused += 1
        else:
            path.write_text(json.dumps(golden, indent=1) + "\n")
            print(f"{path.name} written")
    return refused


def same(golden: dict[str, Any], recorded: dict[str, Any]) -> bool:
    """Equal counts, and losses equal but for the last bits in which machines differ."""
    flat = [[loss for made in one["losses"].values() for loss in made] for one in (golden, recorded)]
    return (
        golden["counts"] == recorded["counts"]
        and golden["losses"].keys() == recorded["losses"].keys()
        and all(math.isclose(a, b, rel_tol=TOLERANCE) for a, b in zip(*flat, strict=True))
    )


if __name__ == "__main__":
    chosen = [name for name in sys.argv[1:] if not name.startswith("-")]
    sys.exit(min(1, record("--accept" in sys.argv[1:], chosen or registry.names())))
