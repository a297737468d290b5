"""Hard limits of a choice."""

from __future__ import annotations

from dataclasses import dataclass

FOREVER = 10_000_000.0


@dataclass(frozen=True)
class Budget:
    """What the answer may cost. A limit that is None is no limit.

    Attributes:
        seconds: wall time of the whole command, which ends at most max(5 s, 2%) later; FOREVER: no limit.
        max_params: parameters of the model, tied weights once, no buffers.
        max_size: bytes of the artifact, every file except those of `run/`.
        steps: of each final; None: as many as there is time for.
    """

    seconds: float
    max_params: int | None = None
    max_size: int | None = None
    steps: int | None = None

    @property
    def timed(self) -> bool:
        """Whether there is a time limit."""
        return self.seconds < FOREVER

    def broken_by(self, params: int, size: int) -> str:
        """The first limit that a model of `params` parameters and `size` bytes breaks, in words; else ""."""
        if self.max_params is not None and params > self.max_params:
            return f"{params:,} parameters, limit {self.max_params:,}"
        if self.max_size is not None and size > self.max_size:
            return f"{size:,} bytes, limit {self.max_size:,}"
        return ""
