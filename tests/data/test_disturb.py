"""Disturbed batches: by as much as is said, padding untouched, the same numbers for the same seed."""

from functools import partial

import numpy as np
import pytest
import torch
from numpy.random import default_rng

from triarch.core.types import Batch
from triarch.data.ablate import always
from triarch.data.disturb import blur, cut_short, missing, noise, stale, swap

LENGTHS = torch.tensor([40, 1, 17, 2])
MASK = torch.arange(40) < LENGTHS[:, None]
IMAGES = Batch(torch.from_numpy(default_rng(0).normal(size=(6, 3, 16, 16)).astype(np.float32)))
IDS = Batch(torch.randint(2, 90, (4, 40), generator=torch.Generator().manual_seed(0)).masked_fill(~MASK, 0), MASK)
SERIES = Batch(torch.randn(4, 40, 2, generator=torch.Generator().manual_seed(0)) * MASK[:, :, None], MASK)


@pytest.mark.parametrize(
    ("change", "batch"),
    [
        (partial(noise, strength=0.3), IMAGES), (always(partial(blur, pixels=1.0)), IMAGES),
        (always(partial(cut_short, share=0.5)), IDS), (partial(swap, share=0.3), IDS),
        (always(partial(cut_short, share=0.5)), SERIES), (partial(missing, share=0.3), SERIES),
        (always(partial(stale, steps=3)), SERIES),
    ],
)  # fmt: skip
def test_it_changes_and_the_same_numbers_change_the_same(change, batch):
    before = batch.input.clone()
    first, again = (change(batch, default_rng(3)) for _ in range(2))
    assert torch.equal(first.input, again.input)
    assert torch.equal(batch.input, before)
    assert first.input.shape != before.shape or not torch.equal(first.input, before)


def test_noise_is_as_strong_as_said():
    added = noise(IMAGES, default_rng(0), 0.3).input - IMAGES.input
    assert added.std().item() == pytest.approx(0.3, rel=0.05)


def test_blur_smooths_each_image_by_itself():
    flat = Batch(torch.arange(6.0)[:, None, None, None].expand(6, 3, 16, 16))
    assert torch.allclose(blur(flat, 2.0).input, flat.input)
    assert blur(IMAGES, 1.0).input.std() < 0.5 * IMAGES.input.std()


def test_cut_short_leaves_the_beginning():
    short = cut_short(IDS, 0.5)
    assert short.mask is not None
    assert short.mask.sum(dim=1).tolist() == [20, 1, 9, 1]
    assert torch.equal(short.input[2, :9], IDS.input[2, :9])
    assert (short.input[2, 9:] == 0).all()
    whole = cut_short(Batch(SERIES.input), 0.25)
    assert whole.mask is None
    assert torch.equal(whole.input, SERIES.input[:, :10])


def test_swapping_moves_neighbours_only():
    ids = Batch(torch.arange(400).repeat(5, 1))
    moved = (swap(ids, default_rng(0), 0.2).input - ids.input).abs()
    assert moved.max() == 1
    assert (moved > 0).float().mean().item() == pytest.approx(0.2, abs=0.04)
    inside = swap(IDS, default_rng(0), 1.0).input
    assert (inside[~MASK] == 0).all()
    assert torch.equal(inside.sort(dim=1).values, IDS.input.sort(dim=1).values)


@pytest.mark.parametrize("impute", ["linear", "last"])
def test_what_is_missing_is_filled_as_said(impute):
    line = torch.arange(40.0)[:, None].expand(4, 40, 2)
    filled = missing(Batch(line), default_rng(0), 0.3, impute).input
    inner = filled[:, 6:-6]  # at the ends there is nothing to draw a line to
    if impute == "linear":
        assert torch.allclose(inner, line[:, 6:-6], atol=1e-4)
    else:
        gone = (inner != line[:, 6:-6])[:, :, 0]
        assert gone.float().mean().item() == pytest.approx(0.3, abs=0.12)
        assert (inner <= line[:, 6:-6]).all()


def test_missing_steps_leave_padding_and_lone_steps():
    filled = missing(SERIES, default_rng(0), 0.9).input
    assert (filled[~MASK] == 0).all()
    assert torch.equal(filled[1], SERIES.input[1])
    assert torch.isfinite(filled).all()


def test_stale_series_repeat_what_was_last_known():
    made = stale(Batch(SERIES.input), 3).input
    assert torch.equal(made[:, :37], SERIES.input[:, :37])
    assert torch.equal(made[:, 37:], SERIES.input[:, 36:37].expand(4, 3, 2))
