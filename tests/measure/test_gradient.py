"""The gradient by distance, where it is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from triarch.core.spec import Spec, Target, reference
from triarch.core.types import Batch
from triarch.measure.gradient import joined, part_left, reach, squares
from triarch.model import build
from triarch.tasks.classify import Classify

STEPS = 61


class Linear(nn.Module):
    """h_t = radius Q h_{t-1} + x_t with Q orthogonal; the answer is the last h."""

    def __init__(self, dim: int, radius: float) -> None:
        super().__init__()
        self.weight = radius * torch.linalg.qr(torch.randn(dim, dim, generator=torch.Generator().manual_seed(0)))[0]

    def forward(self, batch: Batch) -> torch.Tensor:
        state = torch.zeros_like(batch.input[:, 0])
        for number in range(batch.input.shape[1]):
            new = state @ self.weight.T + batch.input[:, number]
            state = new if batch.mask is None else torch.where(batch.mask[:, number, None], new, state)
        return state


def series(steps=STEPS, channels=4, items=8):
    return Batch(torch.randn(items, steps, channels, generator=torch.Generator().manual_seed(1)))


def recurrent(name, directions=1):
    spec = Spec("s", "series", (STEPS, 4), Target("class", ("a", "b", "c")))
    torch.manual_seed(0)
    return build(name, "nano", Classify(), spec, {"directions": directions}).eval()


@pytest.mark.parametrize("radius", [0.5, 1.0])
def test_a_linear_recurrence_fades_with_its_radius(radius):
    found = reach(squares(Linear(4, radius), series(), both_ends=False)[None])
    assert found[:40] == pytest.approx(radius ** np.arange(40.0), rel=1e-3)


def test_distance_is_counted_from_each_items_own_end():
    batch = series(12)
    lengths = torch.tensor([12, 3, 7, 12, 5, 12, 12, 12])
    padded = replace(batch, mask=torch.arange(12) < lengths[:, None])
    found = squares(Linear(4, 0.5), padded, both_ends=False)
    assert np.isnan(found[1, 3:]).all()
    assert not np.isnan(found[1, :3]).any()
    assert reach(found[None]) == pytest.approx(0.5 ** np.arange(12.0), rel=1e-3)


def test_batches_of_other_lengths_are_joined():
    short, long = (squares(Linear(4, 0.5), series(steps), both_ends=False) for steps in (5, 9))
    found = joined([short, long])
    assert found.shape == (16, 9)
    assert np.isnan(found[:8, 5:]).all()
    assert reach(found[None]) == pytest.approx(0.5 ** np.arange(9.0), rel=1e-3)


def test_both_ends_meet_in_the_middle():
    found = squares(Linear(4, 1.0), series(9), both_ends=True)
    assert found.shape == (8, 9)
    assert (np.isnan(found) == (np.arange(9) > 4)).all()


def test_the_plain_recurrence_forgets_what_an_open_memory_cell_holds():
    """Weights as training may make them: a radius of 0.8, and forget gates that keep 0.993 of the cell."""
    plain, cell = recurrent("rnn"), recurrent("lstm")
    with torch.no_grad():
        for name, parameter in plain.named_parameters():
            if "weight_hh" in name:
                parameter.mul_(0.8)
        for name, parameter in cell.named_parameters():
            if "bias_ih" in name:
                parameter[32:64] += 4.0  # of the forget gate
            if "weight_hh" in name:
                parameter.zero_()
    batch = series()
    left = {}
    for name, network in (("rnn", plain), ("lstm", cell)):
        left[name] = part_left(squares(network, batch, both_ends=False)[None], 60)
        part, (low, high) = left[name]
        assert low <= part <= high
    assert left["rnn"][0] < 1e-5
    assert 0.05 < left["lstm"][0] < 1


def test_read_backwards_too_the_far_end_is_near():
    one, two = (squares(recurrent("rnn", directions), series(), both_ends=False)[None] for directions in (1, 2))
    assert reach(one)[60] < 0.1 < reach(two)[60]


@pytest.mark.parametrize("name", ["encoder", "tcn", "textcnn", "mingru"])
def test_tokens_are_followed_back_to_their_embedding(name):
    torch.manual_seed(0)
    network = build(name, "nano", Classify(), reference("text"))
    batch = Batch(torch.randint(2, 256, (4, 20)), torch.arange(20) < torch.tensor([20, 20, 9, 15])[:, None])
    found = squares(network.train(), batch, both_ends=False)
    assert network.training
    assert np.isnan(found[2, 9:]).all()
    assert reach(found[None]).max() == 1.0
    assert (squares(network, batch, both_ends=False) == found)[~np.isnan(found)].all()


def test_images_have_no_distance():
    network = build("plain", "nano", Classify(), reference("image"))
    with pytest.raises(ValueError, match="sequences"):
        squares(network, Batch(torch.zeros(1, 3, 32, 32)), both_ends=False)
