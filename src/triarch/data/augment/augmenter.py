"""Which variations a training batch gets and how strong; those of batch k are a function of (seed, k) alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from numpy.random import Generator, Philox

from triarch.core.spec import Modality
from triarch.core.types import Batch
from triarch.data.augment.images import crop, erase, flip, mix
from triarch.data.augment.series import jitter, magnitude_warp, time_warp
from triarch.data.augment.texts import USUAL_SHARE, token_dropout
from triarch.data.dataset import Dataset
from triarch.data.tokens import UNKNOWN


@dataclass(frozen=True)
class Strengths:
    """How strong each variation is, as `images`, `texts` and `series` measure it; at 0 it changes no bit.

    Attributes:
        after: so many batches at the beginning stay as they are.
    """

    after: int = 0
    crop: float = 0.0
    flip: float = 0.0
    erase: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    token_dropout: float = 0.0
    time_warp: float = 0.0
    magnitude_warp: float = 0.0
    jitter: float = 0.0


# What earned its place, and what did not, is in bench/LOG.md.
FEWEST, PASSES = 300, 2
USUAL: dict[Modality, dict[str, float]] = {
    "image": {"crop": 0.05, "flip": 0.5, "erase": 0.0, "mixup": 0.0, "cutmix": 0.0},
    "text": {"token_dropout": USUAL_SHARE},
    "series": {"time_warp": 0.2, "magnitude_warp": 0.1, "jitter": 0.0},
}


def usual(dataset: Dataset, per_epoch: int) -> dict[str, float]:
    """The default of each strength that there is for the data.

    Nothing is varied in the first two passes over the data and the first 300 batches: a network that has hardly seen
    the items learns more from them as they are. Images are mirrored where `Dataset.mirror` allows it, tokens left out
    where `Dataset.spare` does; series and texts that are continued stay as they are, since what follows them would have
    to be changed too.

    Args:
        per_epoch: batches of a pass.
    """
    if dataset.spec.target.kind != "class":
        return {"after": 0}
    strengths = {"after": max(FEWEST, PASSES * per_epoch), **USUAL[dataset.spec.modality]}
    if "flip" in strengths and not dataset.mirror.keeps_label:
        strengths["flip"] = 0.0
    if "token_dropout" in strengths and not dataset.spare.keeps_label:
        strengths["token_dropout"] = 0.0
    return strengths


class Augmenter:
    """Varies the batches of a data set.

    Each variation has random numbers of its own, so that to switch one off leaves the others as they were.
    """

    def __init__(self, strengths: Strengths, dataset: Dataset) -> None:
        one, self._after = strengths, strengths.after
        tokenizer = dataset.preprocessor.tokenizer
        unknown = (tokenizer.token_to_id(UNKNOWN) if tokenizer else None) or 0
        known = [
            (one.crop, partial(crop, share=one.crop)),
            (one.flip, partial(flip, probability=one.flip)),
            (one.erase, partial(erase, probability=one.erase)),
            (one.mixup + one.cutmix, partial(
                mix, mixup=one.mixup, cutmix=one.cutmix, num_classes=dataset.spec.num_classes
            )),
            (one.token_dropout, partial(token_dropout, share=one.token_dropout, unknown=unknown)),
            (one.time_warp, partial(time_warp, strength=one.time_warp)),
            (one.magnitude_warp, partial(magnitude_warp, strength=one.magnitude_warp)),
            (one.jitter, partial(jitter, strength=one.jitter)),
        ]  # fmt: skip
        self._variations = [(place, vary) for place, (strength, vary) in enumerate(known, 1) if strength > 0]

    def __call__(self, batch: Batch, seed: int, number: int) -> Batch:
        """The varied batch.

        Args:
            number: k, of the batch in its stream.
        """
        if number < self._after:
            return batch
        for place, vary in self._variations:
            # Counters from 0 on belong to the order of the items; see `Stream`.
            batch = vary(batch, Generator(Philox(key=[seed, number], counter=[0, 0, 0, place])))
        return batch
