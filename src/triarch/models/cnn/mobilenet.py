"""The inverted residual network: thin residual paths, widened inside a block for a convolution of each channel alone.

Each block is x ← x + narrow(depthwise(widen(x))): a 1x1 convolution to `expansion` times the channels, a convolution of
each channel alone, and a 1x1 convolution back without an activation; all batch-normalised. Sandler et al. 2018,
"MobileNetV2: inverted residuals and linear bottlenecks" (arXiv 1801.04381), which is the size `classic`. With `squeeze`
the channels are weighed by what the whole image holds (Hu et al. 2017, arXiv 1709.01507), as in EfficientNet (Tan, Le
2019, arXiv 1905.11946), whose B4 is the size `small`; `tiny` is EfficientNet-Lite0. Of its strides the
earliest are left out where an image is small. It wins where parameters or multiply–adds are the limit; in time it wins
less, since depthwise convolutions and their norms move much memory for each multiply–add.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triarch.core.spec import Spec
from triarch.core.state import State
from triarch.core.types import Features, FeatureShape
from triarch.layers.backbone import Backbone
from triarch.layers.channels import as_features, mean_of_places
from triarch.layers.conv_norm import ConvNorm, Padding
from triarch.layers.geometry import strides
from triarch.layers.stochastic_depth import StochasticDepth, rates
from triarch.models.registry import Architecture

ACTIVATIONS = {"relu6": F.relu6, "hardswish": F.hardswish, "silu": F.silu}
EPS = 1e-3


@dataclass(frozen=True)
class Config:
    """Settings of `mobilenet`; channels, depths, kernel_sizes and strides have an entry for each stage.

    The first stage does not expand. `stem` and `head` are the channels of the first and the last convolution, `squeeze`
    the share of a block's input channels through which they are weighed, dropout leaves out whole blocks.
    """

    stem: int = 8
    channels: tuple[int, ...] = (8, 16, 24)
    depths: tuple[int, ...] = (1, 1, 2)
    kernel_sizes: tuple[int, ...] = (3, 3, 3)
    strides: tuple[Literal[1, 2], ...] = (1, 2, 2)
    expansion: int = 4
    head: int = 96
    activation: Literal["relu6", "hardswish", "silu"] = "relu6"
    squeeze: float = 0.0
    padding: Padding = "symmetric"
    dropout: float = 0.0


class SqueezeExcite(nn.Module):
    """x · sigmoid(W₂ activation(W₁ mean(x))): a weight for each channel, from the mean of all places."""

    def __init__(self, channels: int, inner: int, config: Config) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(channels, inner, 1)
        self.widen = nn.Conv2d(inner, channels, 1)
        self.activation = ACTIVATIONS[config.activation]

    def forward(self, x: Tensor) -> Tensor:
        """(B C Y X) → the same shape."""
        weights = self.widen(self.activation(self.narrow(x.mean(dim=(2, 3), keepdim=True))))
        return x * torch.sigmoid(weights)


class Block(nn.Module):
    """Widen, look around, narrow; on a residual path where shapes allow."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        kernel_size: int,
        stride: int,
        expansion: int,
        config: Config,
        rate: float,
    ) -> None:
        super().__init__()
        inner, activation = in_channels * expansion, ACTIVATIONS[config.activation]
        self.residual = stride == 1 and in_channels == channels
        self.widen = None
        if expansion > 1:
            self.widen = ConvNorm(True, in_channels, inner, 1, activation=activation, eps=EPS)
        self.depthwise = ConvNorm(
            True, inner, inner, kernel_size, stride=stride, groups=inner, activation=activation,
            padding=config.padding, eps=EPS,
        )  # fmt: skip
        squeezed = max(1, int(config.squeeze * in_channels))
        self.squeeze = SqueezeExcite(inner, squeezed, config) if config.squeeze else None
        self.narrow = ConvNorm(True, inner, channels, 1, activation=None, eps=EPS)
        self.drop = StochasticDepth(rate)

    def forward(self, x: Tensor) -> Tensor:
        """(B C Y X) → (B C' Y' X')."""
        made: Tensor = x if self.widen is None else self.widen(x)[0]
        made = self.depthwise(made)[0]
        if self.squeeze is not None:
            made = self.squeeze(made)
        made = self.narrow(made)[0]
        return x + self.drop(made) if self.residual else made


