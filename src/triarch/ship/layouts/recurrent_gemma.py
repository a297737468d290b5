"""RecurrentGemma (Botev et al. 2024, arXiv 2404.07839), as `griffin`.

There, what is embedded is multiplied by √D, rounded to 16 bits, on its way in, not where logits are read off the same
matrix; here it never is. So the factor lies in our embedding, and the norm before the logits takes it back.
"""

from __future__ import annotations

from typing import Any

import torch

from triarch.core.spec import Logits, Spec
from triarch.models.hybrid.griffin import Config
from triarch.ship.layouts.fields import Fields
from triarch.ship.layouts.layout import Layout, Pair, Told, joined, same

PREFIX = "model."
CONTEXT = 2048
EPS = 1e-6
NO_CAP = 1e6
BLOCKS = ("recurrent", "recurrent", "attention")
RECURRENT = {"gate": "linear_y", "enter": "linear_x", "out": "linear_out", "conv": "conv_1d"}
ATTENTION = {"q": "q_proj", "k": "k_proj", "v": "v_proj"}
FEED = {"gate": "gate_proj", "widen": "up_proj", "narrow": "down_proj"}
HARMLESS = ("attention_dropout", "w_init_variance_scale", "final_w_init_variance_scale")


def read(fields: Fields, task: str | None) -> Told:
    """RecurrentGemmaConfig → what it tells; it knows no longest text, `CONTEXT` is taken."""
    layers, vocab_size = fields.count("num_hidden_layers", 26), fields.count("vocab_size", 256000)
    dim = fields.count("hidden_size", 2560)
    num_heads = fields.heads("num_attention_heads", 10, dim)
    width = fields.count("intermediate_size", 3 * dim)
    if width % 2:
        raise fields.fault("intermediate_size", "an even number is wanted")
    if fields.count("num_key_value_heads", num_heads) != 1:
        raise fields.fault("num_key_value_heads", "triarch computes with 1 only; none given means one for each query")
    fields.only("head_dim", dim // num_heads)
    fields.only("lru_width", None, dim)
    fields.only("block_types", list(BLOCKS))
    fields.only("layers_block_type", [BLOCKS[layer % 3] for layer in range(layers)])
    fields.only("hidden_activation", "gelu_pytorch_tanh", "gelu_new")
    fields.only("rms_norm_eps", EPS)
    fields.only("attention_bias", False)
    fields.only("partial_rotary_factor", 0.5)
    fields.only("rope_theta", 10_000.0, 10_000)
    rope = Fields(fields.raw("rope_parameters") or {}, f"{fields.where}: rope_parameters")
    rope.only("rope_type", "default")
    rope.only("rope_theta", 10_000.0, 10_000)
    rope.only("partial_rotary_factor", 0.5)
    rope.finish()
    settings = {
        "dim": dim, "depth": layers, "num_heads": num_heads, "hidden_dim": width // 2,
        "window": fields.count("attention_window_size", 2048), "kernel_size": fields.count("conv1d_width", 4),
    }  # fmt: skip
    cap = fields.number("logits_soft_cap", 30.0)
    fields.only("tie_word_embeddings", True)
    fields.finish(HARMLESS)
    return Told("griffin", settings, CONTEXT, vocab_size, task, Logits(soft_cap=cap), layers)


def write(config: Config, spec: Spec) -> dict[str, Any]:
    """Our config → RecurrentGemmaConfig. It always has a cap on logits; where ours has none, it is out of reach.

    Raises:
        ValueError: RecurrentGemma is not made so.
    """
    if not spec.target.logits.tied:
        raise ValueError("its logits are read off a matrix of their own, RecurrentGemma's off the embedding")
    return {
        "model_type": "recurrent_gemma", "architectures": ["RecurrentGemmaForCausalLM"], "vocab_size": spec.vocab_size,
        "hidden_size": config.dim, "num_hidden_layers": config.depth, "num_attention_heads": config.num_heads,
        "num_key_value_heads": 1, "intermediate_size": 2 * config.hidden_dim, "lru_width": config.dim,
        "attention_window_size": config.window, "conv1d_width": config.kernel_size, "block_types": list(BLOCKS),
        "hidden_activation": "gelu_pytorch_tanh", "rms_norm_eps": EPS, "attention_bias": False,
        "logits_soft_cap": spec.target.logits.soft_cap or NO_CAP, "tie_word_embeddings": True,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0, "partial_rotary_factor": 0.5},
    }  # fmt: skip


def pairs(config: Config, spec: Spec, head: bool) -> list[Pair]:  # noqa: ARG001
    """Their norms hold the weight less one; the two gates of a unit lie side by side in one here."""
    factor = float(torch.tensor(config.dim**0.5, dtype=torch.bfloat16))
    width = (config.dim // config.num_heads,) * 2
    made = [same("backbone.embed.project.weight", f"{PREFIX}embed_tokens.weight", scale=factor)]
    made.append(same("backbone.blocks.norm.weight", f"{PREFIX}final_norm.weight", scale=1 / factor, shift=1.0))
    for layer in range(config.depth):
        mine, yours = f"backbone.blocks.blocks.{layer}", f"{PREFIX}layers.{layer}"
        mixer, temporal = f"{mine}.mixer", f"{yours}.temporal_block"
        made.append(same(f"{mine}.mixer_norm.weight", f"{yours}.temporal_pre_norm.weight", shift=1.0))
        made.append(same(f"{mine}.feed_norm.weight", f"{yours}.channel_pre_norm.weight", shift=1.0))
        for kind in ("weight", "bias"):
            made += [same(f"{mine}.feed.{a}.{kind}", f"{yours}.mlp_block.{b}.{kind}") for a, b in FEED.items()]
        if layer % 3 == 2:
            made += [same(f"{mixer}.{a}.weight", f"{temporal}.{b}.weight") for a, b in ATTENTION.items()]
            made += [same(f"{mixer}.out.{kind}", f"{temporal}.o_proj.{kind}") for kind in ("weight", "bias")]
            continue
        for kind in ("weight", "bias"):
            made += [same(f"{mixer}.{a}.{kind}", f"{temporal}.{b}.{kind}") for a, b in RECURRENT.items()]
            gates = [f"{temporal}.rg_lru.{gate}_gate_{kind}" for gate in ("recurrent", "input")]
            made.append(joined(f"{mixer}.unit.{kind}", gates, width, axis=-1))
        made.append(same(f"{mixer}.unit.decay", f"{temporal}.rg_lru.recurrent_param"))
    return made


LAYOUT = Layout(
    name="RecurrentGemma",
    kinds=("recurrent_gemma",),
    classes={"RecurrentGemmaForCausalLM": "language-model", "RecurrentGemmaModel": None},
    architectures=("griffin",),
    task="language-model",
    prefix=PREFIX,
    read=read,
    write=write,
    pairs=pairs,
    ignored=(r"model\.normalizer", r"model\.layers\.\d+\.temporal_block\.rotary_emb\.inv_freq"),
)
