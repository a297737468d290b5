"""mobilenet equals EfficientNet-B0 and, with the weights of EfficientNet-Lite0, sees in photographs what it sees."""

import numpy as np
import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from sklearn.datasets import load_sample_image
from torch import nn

from parity.efficientnet import real_weights, rename
from parity.exchange import agree, hand_over
from triarch.core.spec import Spec, Target
from triarch.core.types import Batch
from triarch.model import build
from triarch.models import registry
from triarch.tasks.classify import Classify

MOBILENET = registry.find("mobilenet")
LITE0 = MOBILENET.configure("tiny", {})
PALACE, DAISY = 698, 985


def photo_spec(side, num_classes=2):
    return Spec("photo", "image", (3, side, side), Target("class", tuple(map(str, range(num_classes)))))


@pytest.mark.parametrize("training", [False, True])
def test_efficientnet_b0(training):
    """With squeeze and excite, SiLU, kernels of 5 and TensorFlow's padding on odd sides.

    Through 49 norms with the statistics of a batch, rounding alone makes 2e-5 of the gradients, so those are in double.
    """
    config = MOBILENET.configure("tiny", {"activation": "silu", "squeeze": 0.25})
    torch.manual_seed(0)
    ours = MOBILENET.backbone(config, photo_spec(107)).train(training)
    theirs = EfficientNet.from_name("efficientnet-b0", image_size=107, drop_connect_rate=0)
    theirs.set_swish(memory_efficient=False)
    theirs.train(training)._fc = nn.Identity()
    names = hand_over(ours, theirs, lambda name: rename(name, config.depths))

    def run_ours(x):
        return (ours(x)[0].values,)

    def run_theirs(x):
        return (theirs.extract_features(x),)

    dtype = torch.float64 if training else torch.float32
    x = torch.randn(2, 3, 107, 107, dtype=dtype)
    agree(ours.to(dtype), theirs.to(dtype), names, x, run_ours, run_theirs)


def photo(name):
    """The middle of a photograph, as EfficientNet-Lite wants it: (1 3 224 224)."""
    whole = Image.fromarray(load_sample_image(name))
    side = min(whole.size)
    left, top = (whole.width - side) // 2, (whole.height - side) // 2
    square = whole.crop((left, top, left + side, top + side)).resize((224, 224), Image.Resampling.BICUBIC)
    return torch.from_numpy((np.asarray(square, dtype=np.float32) - 127) / 128).permute(2, 0, 1)[None]


@pytest.mark.parametrize(("name", "expected"), [("china.jpg", PALACE), ("flower.jpg", DAISY)])
def test_real_weights_see_what_they_see_there(name, expected):
    weights, translated = real_weights(LITE0.depths)
    theirs = EfficientNet.from_name("efficientnet-lite0").eval()
    theirs.load_state_dict(weights)
    ours = build("mobilenet", "tiny", Classify(), photo_spec(224, 1000)).eval()
    ours.load_state_dict(translated)
    x = photo(name)
    with torch.inference_mode():
        made, logits = ours(Batch(x)), theirs(x)
    assert torch.allclose(made, logits, atol=1e-4, rtol=0)
    assert made.argmax() == logits.argmax()
    assert made.argmax() == expected
