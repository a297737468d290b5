"""vit equals Transformers' ViT, weight for weight."""

import pytest
import torch

from exams import exams
from exams.specs import CLASSES, inputs
from parity.compare import assert_same, assert_same_gradients, perturb
from triarch.core.spec import Spec
from triarch.layers.position import sinusoidal, sinusoidal_grid
from triarch.models import registry

PAPER = {"stem": "patches", "position": "learned", "pool": "class"}


@pytest.mark.parametrize(("shape", "side"), [((3, 12, 20), 2), ((1, 28, 28), 4)])
def test_vit(shape, side):
    from transformers import ViTConfig, ViTModel

    torch.manual_seed(0)
    config = ViTConfig(
        image_size=shape[1:], patch_size=side, num_channels=shape[0], hidden_size=32, num_hidden_layers=3,
        num_attention_heads=4, intermediate_size=48, layer_norm_eps=1e-6,
    )  # fmt: skip
    theirs = ViTModel(config, add_pooling_layer=False).eval()
    perturb(theirs)
    vit, data = registry.find("vit"), Spec("pictures", "image", shape, CLASSES)
    settings = {**PAPER, "dim": 32, "depth": 3, "num_heads": 4, "hidden_dim": 48}
    ours = vit.backbone(vit.configure("nano", settings), data).eval()
    ours.load_state_dict(translate(dict(theirs.named_parameters())))
    x = inputs(data, 4)
    mine, yours = x.clone().requires_grad_(), x.clone().requires_grad_()
    features, _ = ours(mine)
    expected = theirs(yours).last_hidden_state
    assert_same(features.pooled, expected[:, 0])
    assert_same(features.values.flatten(2).transpose(1, 2), expected[:, 1:])
    (features.pooled.sin().sum() + features.values.cos().sum()).backward()
    (expected[:, 0].sin().sum() + expected[:, 1:].cos().sum()).backward()
    assert_same(mine.grad, yours.grad)
    assert_same_gradients(ours, theirs, translate)


def translate(theirs):
    """Our patches are flattened, our queries, keys and values lie in one matrix."""
    ours = {
        "class_token": theirs["embeddings.cls_token"].flatten(),
        "position": theirs["embeddings.position_embeddings"][0],
        "embed.project.weight": theirs["embeddings.patch_embeddings.projection.weight"].flatten(1),
        "embed.project.bias": theirs["embeddings.patch_embeddings.projection.bias"],
        "norm.weight": theirs["layernorm.weight"],
        "norm.bias": theirs["layernorm.bias"],
    }
    names = {
        "attention_norm": ["layernorm_before"], "feed_norm": ["layernorm_after"],
        "attention.qkv": [f"attention.{part}_proj" for part in "qkv"], "attention.out": ["attention.o_proj"],
        "feed.widen": ["mlp.fc1"], "feed.narrow": ["mlp.fc2"],
    }  # fmt: skip
    for layer in range(3):
        for name, parts in names.items():
            for kind in ("weight", "bias"):
                foreign = [theirs[f"layers.{layer}.{part}.{kind}"] for part in parts]
                ours[f"blocks.{layer}.{name}.{kind}"] = torch.cat(foreign)
    return ours


@pytest.mark.parametrize("stem", ["patches", "convolution"])
@pytest.mark.parametrize("position", ["learned", "sincos2d"])
@pytest.mark.parametrize("pool", ["mean", "class"])
def test_every_kind_builds_and_learns_alone(stem, position, pool):
    vit = registry.find("vit")
    settings = {"stem": stem, "position": position, "pool": pool}
    for shape in ((1, 8, 8), (3, 9, 13), (3, 64, 48)):
        data = Spec("pictures", "image", shape, CLASSES)
        backbone = exams.make(vit, data, settings=settings)
        x = inputs(data, 3)
        features, _ = backbone(x)
        stride = backbone.shape.stride
        assert features.values.shape == (3, 32, -(-shape[1] // stride), -(-shape[2] // stride))
        assert_same(backbone(x[1:2])[0].pooled[0], features.pooled[1])


def test_waves_of_a_grid():
    waves = sinusoidal_grid(3, 5, 10, torch.device("cpu")).unflatten(0, (3, 5))
    for row in range(3):
        for column in range(5):
            assert torch.equal(waves[row, column, :5], sinusoidal(torch.tensor(row), 5))
            assert torch.equal(waves[row, column, 5:], sinusoidal(torch.tensor(column), 5))
