"""Other people's networks that equal ours, and how to hand them our weights.

A peer is taken as it comes from its library. Only what would make it another network than ours is set: sizes, dropout
(none on either side), the epsilon of its norms, and for small pictures the small stem that its users put in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence

from triarch.core.spec import Modality, Spec, reference
from triarch.core.types import Batch
from triarch.layers.backbone import Backbone
from triarch.model import build
from triarch.models import registry
from triarch.tasks.classify import Classify

TOLERANCE = 1e-4


@dataclass(frozen=True)
class Peer:
    """Somebody else's implementation of one of our architectures.

    Attributes:
        make: our config, the data → their network, from a batch to logits.
        names: pattern in their names of weights → ours, all applied in this order; `#1` at the end is the second of
            three equal parts of ours, `+` joins several. Empty: theirs is another network, only speeds are compared.
        settings: of ours, that make it the network that theirs is.
        side: of pictures, at which both begin alike.
        language: both predict the next token, instead of a class.
    """

    make: Callable[[Any, Spec], nn.Module]
    names: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    modality: Modality = "image"
    side: int = 32
    language: bool = False


class Language(nn.Module):
    """Logits of the next token (B T V) by a backbone of ours: its features times the embedding, which it shares."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, batch: Batch) -> Tensor:
        features, _ = self.backbone(batch.input, batch.mask)
        return F.linear(features.values, self.backbone.embed.project.weight)


class Theirs(nn.Module):
    """A network of Transformers, from a batch to logits."""

    def __init__(self, network: nn.Module, argument: str) -> None:
        super().__init__()
        self.network, self.argument = network, argument

    def forward(self, batch: Batch) -> Tensor:
        logits: Tensor = self.network(**{self.argument: batch.input}).logits
        return logits


class Recurrent(nn.Module):
    """Embedding, torch's own recurrence, and a linear layer on its state at each row's true end."""

    def __init__(self, kind: type[nn.RNNBase], config: Any, spec: Spec, packed: bool = True) -> None:
        super().__init__()
        self.packed = packed
        self.embedding = nn.Embedding(spec.vocab_size, config.dim)
        self.recurrence = kind(config.dim, config.dim, config.depth, batch_first=True)
        self.linear = nn.Linear(config.dim, spec.num_classes)

    def forward(self, batch: Batch) -> Tensor:
        x = self.embedding(batch.input)
        if batch.mask is None:
            return self.linear(self.recurrence(x)[0][:, -1])
        lengths = batch.mask.sum(dim=1)
        if not self.packed:
            return self.linear(self.recurrence(x)[0][torch.arange(len(x)), lengths - 1])
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        _, state = self.recurrence(packed)
        return self.linear((state[0] if isinstance(state, tuple) else state)[-1])


class Encoder(nn.Module):
    """Embedding, places, torch's own encoder, and a linear layer on the mean."""

    def __init__(self, config: Any, spec: Spec) -> None:
        super().__init__()
        self.embedding = nn.Embedding(spec.vocab_size, config.dim)
        self.position = nn.Parameter(torch.zeros(spec.max_len, config.dim))
        layer = nn.TransformerEncoderLayer(
            config.dim, config.num_heads, config.hidden_dim, config.dropout, "gelu", batch_first=True, norm_first=True
        )
        norm = nn.LayerNorm(config.dim)
        self.layers = nn.TransformerEncoder(layer, config.depth, norm, enable_nested_tensor=False)
        self.linear = nn.Linear(config.dim, spec.num_classes)

    def forward(self, batch: Batch) -> Tensor:
        values: Tensor = self.layers(self.embedding(batch.input) + self.position)
        return self.linear(values.mean(dim=1))


def _gpt2(config: Any, spec: Spec) -> nn.Module:
    from transformers import GPT2Config, GPT2LMHeadModel

    ends = {"bos_token_id": 0, "eos_token_id": 0}
    drop = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    shape = {"n_embd": config.dim, "n_layer": config.depth, "n_head": config.num_heads, "n_inner": config.hidden_dim}
    theirs = GPT2Config(vocab_size=spec.vocab_size, n_positions=spec.max_len, **shape, **drop, **ends)
    return Theirs(GPT2LMHeadModel(theirs), "input_ids")


def _resnet(config: Any, spec: Spec) -> nn.Module:
    from transformers import ResNetConfig, ResNetForImageClassification

    theirs = ResNetForImageClassification(
        ResNetConfig(
            num_channels=spec.in_channels, embedding_size=config.channels[0], hidden_sizes=list(config.channels),
            depths=list(config.depths), layer_type="basic", num_labels=spec.num_classes,
        )
    )  # fmt: skip
    if max(spec.shape) <= 64:
        stem = theirs.resnet.embedder
        stem.embedder.convolution = nn.Conv2d(spec.in_channels, config.channels[0], 3, padding=1, bias=False)
        stem.pooler = nn.Identity()
    return Theirs(theirs, "pixel_values")


