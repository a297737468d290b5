"""The text CNN: one layer of convolutions of several widths, and the greatest response of each over time.

r_k = relu(W_k * e + b_k) for the widths k, values = [r_3, r_4, r_5], pooled = dropout(max over t of values_t), with the
embeddings e of the tokens. Kim 2014, "Convolutional neural networks for sentence classification" (arXiv 1408.5882);
the size `classic` is the paper's: embeddings of 300, 100 kernels of each width, half of what is pooled dropped.
Every kernel learns one short pattern, an n-gram, and tells how well it is matched anywhere. It wins where such patterns
decide, wherever they stand, and takes little time; it loses where their order or what is far apart matters. Series are
projected where texts are embedded.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triarch.core.spec import Spec
from triarch.core.state import State
from triarch.core.types import Features, FeatureShape
from triarch.layers.backbone import Backbone
from triarch.layers.convolution import SequenceConv
from triarch.layers.embed import Embed
from triarch.layers.pool import maximum
from triarch.models.registry import Architecture


@dataclass(frozen=True)
class Config:
    """Settings of `textcnn`; dim is the width of the embedding, channels the number of kernels of each width."""

    dim: int = 32
    channels: int = 32
    kernel_sizes: tuple[int, ...] = (3, 4, 5)
    dropout: float = 0.3


class TextCNN(Backbone):
    """Sequence features: the responses of all kernels at each step."""

    def __init__(self, config: Config, spec: Spec) -> None:
        super().__init__()
        self.embed = Embed(spec, config.dim)
        self.convs = nn.ModuleList(
            SequenceConv(config.dim, config.channels, size, dilation=1, causal=False) for size in config.kernel_sizes
        )
        self.dropout = nn.Dropout(config.dropout)
        dim = config.channels * len(config.kernel_sizes)
        self.shape = FeatureShape("sequence", dim, 1, dim)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        state: State | None = None,
        context: Features | None = None,
    ) -> tuple[Features, State | None]:
        """(B T) or (B T C) → values (B T D)."""
        embedded = self.embed(x).transpose(1, 2)
        responses = torch.cat([conv(embedded, mask) for conv in self.convs], dim=1)
        values = F.relu(responses).transpose(1, 2)
        return Features(values, mask, "sequence", self.dropout(maximum(values, mask))), None


ARCHITECTURE = Architecture(
    family="cnn",
    config=Config,
    backbone=TextCNN,
    sizes={
        "nano": {},
        "micro": {"dim": 128, "channels": 108},
        "classic": {"dim": 300, "channels": 100, "dropout": 0.5},
        "tiny": {"dim": 320, "channels": 384},
        "small": {"dim": 1024, "channels": 1600},
    },
    learning_rates=(1e-3, 1e-2),
    lacks={"image": "its kernels slide along one axis; `plain` does the like along two"},
)
