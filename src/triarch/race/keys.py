"""Under which names the work of a race is kept: keys of its ledger, and files beside it, relative to `run/`."""

from __future__ import annotations


def trial_key(family: str, model: str, rate: float, rung: int) -> str:
    """The ledger's key of a trial at a rung."""
    return f"trial/{family}/{model}/lr={rate:.3g}/rung{rung}"


def final_key(model: str, seed: int) -> str:
    """The ledger's key of a final."""
    return f"final/{model}/seed={seed}"


def checkpoint(model: str, rate: float, rung: int | str) -> str:
    """The file that a trial leaves at a rung, or of `*` the pattern of all."""
    return f"trials/{model.replace('/', '-')}-{rate:.3g}-{rung}.safetensors"


def weights(model: str, seed: int) -> str:
    """The file of the weights that a final leaves."""
    return f"finals/{model.replace('/', '-')}-{seed}.safetensors"
