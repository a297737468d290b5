"""GPT-2 (Radford et al. 2019), as `decoder` with learned positions, layer norm, gelu and biases."""

from __future__ import annotations

from typing import Any

from triarch.core.spec import Logits, Spec
from triarch.models.transformer.decoder import Config
from triarch.ship.layouts.fields import Fields
from triarch.ship.layouts.layout import Layout, Pair, Told, demand, same

PREFIX = "transformer."
BLOCK = {
    "attention_norm": "ln_1", "attention.qkv": "attn.c_attn", "attention.out": "attn.c_proj",
    "feed_norm": "ln_2", "feed.widen": "mlp.c_fc", "feed.narrow": "mlp.c_proj",
}  # fmt: skip
HARMLESS = (
    "n_ctx", "resid_pdrop", "embd_pdrop", "attn_pdrop", "summary_type", "summary_use_proj", "summary_activation",
    "summary_proj_to_labels", "summary_first_dropout", "reorder_and_upcast_attn",
)  # fmt: skip


def read(fields: Fields, task: str | None) -> Told:
    """GPT2Config → what it tells."""
    dim, layers = fields.count("n_embd", 768), fields.count("n_layer", 12)
    context, vocab_size = fields.count("n_positions", 1024), fields.count("vocab_size", 50257)
    fields.only("activation_function", "gelu_new", "gelu_pytorch_tanh")
    fields.only("scale_attn_weights", True)
    fields.only("scale_attn_by_inverse_layer_idx", False)
    settings = {
        "dim": dim, "depth": layers, "num_heads": fields.heads("n_head", 12, dim),
        "hidden_dim": fields.count("n_inner", 4 * dim), "eps": fields.number("layer_norm_epsilon", 1e-5),
        "position": "learned", "norm": "layer", "feed": "gelu", "bias": "all",
    }  # fmt: skip
    logits = Logits(tied=fields.flag("tie_word_embeddings", True))
    fields.finish(HARMLESS)
    return Told("decoder", settings, context, vocab_size, task, logits, layers)


def write(config: Config, spec: Spec) -> dict[str, Any]:
    """Our config → GPT2Config.

    Raises:
        ValueError: GPT-2 is not made so.
    """
    wanted = {
        "position": "learned", "norm": "layer", "norm_first": True, "feed": "gelu", "bias": "all", "window": None,
        "embed_scale": 1.0,
    }  # fmt: skip
    demand(("", config, wanted))
    if config.num_kv_heads not in (None, config.num_heads) or config.head_dim not in (
        None, config.dim // config.num_heads
    ):  # fmt: skip
        raise ValueError("GPT-2's heads have keys of their own and share the width evenly")
    return {
        "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": spec.vocab_size,
        "n_positions": spec.max_len, "n_embd": config.dim, "n_layer": config.depth, "n_head": config.num_heads,
        "n_inner": config.hidden_dim, "activation_function": "gelu_new", "layer_norm_epsilon": config.eps or 1e-5,
        "resid_pdrop": config.dropout, "embd_pdrop": config.dropout, "attn_pdrop": 0.0,
        "tie_word_embeddings": spec.target.logits.tied,
    }  # fmt: skip


def pairs(config: Config, spec: Spec, head: bool) -> list[Pair]:
    """Their matrices are stored transposed."""
    made = [
        same("backbone.embed.project.weight", f"{PREFIX}wte.weight"),
        same("backbone.position.table", f"{PREFIX}wpe.weight"),
        same("backbone.norm.weight", f"{PREFIX}ln_f.weight"),
        same("backbone.norm.bias", f"{PREFIX}ln_f.bias"),
    ]
    for layer in range(config.depth):
        for ours, theirs in BLOCK.items():
            mine, yours = f"backbone.blocks.{layer}.{ours}", f"{PREFIX}h.{layer}.{theirs}"
            made += [same(f"{mine}.weight", f"{yours}.weight", turned="norm" not in ours)]
            made += [same(f"{mine}.bias", f"{yours}.bias")]
    if head and not spec.target.logits.tied:
        made.append(same("head.vocabulary.embedding.weight", "lm_head.weight"))
    return made


LAYOUT = Layout(
    name="GPT-2",
    kinds=("gpt2",),
    classes={"GPT2LMHeadModel": "language-model", "GPT2Model": None},
    architectures=("decoder",),
    task="language-model",
    prefix=PREFIX,
    read=read,
    write=write,
    pairs=pairs,
    ignored=(r"transformer\.h\.\d+\.attn\.(masked_)?bias",),  # the causal mask
)
