"""What is taken away is gone, and nothing else."""

from functools import partial

import numpy as np
import pytest
import torch
from numpy.random import default_rng

from triarch.core.types import Batch
from triarch.data.ablate import (
    gray,
    keep_last,
    of_the_past,
    repeat_recent,
    shuffle_patches,
    shuffle_steps,
    without,
)

LENGTHS = torch.tensor([12, 1, 7])
MASK = torch.arange(12) < LENGTHS[:, None]
SERIES = Batch(torch.randn(3, 12, 2, generator=torch.Generator().manual_seed(0)) * MASK[:, :, None], MASK)
IMAGES = Batch(torch.randn(5, 3, 9, 8, generator=torch.Generator().manual_seed(0)))


def test_shuffled_steps_are_the_same_steps():
    made = shuffle_steps(SERIES, default_rng(0))
    assert (made.input[~MASK] == 0).all()
    for before, after, length in zip(SERIES.input, made.input, LENGTHS.tolist()):
        assert {tuple(step) for step in before[:length].tolist()} == {tuple(step) for step in after[:length].tolist()}
    assert not torch.equal(made.input[0], SERIES.input[0])


def test_each_item_has_an_order_of_its_own():
    same = Batch(torch.arange(30).repeat(6, 1))
    made = shuffle_steps(same, default_rng(0)).input
    assert len({tuple(row) for row in made.tolist()}) == 6
    assert torch.equal(shuffle_steps(same, default_rng(0)).input, made)


@pytest.mark.parametrize("side", [1, 2, 4])
def test_shuffled_patches_are_the_same_patches(side):
    made = shuffle_patches(IMAGES, default_rng(0), side).input
    rows = 9 // side * side
    assert torch.equal(made[:, :, rows:], IMAGES.input[:, :, rows:])

    def patches(images):
        cut = images[:, :, :rows].unfold(2, side, side).unfold(3, side, side)
        return [{tuple(patch) for patch in one.permute(1, 2, 0, 3, 4).flatten(0, 1).flatten(1).tolist()} for one in cut]

    assert patches(made) == patches(IMAGES.input)
    assert not torch.equal(made, IMAGES.input)


def test_the_last_part_is_kept():
    made = keep_last(SERIES, 0.5)
    assert made.mask is not None
    assert made.mask.sum(dim=1).tolist() == [6, 1, 4]
    assert torch.equal(made.input[0], SERIES.input[0, 6:])
    assert torch.equal(made.input[2, :4], SERIES.input[2, 3:7])


@pytest.mark.parametrize(("batch", "axis"), [(SERIES, 2), (IMAGES, 1)])
def test_without_a_channel(batch, axis):
    made = without(batch, [1]).input
    assert (made.select(axis, 1) == 0).all()
    assert torch.equal(made.select(axis, 0), batch.input.select(axis, 0))


def test_gray_is_the_brightness_of_the_raw_image():
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.3, 0.1)
    raw = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    middle, spread = (torch.tensor(values)[:, None, None] for values in (mean, std))
    made = gray(Batch((raw - middle) / spread), mean, std).input * spread + middle
    bright = 0.299 * raw[:, 0] + 0.587 * raw[:, 1] + 0.114 * raw[:, 2]
    assert torch.allclose(made, bright[:, None].expand(made.shape), atol=1e-5)


def test_the_recent_part_is_repeated():
    line = Batch(torch.arange(12.0)[None, :, None])
    assert repeat_recent(line, 4).input.flatten().tolist() == [8, 9, 10, 11] * 3
    assert repeat_recent(line, 5).input.flatten().tolist() == [10, 11, *[7, 8, 9, 10, 11] * 2]


def test_only_the_past_of_the_series_itself_is_changed():
    windows = Batch(torch.from_numpy(100 + 5 * default_rng(0).normal(size=(4, 10, 3)).astype(np.float32)))
    made = of_the_past(windows, default_rng(1), partial(shuffle_steps), 7).input
    assert torch.equal(made[:, 7:], windows.input[:, 7:])
    assert torch.equal(made[:, :, 1:], windows.input[:, :, 1:])
    before, after = (values[:, :7, 0].sort(dim=1).values for values in (windows.input, made))
    assert torch.allclose(before, after, rtol=1e-5)
    assert not torch.equal(made, windows.input)
