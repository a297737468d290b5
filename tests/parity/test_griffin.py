"""griffin and rglru equal Transformers' RecurrentGemma: the unit, the recurrent block and the whole model."""

import pytest
import torch
from torch import nn

from exams.specs import inputs, spec
from triarch.layers.rglru import RGLRU, BoundedRoot, RecurrentMixer
from triarch.models import registry

GRIFFIN = {"dim": 16, "num_heads": 2, "hidden_dim": 24}
UNITS = ("input_gate_weight", "recurrent_gate_weight", "input_gate_bias", "recurrent_gate_bias", "recurrent_param")


def settings(depth=3, window=32, types=("recurrent", "recurrent", "attention"), kernel_size=4, num_heads=2):
    from transformers import RecurrentGemmaConfig

    return RecurrentGemmaConfig(
        vocab_size=23, hidden_size=16, intermediate_size=48, num_attention_heads=num_heads, num_key_value_heads=1,
        num_hidden_layers=depth, attention_window_size=window, conv1d_width=kernel_size, block_types=types,
        use_cache=False, pad_token_id=None,
    )  # fmt: skip


def perturb(module):
    for parameter in module.parameters():
        nn.init.normal_(parameter, mean=0.1, std=0.3)


def unit_tensors(unit, grad=False):
    """Ours under their names: the two gates lie side by side in one."""
    weight, bias, decay = ((part.grad if grad else part.detach()) for part in (unit.weight, unit.bias, unit.decay))
    recurrent, entering = weight.chunk(2, dim=-1)
    return dict(zip(UNITS, (entering, recurrent, bias.chunk(2, dim=-1)[1], bias.chunk(2, dim=-1)[0], decay)))


def mixer_tensors(mixer, grad=False):
    """A recurrent block's under their names."""
    names = {"linear_y": mixer.gate, "linear_x": mixer.enter, "linear_out": mixer.out, "conv_1d": mixer.conv}
    tensors = {f"rg_lru.{name}": value for name, value in unit_tensors(mixer.unit, grad).items()}
    for theirs, ours in names.items():
        for kind in ("weight", "bias"):
            value = getattr(ours, kind)
            tensors[f"{theirs}.{kind}"] = value.grad if grad else value.detach()
    return tensors


def attention_tensors(mixer, grad=False):
    names = {"q_proj": mixer.q, "k_proj": mixer.k, "v_proj": mixer.v, "o_proj": mixer.out}
    return {
        f"{theirs}.{kind}": value.grad if grad else value.detach()
        for theirs, ours in names.items()
        for kind, value in ours.named_parameters()
    }


def model_tensors(backbone, grad=False):
    """A whole backbone's; their norms hold the weight less one, their embedding is multiplied by √D."""

    def held(value):
        return value.grad if grad else value.detach()

    def norm(module):
        return held(module.weight) - (0 if grad else 1)

    factor = backbone.blocks.norm.weight.shape[0] ** 0.5
    embedding = held(backbone.embed.project.weight)
    tensors = {"embed_tokens.weight": embedding * factor if grad else embedding / factor}
    tensors["final_norm.weight"] = norm(backbone.blocks.norm)
    for number, block in enumerate(backbone.blocks.blocks):
        part = (mixer_tensors if isinstance(block.mixer, RecurrentMixer) else attention_tensors)(block.mixer, grad)
        feeds = {"gate_proj": block.feed.gate, "up_proj": block.feed.widen, "down_proj": block.feed.narrow}
        tensors |= {f"layers.{number}.temporal_block.{name}": value for name, value in part.items()}
        tensors |= {
            f"layers.{number}.mlp_block.{theirs}.{kind}": held(value)
            for theirs, ours in feeds.items()
            for kind, value in ours.named_parameters()
        }
        tensors[f"layers.{number}.temporal_pre_norm.weight"] = norm(block.mixer_norm)
        tensors[f"layers.{number}.channel_pre_norm.weight"] = norm(block.feed_norm)
    return tensors


def close(mine, yours):
    assert mine.shape == yours.shape
    assert yours.any()
    assert (mine - yours).abs().max() <= 1e-5 * max(1.0, yours.abs().max().item())


def compare(made, expected, theirs, tensors, x=(), y=()):
    """Outputs, and the gradients of every parameter and input."""
    close(made, expected)
    weight = torch.randn_like(made)
    (made * weight).sum().backward()
    (expected * weight).sum().backward()
    ours = tensors(grad=True)
    assert set(ours) == {name for name, _ in theirs.named_parameters()}
    for name, parameter in theirs.named_parameters():
        close(ours[name].reshape(parameter.shape), parameter.grad)
    for mine, yours in zip(x, y):
        close(mine.grad, yours.grad)


def load(theirs, tensors):
    shapes = {name: parameter.shape for name, parameter in theirs.named_parameters()}
    assert not theirs.load_state_dict({n: v.reshape(shapes[n]) for n, v in tensors.items()}, strict=False).missing_keys


