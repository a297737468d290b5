"""Mamba-2 (Dao, Gu 2024, arXiv 2405.21060), as `mamba2` in one direction."""

from __future__ import annotations

import math
from typing import Any

from triarch.core.spec import Logits, Spec
from triarch.models.rnn.mamba2 import EPS, Config
from triarch.ship.layouts.fields import Fields
from triarch.ship.layouts.layout import Layout, Pair, Told, same

PREFIX = "backbone."
CONTEXT = 2048
MIXER = {
    "conv.weight": "conv1d.weight", "conv.bias": "conv1d.bias", "dt.bias": "dt_bias", "log_a": "A_log", "d": "D",
    "leave.weight": "out_proj.weight",
}  # fmt: skip
HARMLESS = (
    "time_step_rank", "time_step_min", "time_step_max", "time_step_floor", "rescale_prenorm_residual", "chunk_size",
    "residual_in_fp32",
)  # fmt: skip


def read(fields: Fields, task: str | None) -> Told:
    """Mamba2Config → what it tells; it knows no longest text, `CONTEXT` is taken."""
    layers, vocab_size = fields.count("num_hidden_layers", 64), fields.count("vocab_size", 32768)
    dim, head_dim = fields.count("hidden_size", 4096), fields.count("head_dim", 64)
    fields.only("expand", 2)
    fields.only("num_heads", 2 * dim // head_dim)
    fields.only("use_bias", False)
    fields.only("use_conv_bias", True)
    fields.only("hidden_act", "silu", "swish")
    fields.only("layer_norm_epsilon", EPS)
    fields.only("rms_norm", True)
    settings = {
        "dim": dim, "depth": layers, "head_dim": head_dim, "state_dim": fields.count("state_size", 128),
        "num_groups": fields.count("n_groups", 8), "kernel_size": fields.count("conv_kernel", 4),
        "dt_limits": _limits(fields), "directions": 1,
    }  # fmt: skip
    logits = Logits(tied=fields.flag("tie_word_embeddings", False))
    fields.finish(HARMLESS)
    return Told("mamba2", settings, CONTEXT, vocab_size, task, logits, layers)


def _limits(fields: Fields) -> list[float] | None:
    said = fields.raw("time_step_limit", [0.0, math.inf])
    limits = [float(one.get("__float__", "nan") if isinstance(one, dict) else one) for one in said]
    if len(limits) != 2 or not 0 <= limits[0] < limits[1]:
        raise fields.fault("time_step_limit", "two numbers are wanted, the lower first")
    return None if limits == [0.0, math.inf] else limits


def write(config: Config, spec: Spec) -> dict[str, Any]:
    """Our config → Mamba2Config.

    Raises:
        ValueError: Mamba-2 is not made so.
    """
    if config.directions != 1:
        raise ValueError(f"directions is {config.directions}, Mamba-2's is 1")
    limits = {} if config.dt_limits is None else {"time_step_limit": list(config.dt_limits)}
    return {
        "model_type": "mamba2", "architectures": ["Mamba2ForCausalLM"], "vocab_size": spec.vocab_size,
        "hidden_size": config.dim, "num_hidden_layers": config.depth, "head_dim": config.head_dim,
        "num_heads": 2 * config.dim // config.head_dim, "state_size": config.state_dim, "n_groups": config.num_groups,
        "conv_kernel": config.kernel_size, "expand": 2, "use_bias": False, "use_conv_bias": True, "hidden_act": "silu",
        "layer_norm_epsilon": EPS, "tie_word_embeddings": spec.target.logits.tied, **limits,
    }  # fmt: skip


def pairs(config: Config, spec: Spec, head: bool) -> list[Pair]:
    """What enters a block is one matrix there, and the norm of all groups one vector."""
    made = [same("backbone.embed.project.weight", f"{PREFIX}embeddings.weight")]
    made.append(same("backbone.blocks.norm.weight", f"{PREFIX}norm_f.weight"))
    for layer in range(config.depth):
        block, yours = f"backbone.blocks.blocks.{layer}", f"{PREFIX}layers.{layer}"
        mixer = f"{block}.mixer"
        made.append(same(f"{block}.mixer_norm.weight", f"{yours}.norm.weight"))
        made += [same(f"{mixer}.{ours}", f"{yours}.mixer.{theirs}") for ours, theirs in MIXER.items()]
        entering = tuple(f"{mixer}.{part}.weight" for part in ("gate", "enter", "dt"))
        made.append(Pair(entering, (f"{yours}.mixer.in_proj.weight",)))
        norms = tuple(f"{mixer}.norms.{group}.weight" for group in range(config.num_groups))
        made.append(Pair(norms, (f"{yours}.mixer.norm.weight",)))
    if head and not spec.target.logits.tied:
        made.append(same("head.vocabulary.embedding.weight", "lm_head.weight"))
    return made


LAYOUT = Layout(
    name="Mamba-2",
    kinds=("mamba2",),
    classes={"Mamba2ForCausalLM": "language-model", "Mamba2Model": None},
    architectures=("mamba2",),
    task="language-model",
    prefix=PREFIX,
    read=read,
    write=write,
    pairs=pairs,
)
