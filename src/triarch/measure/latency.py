"""How long one call takes, told so that a second reading agrees."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from triarch.core.results import Latency

BLOCKS, CALLS, WARM_UP, ATTEMPTS = 5, 200, 20, 3
BUSY, RAGGED = 1.1, 4.0


def latency(call: Callable[[], object], limit: float | None = None) -> Latency | None:
    """Time `call`: the highest p95, and the median p50, of five blocks of 200 calls.

    A block during which the machine was busy with something else (wall time above 1.1 times the CPU time of the thread
    that calls, or a p95 above four times the median) is repeated, each up to three times; if it stays so the quietest
    of the three is taken, and the whole reading marked.

    Args:
        limit: seconds that the whole reading may take; None: no limit.

    Returns:
        Milliseconds; None where the limit was too short.
    """
    for _ in range(WARM_UP):
        call()
    begin = time.perf_counter()
    blocks: list[_Block] = []
    for _ in range(BLOCKS):
        tried: list[_Block] = []
        while not tried or (tried[-1].busy and len(tried) < ATTEMPTS):
            tried.append(_block(call))
            if limit is not None and time.perf_counter() - begin > limit:
                return None
        blocks.append(min(tried, key=lambda block: (block.busy, block.p95)))
    halves = [block.p50 for block in blocks]
    p50 = float(np.median(halves))
    return Latency(
        p50=p50,
        p95=max(block.p95 for block in blocks),
        cpu=float(np.median([block.cpu for block in blocks])),
        spread=(max(halves) - min(halves)) / p50,
        busy=any(block.busy for block in blocks),
    )


def rough(call: Callable[[], object], patience: float = 0.25) -> float:
    """About the p50 of a quiet machine in milliseconds: the lowest of a few short blocks, within `patience` seconds."""
    return _lowest(call, patience, time.perf_counter, CALLS // 10, BLOCKS)


def undisturbed(call: Callable[[], object], patience: float, threads: int, calls: int = CALLS // 40) -> float:
    """What a call takes at the least, in milliseconds, as a machine with other work lets it be told.

    The lowest median of `calls` calls in a row; where the call takes one thread, of its CPU time.

    Args:
        patience: about so many seconds, of the same clock.
        threads: threads inside an operation.
    """
    return _lowest(call, patience, time.process_time if threads == 1 else time.perf_counter, calls, CALLS)


def _lowest(call: Callable[[], object], patience: float, clock: Callable[[], float], calls: int, blocks: int) -> float:
    end = clock() + patience
    for _ in range(min(calls, WARM_UP // 4)):
        call()
    halves: list[float] = []
    while len(halves) < blocks and (not halves or clock() < end):
        halves.append(float(np.median(_times(call, calls, clock))))
    return min(halves)


@dataclass(frozen=True)
class _Block:
    """Milliseconds: of a call, and of the process's CPU for a call."""

    p50: float
    p95: float
    cpu: float
    busy: bool


def _block(call: Callable[[], object]) -> _Block:
    wall, cpu, thread = time.perf_counter(), time.process_time(), time.thread_time()
    times = _times(call, CALLS, time.perf_counter)
    wall, cpu, thread = time.perf_counter() - wall, time.process_time() - cpu, time.thread_time() - thread
    p50, p95 = (float(np.percentile(times, part)) for part in (50, 95))
    return _Block(p50, p95, 1000 * cpu / CALLS, busy=wall > BUSY * thread or p95 > RAGGED * p50)


def _times(call: Callable[[], object], calls: int, clock: Callable[[], float]) -> list[float]:
    times = []
    for _ in range(calls):
        start = clock()
        call()
        times.append(1000 * (clock() - start))
    return times
