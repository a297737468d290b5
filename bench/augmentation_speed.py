"""Augmentation of whole batches against the same functions item by item, and against a loop written by hand.

The three in turns in one process, on one thread, in its own seconds, so that other work on the machine counts little.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator, Philox
from torch.nn import functional

from triarch.core.machine import computing
from triarch.core.types import Batch
from triarch.data.augment.images import crop, erase, flip, mix
from triarch.data.augment.series import jitter, magnitude_warp, time_warp
from triarch.data.augment.texts import token_dropout

ITEMS, ROUNDS, REPEATS = 64, 11, 10


def image_loop(images: torch.Tensor, random: Generator) -> torch.Tensor:
    """Crop and flip."""
    varied = []
    for image in images:
        rows, columns = image.shape[1:]
        padded = functional.pad(image[None], (2, 2, 2, 2), mode="reflect")[0]
        top, left = random.integers(0, 5, 2)
        image = padded[:, top : top + rows, left : left + columns]
        varied.append(image.flip(2) if random.random() < 0.5 else image)
    return torch.stack(varied)


def erase_loop(images: torch.Tensor, random: Generator) -> torch.Tensor:
    varied = []
    for image in images:
        image, (rows, columns) = image.clone(), image.shape[1:]
        if random.random() < 0.25:
            area, tall = random.uniform(0.02, 0.33) * rows * columns, np.exp(random.uniform(-1.2, 1.2))
            height = min(rows, round(np.sqrt(area * tall)))
            width = min(columns, round(np.sqrt(area / tall)))
            top, left = random.integers(0, rows - height + 1), random.integers(0, columns - width + 1)
            image[:, top : top + height, left : left + width] = 0
        varied.append(image)
    return torch.stack(varied)


def cutmix_loop(images: torch.Tensor, random: Generator) -> torch.Tensor:
    varied, targets = [], []
    for item, other in enumerate(random.permutation(len(images))):
        image, (rows, columns) = images[item].clone(), images.shape[2:]
        side = np.sqrt(random.beta(1.0, 1.0))
        height, width = round(side * rows), round(side * columns)
        top, left = random.integers(0, rows - height + 1), random.integers(0, columns - width + 1)
        place = (slice(None), slice(top, top + height), slice(left, left + width))
        image[place] = images[other][place]
        target = torch.zeros(10)
        target[item % 10] += 1 - height * width / rows / columns
        target[other % 10] += height * width / rows / columns
        varied.append(image)
        targets.append(target)
    torch.stack(targets)
    return torch.stack(varied)


def series_loop(batch: torch.Tensor, random: Generator) -> torch.Tensor:
    """Time warp, magnitude warp and jitter, by `numpy.interp`."""
    varied, x = [], batch.numpy()
    steps = x.shape[1]
    places, knots = np.arange(steps), np.linspace(0, steps - 1, 4)
    for series in x:
        passed = np.cumsum(np.exp(0.1 * np.interp(places, knots, random.standard_normal(4))))
        time = (passed - passed[0]) / (passed[-1] - passed[0]) * (steps - 1)
        columns = []
        for channel in series.T:
            factor = 1 + 0.1 * np.interp(places, knots, random.standard_normal(4))
            columns.append(np.interp(time, places, channel) * factor + 0.05 * random.standard_normal(steps))
        varied.append(np.stack(columns, axis=1).astype(np.float32))
    return torch.from_numpy(np.stack(varied))


def text_loop(batch: torch.Tensor, random: Generator) -> torch.Tensor:
    return torch.stack([ids.masked_fill(torch.from_numpy(random.random(len(ids)) < 0.05), 1) for ids in batch])


def whole_series(batch: Batch, random: Generator) -> Batch:
    return jitter(magnitude_warp(time_warp(batch, random, 0.1), random, 0.1), random, 0.05)


def cases() -> dict[str, tuple[Batch, Callable[[Batch, Generator], Batch], Callable[..., torch.Tensor]]]:
    """What is compared: a batch, all of it at once, and the loop."""
    random, target = np.random.default_rng(0), torch.arange(ITEMS) % 10
    grey, colour, large, series = (
        Batch(torch.from_numpy(random.normal(size=(ITEMS, *shape)).astype(np.float32)), target=target)
        for shape in ((1, 28, 28), (3, 32, 32), (3, 224, 224), (96, 3))
    )
    ids = Batch(torch.from_numpy(random.integers(2, 90, (ITEMS, 128))), target=target)

    def crop_flip(batch: Batch, random: Generator) -> Batch:
        return flip(crop(batch, random, 2 / batch.input.shape[2]), random, 0.5)

    return {
        "crop and flip, 28x28x1": (grey, crop_flip, image_loop),
        "crop and flip, 32x32x3": (colour, crop_flip, image_loop),
        "crop and flip, 224x224x3": (large, crop_flip, image_loop),
        "erase, 32x32x3": (colour, lambda batch, random: erase(batch, random, 0.25), erase_loop),
        "cutmix, 32x32x3": (colour, lambda batch, random: mix(batch, random, 0.0, 1.0, 10), cutmix_loop),
        "time warp, magnitude warp, jitter, 96 steps x 3": (series, whole_series, series_loop),
        "token dropout, 128 tokens": (ids, lambda b, r: token_dropout(b, r, 0.05, 1), text_loop),
    }


def by_item(batch: Batch, vary: Callable[[Batch, Generator], Batch], random: Generator) -> torch.Tensor:
    """The same functions, item by item."""
    assert batch.target is not None
    singles = (Batch(x[None], target=y[None]) for x, y in zip(batch.input, batch.target))
    return torch.cat([vary(single, random).input for single in singles])


def main() -> None:
    """Time the three in turns; write after every case."""
    path = Path(__file__).parent / "results" / "augmentation_speed.json"
    results = []
    for name, (batch, whole, loop) in cases().items():
        times: dict[str, list[float]] = {"batch": [], "by item": [], "loop": []}
        works = (lambda r: whole(batch, r), lambda r: by_item(batch, whole, r), lambda r: loop(batch.input, r))  # noqa: B023
        repeats = 1 if batch.input.numel() > 10**6 else REPEATS
        for number in range(ROUNDS):
            for taken, work in zip(times.values(), works):
                begin = time.thread_time()
                for turn in range(repeats):
                    work(Generator(Philox(key=[turn, number])))
                taken.append((time.thread_time() - begin) / repeats)
        speeds = {work: round(ITEMS / statistics.median(taken)) for work, taken in times.items()}
        ratios = {
            f"batch / {work}": round(statistics.median(slow / fast for fast, slow in zip(times["batch"], taken)), 1)
            for work, taken in list(times.items())[1:]
        }
        results.append({"case": name, "items_per_second": speeds, "ratios": ratios})
        print(json.dumps(results[-1]), flush=True)
        path.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    with computing(1):
        main()
