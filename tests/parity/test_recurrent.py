"""rnn, lstm and gru equal torch's own, weight for weight: outputs, true-end states, gradients; on packed sequences."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from exams.specs import inputs, mask, spec
from triarch.models import registry

LENGTHS = [19, 3, 11, 1, 7]


def reference(name, recurrence, in_dim):
    """torch's network with the weights of ours, whose biases are drawn so that none is left at zero."""
    for parameter in recurrence.parameters():
        if parameter.ndim == 1:
            nn.init.normal_(parameter, std=0.3)
    depth, directions = len(recurrence.forwards), recurrence.directions
    kind = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[name]
    network = kind(in_dim, recurrence.dim, depth, batch_first=True, bidirectional=directions == 2)
    with torch.no_grad():
        for layer in range(depth):
            for suffix, ours in (("", recurrence.forwards), ("_reverse", recurrence.backwards)):
                if suffix and directions == 1:
                    continue
                for weight in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                    getattr(network, f"{weight}_l{layer}{suffix}").copy_(getattr(ours[layer], f"{weight}_l0"))
    return network


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("depth", [1, 3])
def test_equal(name, directions, depth):
    torch.manual_seed(0)
    data, architecture = spec("series"), registry.find(name)
    config = architecture.configure("nano", {"dim": 11, "depth": depth, "directions": directions})
    ours = architecture.backbone(config, data).eval()
    theirs = reference(name, ours.layers, data.in_channels)
    x = inputs(data, len(LENGTHS))
    mine, yours = x.clone().requires_grad_(), x.clone().requires_grad_()

    features, _ = ours(mine, mask(LENGTHS, 19))
    packed = pack_padded_sequence(yours, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False)
    made, state = theirs(packed)
    values, _ = pad_packed_sequence(made, batch_first=True)
    hidden = state[0] if name == "lstm" else state
    pooled = torch.cat(tuple(hidden[-directions:]), dim=-1)

    real = mask(LENGTHS, 19)[..., None]
    assert torch.allclose(features.values * real, values * real, atol=1e-5)
    assert torch.allclose(features.pooled, pooled, atol=1e-5)

    ((features.values * real).sin().sum() + features.pooled.cos().sum()).backward()
    ((values * real).sin().sum() + pooled.cos().sum()).backward()
    assert torch.allclose(mine.grad, yours.grad, atol=1e-5)
    for layer in range(depth):
        for weight in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            gradient = getattr(ours.layers.forwards[layer], f"{weight}_l0").grad
            assert torch.allclose(gradient, getattr(theirs, f"{weight}_l{layer}").grad, atol=1e-5)


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_state_equals_torch(name):
    torch.manual_seed(0)
    data, architecture = spec("series"), registry.find(name)
    ours = architecture.backbone(architecture.configure("nano", {"depth": 2, "directions": 1}), data).eval()
    theirs = reference(name, ours.layers, data.in_channels)
    x = inputs(data, 3)
    with torch.no_grad():
        _, state = ours(x, mask([19, 4, 9], 19), ours.start(3))
        for row, length in enumerate((19, 4, 9)):
            _, after = theirs(x[row : row + 1, :length])
            hidden = after[0] if name == "lstm" else after
            assert torch.allclose(torch.stack(state.hidden)[:, row], hidden[:, 0], atol=1e-5)
            if name == "lstm":
                assert torch.allclose(torch.stack(state.cell)[:, row], after[1][:, 0], atol=1e-5)