@pytest.mark.parametrize("starts", [[0, 0, 0], [0, 5, 2]])
@pytest.mark.parametrize("num_heads", [1, 4])
def test_unit_equals_recurrent_gemma(starts, num_heads):
    from transformers.models.recurrent_gemma.modeling_recurrent_gemma import RecurrentGemmaRglru

    torch.manual_seed(0)
    ours, theirs = RGLRU(16, num_heads), RecurrentGemmaRglru(settings(num_heads=num_heads))
    perturb(ours)
    load(theirs, unit_tensors(ours))
    x = torch.randn(3, 13, 16)
    mine, yours = x.clone().requires_grad_(), x.clone().requires_grad_()
    places = torch.tensor(starts)[:, None] + torch.arange(13)
    made, expected = ours(mine, places), theirs(yours, places)
    compare(made, expected, theirs, lambda grad: unit_tensors(ours, grad), [mine], [yours])


def test_bounded_root_equals_recurrent_gemma():
    from transformers.models.recurrent_gemma.modeling_recurrent_gemma import SqrtBoundDerivative

    x = torch.tensor([0.0, 1e-12, 1e-8, 2.4e-7, 2.6e-7, 1e-3, 0.5, 1.0], requires_grad=True)
    ours, theirs = BoundedRoot.apply(x), SqrtBoundDerivative.apply(x)
    assert torch.equal(ours, theirs)
    (mine,), (yours,) = (torch.autograd.grad(root.sum(), x) for root in (ours, theirs))
    assert torch.equal(mine, yours)
    assert mine.max().item() == pytest.approx(1000)


def test_unit_goes_on_from_a_state():
    torch.manual_seed(0)
    unit = RGLRU(16, 2)
    x, places = torch.randn(3, 13, 16), torch.arange(13)[None]
    whole = unit(x, places)
    rest = unit(x[:, 5:], places[:, 5:], whole[:, 4])
    assert torch.allclose(rest, whole[:, 5:], atol=1e-6)


@pytest.mark.parametrize("kernel_size", [2, 4])
def test_recurrent_block_equals_recurrent_gemma(kernel_size):
    from transformers.models.recurrent_gemma.modeling_recurrent_gemma import RecurrentGemmaRecurrentBlock

    torch.manual_seed(0)
    ours = RecurrentMixer(16, 2, kernel_size)
    theirs = RecurrentGemmaRecurrentBlock(settings(kernel_size=kernel_size), 0)
    perturb(ours)
    load(theirs, mixer_tensors(ours))
    x = torch.randn(3, 13, 16)
    mine, yours = x.clone().requires_grad_(), x.clone().requires_grad_()
    places = torch.arange(13)[None]
    made, _ = ours(mine, None, places, None)
    expected, _ = theirs(yours, places, None, use_cache=False)
    compare(made, expected, theirs, lambda grad: mixer_tensors(ours, grad), [mine], [yours])


@pytest.mark.parametrize("model", ["griffin", "rglru"])
@pytest.mark.parametrize(("depth", "window"), [(3, 32), (3, 5), (7, 5), (6, 1)])
def test_model_equals_recurrent_gemma(model, depth, window):
    from transformers import RecurrentGemmaModel

    torch.manual_seed(0)
    data, architecture = spec("text"), registry.find(model)
    own = {"window": window} if model == "griffin" else {"directions": 1}
    config = architecture.configure("nano", {**GRIFFIN, "depth": depth, **own})
    ours = architecture.backbone(config, data).eval()
    perturb(ours)
    pattern = ("recurrent", "recurrent", "attention") if model == "griffin" else ("recurrent",)
    theirs = RecurrentGemmaModel(settings(depth, window, pattern)).eval()
    load(theirs, model_tensors(ours))
    x = inputs(data, 4)
    features, _ = ours(x)
    expected = theirs(input_ids=x).last_hidden_state
    assert torch.equal(features.pooled, features.values[:, -1])
    compare(features.values, expected, theirs, lambda grad: model_tensors(ours, grad))


def test_the_window_matters_and_is_all_that_is_kept():
    torch.manual_seed(0)
    data, griffin = spec("text"), registry.find("griffin")
    config = griffin.configure("nano", {**GRIFFIN, "window": 5})
    ours = griffin.backbone(config, data).eval()
    x = inputs(data, 2)
    _, state = ours(x, None, ours.start(2))
    assert [tuple(part.shape) for part in state.memory[4:]] == [(2, 4, 8), (2, 4, 8)]
    wide = griffin.backbone(griffin.configure("nano", {**GRIFFIN, "window": 6}), data).eval()
    wide.load_state_dict(ours.state_dict())
    difference = (wide(x)[0].values - ours(x)[0].values).abs().amax(dim=(0, 2))
    assert (difference[:5] <= 1e-6).all()
    assert (difference[5:] > 1e-6).all()


@pytest.mark.parametrize("window", [1, 4, 200])
def test_every_window_passes_the_exams(window):
    from exams import exams

    griffin = registry.find("griffin")
    exams.padding(griffin, "text", {"window": window})
    exams.causality(griffin, "series", {"window": window})
    exams.chunking(griffin, "series", {"window": window})
