"""What a race was asked for, kept so that it can be gone on with."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from triarch.core.budget import Budget
from triarch.core.errors import InputError
from triarch.training.recipe import Recipe, make


@dataclass(frozen=True)
class Options:
    """The parameters of `choose`; `data` is None where it was not a name or a path, `threads` to be tried out."""

    data: str | None = None
    seconds: float = 300.0
    max_params: int | None = None
    max_size: int | None = None
    max_memory: int | None = None
    max_latency: float | None = None
    input: tuple[str, ...] = ()
    target: str | None = None
    group: str | None = None
    image_size: int | None = None
    seed: int = 0
    threads: int | None = None
    fingerprint: str | None = None

    def budget(self) -> Budget:
        """The limits."""
        return Budget(self.seconds, self.max_params, self.max_size, self.max_memory, self.max_latency)

    def recipe(self) -> Recipe:
        """What all trainings of the race have in common; the model is put in later."""
        common = ("data", "input", "target", "group", "image_size", "seed", "seconds")
        return make(
            {
                "model": "",
                **{name: getattr(self, name) for name in common},
                "threads": 1 if self.threads is None else self.threads,
            }
        )

    def code(self) -> str:
        """Python for the arguments of `open_source`."""
        data = repr(self.data) if self.data is not None else "(x, y)"
        given = {name: getattr(self, name) for name in ("input", "target", "group", "image_size")}
        return ", ".join([data, *(f"{name}={value!r}" for name, value in given.items() if value)])

    def to_json(self) -> str:
        """As `read` takes it."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def read(cls, path: Path) -> Options:
        """From the file of a race.

        Raises:
            InputError: it is not there, or was changed.
        """
        if not path.is_file():
            raise InputError(f"{path.parents[1]} holds no race to go on with", "give the --out of a `triarch choose`")
        try:
            return TypeAdapter(cls).validate_json(path.read_text(encoding="utf-8"))
        except (OSError, ValidationError) as error:
            raise InputError(f"{path} cannot be read", "start a new race") from error
