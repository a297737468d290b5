"""Marian (Junczys-Dowmunt et al. 2018, arXiv 1804.00344), as `encoder+decoder` normalised after each part.

So are the OPUS-MT models (Tiedemann, Thottingal 2020). Both texts are embedded by one matrix there, or by one each;
here by one each, and scores of tokens are read off that of the text that is written.
"""

from __future__ import annotations

import math
from typing import Any

from triarch.core.spec import Logits, Spec
from triarch.models.registry import Pairing
from triarch.ship.layouts.fields import Fields
from triarch.ship.layouts.layout import Answers, Layout, Pair, Told, demand, joined, same

PREFIX = "model."
SHARED, BIAS = f"{PREFIX}shared.weight", "final_logits_bias"
EPS = 1e-5
FEEDS = {"swish": "silu", "silu": "silu", "relu": "relu"}
BLOCK = {
    "attention.out": "self_attn.out_proj", "attention_norm": "self_attn_layer_norm", "feed.widen": "fc1",
    "feed.narrow": "fc2", "feed_norm": "final_layer_norm",
}  # fmt: skip
CROSS = {
    "cross.query": "encoder_attn.q_proj", "cross.out": "encoder_attn.out_proj", "cross_norm": "encoder_attn_layer_norm",
}  # fmt: skip
HARMLESS = (
    "dropout", "attention_dropout", "activation_dropout", "encoder_layerdrop", "decoder_layerdrop", "classif_dropout",
    "classifier_dropout", "init_std", "num_hidden_layers", "extra_pos_embeddings", "add_bias_logits", "_num_labels",
    "force_bos_token_to_be_generated",
)  # fmt: skip
BOTH = {"position": "sinusoidal-halves", "norm_first": False}
ENCODER = {**BOTH, "causal": False, "embed_norm": False, "kinds": 0, "eps": EPS, "pool": "mean"}
DECODER = {**BOTH, "norm": "layer", "bias": "all", "window": None}


def read(fields: Fields, task: str | None) -> Told:
    """MarianConfig → what it tells."""
    fields.only("is_encoder_decoder", True)
    dim, vocab_size = fields.count("d_model", 1024), fields.count("vocab_size", 58101)
    context = fields.count("max_position_embeddings", 1024)
    shared = fields.flag("share_encoder_decoder_embeddings", True)
    answers = fields.count("decoder_vocab_size", vocab_size)
    if shared and answers != vocab_size:
        raise fields.fault("decoder_vocab_size", f"one matrix embeds both texts, so it is vocab_size, {vocab_size}")
    fields.only("tie_word_embeddings", True)
    fields.only("normalize_before", False)
    fields.only("normalize_embedding", False)
    fields.only("add_final_layer_norm", False)
    fields.only("static_position_embeddings", True)
    kind = fields.word("activation_function", "gelu")
    if kind is None or kind not in FEEDS:
        raise fields.fault("activation_function", f"triarch computes with {', '.join(FEEDS)} only")
    scale = math.sqrt(dim) if fields.flag("scale_embedding", False) else 1.0
    same_for_both = {"dim": dim, "feed": FEEDS[kind], "embed_scale": scale, **BOTH}
    source, target = (_side(fields, side, dim) | same_for_both for side in ("encoder", "decoder"))
    target |= {"norm": "layer", "bias": "all"}
    first, end = (_token(fields, name, answers) for name in ("decoder_start_token_id", "eos_token_id"))
    if 0 not in (first, end, fields.raw("pad_token_id", 58100)):
        raise fields.fault("pad_token_id", "0 is wanted where eos_token_id is not 0: with it triarch fills up answers")
    fields.finish(HARMLESS)
    return Told(
        "encoder+decoder", {"source": source, "target": target}, context, vocab_size, task, Logits(bias=True),
        source["depth"] + target["depth"], Answers(answers, first, end, shared),
    )  # fmt: skip


def _side(fields: Fields, side: str, dim: int) -> dict[str, Any]:
    return {
        "depth": fields.count(f"{side}_layers", 12), "num_heads": fields.heads(f"{side}_attention_heads", 16, dim),
        "hidden_dim": fields.count(f"{side}_ffn_dim", 4096),
    }  # fmt: skip


def _token(fields: Fields, name: str, vocab_size: int) -> int:
    value = fields.raw(name, {"decoder_start_token_id": 58100, "eos_token_id": 0}[name])
    if type(value) is not int or not 0 <= value < vocab_size:
        raise fields.fault(name, f"a token from 0 to {vocab_size - 1} is wanted")
    return value


