"""BERT (Devlin et al. 2018, arXiv 1810.04805), as `encoder` normalised after each part, for the task `masked-model`.

What is read is one text, not a pair: every token is of the first kind. The pooler and the head that tells whether two
texts follow each other are left out.
"""

from __future__ import annotations

from typing import Any

from triarch.core.spec import Logits, Spec
from triarch.models.transformer.encoder import Config
from triarch.ship.layouts.fields import Fields
from triarch.ship.layouts.layout import Layout, Pair, Told, demand, joined, same

PREFIX, HEAD = "bert.", "cls.predictions."
BLOCK = {
    "attention.out": "attention.output.dense", "attention_norm": "attention.output.LayerNorm",
    "feed.widen": "intermediate.dense", "feed.narrow": "output.dense", "feed_norm": "output.LayerNorm",
}  # fmt: skip
HARMLESS = ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout")
KINDS = 2


def read(fields: Fields, task: str | None) -> Told:
    """BertConfig → what it tells."""
    layers, vocab_size = fields.count("num_hidden_layers", 12), fields.count("vocab_size", 30522)
    dim, eps = fields.count("hidden_size", 768), fields.number("layer_norm_eps", 1e-12)
    fields.only("hidden_act", "gelu")
    fields.only("position_embedding_type", "absolute")
    settings = {
        "dim": dim, "depth": layers, "num_heads": fields.heads("num_attention_heads", 12, dim),
        "hidden_dim": fields.count("intermediate_size", 3072), "eps": eps, "position": "learned", "norm_first": False,
        "embed_norm": True, "kinds": fields.count("type_vocab_size", KINDS),
    }  # fmt: skip
    fields.only("tie_word_embeddings", True)
    context = fields.count("max_position_embeddings", 512)
    fields.finish(HARMLESS)
    return Told("encoder", settings, context, vocab_size, task, Logits(eps=eps), layers)


def write(config: Config, spec: Spec) -> dict[str, Any]:
    """Our config → BertConfig.

    Raises:
        ValueError: BERT is not made so.
    """
    if not spec.target.logits.tied:
        raise ValueError("its logits are read off a matrix of their own, BERT's off the embedding")
    wanted = {
        "position": "learned", "norm_first": False, "embed_norm": True, "causal": False, "feed": "gelu",
        "embed_scale": 1.0, "eps": spec.target.logits.eps,
    }  # fmt: skip
    if config.pool == "class":
        raise ValueError("it has a class token beside the steps, BERT's is one of them")
    demand(("", config, wanted))
    return {
        "model_type": "bert", "architectures": ["BertForMaskedLM"], "vocab_size": spec.vocab_size,
        "max_position_embeddings": spec.max_len, "hidden_size": config.dim, "num_hidden_layers": config.depth,
        "num_attention_heads": config.num_heads, "intermediate_size": config.hidden_dim, "hidden_act": "gelu",
        "layer_norm_eps": config.eps, "type_vocab_size": config.kinds or KINDS, "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": 0.0, "tie_word_embeddings": True,
    }  # fmt: skip


def pairs(config: Config, spec: Spec, head: bool) -> list[Pair]:  # noqa: ARG001
    """Queries, keys and values lie in one matrix here."""
    made = [
        same("backbone.embed.project.weight", f"{PREFIX}embeddings.word_embeddings.weight"),
        same("backbone.position.table", f"{PREFIX}embeddings.position_embeddings.weight"),
        same("backbone.embed_norm.weight", f"{PREFIX}embeddings.LayerNorm.weight"),
        same("backbone.embed_norm.bias", f"{PREFIX}embeddings.LayerNorm.bias"),
    ]
    kinds = f"{PREFIX}embeddings.token_type_embeddings.weight"
    made.append(same("backbone.kinds", kinds) if config.kinds else Pair((), (kinds,), shape=(KINDS, config.dim)))
    for layer in range(config.depth):
        mine, yours = f"backbone.blocks.{layer}", f"{PREFIX}encoder.layer.{layer}"
        for kind in ("weight", "bias"):
            parts = [f"{yours}.attention.self.{part}.{kind}" for part in ("query", "key", "value")]
            made.append(joined(f"{mine}.attention.qkv.{kind}", parts, (config.dim,) * 3))
            made += [same(f"{mine}.{ours}.{kind}", f"{yours}.{theirs}.{kind}") for ours, theirs in BLOCK.items()]
    if head:
        for kind in ("weight", "bias"):
            made.append(same(f"head.dense.{kind}", f"{HEAD}transform.dense.{kind}"))
            made.append(same(f"head.norm.{kind}", f"{HEAD}transform.LayerNorm.{kind}"))
        made.append(same("head.vocabulary.bias", f"{HEAD}bias"))
    return made


LAYOUT = Layout(
    name="BERT",
    kinds=("bert",),
    classes={"BertForMaskedLM": "masked-model", "BertForPreTraining": "masked-model", "BertModel": None},
    architectures=("encoder",),
    task="masked-model",
    prefix=PREFIX,
    read=read,
    write=write,
    pairs=pairs,
    ignored=(
        r"bert\.pooler\..*", r"cls\.seq_relationship\..*", r"bert\.embeddings\.position_ids",
        r"cls\.predictions\.decoder\.bias",
    ),
    aliases={"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"},
)  # fmt: skip
