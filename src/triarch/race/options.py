"""What a race was asked for, kept so that it can be gone on with."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from triarch.core.errors import InputError
from triarch.training.recipe import Recipe, make


@dataclass(frozen=True)
class Options:
    """The parameters of `choose`; `data` is None where it was not a name or a path, `threads` to be tried out."""

    data: str | None
    seconds: float
    max_params: int | None
    max_size: int | None
    input: tuple[str, ...]
    target: str | None
    seed: int
    threads: int | None

    def recipe(self) -> Recipe:
        """What all trainings of the race have in common; the model is put in later."""
        common = ("data", "input", "target", "seed", "seconds")
        return make({"model": "", **{name: getattr(self, name) for name in common}, "threads": self.threads or 1})

    def to_json(self) -> str:
        """As `read` takes it."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def read(cls, path: Path) -> Options:
        """From a file.

        Raises:
            InputError: it was changed.
        """
        try:
            return TypeAdapter(cls).validate_json(path.read_text())
        except (OSError, ValidationError) as error:
            raise InputError(f"{path} cannot be read", "start a new race") from error
