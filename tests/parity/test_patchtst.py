"""patchtst equals Transformers' PatchTST: outputs, gradients, moments of the batch norms, and rows of any length."""

from itertools import product

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from exams.specs import CLASSES, inputs, mask
from triarch.core.spec import Spec
from triarch.layers.geometry import series_patch
from triarch.models import registry

CHANNELS, STEPS = 3, 20  # patches of 4 steps, every 2
SETTINGS = [
    {"norm": norm, "norm_first": first, "position": position, "instance_norm": scaled, "dropout": 0.0}
    for norm, first, position, scaled in product(
        ("batch", "layer"), (True, False), ("learned", "sinusoidal"), (True, False)
    )
]
NORMS = [settings for settings in SETTINGS if settings["norm_first"] and settings["position"] == "learned"]


def each(settings):
    return pytest.mark.parametrize("settings", settings, ids=lambda chosen: "-".join(map(str, chosen.values())))


def ours(settings):
    """Ours, with every weight and running moment drawn anew."""
    torch.manual_seed(0)
    architecture = registry.find("patchtst")
    config = architecture.configure("nano", {"depth": 3, **settings})
    backbone = architecture.backbone(config, Spec("waves", "series", (STEPS, CHANNELS), CLASSES, ragged=True))
    for name, parameter in backbone.named_parameters():
        nn.init.normal_(parameter, mean="norm.weight" in name, std=0.1)
    for name, buffer in backbone.named_buffers():
        if buffer.is_floating_point():
            nn.init.uniform_(buffer, 0.5 if "var" in name else -0.5, 1.5 if "var" in name else 0.5)
    return backbone.eval()


def theirs(backbone, settings, steps=STEPS):
    """Transformers' model of items of `steps`, with the weights of ours."""
    from transformers import PatchTSTConfig, PatchTSTModel

    attention = backbone.blocks[0].attention
    dim = attention.out.in_features
    model = PatchTSTModel(
        PatchTSTConfig(
            num_input_channels=CHANNELS, context_length=steps, patch_length=4, patch_stride=2, d_model=dim,
            num_hidden_layers=len(backbone.blocks), num_attention_heads=attention.num_heads,
            ffn_dim=backbone.blocks[0].widen.out_features, norm_type=f"{settings['norm']}norm",
            pre_norm=settings["norm_first"], scaling="std" if settings["instance_norm"] else None,
            positional_encoding_type={"learned": "random", "sinusoidal": "sincos"}[settings["position"]],
            share_embedding=True, channel_attention=False, do_mask_input=False, attn_implementation="sdpa",
        )
    )  # fmt: skip
    weights = model.state_dict()
    state = {their_name: part for _, their_name, part in pairs(backbone, dict(backbone.state_dict()), settings)}
    positions = "encoder.positional_encoder.position_enc"
    if settings["position"] == "learned":
        state[positions] = state[positions][: len(weights[positions])]
    else:
        state[positions] = weights[positions]
    model.load_state_dict(state)
    return model.eval()


def pairs(backbone, tensors, settings):
    """(name of ours, name of theirs, the tensor of ours that is theirs), for whichever of our tensors are given."""
    for name, tensor in tensors.items():
        new = name.replace("blocks.", "encoder.layers.").replace("embed.", "encoder.embedder.input_embedding.")
        new = new.replace("position.table", "encoder.positional_encoder.position_enc")
        batch = "batchnorm." if settings["norm"] == "batch" else ""
        new = new.replace("attention_norm.norm.", f"norm_sublayer1.{batch}")
        new = new.replace("feed_norm.norm.", f"norm_sublayer3.{batch}")
        new = (
            new.replace("widen.", "ff.0.").replace("narrow.", "ff.3.").replace("attention.out.", "self_attn.out_proj.")
        )
        if "attention.qkv." in new:
            for part, letter in zip(tensor.chunk(3), "qkv"):
                yield name, new.replace("attention.qkv.", f"self_attn.{letter}_proj."), part
        else:
            yield name, new, tensor


def assert_near(made, expected):
    scale = max(1.0, expected.abs().max().item())
    assert (made - expected).abs().max().item() <= 1e-5 * scale