def _vit(config: Any, spec: Spec) -> nn.Module:
    from transformers import ViTConfig, ViTForImageClassification

    theirs = ViTConfig(
        hidden_size=config.dim, num_hidden_layers=config.depth, num_attention_heads=config.num_heads,
        intermediate_size=config.hidden_dim, image_size=spec.shape[1], num_channels=spec.in_channels,
        patch_size=4 if spec.shape[1] == 32 else 16, num_labels=spec.num_classes, layer_norm_eps=1e-6,
    )  # fmt: skip
    return Theirs(ViTForImageClassification(theirs), "pixel_values")


def _mamba2(config: Any, spec: Spec) -> nn.Module:
    from transformers import Mamba2Config, Mamba2ForCausalLM

    theirs = Mamba2Config(
        vocab_size=spec.vocab_size, hidden_size=config.dim, num_hidden_layers=config.depth, head_dim=config.head_dim,
        num_heads=2 * config.dim // config.head_dim, state_size=config.state_dim, n_groups=config.num_groups,
        conv_kernel=config.kernel_size, tie_word_embeddings=True, eos_token_id=0,
    )  # fmt: skip
    return Theirs(Mamba2ForCausalLM(theirs), "input_ids")


def _convnext(config: Any, spec: Spec) -> nn.Module:
    from transformers import ConvNextConfig, ConvNextForImageClassification

    theirs = ConvNextConfig(
        num_channels=spec.in_channels, num_stages=len(config.channels), hidden_sizes=list(config.channels),
        depths=list(config.depths), num_labels=spec.num_classes, layer_norm_eps=1e-6,
    )  # fmt: skip
    return Theirs(ConvNextForImageClassification(theirs), "pixel_values")


def _recurrent(kind: type[nn.RNNBase], packed: bool = True) -> Callable[[Any, Spec], nn.Module]:
    return lambda config, spec: Recurrent(kind, config, spec, packed)


GPT2 = {
    r"network\.transformer\.wte": "backbone.embed.project", r"network\.transformer\.wpe\.weight": "position.table",
    r"network\.transformer\.h": "backbone.blocks", r"network\.transformer\.ln_f": "backbone.norm",
    r"^position": "backbone.position", r"ln_1": "attention_norm", r"attn\.c_attn": "attention.qkv",
    r"attn\.c_proj": "attention.out", r"ln_2": "feed_norm", r"mlp\.c_fc": "feed.widen", r"mlp\.c_proj": "feed.narrow",
}  # fmt: skip
RESNET = {
    r"network\.resnet\.(encoder\.)?": "backbone.", r"embedder\.embedder": "stem", r"convolution": "conv",
    r"normalization": "norm", r"\.layers\.": ".", r"layer\.0": "convs.0", r"layer\.1": "last",
    r"network\.classifier\.1": "head.linear",
}  # fmt: skip
VIT = {
    r"network\.vit\.embeddings\.cls_token": "backbone.class_token",
    r"network\.vit\.embeddings\.position_embeddings": "backbone.position",
    r"network\.vit\.embeddings\.patch_embeddings\.projection": "backbone.embed.project",
    r"network\.vit\.layers": "backbone.blocks", r"network\.vit\.layernorm": "backbone.norm",
    r"network\.classifier": "head.linear", r"layernorm_before": "attention_norm", r"layernorm_after": "feed_norm",
    r"attention\.q_proj\.(\w+)": r"attention.qkv.\1#0", r"attention\.k_proj\.(\w+)": r"attention.qkv.\1#1",
    r"attention\.v_proj\.(\w+)": r"attention.qkv.\1#2", r"attention\.o_proj": "attention.out",
    r"mlp\.fc1": "feed.widen", r"mlp\.fc2": "feed.narrow",
}  # fmt: skip
ENCODER = {
    r"^embedding": "backbone.embed.project", r"^position": "backbone.position.table", r"^linear\.": "head.linear.",
    r"^layers\.layers": "backbone.blocks", r"^layers\.norm": "backbone.norm", r"self_attn\.in_proj_": "attention.qkv.",
    r"self_attn\.out_proj": "attention.out", r"norm1": "attention_norm", r"norm2": "feed_norm",
    r"linear1": "feed.widen", r"linear2": "feed.narrow",
}  # fmt: skip
MAMBA2 = {
    r"network\.backbone\.embeddings": "backbone.embed.project", r"network\.backbone\.norm_f": "backbone.blocks.norm",
    r"network\.backbone\.layers\.(\d+)\.norm\.": r"backbone.blocks.blocks.\1.mixer_norm.",
    r"network\.backbone\.layers": "backbone.blocks.blocks",
    r"^(.*)mixer\.in_proj\.weight": r"\1mixer.gate.weight+\1mixer.enter.weight+\1mixer.dt.weight",
    r"mixer\.dt_bias": "mixer.dt.bias", r"mixer\.A_log": "mixer.log_a", r"mixer\.D": "mixer.d",
    r"mixer\.conv1d": "mixer.conv", r"mixer\.norm\.weight": "mixer.norms.0.weight",
    r"mixer\.out_proj": "mixer.leave",
}  # fmt: skip
CONVNEXT = {
    r"network\.convnext\.(encoder\.)?": "backbone.", r"embeddings\.patch_embeddings": "stem.conv",
    r"embeddings\.layernorm": "stem_norm", r"downsampling_layer\.0": "norm", r"downsampling_layer\.1": "shrink.conv",
    r"\.layers\.": ".blocks.", r"dwconv": "depthwise", r"pwconv1": "widen", r"pwconv2": "narrow",
    r"layernorm": "norm", r"layer_scale_parameter": "scale", r"network\.classifier": "head.linear",
}  # fmt: skip
LSTM = {
    r"^embedding": "backbone.embed.project", r"^linear": "head.linear",
    r"^recurrence\.(.*)_l(\d+)$": r"backbone.layers.forwards.\2.\1_l0",
}  # fmt: skip