def write(config: Pairing, spec: Spec) -> dict[str, Any]:
    """Our config → MarianConfig.

    Raises:
        ValueError: Marian is not made so.
    """
    source, target = config.source, config.target
    feed = {} if source.feed in FEEDS.values() else {"feed": "silu"}
    demand(("source.", source, ENCODER | feed), ("target.", target, DECODER | feed))
    if config.sees != "steps" or target.eps not in (None, EPS):
        raise ValueError(f"sees is {config.sees!r} and target.eps {target.eps}, Marian's are 'steps' and {EPS}")
    if target.num_kv_heads not in (None, target.num_heads) or target.head_dim not in (
        None, target.dim // target.num_heads
    ):  # fmt: skip
        raise ValueError("Marian's heads have keys of their own and share the width evenly")
    for name in ("dim", "feed", "embed_scale"):
        if getattr(source, name) != getattr(target, name):
            raise ValueError(f"source.{name} is {getattr(source, name)!r}, target.{name} {getattr(target, name)!r}")
    scales = {1.0: False, math.sqrt(source.dim): True}
    if source.embed_scale not in scales:
        raise ValueError(f"source.embed_scale is {source.embed_scale}, Marian's is one of {list(scales)}")
    sides = {
        f"{side}_{theirs}": getattr(made, ours)
        for side, made in (("encoder", source), ("decoder", target))
        for theirs, ours in (("layers", "depth"), ("attention_heads", "num_heads"), ("ffn_dim", "hidden_dim"))
    }
    first = spec.target.begin
    pad = 0 if spec.target.first is None or first >= spec.vocab_size else first
    return {
        "model_type": "marian", "architectures": ["MarianMTModel"], "is_encoder_decoder": True,
        "vocab_size": spec.vocab_size, "decoder_vocab_size": spec.target.vocab_size,
        "share_encoder_decoder_embeddings": False, "tie_word_embeddings": True, "d_model": source.dim, **sides,
        "max_position_embeddings": max(spec.max_len, spec.target.max_len), "activation_function": source.feed,
        "scale_embedding": scales[source.embed_scale], "dropout": source.dropout, "attention_dropout": 0.0,
        "decoder_start_token_id": first, "eos_token_id": spec.target.end, "forced_eos_token_id": None,
        "bos_token_id": None, "pad_token_id": pad, "bad_words_ids": None if spec.target.first is None else [[first]],
    }  # fmt: skip


def pairs(config: Pairing, spec: Spec, head: bool) -> list[Pair]:  # noqa: ARG001
    """Queries, keys and values lie in one matrix here, of what is read keys and values."""
    made = []
    for mine, side, depth in (("source", "encoder", config.source.depth), ("backbone", "decoder", config.target.depth)):
        made.append(same(f"{mine}.embed.project.weight", f"{PREFIX}{side}.embed_tokens.weight"))
        for layer in range(depth):
            made += _layer(f"{mine}.blocks.{layer}", f"{PREFIX}{side}.layers.{layer}", config.source.dim, side)
    if spec.target.logits.bias:
        made.append(Pair(("head.vocabulary.bias",), (BIAS,), row=True))
    else:
        made.append(Pair((), (BIAS,), shape=(1, spec.target.vocab_size)))
    return made


def _layer(mine: str, yours: str, dim: int, side: str) -> list[Pair]:
    made = []
    for kind in ("weight", "bias"):
        own = [f"{yours}.self_attn.{part}_proj.{kind}" for part in "qkv"]
        made.append(joined(f"{mine}.attention.qkv.{kind}", own, (dim,) * 3))
        made += [same(f"{mine}.{ours}.{kind}", f"{yours}.{theirs}.{kind}") for ours, theirs in BLOCK.items()]
        if side == "decoder":
            others = [f"{yours}.encoder_attn.{part}_proj.{kind}" for part in "kv"]
            made.append(joined(f"{mine}.cross.read_key_value.{kind}", others, (dim,) * 2))
            made += [same(f"{mine}.{ours}.{kind}", f"{yours}.{theirs}.{kind}") for ours, theirs in CROSS.items()]
    return made


LAYOUT = Layout(
    name="Marian",
    kinds=("marian",),
    classes={"MarianMTModel": "translate"},
    architectures=("encoder+decoder",),
    task="translate",
    prefix=PREFIX,
    read=read,
    write=write,
    pairs=pairs,
    ignored=(r"model\.(encoder|decoder)\.embed_positions\.weight",),
    shared={f"{PREFIX}{side}.embed_tokens.weight": SHARED for side in ("encoder", "decoder")},
)
