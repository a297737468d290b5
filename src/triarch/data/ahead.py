"""Work on many items in threads, a little ahead of who takes the results."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from triarch.core.machine import cores

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_THREADS, BATCH, AHEAD = 16, 8, 2


def ahead(work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """`work` of each item, in their order, on as many threads as there are cores.

    At most 2 · 16 · 8 results wait to be taken, so that memory stays small however many items there are.
    """
    threads = min(MOST_THREADS, cores())
    waiting: deque[Future[list[Result]]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for start in range(0, len(items), BATCH):
            waiting.append(pool.submit(_all, work, items[start : start + BATCH]))
            if len(waiting) == AHEAD * threads:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _all(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    return [work(item) for item in items]
