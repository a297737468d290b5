"""Weights by columns: the same numbers, another order in memory."""

import torch

from triarch.core.spec import reference
from triarch.layers.columns import by_columns
from triarch.layers.embed import Embed
from triarch.layers.vocabulary import Vocabulary


def test_only_the_order_in_memory_changes():
    embed = Embed(reference("text"), None, token_dim=24)
    network = torch.nn.Sequential(torch.nn.Linear(24, 40), torch.nn.Linear(40, 24), embed, Vocabulary(24, 50))
    network[3].tie(embed)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    x = torch.randn(5, 24)
    expected = network[3](network[1](network[0](x)))
    by_columns(network)
    by_columns(network)
    assert network[0].weight.stride() == (1, 40)
    assert embed.project.weight.stride() == (1, embed.project.weight.shape[0])
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    torch.testing.assert_close(network[3](network[1](network[0](x))), expected)
