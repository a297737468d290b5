"""Multiply–adds of whole backbones against hand formulas, and the bytes of their states."""

from math import ceil, log2

import pytest
import torch

from triarch.core.spec import Spec, Target
from triarch.core.types import Batch
from triarch.measure.count import macs, training_macs
from triarch.measure.memory import training_peak
from triarch.measure.states import state_bytes
from triarch.measure.weightless import like, weightless
from triarch.models import registry

T = 64
SPEC = Spec("s", "series", (T, 5), Target("class", ("a", "b")))


def make(name, steps=T, **settings):
    """A backbone on the meta device, its config, and an input of one row."""
    architecture = registry.find(name)
    config = architecture.configure("nano", settings)
    with torch.device("meta"):
        backbone = architecture.backbone(config, SPEC)
        return backbone, config, torch.empty(1, steps, SPEC.in_channels)


def lstm(config):
    return T * 4 * config.dim * (SPEC.in_channels + config.dim)


def gru(config):
    return T * 3 * config.dim * (SPEC.in_channels + config.dim)


def mingru(config):
    """Convolution, gates, and the recurrence itself."""
    each = config.dim * config.kernel_size + 2 * config.dim**2 + config.dim
    return T * (SPEC.in_channels * config.dim + config.depth * each)


def rglru(config):
    """Of the recurrent block: three projections, convolution, the heads' gates, the recurrence; then a gated part."""
    dim, heads = config.dim, config.num_heads
    each = 3 * dim * dim + config.kernel_size * dim + 2 * dim * dim // heads + dim + 3 * dim * config.hidden_dim
    return T * (SPEC.in_channels * dim + config.depth * each)


def mamba2(config):
    """Projections, convolution, and of each chunk the attention within, the state made of it, and what it reads."""
    inner, written = 2 * config.dim, config.num_groups * config.state_dim
    heads = inner // config.head_dim
    linear = (
        config.dim * (2 * inner + 2 * written + heads) + inner * config.dim + config.kernel_size * (inner + 2 * written)
    )
    chunks = ceil(T / 2 ** round(log2(config.head_dim * config.state_dim) / 2))
    steps = chunks * ceil(T / chunks)
    within = steps * ceil(T / chunks) * (written + inner)
    states = 2 * steps * inner * config.state_dim + chunks * inner * config.state_dim
    return T * SPEC.in_channels * config.dim + config.depth * (T * linear + within + states)


def attention(config, keys_and_values=1.0, feed=2):
    linear = (2 + 2 * keys_and_values) * config.dim**2 + feed * config.dim * config.hidden_dim
    return T * SPEC.in_channels * config.dim + config.depth * (T * linear + 2 * T * T * config.dim)


def moe(config):
    """Of the experts only those that a step goes through, and the router."""
    linear = 4 * config.dim**2 + config.num_experts * config.dim + 3 * config.top_k * config.dim * config.hidden_dim
    return T * SPEC.in_channels * config.dim + config.depth * (T * linear + 2 * T * T * config.dim)


@pytest.mark.parametrize(
    ("name", "settings", "formula"),
    [
        ("lstm", {"directions": 1}, lstm),
        ("gru", {"directions": 1}, gru),
        ("mingru", {"directions": 1}, mingru),
        ("rglru", {"directions": 1}, rglru),
        ("mamba2", {"directions": 1}, mamba2),
        ("encoder", {}, attention),
        ("decoder", {}, lambda config: attention(config, feed=3)),
        ("decoder", {"num_kv_heads": 1}, lambda config: attention(config, 1 / config.num_heads, feed=3)),
        ("moe", {}, moe),
        ("moe", {"num_experts": 9, "top_k": 3, "hidden_dim": 100}, moe),
    ],
)
def test_multiply_adds(name, settings, formula):
    backbone, config, x = make(name, **settings)
    expected = formula(config)
    found = macs(backbone, lambda: backbone(x))
    assert found == pytest.approx(expected, rel=0.01)
    with weightless(backbone) as twin:
        rows = like(Batch(x), 3)
        assert macs(twin, lambda: twin(rows.input)) == 3 * found


@pytest.mark.parametrize(
    "name", ["lstm", "gru", "rnn", "mingru", "rglru", "mamba2", "tcn", "textcnn", "resnet", "convnext"]
)
def test_training_takes_three_times_the_way_forth(name):
    """Less what nobody asks for, the gradient of the input; attention, which takes more, is left out."""
    backbone, _, x = make(name)
    with weightless(backbone) as twin:
        rows = like(Batch(x), 2).input
        forth = macs(twin, lambda: twin(rows))
        both = training_macs(twin, lambda: twin(rows)[0].pooled.sum())
    assert 2.9 * forth < both < 3.05 * forth


@pytest.mark.parametrize("name", [name for name in registry.names() if "series" in registry.find(name).modalities])
def test_a_mask_of_real_steps_changes_no_count_and_no_peak_by_much(name):
    backbone, _, x = make(name)
    with weightless(backbone) as twin:
        rows, mask = like(Batch(x), 2).input, torch.ones(2, T, dtype=torch.bool)
        plain, masked = (lambda mask=mask: twin(rows, mask)[0].pooled.sum() for mask in (None, mask))
        assert training_macs(twin, masked) == training_macs(twin, plain)
        peaks = [training_peak(twin.train(), run) for run in (plain, masked)]
    assert peaks[0] <= peaks[1] < 2 * peaks[0]


@pytest.mark.parametrize(
    ("name", "settings", "numbers"),
    [
        ("lstm", {"directions": 1, "depth": 2}, lambda config: 2 * 2 * config.dim),
        ("gru", {"directions": 1}, lambda config: config.dim),
        ("mingru", {"directions": 1}, lambda config: config.depth * config.kernel_size * config.dim),
        ("decoder", {}, lambda config: config.depth * 2 * T * config.dim),
        ("decoder", {"num_kv_heads": 1}, lambda config: config.depth * 2 * T * config.dim // config.num_heads),
        ("decoder", {"window": 9}, lambda config: config.depth * 2 * 9 * config.dim),
        ("mamba2", {"directions": 1}, lambda config: config.depth * (
            2 * config.dim * config.state_dim
            + (config.kernel_size - 1) * (2 * config.dim + 2 * config.num_groups * config.state_dim)
        )),
    ],
)  # fmt: skip
def test_state_bytes(name, settings, numbers):
    backbone, config, x = make(name, **settings)
    _, state = backbone(x, None, backbone.start(1, "meta"))
    assert state_bytes(state) == 8 + 4 * numbers(config)
