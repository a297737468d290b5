"""The learning rate at each step, as a factor of the highest."""

from __future__ import annotations

from math import cos, floor, pi

from triarch.training.recipe import Schedule


def factor(schedule: Schedule, step: int, total: int | None) -> float:
    """The factor for step number `step`, from 0.

    Warm-up–stable–decay (Hu et al. 2024, arXiv 2404.06395) does not need to know its end until the decay begins, so a
    training can pause, branch and go on; its decay is linear. Cosine (Loshchilov, Hutter 2017, arXiv 1608.03983) does.

    Args:
        total: number of steps; None while it is not known.
    """
    warm = min(1.0, (step + 1) / (schedule.warmup + 1))
    if total is None:
        return warm
    if schedule.name == "cosine":
        return warm * 0.5 * (1 + cos(pi * min(1.0, step / total)))
    begin = decay_begin(schedule, total)
    return warm * (1.0 if step < begin else max(0.0, (total - step) / (total - begin + 1)))


def decay_begin(schedule: Schedule, total: int) -> int:
    """The first step of the decay of a training of `total` steps."""
    return total - floor(schedule.decay * total)


def total_from(schedule: Schedule, step: int) -> int:
    """The least number of steps of a training whose decay begins at `step`."""
    total = step
    if schedule.decay < 1:
        total = max(step, floor(step / (1 - schedule.decay)) - 1)
    while decay_begin(schedule, total) < step:
        total += 1
    return total
