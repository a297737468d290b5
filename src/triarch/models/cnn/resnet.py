"""The residual network: convolutions that learn what to add to their input.

Each block is y = relu(shortcut(x) + f(x)), where f is two 3x3 convolutions with batch normalisation and a relu between
them, or the bottleneck 1x1, 3x3, 1x1 through a quarter of the channels. The shortcut is x itself, or a 1x1 convolution
where channels or strides change. He et al. 2015, "Deep residual learning for image recognition" (arXiv 1512.03385); up
to 64 pixels a side it begins as their CIFAR-10 networks do, with one 3x3 convolution, above with 7x7 and pooling. On
text and series it is one-dimensional, with the three kernels of 8, 5 and 3 steps of Wang et al. 2017, "Time series
classification from scratch with deep neural networks" (arXiv 1611.06455). It wins on images from scratch, from
thousands of them up, and on series whose classes differ by local shapes; it loses where far-apart steps decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triarch.core.spec import Spec
from triarch.core.state import State
from triarch.core.types import Features, FeatureShape
from triarch.layers.backbone import Backbone
from triarch.layers.channels import Channels, as_features, every, mean_of_places
from triarch.layers.conv_norm import Chain, ConvNorm
from triarch.layers.convolution import zero_padding
from triarch.layers.geometry import is_large, strides
from triarch.layers.stochastic_depth import StochasticDepth, rates
from triarch.models.registry import Architecture


@dataclass(frozen=True)
class Config:
    """Settings of `resnet`: channels and blocks of each stage.

    Dropout leaves out whole blocks, the later ones more often.
    """

    channels: tuple[int, ...] = (16, 32)
    depths: tuple[int, ...] = (1, 1)
    bottleneck: bool = False
    dropout: float = 0.0


class Block(nn.Module):
    """Convolutions and a shortcut around them."""

    def __init__(
        self, image: bool, in_channels: int, channels: int, stride: int, bottleneck: bool, rate: float
    ) -> None:
        super().__init__()
        kernels = (3, 3) if image else (8, 5, 3)
        inner = channels
        if bottleneck:
            kernels, inner = (1, kernels[0], 1), channels // 4
        widths = [in_channels, *[inner] * (len(kernels) - 1), channels]
        strided = kernels.index(max(kernels))
        self.convs = Chain(
            ConvNorm(image, before, after, kernel, stride=stride if number == strided else 1)
            for number, (before, after, kernel) in enumerate(zip(widths, widths[1:], kernels[:-1]))
        )
        self.last = ConvNorm(image, inner, channels, kernels[-1], activation=None)
        nn.init.zeros_(self.last.norm.weight)  # the block begins as its shortcut
        self.shortcut = None
        if in_channels != channels or stride > 1:
            self.shortcut = ConvNorm(image, in_channels, channels, 1, stride=stride, activation=None)
        self.drop = StochasticDepth(rate)

    def forward(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """(B C Y X) or (B C T) → the same kind with the block's channels and stride, and its mask."""
        # A view made first is differentiated last: then both gradients of x are summed in place.
        shortcut = x.view_as(x) if self.shortcut is None else self.shortcut(x, mask)[0]
        made, mask = self.last(*self.convs(x, mask))
        return torch.relu_(self.drop(made).add_(shortcut)), mask


class ResNet(Backbone):
    """Grid features of images, sequence features of text and series."""

    def __init__(self, config: Config, spec: Spec) -> None:
        super().__init__()
        if not len(config.channels) == len(config.depths) > 0:
            raise ValueError(f"channels {config.channels} and depths {config.depths} have an entry for each stage")
        if config.bottleneck and any(channels % 4 for channels in config.channels):
            raise ValueError(f"with bottleneck, channels are multiples of 4, not {config.channels}")
        before = config.channels[0] // (4 if config.bottleneck else 1)
        self.large = is_large(spec)
        shrunk = 4 if self.large else 1
        steps = strides(spec, (1, *[2] * (len(config.channels) - 1)), taken=shrunk)
        self.input = Channels(spec, token_dim=before)
        image = self.input.image
        kernel_size, stride = (7, 2) if self.large else (3, 1)
        self.stem = ConvNorm(image, self.input.dim, before, kernel_size, stride=stride)
        self.stages = nn.ModuleList()
        for channels, stride, drops in zip(config.channels, steps, rates(config.dropout, config.depths)):
            stage = Chain()
            for number, rate in enumerate(drops):
                stage.append(Block(image, before, channels, 1 if number else stride, config.bottleneck, rate))
                before = channels
            self.stages.append(stage)
        self.shape = FeatureShape("grid" if image else "sequence", before, shrunk * prod(steps), before)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        state: State | None = None,
        context: Features | None = None,
    ) -> tuple[Features, State | None]:
        """(B C Y X) → values (B D Y' X'); (B T) or (B T C) → values (B T' D)."""
        x, mask = self.stem(self.input(x), mask)
        if self.large:
            pool = F.max_pool2d if self.input.image else F.max_pool1d
            x, mask = pool(zero_padding(x, mask), 3, stride=2, padding=1), every(mask, 2)
        for stage in self.stages:
            x, mask = stage(x, mask)
        return as_features(x, mask, mean_of_places(x, mask)), None


ARCHITECTURE = Architecture(
    family="cnn",
    config=Config,
    backbone=ResNet,
    sizes={
        "nano": {},
        "micro": {"channels": (16, 32, 64, 96), "depths": (1, 1, 1, 1)},
        "tiny": {"channels": (32, 64, 128, 256), "depths": (2, 2, 2, 2)},
        "small": {"channels": (64, 128, 256, 512), "depths": (3, 4, 6, 3)},
        "base": {"channels": (256, 512, 1024, 2048), "depths": (3, 8, 36, 3), "bottleneck": True},
    },
    learning_rates=(1e-3, 1e-2),
)
