"""moe equals Transformers' Mixtral, weight for weight, the balance of its experts included."""

import pytest
import torch

from exams import exams
from exams.specs import inputs, mask, spec
from parity.compare import assert_same, assert_same_gradients, perturb
from triarch.layers.experts import Experts
from triarch.models import registry

LENGTHS = [17, 3, 11, 1, 7]
SIZE = {"dim": 32, "num_heads": 4, "num_kv_heads": 2, "hidden_dim": 24, "num_experts": 5}


def pair(depth, top_k, **settings):
    from transformers import MixtralConfig, MixtralForCausalLM

    torch.manual_seed(0)
    theirs = MixtralForCausalLM(
        MixtralConfig(
            vocab_size=23, hidden_size=32, num_hidden_layers=depth, num_attention_heads=4, num_key_value_heads=2,
            intermediate_size=24, num_local_experts=5, num_experts_per_tok=top_k, rms_norm_eps=1e-6,
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
            router_aux_loss_coef=0.5, output_router_logits=True, sliding_window=None,
        )
    )  # fmt: skip
    perturb(theirs)
    moe, data = registry.find("moe"), spec("text")
    sizes = {**SIZE, "depth": depth, "top_k": top_k, "dropout": 0.0, **settings}
    ours = moe.backbone(moe.configure("nano", sizes), data)
    ours.load_state_dict(translate(depth)(dict(theirs.model.named_parameters())))
    return ours, theirs, data


def translate(depth):
    def from_mixtral(theirs):
        ours = {"embed.project.weight": theirs["embed_tokens.weight"], "norm.weight": theirs["norm.weight"]}
        names = {
            "attention_norm.weight": ["input_layernorm.weight"],
            "attention.qkv.weight": [f"self_attn.{part}_proj.weight" for part in "qkv"],
            "attention.out.weight": ["self_attn.o_proj.weight"],
            "feed_norm.weight": ["post_attention_layernorm.weight"],
            "feed.router.weight": ["mlp.gate.weight"],
            "feed.widen": ["mlp.experts.gate_up_proj"],
            "feed.narrow": ["mlp.experts.down_proj"],
        }
        for layer in range(depth):
            for name, parts in names.items():
                ours[f"blocks.{layer}.{name}"] = torch.cat([theirs[f"layers.{layer}.{part}"] for part in parts])
        return ours

    return from_mixtral


@pytest.mark.parametrize("top_k", [1, 2, 5])
def test_mixtral(top_k):
    """Forward, also chunk by chunk, and backward, with padding."""
    ours, theirs, data = pair(3, top_k)
    ours.eval()
    x, real = inputs(data, len(LENGTHS)), mask(LENGTHS, 17)
    made = ours(x, real)[0].values[real]
    expected = theirs.model(x, attention_mask=real.long()).last_hidden_state[real]
    assert_same(made, expected)
    state, steps = ours.start(len(x)), []
    for start in range(0, 17, 3):
        features, state = ours(x[:, start : start + 3], real[:, start : start + 3], state)
        steps.append(features.values)
    assert_same(torch.cat(steps, dim=1)[real], expected)
    made.sin().sum().backward()
    expected.sin().sum().backward()
    assert_same_gradients(ours, theirs.model, translate(3))


@pytest.mark.parametrize("top_k", [1, 2])
def test_the_balance_is_mixtrals(top_k):
    """Of one layer: of several they take one mean over all, ours takes each by itself."""
    ours, theirs, data = pair(1, top_k, balance=0.5)
    x = inputs(data, 6)
    ours(x)[0].values.sin().sum().backward()
    made = theirs(input_ids=x)
    assert made.aux_loss > 0
    (theirs.model(x).last_hidden_state.sin().sum() + 0.5 * made.aux_loss).backward()
    assert_same_gradients(ours, theirs.model, translate(1))


def test_balance_brings_all_experts_into_use():
    """From a router that sends everything to two of eight."""
    shares = []
    for balance in (0.0, 0.1):
        torch.manual_seed(0)
        experts = Experts(16, 8, 8, 2, balance)
        x = torch.randn(512, 16)
        x[:, 0] = 3
        with torch.no_grad():
            experts.router.weight[:2, 0] = 2
        optimiser = torch.optim.Adam(experts.parameters(), lr=1e-2)
        for _ in range(200):
            optimiser.zero_grad()
            (experts(x) - x.flip(1)).square().mean().backward()
            optimiser.step()
        used = torch.bincount(experts.router(x).topk(2).indices.flatten(), minlength=8) / 1024
        shares.append(used)
    assert shares[0].max() > 0.4
    assert shares[1].max() < 0.25
    assert shares[1].min() > 0.02


@pytest.mark.parametrize(
    "settings", [{"num_experts": 1, "top_k": 1}, {"num_experts": 9, "top_k": 3}, {"window": 4}], ids=str
)
def test_every_kind_passes_the_exams(settings):
    moe = registry.find("moe")
    exams.padding(moe, "text", settings)
    exams.chunking(moe, "series", settings)
    exams.causality(moe, "series", settings)


@pytest.mark.parametrize("settings", [{"top_k": 5}, {"top_k": 0}, {"feed": "gelu"}])
def test_settings_that_do_not_fit(settings):
    moe = registry.find("moe")
    with pytest.raises(ValueError):
        moe.backbone(moe.configure("nano", settings), spec("text"))
