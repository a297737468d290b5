"""Which sizes and amounts of data the small runs of a forecast have, so that they fit into the time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from triarch.core.errors import InputError
from triarch.core.spec import Modality
from triarch.models import registry
from triarch.race.selection import selected
from triarch.scaling.runs import RATES, Sized

FEWEST_ITEMS, FEWEST_AMOUNTS, AMOUNTS = 64, 4, 6
FEWEST_FOR_ALL = FEWEST_ITEMS * 2 ** (FEWEST_AMOUNTS - 1)
SIZES, ENOUGH_SIZES = 4, 2
# What a run takes before it is ended, and what the looks at select take beside its steps.
USUAL_EPOCHS, USUAL_STEPS, LOOKING = 25.0, 500.0, 1.25
# A step of a larger size takes longer by at least this part of what its multiply–adds are more.
AT_LEAST = 0.2
STARTING = 30.0


@dataclass(frozen=True)
class Grid:
    """What is to be run, every model on every amount of data, ascending, and about how long that takes."""

    models: list[str]
    amounts: list[int]
    seconds: float


def ladders(models: Sequence[str], modality: Modality) -> dict[str, list[str]]:
    """Architecture → the models of its ladder, ascending, that may be run.

    A name alone means its smallest four sizes, without the published `classic` one, which is not a rung.

    Raises:
        InputError: none is named, or one does not serve the data.
    """
    if not models:
        raise InputError("no model is named", "--models resnet,vit, say; `triarch list` shows them all")
    found: dict[str, list[str]] = {}
    for pattern in models:
        for model in selected(modality, [pattern]):
            name, _, size = model.partition("/")
            if "/" in pattern or size != "classic":
                found.setdefault(name, []).append(model)
    for name, members in found.items():
        order = list(registry.find(name).sizes)
        found[name] = sorted({*members}, key=lambda model: order.index(model.partition("/")[2]))[:SIZES]
    return found


def amounts_of(train: int, asked: Sequence[int]) -> list[int]:
    """The numbers of training items that may be run, ascending: those asked for, or the split halved again and again.

    Raises:
        InputError: too few items, or fewer amounts than a forecast can be tested with.
    """
    if train < FEWEST_FOR_ALL:
        raise InputError(
            f"{train:,} training items are too few to forecast from: {FEWEST_FOR_ALL} is the least",
            "bring more data, or race with `triarch choose`",
        )
    amounts = sorted({*asked}) or sorted(train >> power for power in range(32) if train >> power >= FEWEST_ITEMS)
    if len(amounts) < FEWEST_AMOUNTS:
        few = ", ".join(map(str, amounts))
        raise InputError(
            f"--items {few}: a law of the data needs {FEWEST_AMOUNTS} amounts of it, the largest to test it",
            "double them: --items 500,1000,2000,4000, or leave --items out",
        )
    if amounts[0] < FEWEST_ITEMS or amounts[-1] > train:
        wrong = amounts[0] if amounts[0] < FEWEST_ITEMS else amounts[-1]
        raise InputError(f"--items {wrong}: from {FEWEST_ITEMS} to the {train:,} there are to train on")
    return amounts


def fitting(
    sizes: dict[str, list[Sized]], amounts: Sequence[int], fixed: bool, pace: Callable[[Sized], float], seconds: float,
    batch_size: int,
) -> Grid:  # fmt: skip
    """The sizes and amounts whose runs fit into `seconds`; the time that is left is for more seeds.

    What does not fit goes in this order: sizes beyond the second of an architecture, the dearest first; the largest
    amounts beyond the fourth; second sizes. With `fixed` amounts only sizes go.

    Args:
        sizes: architecture → its ladder, ascending.
        fixed: whether the user asked for these amounts.
        pace: seconds of a training step.

    Raises:
        InputError: not even the smallest size of each fits.
    """
    affordable = {name: _affordable(ladder, amounts[:1], pace, seconds, batch_size) for name, ladder in sizes.items()}
    low = max(0, len(amounts) - AMOUNTS) if not fixed else 0
    chosen = list(amounts[low:])

    def cost(size: Sized) -> float:
        return _cost(pace(size), chosen, batch_size)

    def total() -> float:
        return sum(cost(size) for ladder in affordable.values() for size in ladder)

    def shorter(least: int) -> bool:
        ends = [ladder for ladder in affordable.values() if len(ladder) > least]
        if ends:
            max(ends, key=lambda ladder: cost(ladder[-1])).pop()
        return bool(ends)

    while total() > seconds:
        if shorter(ENOUGH_SIZES):
            continue
        if not fixed and len(chosen) >= FEWEST_AMOUNTS and chosen[-1] > amounts[FEWEST_AMOUNTS - 1]:
            low = max(0, low - 1)
            chosen = list(amounts[low : amounts.index(chosen[-1])])
            continue
        if shorter(1):
            continue
        raise InputError(
            f"--seconds is too little: the smallest runs of {', '.join(sizes)} take about {total():,.0f} s,"
            f" and {max(0, seconds):,.0f} s are left for them",
            f"--seconds {1.3 * total() + STARTING:.0f}, or fewer or quicker --models",
        )
    return Grid([size.model for ladder in affordable.values() for size in ladder], chosen, total())


def calibrated_at(amounts: Sequence[int]) -> int:
    """The place of the amount at which learning rates are tried: the middle, or just below."""
    return (len(amounts) - 1) // 2


def _affordable(
    ladder: Sequence[Sized], amounts: Sequence[int], pace: Callable[[Sized], float], seconds: float, batch_size: int
) -> list[Sized]:  # fmt: skip
    """The smallest size, and the larger ones whose smallest runs do not take all the time; giants are not timed."""
    kept = list(ladder[:1])
    for size in ladder[1:]:
        least = AT_LEAST * pace(kept[-1]) * size.macs / kept[-1].macs
        if _cost(least, amounts, batch_size) > seconds or _cost(pace(size), amounts, batch_size) > seconds:
            break
        kept.append(size)
    return kept


def _cost(step: float, amounts: Sequence[int], batch_size: int) -> float:
    """Seconds of a run on each amount, and of the learning rates that are tried besides on the middle one.

    Args:
        step: seconds of one.
    """
    tried = [*amounts, *[amounts[calibrated_at(amounts)]] * (RATES - 1)]
    return LOOKING * step * sum(max(USUAL_STEPS, USUAL_EPOCHS * items / batch_size) for items in tried)
