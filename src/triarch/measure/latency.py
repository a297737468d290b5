"""How long one call takes, told so that a second reading agrees."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from triarch.core.results import Latency

BLOCKS, CALLS, WARM_UP = 5, 200, 20
BUSY, RAGGED = 1.1, 4.0


def latency(call: Callable[[], object], limit: float | None = None) -> Latency | None:
    """Time `call`: the highest p95, and the median p50, of five blocks of 200 calls.

    A block during which the machine was busy with something else (wall time above 1.1 times the process's CPU time, or
    a p95 above four times the median) is repeated, each up to three times; if it stays so there is no reading.

    Args:
        limit: seconds that the whole reading may take; None: no limit.

    Returns:
        Milliseconds, or None where the machine was too busy or the limit too short.
    """
    for _ in range(WARM_UP):
        call()
    begin = time.perf_counter()
    halves, tails = [], []
    for _ in range(BLOCKS):
        for _ in range(3):
            times, quiet = _block(call)
            if limit is not None and time.perf_counter() - begin > limit:
                return None
            if quiet:
                break
        else:
            return None
        halves.append(np.percentile(times, 50))
        tails.append(np.percentile(times, 95))
    return Latency(p50=float(np.median(halves)), p95=float(max(tails)))


def rough(call: Callable[[], object], patience: float = 0.25) -> float:
    """About the p50 of a quiet machine in milliseconds: the lowest of a few short blocks, within `patience` seconds."""
    end = time.perf_counter() + patience
    for _ in range(WARM_UP // 4):
        call()
    halves: list[float] = []
    while len(halves) < BLOCKS and (not halves or time.perf_counter() < end):
        halves.append(float(np.median(_block(call, CALLS // 10)[0])))
    return min(halves)


def _block(call: Callable[[], object], calls: int = CALLS) -> tuple[list[float], bool]:
    times = []
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(calls):
        start = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - start))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    smooth = np.percentile(times, 95) <= RAGGED * np.median(times)
    return times, bool(wall <= BUSY * cpu and smooth)
