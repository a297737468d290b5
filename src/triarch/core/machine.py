"""Which machine this is, and how a computation may use it."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from triarch.core.errors import InputError


@dataclass(frozen=True)
class Machine:
    """What numbers depend on besides the code."""

    processor: str
    cores: int
    memory_bytes: int
    system: str
    python: str
    torch: str


def this_machine() -> Machine:
    """The machine that this process runs on."""
    return Machine(
        processor=_processor(),
        cores=cores(),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        system=platform.platform(terse=True),
        python=platform.python_version(),
        torch=torch.__version__,
    )


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


@contextmanager
def computing(threads: int, seed: int | None = None, flush_denormals: bool = False) -> Iterator[None]:
    """Use `threads` threads; torch's settings and generator are given back as they were.

    Args:
        threads: threads inside one operation.
        seed: where torch's generator starts; None: where it stands, and then it is not given back.
        flush_denormals: take subnormal numbers as zero, which spares linear recurrences a several-fold slowdown.

    Raises:
        InputError: no thread is left.
    """
    if threads < 1:
        raise InputError(f"--threads {threads} is out of bounds", "write a whole number, 1 or more")
    before = torch.get_num_threads()
    flushed = sys.float_info.min / 2 == 0.0  # torch does not tell; it holds for Python's numbers in this thread too
    torch.set_num_threads(threads)
    # The flag belongs to each thread and is inherited from the one that starts the pool.
    torch.set_flush_denormal(flush_denormals)
    try:
        with torch.random.fork_rng(enabled=seed is not None):
            if seed is not None:
                torch.manual_seed(seed)
            yield
    finally:
        torch.set_flush_denormal(flushed)
        torch.set_num_threads(before)
