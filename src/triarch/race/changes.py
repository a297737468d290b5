"""What the items of a data set are put to once its networks are trained, and how strongly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b

import numpy as np
from numpy.random import Generator, Philox

from triarch.core.findings import Kind
from triarch.core.spec import Future, Spec
from triarch.core.types import Batch
from triarch.data.ablate import (
    Change,
    always,
    exchange,
    gray,
    keep_last,
    of_the_past,
    repeat_recent,
    shuffle_patches,
    shuffle_steps,
    without,
)
from triarch.data.augment.series import jitter
from triarch.data.augment.texts import token_dropout
from triarch.data.dataset import Dataset
from triarch.data.disturb import blur, cut_short, missing, noise, stale, swap
from triarch.data.tokens import UNKNOWN
from triarch.layers.geometry import patch_side

NOISE, MORE_NOISE = 0.25, 0.5
BLUR, LEAST_BLUR = 1 / 24, 0.5
MISSING, SWAPPED, DROPPED, STALE = 0.2, 0.1, 0.2, 0.1
FEWEST_STEPS, MOST_GROUPS = 8, 8


@dataclass(frozen=True)
class Altered:
    """One change of the inputs.

    Attributes:
        name: as a table calls it.
        kind, uses, act: of an ablation what is taken away, what a network uses that is the worse for it, and what is
            done, as a sentence names it.
    """

    name: str
    make: Change
    kind: Kind = "channel"
    uses: str = ""
    act: str = ""

    def batches(self, batches: Sequence[Batch], seed: int) -> list[Batch]:
        """All batches changed; the random numbers are a function of (seed, name, number of the batch)."""
        key = seed, int.from_bytes(blake2b(self.name.encode(), digest_size=8).digest(), "little")
        return [
            self.make(batch, Generator(Philox(key=key, counter=[0, 0, 0, number])))
            for number, batch in enumerate(batches)
        ]


def ablations(dataset: Dataset) -> list[Altered]:
    """What is taken away, the order first: a network that loses nothing by it does not use it."""
    spec = dataset.spec
    if spec.modality == "image":
        return _of_images(dataset)
    if spec.target.kind == "future":
        return _of_windows(spec)
    if spec.target.kind == "token":
        return []
    steps = "tokens" if spec.modality == "text" else "steps"
    made = []
    if spec.max_len >= FEWEST_STEPS:
        made = [
            Altered(f"{steps} shuffled", shuffle_steps, "order", f"the order of the {steps}", f"shuffling the {steps}"),
            *(
                Altered(
                    f"last {part} only", always(partial(keep_last, share=share)), "context",
                    f"what stands before the last {part} of an item", f"leaving the last {part} of each item only",
                )
                for part, share in (("half", 0.5), ("quarter", 0.25))
            ),
        ]  # fmt: skip
    if spec.target.kind == "text":
        act = "giving each the text of another item"
        made.insert(0, Altered("texts of other items", always(exchange), "context", "what it translates", act))
    return made + (_channels(spec.in_channels) if spec.modality == "series" else [])


def disturbances(dataset: Dataset, impute: str | None = None) -> list[Altered]:
    """What may befall the items in use.

    Args:
        impute: how gaps in series are filled where they are read; None: with a line.
    """
    spec = dataset.spec
    if spec.target.kind == "token":
        return []
    if spec.modality == "image":
        sigma = max(LEAST_BLUR, BLUR * min(spec.shape[1:]))
        return [
            *(Altered(_noise(strength), partial(noise, strength=strength)) for strength in (NOISE, MORE_NOISE)),
            Altered(f"blur of {sigma:.2g} pixels", always(partial(blur, pixels=sigma))),
        ]
    cut = Altered("first half only", always(partial(cut_short, share=0.5)))
    if spec.modality == "text":
        tokenizer = dataset.preprocessor.tokenizer
        unknown = (tokenizer.token_to_id(UNKNOWN) if tokenizer else None) or 0
        return [
            Altered(f"{DROPPED:.0%} of tokens unknown", partial(token_dropout, share=DROPPED, unknown=unknown)),
            Altered(f"{SWAPPED:.0%} of tokens swapped with neighbours", partial(swap, share=SWAPPED)),
            cut,
        ]
    noisy = partial(jitter, strength=NOISE)
    filled = partial(missing, share=MISSING, impute=impute or "linear")
    told = f"{MISSING:.0%} of steps missing, filled with {'a line' if impute != 'last' else 'the last value'}"
    if spec.target.kind != "future":
        return [Altered(_noise(NOISE), noisy), Altered(told, filled), cut]
    lookback = spec.future.lookback
    late = min(lookback - 1, max(1, round(STALE * lookback)))
    old, late_ones = always(partial(stale, steps=late)), f"the last {late} step{'s' * (late > 1)} not yet known"
    return [
        Altered(f"{_noise(NOISE)} of the window", partial(of_the_past, change=noisy, lookback=lookback)),
        Altered(told, partial(of_the_past, change=filled, lookback=lookback)),
        Altered(late_ones, partial(of_the_past, change=old, lookback=lookback)),
    ]  # fmt: skip


def _of_images(dataset: Dataset) -> list[Altered]:
    spec, settings = dataset.spec, dataset.preprocessor.settings
    side = patch_side(*spec.shape[1:])
    made = [
        Altered(
            f"patches of {side}×{side} pixels shuffled", partial(shuffle_patches, side=side), "order",
            f"where patches of {side}×{side} pixels stand", f"shuffling patches of {side}×{side} pixels",
        ),
        Altered(
            "pixels shuffled", partial(shuffle_patches, side=1), "order", "where the pixels stand",
            "shuffling all pixels",
        ),
    ]  # fmt: skip
    if spec.in_channels != 3:
        return made + _channels(spec.in_channels)
    colourless = always(partial(gray, mean=settings.mean, std=settings.std))
    return [*made, Altered("in gray", colourless, "channel", "colour", "turning the images gray")]


def _of_windows(spec: Spec) -> list[Altered]:
    future = spec.future
    past = partial(of_the_past, lookback=future.lookback)
    made = []
    if future.lookback >= FEWEST_STEPS:
        made.append(
            Altered(
                "past shuffled", partial(past, change=shuffle_steps), "order", "the order of the past",
                "shuffling the steps of the past",
            )
        )  # fmt: skip
    for steps in _contexts(future):
        recent = always(partial(repeat_recent, steps=steps))
        act = f"repeating the last {steps} steps in place of what is older"
        made.append(
            Altered(
                f"last {steps} of {future.lookback} steps only", partial(past, change=recent), "context",
                f"what is older than the last {steps} steps", act,
            )
        )  # fmt: skip
    others = [(name, [place]) for place, name in enumerate(future.channels) if place]
    if future.calendar:
        others.append(("the calendar", list(range(len(future.channels), spec.in_channels))))
    return made + [_without(name, places) for name, places in others[:MOST_GROUPS]]


def _contexts(future: Future) -> list[int]:
    """About a half and a quarter of the look-back; in whole seasons, since repeating a part of one would mislead."""
    wanted = [future.lookback // 2, future.lookback // 4]
    if future.season > 1:
        wanted = [max(future.season, steps // future.season * future.season) for steps in wanted]
    return [steps for steps in dict.fromkeys(wanted) if 0 < steps <= future.lookback // 2]


def _channels(count: int) -> list[Altered]:
    """Each channel by itself, or where there are many, groups of neighbours."""
    if count < 2:
        return []
    groups = [part.tolist() for part in np.array_split(np.arange(count), min(count, MOST_GROUPS))]
    names = [f"channel {one[0]}" if len(one) == 1 else f"channels {one[0]}–{one[-1]}" for one in groups]
    return [_without(name, group) for name, group in zip(names, groups)]


def _without(name: str, channels: list[int]) -> Altered:
    act = f"putting the mean in the place of {name}"
    return Altered(f"without {name}", always(partial(without, channels=channels)), "channel", name, act)


def _noise(strength: float) -> str:
    return f"noise of {strength:g} standard deviations"
