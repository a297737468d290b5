"""How weights lie: the same numbers, another order in memory."""

import pytest
import torch

from triarch.core.spec import reference
from triarch.generation.network import Network
from triarch.generation.settings import Settings
from triarch.generation.stream import generate
from triarch.layers import weight_layout
from triarch.layers.embed import Embed
from triarch.layers.vocabulary import Vocabulary
from triarch.layers.weight_layout import Packed, lay_out
from triarch.models import registry


def network(bias=False):
    embed = Embed(reference("text"), None, token_dim=24)
    made = torch.nn.Sequential(
        torch.nn.Linear(24, 40), torch.nn.Linear(40, 24), embed, Vocabulary(24, reference("text").vocab_size, bias)
    )
    made[3].tie(embed)
    return made


def logits(made, x):
    return made[3](made[1](made[0](x)))


def test_one_row_reads_columns():
    made, x = network(), torch.randn(5, 24)
    before, expected = {name: value.clone() for name, value in made.state_dict().items()}, logits(made, x)
    lay_out(made, 1)
    lay_out(made, 1)
    assert made[0].weight.stride() == (1, 40)
    assert made[2].project.weight.stride() == (1, made[2].project.weight.shape[0])
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())
    torch.testing.assert_close(logits(made, x), expected)


@pytest.mark.parametrize("rows", [2, 3])
def test_few_rows_change_nothing(rows):
    made = network()
    lay_out(made, rows)
    assert made[0].weight.is_contiguous()


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(5, 24), (4, 3, 24), (0, 24)])
def test_many_rows_read_blocks(monkeypatch, bias, shape):
    monkeypatch.setattr(weight_layout, "FEWEST_WEIGHTS", 1)
    made, x = network(bias), torch.randn(shape)
    expected = logits(made, x)
    for rows in (1, 4, 16, 1):
        lay_out(made, rows)
    assert isinstance(made[0], Packed)
    assert isinstance(made[3].packed, Packed)
    with torch.inference_mode():
        torch.testing.assert_close(logits(made, x), expected)


def test_small_matrices_are_left_alone():
    made = network()
    lay_out(made, 16)
    assert type(made[0]) is torch.nn.Linear
    assert made[3].packed is None


@pytest.mark.parametrize("name", [name for name in registry.names() if registry.find(name).causal is not None])
def test_every_network_writes_the_same_from_any_layout(monkeypatch, name):
    monkeypatch.setattr(weight_layout, "FEWEST_WEIGHTS", 1)
    torch.manual_seed(0)
    found = registry.find(name)
    backbone = found.backbone(found.configure("nano", {**found.causal, "dropout": 0.0}), reference("text")).eval()
    head = Vocabulary(backbone.shape.dim, reference("text").vocab_size)
    prompts = [[5, 6, 7], [8, 9], [10], [11, 12, 13, 14]]
    written = Network(backbone, head, reference("text").vocab_size)
    settings = Settings(max_tokens=8, temperature=0)
    expected = [text.tokens for text in generate(written, prompts, settings)]
    for rows in (1, 4):
        lay_out(torch.nn.ModuleList((backbone, head)), rows)
        assert [text.tokens for text in generate(written, prompts, settings)] == expected
    assert isinstance(head.packed, Packed)