ONE_WAY = {"directions": 1, "dropout": 0.0}
AS_GPT2 = {"position": "learned", "norm": "layer", "feed": "gelu", "bias": "all", "dropout": 0.0}
AS_VIT = {"stem": "patches", "position": "learned", "pool": "class", "dropout": 0.0}

PEERS: dict[str, Peer] = {
    "convnext": Peer(_convnext, CONVNEXT, {"dropout": 0.0}, side=96),
    "decoder": Peer(_gpt2, GPT2, AS_GPT2, "text", language=True),
    "encoder": Peer(Encoder, ENCODER, {"position": "learned", "dropout": 0.0}, "text"),
    "gru": Peer(_recurrent(nn.GRU), LSTM, ONE_WAY, "text"),
    "lstm": Peer(_recurrent(nn.LSTM), LSTM, ONE_WAY, "text"),
    "mamba2": Peer(_mamba2, MAMBA2, ONE_WAY, "text", language=True),
    "mingru": Peer(_recurrent(nn.LSTM, packed=False), {}, ONE_WAY, "text"),
    "resnet": Peer(_resnet, RESNET, {"dropout": 0.0}),
    "rnn": Peer(_recurrent(nn.RNN), LSTM, ONE_WAY, "text"),
    "vit": Peer(_vit, VIT, AS_VIT),
}


def data_for(architecture: str) -> Spec:
    """The reference data on which an architecture meets its peer; without one, of the first modality it serves."""
    peer = PEERS.get(architecture)
    if peer is None:
        return reference(registry.find(architecture).modalities[0])
    spec = reference(peer.modality)
    return replace(spec, shape=(3, peer.side, peer.side)) if peer.modality == "image" else spec


def pair(
    architecture: str, size: str, spec: Spec, settings: Mapping[str, Any] | None = None
) -> tuple[nn.Module, nn.Module | None]:
    """Our network and its peer's, with our weights in both; None where there is no peer.

    Args:
        settings: of ours, besides those of the peer.
    """
    peer = PEERS.get(architecture)
    settings = {**(peer.settings if peer else {}), **(settings or {})}
    model = build(architecture, size, Classify(), spec, settings)
    if peer is None:
        return model, None
    ours = Language(model.backbone) if peer.language else model
    theirs = peer.make(registry.find(architecture).configure(size, settings), spec)
    if peer.names:
        hand_over(ours, theirs, peer.names)
    return ours, theirs


@torch.no_grad()
def hand_over(ours: nn.Module, theirs: nn.Module, names: Mapping[str, str]) -> None:
    """Move ours a little off where they begin, since some are zero there, and put every one into theirs.

    Raises:
        KeyError: they have a weight that ours has not.
    """
    for parameter in ours.parameters():
        parameter.add_(0.02 * torch.randn_like(parameter))
    weights = ours.state_dict()
    # Tied weights stand once among the parameters.
    for name, value in (*theirs.named_parameters(), *theirs.named_buffers()):
        mine = name
        for pattern, replacement in names.items():
            mine = re.sub(pattern, replacement, mine)
        mine, _, part = mine.partition("#")
        wanted = mine.split("+")
        if missing := [one for one in wanted if one not in weights]:
            raise KeyError(f"their {name} is our {missing[0]}, which there is not")
        weight = torch.cat([weights[one] for one in wanted]) if len(wanted) > 1 else weights[mine]
        if part:
            weight = weight.chunk(3)[int(part)]
        owner = theirs.get_submodule(name.rpartition(".")[0])
        if type(owner).__name__ == "Conv1D" and weight.ndim == 2:  # GPT-2's matrices stand the other way round
            weight = weight.T
        value.copy_(weight.reshape(value.shape))


@torch.no_grad()
def difference(ours: nn.Module, theirs: nn.Module, batch: Batch) -> float:
    """The greatest difference of their outputs, as a part of the greatest output.

    Raises:
        SystemExit: it is above 1e-4: these are not the same network.
    """
    made, expected = ours(batch), theirs(batch)
    found = ((made - expected).abs().max() / expected.abs().max()).item()
    if not found <= TOLERANCE:
        raise SystemExit(f"the outputs differ by {found:.2g}: not the same network")
    return found
