"""How long an answer takes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Latency:
    """Milliseconds from raw input to decoded answer, batch 1.

    Attributes:
        cpu: the process's CPU time, all threads together.
        spread: how far the medians of its blocks lie apart, as a part of `p50`.
        busy: the machine had other work all the while, and on a quiet one it is quicker.
    """

    p50: float
    p95: float
    cpu: float | None = None
    spread: float | None = None
    busy: bool = False


@dataclass(frozen=True)
class Foretold:
    """A latency that was not measured, but told from what a model computes and what that costs on this machine.

    Attributes:
        p50: milliseconds of the network alone, without what comes before and after it.
        error: how far off that is on average for an architecture that took no part in the calibration; 0.1 is 10%.
    """

    p50: float
    error: float
