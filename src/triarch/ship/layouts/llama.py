"""Llama (Touvron et al. 2023), Qwen2 and Mistral, as `decoder` with rotary positions, RMS norm and swiglu."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from triarch.core.spec import Logits, Spec
from triarch.layers.position import Rotary
from triarch.models.transformer.decoder import Config
from triarch.ship.layouts.fields import Fields
from triarch.ship.layouts.layout import Layout, Pair, Told, demand, joined, same

PREFIX = "model."
PROJECTIONS = tuple(f"self_attn.{part}_proj" for part in "qkv")
NORMS = {"attention_norm": "input_layernorm", "feed_norm": "post_attention_layernorm"}
HARMLESS = ("attention_dropout", "max_window_layers")


def read(fields: Fields, task: str | None) -> Told:
    """LlamaConfig, Qwen2Config or MistralConfig → what it tells."""
    kind = fields.raw("model_type")
    dim, layers = fields.count("hidden_size", 4096), fields.count("num_hidden_layers", 32)
    num_heads, vocab_size = fields.count("num_attention_heads", 32), fields.count("vocab_size", 32000)
    if fields.raw("head_dim") is None:
        fields.heads("num_attention_heads", 32, dim)
    head_dim = fields.count("head_dim", dim // num_heads)
    num_kv_heads = fields.count("num_key_value_heads", 8 if kind == "mistral" else num_heads)
    if num_heads % num_kv_heads:
        raise fields.fault("num_key_value_heads", f"it has to divide num_attention_heads, {num_heads}")
    context = fields.count("max_position_embeddings", 2048)
    fields.only("hidden_act", "silu", "swish")
    settings = {
        "dim": dim, "depth": layers, "num_heads": num_heads, "hidden_dim": fields.count("intermediate_size", 11008),
        "num_kv_heads": num_kv_heads,
        "head_dim": None if head_dim * num_heads == dim else head_dim, "eps": fields.number("rms_norm_eps", 1e-6),
        "rotary": {name: value for name, value in asdict(_rotary(fields)).items() if value is not None},
        "window": _window(fields, kind, layers), "bias": _bias(fields, kind),
    }  # fmt: skip
    logits = Logits(tied=fields.flag("tie_word_embeddings", False))
    fields.finish(HARMLESS)
    return Told("decoder", settings, context, vocab_size, task, logits, layers)


def _rotary(fields: Fields) -> Rotary:
    """Their places, as files of any age write them."""
    base, older, newer = (fields.raw(name) for name in ("rope_theta", "rope_scaling", "rope_parameters"))
    if older is not None and newer is not None and older != newer:
        raise fields.fault("rope_scaling", "rope_parameters says otherwise; take the wrong one out")
    name, told = ("rope_parameters", newer) if newer is not None else ("rope_scaling", older or {})
    if not isinstance(told, dict):
        raise fields.fault(name, "an object is wanted")
    own = Fields({"rope_theta": base, **told}, f"{fields.where}: {name}")
    own.only("partial_rotary_factor", None, 1.0, 1)
    kind = own.raw("rope_type", own.raw("type", "default"))
    base = own.number("rope_theta", 10_000.0)
    if kind == "default":
        made = Rotary(base)
    elif kind == "linear":
        made = Rotary(base, own.number("factor", 1.0))
    elif kind == "llama3":
        made = Rotary(
            base, own.number("factor", 1.0), own.count("original_max_position_embeddings"),
            own.number("low_freq_factor", 1.0), own.number("high_freq_factor", 4.0),
        )  # fmt: skip
    else:
        raise fields.fault(name, "triarch computes with the types default, linear and llama3 only")
    own.finish()
    return made


def _window(fields: Fields, kind: str, layers: int) -> int | None:
    size = fields.raw("sliding_window", 4096 if kind == "mistral" else None)
    if kind == "qwen2" and not fields.flag("use_sliding_window", False):
        size = None
    if kind == "llama" and size is not None:
        raise fields.fault("sliding_window", "a Llama has none; is it a Mistral?")
    window = None if size is None else fields.count("sliding_window", 4096)
    if kind == "qwen2" and window is not None:
        fields.only("max_window_layers", 0)
    fields.only("layer_types", None, ["sliding_attention" if window else "full_attention"] * layers)
    return window


def _bias(fields: Fields, kind: str) -> str:
    if kind != "llama":
        return "qkv" if kind == "qwen2" else "none"
    attention, feed = fields.flag("attention_bias", False), fields.flag("mlp_bias", False)
    if attention != feed:
        raise fields.fault("mlp_bias", "triarch computes with it as attention_bias is only")
    return "all" if attention else "none"


def write(config: Config, spec: Spec) -> dict[str, Any]:
    """Our config → LlamaConfig; Qwen2Config where queries, keys and values have biases; MistralConfig for a window.

    Raises:
        ValueError: none of them is made so.
    """
    wanted = {"position": "rotary", "norm": "rms", "norm_first": True, "feed": "swiglu", "embed_scale": 1.0}
    demand(("", config, wanted))
    if config.window is not None and config.bias == "all":
        raise ValueError("window and biases of all projections do not go together in Llama, Qwen2 or Mistral")
    kind, own = "llama", {}
    if config.bias == "qkv":
        kind, own = "qwen2", {"use_sliding_window": config.window is not None, "max_window_layers": 0}
        if config.head_dim is not None:
            raise ValueError("head_dim is not Qwen2's to choose")
    elif config.window is not None:
        kind = "mistral"
    else:
        own = {"attention_bias": config.bias == "all", "mlp_bias": config.bias == "all"}
    window = {} if kind == "llama" else {"sliding_window": config.window}
    head_dim = {} if kind == "qwen2" else {"head_dim": config.head_dim or config.dim // config.num_heads}
    return {
        "model_type": kind, "architectures": [f"{kind.capitalize()}ForCausalLM"], "vocab_size": spec.vocab_size,
        "max_position_embeddings": spec.max_len, "hidden_size": config.dim, "num_hidden_layers": config.depth,
        "num_attention_heads": config.num_heads, "num_key_value_heads": config.num_kv_heads or config.num_heads,
        "intermediate_size": config.hidden_dim, "hidden_act": "silu", "rms_norm_eps": config.eps or 1e-6,
        "tie_word_embeddings": spec.target.logits.tied, "attention_dropout": 0.0, **_told(config.rotary), **head_dim,
        **own, **window,
    }  # fmt: skip


def _told(rotary: Rotary) -> dict[str, Any]:
    """As Transformers 5 writes it, and as 4 does."""
    made: dict[str, Any] = {"rope_type": "default"}
    if rotary.trained is not None:
        made = {
            "rope_type": "llama3", "factor": rotary.factor, "low_freq_factor": rotary.slow,
            "high_freq_factor": rotary.fast, "original_max_position_embeddings": rotary.trained,
        }  # fmt: skip
    elif rotary.factor != 1:
        made = {"rope_type": "linear", "factor": rotary.factor}
    older = {} if made["rope_type"] == "default" else {"rope_scaling": {**made, "rope_theta": rotary.base}}
    return {"rope_theta": rotary.base, "rope_parameters": {**made, "rope_theta": rotary.base}, **older}


def pairs(config: Config, spec: Spec, head: bool) -> list[Pair]:
    """What is apart there, queries, keys and values, and the gate and what it gates, lies in one matrix here."""
    head_dim = config.head_dim or config.dim // config.num_heads
    shared = (config.num_kv_heads or config.num_heads) * head_dim
    widths = (config.num_heads * head_dim, shared, shared)
    kinds = ["weight", "bias"] if config.bias == "all" else ["weight"]
    made = [same("backbone.embed.project.weight", f"{PREFIX}embed_tokens.weight")]
    made.append(same("backbone.norm.weight", f"{PREFIX}norm.weight"))
    for layer in range(config.depth):
        mine, yours = f"backbone.blocks.{layer}", f"{PREFIX}layers.{layer}"
        made += [same(f"{mine}.{ours}.weight", f"{yours}.{theirs}.weight") for ours, theirs in NORMS.items()]
        for kind in ["weight"] if config.bias == "none" else ["weight", "bias"]:
            made.append(
                joined(f"{mine}.attention.qkv.{kind}", [f"{yours}.{part}.{kind}" for part in PROJECTIONS], widths)
            )
        for kind in kinds:
            gated = [f"{yours}.mlp.{part}_proj.{kind}" for part in ("gate", "up")]
            made += [
                same(f"{mine}.attention.out.{kind}", f"{yours}.self_attn.o_proj.{kind}"),
                joined(f"{mine}.feed.widen.{kind}", gated, (config.hidden_dim, config.hidden_dim)),
                same(f"{mine}.feed.narrow.{kind}", f"{yours}.mlp.down_proj.{kind}"),
            ]
    if head and not spec.target.logits.tied:
        made.append(same("head.vocabulary.embedding.weight", "lm_head.weight"))
    return made


LAYOUT = Layout(
    name="Llama, Qwen2 and Mistral",
    kinds=("llama", "qwen2", "mistral"),
    classes={
        **{f"{kind}ForCausalLM": "language-model" for kind in ("Llama", "Qwen2", "Mistral")},
        **{f"{kind}Model": None for kind in ("Llama", "Qwen2", "Mistral")},
    },
    architectures=("decoder",),
    task="language-model",
    prefix=PREFIX,
    read=read,
    write=write,
    pairs=pairs,
    ignored=(r"model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq", r"model\.rotary_emb\.inv_freq"),
)