class MobileNet(Backbone):
    """Grid features of images."""

    def __init__(self, config: Config, spec: Spec) -> None:
        super().__init__()
        stages = (config.channels, config.depths, config.kernel_sizes, config.strides)
        if not config.channels or len({len(stage) for stage in stages}) > 1:
            raise ValueError("channels, depths, kernel_sizes and strides have an entry for each stage")
        if any(size % 2 == 0 for size in config.kernel_sizes):
            raise ValueError(f"kernel_sizes are odd, not {config.kernel_sizes}")
        activation = ACTIVATIONS[config.activation]
        first, *steps = strides(spec, (2, *config.strides))
        self.stem = ConvNorm(
            True, spec.in_channels, config.stem, 3, stride=first, activation=activation, padding=config.padding, eps=EPS
        )
        self.stages = nn.ModuleList()
        before = config.stem
        drops = rates(config.dropout, config.depths)
        for channels, kernel_size, stride, stage_drops in zip(config.channels, config.kernel_sizes, steps, drops):
            expansion = config.expansion if len(self.stages) else 1
            stage = nn.Sequential()
            for number, rate in enumerate(stage_drops):
                stage.append(Block(before, channels, kernel_size, 1 if number else stride, expansion, config, rate))
                before = channels
            self.stages.append(stage)
        self.head = ConvNorm(True, before, config.head, 1, activation=activation, eps=EPS)
        self.shape = FeatureShape("grid", config.head, prod((first, *steps)), config.head)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        state: State | None = None,
        context: Features | None = None,
    ) -> tuple[Features, State | None]:
        """(B C Y X) → values (B D Y' X')."""
        x = self.stem(x)[0]
        for stage in self.stages:
            x = stage(x)
        x = self.head(x)[0]
        return as_features(x, None, mean_of_places(x, None)), None


SEVEN = {"strides": (1, 2, 2, 2, 1, 2, 1), "stem": 32, "head": 1280, "expansion": 6}
EFFICIENT = {**SEVEN, "kernel_sizes": (3, 3, 5, 3, 5, 5, 3)}
IMAGES_ONLY = "it spares multiply–adds of two-dimensional kernels; `convnext` is its kin in one dimension"

ARCHITECTURE = Architecture(
    family="cnn",
    config=Config,
    backbone=MobileNet,
    sizes={
        "nano": {},
        "micro": {
            "stem": 16, "channels": (16, 24, 40, 80), "depths": (1, 2, 2, 3), "kernel_sizes": (3, 3, 5, 3),
            "strides": (1, 2, 2, 2), "head": 320,
        },
        "classic": {
            **SEVEN, "channels": (16, 24, 32, 64, 96, 160, 320), "depths": (1, 2, 3, 4, 3, 3, 1),
            "kernel_sizes": (3, 3, 3, 3, 3, 3, 3),
        },
        "tiny": {
            **EFFICIENT, "channels": (16, 24, 40, 80, 112, 192, 320), "depths": (1, 2, 2, 3, 3, 4, 1),
            "padding": "tensorflow",
        },
        "small": {
            **EFFICIENT, "channels": (24, 32, 56, 112, 160, 272, 448), "depths": (2, 4, 4, 6, 6, 8, 2), "stem": 48,
            "head": 1792, "activation": "silu", "squeeze": 0.25, "padding": "tensorflow",
        },
    },
    learning_rates=(1e-3, 1e-2),
    lacks={"text": IMAGES_ONLY, "series": IMAGES_ONLY},
)  # fmt: skip