def assert_gradients_near(backbone, model, settings):
    gradients = {name: parameter.grad for name, parameter in backbone.named_parameters()}
    expected = {name: parameter.grad for name, parameter in model.named_parameters()}
    compared = {their_name: part for _, their_name, part in pairs(backbone, gradients, settings)}
    learned = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert compared.keys() == learned
    for name, gradient in compared.items():
        assert_near(gradient, expected[name])


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@each(SETTINGS)
def test_equal(settings, training):
    """While training in double precision: the moments of a batch enlarge what single precision rounds off."""
    dtype = torch.float64 if training else torch.float32
    backbone = ours(settings).train(training).to(dtype)
    model = theirs(backbone, settings).train(training).to(dtype)
    x = 3 + 2 * torch.randn(5, STEPS, CHANNELS, dtype=dtype)
    mine, yours = x.clone().requires_grad_(), x.clone().requires_grad_()
    features, _ = backbone(mine)
    hidden = model(yours).last_hidden_state
    pooled = hidden.mean(dim=2).flatten(1)  # as PatchTSTForClassification does
    assert_near(features.values, hidden.transpose(1, 2).flatten(2))
    assert_near(features.pooled, pooled)
    assert features.mask is None
    (features.values.sin().sum() + features.pooled.cos().sum()).backward()
    (hidden.sin().sum() + pooled.cos().sum()).backward()
    assert_near(mine.grad, yours.grad)
    assert_gradients_near(backbone, model, settings)
    moments = {name: part for _, name, part in pairs(backbone, dict(backbone.named_buffers()), settings)}
    assert moments.keys() == {name for name, _ in model.named_buffers()}
    for name, buffer in model.named_buffers():
        assert_near(moments[name], buffer)


@each([*NORMS, {**NORMS[0], "position": "sinusoidal"}, {**NORMS[0], "norm_first": False}])
def test_rows_equal_those_of_a_model_of_their_length(settings):
    """Also where the last patch is half empty: there they get what is beyond the end as zeros, normalised before."""
    backbone = ours(settings)
    lengths = [20, 6, 13, 8, 5]
    x = 3 + 2 * torch.randn(len(lengths), STEPS, CHANNELS)
    features, _ = backbone(x, mask(lengths, STEPS))
    for row, length in enumerate(lengths):
        item = x[row : row + 1, :length]
        if settings["instance_norm"]:
            centred = item - item.mean(dim=1, keepdim=True)
            item = centred / (centred.var(dim=1, keepdim=True, correction=0) + 1e-5).sqrt()
        item = F.pad(item, (0, 0, 0, length % 2))
        patches = (item.shape[1] - 4) // 2 + 1
        model = theirs(backbone, settings | {"instance_norm": False}, item.shape[1])
        if settings["position"] == "sinusoidal":  # their waves depend on the number of places
            longest = theirs(backbone, settings)
            table = longest.encoder.positional_encoder.position_enc[:patches]
            model.encoder.positional_encoder.position_enc.data = table.data
        hidden = model(item).last_hidden_state
        assert features.mask[row].tolist() == [place < patches for place in range(features.mask.shape[1])]
        assert_near(features.values[row, :patches], hidden[0].transpose(0, 1).flatten(1))
        assert_near(features.pooled[row], hidden[0].mean(dim=1).flatten())


@each(NORMS)
def test_padding_changes_nothing_while_training(settings):
    lengths = [20, 6, 13, 1, 8]
    x = 3 + 2 * torch.randn(len(lengths), STEPS, CHANNELS, dtype=torch.float64)
    wide = torch.cat((x, torch.randn(len(lengths), 7, CHANNELS)), dim=1)
    wide[~mask(lengths, STEPS + 7)] = 1000.0
    made = []
    for item in (x, wide):
        backbone = ours(settings).train().double()
        features, _ = backbone(item, mask(lengths, item.shape[1]))
        features.pooled.sin().sum().backward()
        made.append([features.pooled, *(part.grad for part in backbone.parameters()), *backbone.buffers()])
    for tight, loose in zip(*made, strict=True):
        assert_near(loose, tight)


def test_channels_may_be_averaged():
    settings = SETTINGS[0]
    x = inputs(Spec("waves", "series", (STEPS, CHANNELS), CLASSES), 2)
    features, _ = ours(settings)(x)
    averaged, _ = ours(settings | {"channels": "average"})(x)
    assert_near(averaged.pooled, features.pooled.unflatten(1, (CHANNELS, -1)).mean(dim=1))
    assert_near(averaged.values, features.values.unflatten(2, (CHANNELS, -1)).mean(dim=2))


@pytest.mark.parametrize(
    ("steps", "patch"), [(1, (2, 1)), (3, (2, 1)), (29, (4, 2)), (96, (8, 4)), (336, (16, 8)), (1460, (32, 16))]
)
def test_patches_grow_with_the_root_of_the_length(steps, patch):
    assert series_patch(steps) == patch
