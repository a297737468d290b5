"""Everything a training needs to go on bit for bit, in one safetensors file; the loader has nothing to save."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from triarch.core.errors import InputError
from triarch.core.files import write_bytes
from triarch.training.loop import Trainer


def save_checkpoint(trainer: Trainer, path: Path) -> None:
    """Write weights, their average, the optimiser, torch's generator and the counters."""
    tensors: dict[str, Tensor] = {"generator": torch.get_rng_state()}
    tensors |= {f"model/{name}": value for name, value in trainer.model.state_dict().items()}
    if trainer.average is not None:
        tensors |= {f"average/{name}": value for name, value in trainer.average.state_dict().items()}
    for number, entries in trainer.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{number}/{name}": value for name, value in entries.items() if value is not None}
    counters = {
        "step": trainer.step, "elapsed": trainer.elapsed, "total": trainer.total, "loss": trainer.loss,
        "first": trainer._first, "smooth": trainer._smooth,
    }  # fmt: skip
    contiguous = {name: value.contiguous() for name, value in tensors.items()}
    write_bytes(path, save(contiguous, metadata={"counters": json.dumps(counters)}))


def load_checkpoint(trainer: Trainer, path: Path) -> None:
    """Put a trainer, built from the same recipe, where the checkpoint was.

    Raises:
        InputError: it cannot be read, or is of another model.
    """
    try:
        with safe_open(path, framework="pt") as file:
            counters = json.loads(file.metadata()["counters"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        trainer.model.load_state_dict(_below(tensors, "model/"))
        if trainer.average is not None:
            trainer.average.load_state_dict(_below(tensors, "average/"))
        states: dict[int, dict[str, Tensor]] = {}
        for key, value in _below(tensors, "optimiser/").items():
            number, _, name = key.partition("/")
            states.setdefault(int(number), {})[name] = value
        groups = trainer.optimiser.state_dict()["param_groups"]
        trainer.optimiser.load_state_dict({"state": states, "param_groups": groups})
        for parameter, entries in trainer.optimiser.state.items():
            for name, value in entries.items():  # fused AdamW walks memory: a moment must lie as its parameter does
                if value.shape == parameter.shape:
                    entries[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
        torch.set_rng_state(tensors["generator"])
    except (OSError, SafetensorError, KeyError, RuntimeError, ValueError, TypeError) as error:
        raise InputError(
            f"{path}: is not a checkpoint of this training", "start again in a new --out folder"
        ) from error
    trainer.step, trainer.elapsed, trainer.total = counters["step"], counters["elapsed"], counters["total"]
    trainer.loss, trainer._first, trainer._smooth = counters["loss"], counters["first"], counters["smooth"]


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
