"""Hard limits of a choice."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from triarch.core.errors import InputError
from triarch.core.results import Latency

FOREVER = 10_000_000.0
LIMITS = {
    "max_params": "parameters",
    "max_size": "bytes on disk",
    "max_memory": "bytes of memory",
    "max_latency": "ms (p95)",
}
POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


@dataclass(frozen=True)
class Costs:
    """What a model costs as far as it is known; what is None is not known."""

    params: int | None = None
    artifact_bytes: int | None = None
    peak_memory_bytes: int | None = None
    latency_ms: Latency | None = None

    def of(self, limit: str) -> float | None:
        """The figure that `limit` is for."""
        if limit == "max_latency":
            return self.latency_ms.p95 if self.latency_ms else None
        figures = {"max_params": self.params, "max_size": self.artifact_bytes, "max_memory": self.peak_memory_bytes}
        return figures[limit]


@dataclass(frozen=True)
class Budget:
    """What the answer may cost. A limit that is None is no limit.

    Attributes:
        seconds: wall time of the whole command, which ends at most max(5 s, 2%) later; FOREVER: no limit.
        max_params: parameters of the model, tied weights once, no buffers.
        max_size: bytes of the artifact, every file except those of `run/`.
        max_memory: bytes, the peak of live tensor bytes at inference, batch 1, weights included.
        max_latency: milliseconds from raw input to decoded answer, batch 1: the p95 of `measure/latency.py`.
        steps: of each final; None: as many as there is time for.
    """

    seconds: float
    max_params: int | None = None
    max_size: int | None = None
    max_memory: int | None = None
    max_latency: float | None = None
    steps: int | None = None

    @property
    def timed(self) -> bool:
        """Whether there is a time limit."""
        return self.seconds < FOREVER

    @property
    def limits(self) -> dict[str, float]:
        """The limits that are set, besides the time; name → limit."""
        return {name: getattr(self, name) for name in LIMITS if getattr(self, name) is not None}

    def broken_by(self, costs: Costs, latency_guard: float = 1.0) -> str:
        """The first limit that `costs` break, in words; else "". What is not known breaks none.

        Args:
            latency_guard: a latency counts as this many times what was read, as the next reading may be longer.
        """
        for name, limit in self.limits.items():
            figure, guard = costs.of(name), latency_guard if name == "max_latency" else 1.0
            if figure is not None and guard * figure > limit:
                near = "" if figure > limit else "too near the "
                return f"{told(name, figure)}, {near}limit {number(name, limit)}"
        return ""

    def unknown_in(self, costs: Costs) -> list[str]:
        """The limits of which `costs` do not tell whether they are kept."""
        return [name for name in self.limits if costs.of(name) is None]


def told(limit: str, figure: float) -> str:
    """A figure of the kind that `limit` is for, in words: 1,200 bytes on disk."""
    return f"{number(limit, figure)} {LIMITS[limit]}"


def number(limit: str, figure: float) -> str:
    """The figure without its unit."""
    if limit == "max_latency":
        return f"{figure:.3g}" if figure < 100 else f"{figure:,.0f}"
    return f"{figure:,.0f}"


def option(limit: str) -> str:
    """How the command line calls it."""
    return f"--{limit.replace('_', '-')}"


def milliseconds(name: str, value: float | None) -> float | None:
    """A limit in milliseconds.

    Raises:
        InputError: it is not above zero.
    """
    if value is not None and not 0 < value < math.inf:
        raise InputError(f"{option(name)} {value:g}: that is no limit", "write milliseconds: 2.5")
    return value


def whole(name: str, value: int | str | None) -> int | None:
    """A number of parameters or bytes as people write it: 500000, 500k, 2M, 1.5GB; k, M, G, T are powers of 1000.

    Raises:
        InputError: it is none, or below 1.
    """
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+) ?([kmgt]?)b?", str(value).strip().lower())
    limit = float(found[1]) * 1000 ** POWERS[found[2]] if found else 0.0
    if limit < 1 or limit % 1:
        raise InputError(f"{option(name)} {value}: that is no limit", "write a number: 500000, 500k, 2M or 1.5GB")
    return int(limit)
