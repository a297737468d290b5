"""resnet, convnext and mobilenet equal those of Transformers."""

import re

import pytest
import torch

from parity.compare import assert_same
from parity.exchange import agree, hand_over
from triarch.core.spec import Spec, Target
from triarch.models import registry


def ours(name, settings, side=72):
    """A backbone for colour images, by default of a size at which it begins as for photographs."""
    architecture = registry.find(name)
    data = Spec("photo", "image", (3, side, side), Target("class", ("a", "b")))
    torch.manual_seed(0)
    return architecture.backbone(architecture.configure("nano", settings), data)


def compare(mine, theirs, names, x, training):
    mine.train(training)
    theirs.train(training)

    def run_ours(x):
        features, _ = mine(x)
        return features.values, features.pooled

    def run_theirs(x):
        output = theirs(x)
        return output.last_hidden_state, output.pooler_output.flatten(1)

    agree(mine, theirs, names, x, run_ours, run_theirs)
    if training:  # what the norms remember
        weights = mine.state_dict()
        for name, value in theirs.state_dict().items():
            if "running" in name and "mobilenet" not in type(theirs).__name__.lower():
                assert_same(weights[names[name]], value, name)


def resnet_name(name):
    name = name.replace("embedder.embedder", "stem").replace("convolution", "conv").replace("normalization", "norm")
    return re.sub(r"encoder\.stages\.(\d+)\.layers", r"stages.\1", name)


RESNETS = [
    {"channels": (8, 16, 24, 32), "depths": (2, 1, 2, 1)},
    {"channels": (16, 32), "depths": (1, 1)},
    {"channels": (16, 32, 64, 96), "depths": (2, 1, 2, 1), "bottleneck": True},
]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("settings", RESNETS, ids=["basic", "shallow", "bottleneck"])
def test_resnet(settings, training):
    from transformers import ResNetConfig, ResNetModel

    bottleneck = settings.get("bottleneck", False)
    config = ResNetConfig(
        embedding_size=settings["channels"][0] // (4 if bottleneck else 1),
        hidden_sizes=settings["channels"],
        depths=settings["depths"],
        layer_type="bottleneck" if bottleneck else "basic",
    )
    last = 2 if bottleneck else 1

    def rename(name):
        name = resnet_name(name)
        return re.sub(r"layer\.(\d)", lambda found: "last" if int(found[1]) == last else f"convs.{found[1]}", name)

    mine, theirs = ours("resnet", settings), ResNetModel(config)
    names = hand_over(mine, theirs, rename)
    compare(mine, theirs, names, torch.randn(4, 3, 72, 72), training)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("channels", [(8, 16, 24, 32), (12, 16)])
def test_convnext(channels, training):
    from transformers import ConvNextConfig, ConvNextModel

    settings = {"channels": channels, "depths": (2, 1, 2, 1)[: len(channels)]}
    config = ConvNextConfig(
        num_stages=len(channels), hidden_sizes=list(channels), depths=list(settings["depths"]), layer_norm_eps=1e-6
    )

    def rename(name):
        name = name.replace("embeddings.patch_embeddings", "stem.conv").replace("embeddings.layernorm", "stem_norm")
        name = name.replace("encoder.", "").replace("downsampling_layer.0", "norm").replace("layers", "blocks")
        name = name.replace("downsampling_layer.1", "shrink.conv").replace("dwconv", "depthwise")
        name = name.replace("pwconv1", "widen").replace("pwconv2", "narrow").replace("layernorm", "norm")
        return name.replace("layer_scale_parameter", "scale")

    mine, theirs = ours("convnext", settings, 96), ConvNextModel(config)
    names = hand_over(mine, theirs, rename)
    compare(mine, theirs, names, torch.randn(4, 3, 96, 96), training)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("padding", ["symmetric", "tensorflow"])
@pytest.mark.parametrize("side", [96, 107])
def test_mobilenet(padding, side, training):
    from transformers import MobileNetV2Config, MobileNetV2Model

    channels, depths = (8, 16, 16, 32, 48, 80, 160), (1, 2, 3, 4, 3, 3, 1)
    config = MobileNetV2Config(
        depth_multiplier=0.5, finegrained_output=False, tf_padding=padding == "tensorflow", expand_ratio=2
    )
    classic = registry.find("mobilenet").sizes["classic"]
    settings = {**classic, "channels": channels, "stem": 16, "head": 640, "expansion": 2, "padding": padding}
    firsts = [sum(depths[:stage]) for stage in range(len(depths))]

    def rename(name):
        name = name.replace("convolution", "conv").replace("normalization", "norm").replace("conv_1x1", "head", 1)
        name = re.sub(r"^head(?=_)", "conv_1x1", name)
        name = name.replace("conv_stem.first_conv", "stem").replace("conv_stem", "layer.-1")
        name = name.replace("expand_1x1", "widen").replace("conv_3x3", "depthwise").replace("reduce_1x1", "narrow")

        def place(found):
            block = int(found[1]) + 1
            stage = max(stage for stage, first in enumerate(firsts) if first <= block)
            return f"stages.{stage}.{block - firsts[stage]}."

        return re.sub(r"layer\.(-?\d+)\.", place, name)

    mine, theirs = ours("mobilenet", settings, side), MobileNetV2Model(config)
    names = hand_over(mine, theirs, rename)
    compare(mine, theirs, names, torch.randn(4, 3, side, side), training)
