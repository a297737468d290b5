"""What mamba2 costs, how it begins, and what it refuses."""

import pytest
import torch

from exams import exams
from exams.specs import spec
from triarch.core.spec import Spec, Target
from triarch.measure.count import macs, params
from triarch.models import registry

MAMBA2 = registry.find("mamba2")


def build(data, **settings):
    return MAMBA2.backbone(MAMBA2.configure("nano", settings), data)


def test_multiply_adds_by_hand():
    rows, steps, dim, head_dim, state, groups, kernel = 2, 24, 32, 16, 16, 2, 4
    data = Spec("texts", "text", (steps,), Target("class", ("a", "b")), vocab_size=9)
    with torch.device("meta"):
        backbone = build(data, depth=1, num_groups=groups, directions=1)
        x = torch.zeros(rows, steps, dtype=torch.long)
    inner, heads, convolved = 2 * dim, 2 * dim // head_dim, 2 * dim + 2 * groups * state
    chunks, length = 2, 12  # 24 steps in chunks of at most √(16·16)
    assert params(backbone) == (
        9 * dim + dim * (inner + convolved + heads) + heads + convolved * (kernel + 1) + 2 * heads + inner + inner * dim
        + 2 * dim
    )  # fmt: skip
    each_step = dim * (inner + convolved + heads) + convolved * kernel + inner * dim
    carried = heads * head_dim * state
    each_chunk = groups * length**2 * state + heads * length**2 * head_dim + 2 * length * carried + carried
    assert macs(backbone, lambda: backbone(x)) == rows * (steps * each_step + chunks * each_chunk)


def test_begins_as_in_the_paper():
    torch.manual_seed(0)
    mixer = build(spec("text"), dim=512, head_dim=2, directions=1, depth=1).blocks.blocks[0].mixer
    a, dt = mixer.log_a.exp(), torch.nn.functional.softplus(mixer.dt.bias)
    assert 1 <= a.min() < 2 < 15 < a.max() <= 16
    assert 0.999e-3 < dt.min() < 2e-3
    assert 0.05 < dt.max() < 0.1001
    assert 0.008 < dt.median() < 0.0125
    assert (mixer.d == 1).all()


@pytest.mark.parametrize(
    "settings", [{"num_groups": 2}, {"dt_limits": (0.01, 0.1)}, {"kernel_size": 1}, {"state_dim": 3, "head_dim": 8}]
)
def test_every_setting_passes_the_exams(settings):
    exams.padding(MAMBA2, "series", settings)
    exams.causality(MAMBA2, "series", settings)
    exams.chunking(MAMBA2, "text", settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"head_dim": 24}, "no multiple"), ({"num_groups": 3}, "no multiple"), ({"directions": 3}, "1 or 2")],
)
def test_refuses(settings, message):
    with pytest.raises(ValueError, match=message):
        build(spec("text"), **settings)
