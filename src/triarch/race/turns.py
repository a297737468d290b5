"""Which candidates of a family have a turn: those that can make the most of its time.

Ten steps are enough to tell the hopeless from the others, so a candidate is able to race where it comes so far. Of each
architecture the largest size comes first that can be trained properly in a final, since what is small wins early and
loses late; where none can, the quickest. As many architectures race at that size as have time for it side by side, the
quickest first, and then other sizes beside them. Where none is able the quickest races, for every family has a turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from triarch.race.candidates import TOO_SLOW, Entry, in_order

LEAST_STEPS = 10
PROPER_EPOCHS, PROPER_STEPS = 15, 1_500
KEPT = 1  # models of a family that are raced at all learning rates, after the others were screened out


@dataclass(frozen=True)
class Turns:
    """Who has a turn.

    Attributes:
        chosen: at least one, in their order.
        paces: seconds of a training step of each that was timed.
        reasons: why each of the others has no turn.
    """

    chosen: list[Entry]
    paces: dict[str, float] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


def turns(
    family: list[Entry], pace: Callable[[Entry], float], slot: Callable[[int], float], per_epoch: int, patience: float,
    final: float,
) -> Turns:  # fmt: skip
    """Time the candidates, and take those that can make the most of the time.

    Args:
        pace: seconds of a training step, or less where already that is too much.
        slot: seconds of each trial in the first rung where so many candidates race.
        per_epoch: steps.
        patience: seconds for timing.
        final: seconds of a final.
    """
    most = slot(1) / LEAST_STEPS
    paces, reasons = _timed(family, pace, most, patience)
    timed = sorted((entry for entry in family if entry.model in paces), key=lambda entry: paces[entry.model])
    able = [entry for entry in timed if paces[entry.model] <= most]
    if not able:
        reasons.pop(timed[0].model)
        return Turns(timed[:1], paces, reasons)
    longest = final / max(PROPER_STEPS, PROPER_EPOCHS * per_epoch)
    if screened := slot(KEPT + 1):
        longest = min(longest, screened / LEAST_STEPS)
    proper = {entry.architecture.name: entry.model for entry in reversed(able)}  # its quickest, unless
    proper |= {entry.architecture.name: entry.model for entry in able if paces[entry.model] <= longest}
    ordered = in_order(able, proper.values())
    firsts = {entry.architecture.name: entry for entry in reversed(ordered)}
    chosen, most_firsts = ordered[:1], 1
    for number in range(2, len(able) + 1):
        quick = [entry for entry in ordered if LEAST_STEPS * paces[entry.model] <= slot(number)]
        quick.sort(key=lambda entry: entry is not firsts[entry.architecture.name])
        together = sum(entry in firsts.values() for entry in quick[:number])
        if len(quick) >= number and together >= most_firsts:
            chosen, most_firsts = quick[:number], together
    there = {entry.model for entry in chosen}
    for entry in able:
        steps = slot(len(chosen)) / paces[entry.model]
        if entry.model not in there and steps < LEAST_STEPS:
            reasons[entry.model] = f"its turn did not come: it is too slow for more than {steps:.0f} steps in rung 1"
        elif entry.model not in there:
            reasons[entry.model] = f"its turn did not come: there is time for {len(chosen)} of its family"
    return Turns(chosen, paces, reasons)


def _timed(
    family: list[Entry], pace: Callable[[Entry], float], most: float, patience: float
) -> tuple[dict[str, float], dict[str, str]]:
    """Seconds of the steps of candidates, the cheapest first; and why others are too slow, or were not timed."""
    paces: dict[str, float] = {}
    reasons: dict[str, str] = {}
    slow: set[str] = set()
    end = time.perf_counter() + patience
    for entry in sorted(family, key=lambda entry: (entry.counted.macs or 0, entry.model)):
        name = entry.architecture.name
        if name in slow:
            reasons[entry.model] = f"{TOO_SLOW}, as a smaller {name} is already"
        elif paces and time.perf_counter() > end:
            reasons[entry.model] = "its turn did not come: there was no time to try it"
        else:
            paces[entry.model] = pace(entry)
            if paces[entry.model] > most:
                slow.add(name)
                reasons[entry.model] = f"{TOO_SLOW}: {paces[entry.model]:.2g} s a step"
    return paces, reasons
