"""What a race was asked for, kept so that it can be gone on with, and repeated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import partial
from keyword import iskeyword
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, ValidationError

from triarch.core.budget import FOREVER, Budget, milliseconds, whole
from triarch.core.errors import InputError, near
from triarch.core.spec import Spec
from triarch.data.open import reachable
from triarch.tasks import registry as tasks
from triarch.tasks.task import Task
from triarch.training.recipe import Recipe, make

USUAL = 300.0


def _split(value: Any) -> Any:
    """Texts with commas, one or several → their parts; anything else as it is, to be refused."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        return value
    return tuple(part.strip() for text in texts for part in text.split(",") if part.strip())


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Patterns = Annotated[tuple[str, ...], BeforeValidator(_split)]


@dataclass(frozen=True)
class Options:
    """The parameters of `choose`; `data` is None where it was not a name or a path, `threads` to be tried out."""

    VERB: ClassVar[str] = "choose"
    FILE: ClassVar[str] = "options.json"

    data: str | None = None
    seconds: float | None = None
    steps: int | None = None
    max_params: Annotated[int | None, BeforeValidator(partial(whole, "max_params"))] = None
    max_size: Annotated[int | None, BeforeValidator(partial(whole, "max_size"))] = None
    max_memory: Annotated[int | None, BeforeValidator(partial(whole, "max_memory"))] = None
    max_latency: Annotated[float | None, AfterValidator(partial(milliseconds, "max_latency"))] = None
    models: Patterns = ()
    families: Patterns = ()
    exclude: Patterns = ()
    from_: Patterns = ()
    pretrain: bool = False
    task: str | None = None
    metric: str | None = None
    margin: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    input: Annotated[tuple[str, ...], BeforeValidator(_several)] = ()
    target: str | None = None
    group: str | None = None
    image_size: int | None = None
    horizon: int | None = None
    lookback: int | None = None
    season: int | None = None
    known: Annotated[tuple[str, ...], BeforeValidator(_several)] = ()
    impute: str | None = None
    context: int | None = None
    tokenizer: str | None = None
    seed: int = 0
    threads: int | None = None
    workers: int = 1
    fingerprint: str | None = None

    @classmethod
    def of(cls, entries: Mapping[str, Any]) -> Self:
        """Options by name, as the command line or a recipe has them.

        Raises:
            InputError: an unknown name, or a value that does not fit.
        """
        entries = {f"{name}_" if iskeyword(name) else name: value for name, value in entries.items()}
        known = {field.name for field in fields(cls)} - {"fingerprint"}
        for name in entries:
            if name not in known:
                raise InputError(f"recipe: unknown key {name!r}", near(name, known))
        try:
            return TypeAdapter(cls).validate_python(entries)
        except ValidationError as error:
            first = error.errors()[0]
            place = str(first["loc"][0]).rstrip("_").replace("_", "-")
            raise InputError(f"--{place}: {first['msg']}, not {first['input']!r}") from None

    def budget(self) -> Budget:
        """The limits."""
        return Budget(self.limit, self.max_params, self.max_size, self.max_memory, self.max_latency, self.steps)

    def recipe(self) -> Recipe:
        """What all trainings of the race have in common; the model is put in later."""
        common = (
            "data", "input", "target", "group", "image_size", "task", "horizon", "lookback", "season", "known",
            "impute", "context", "tokenizer", "seed",
        )  # fmt: skip
        return make(
            {
                "model": "",
                **{name: getattr(self, name) for name in common},
                "seconds": self.limit if self.limit < FOREVER else None,
                "threads": 1 if self.threads is None else self.threads,
            }
        )

    @property
    def limit(self) -> float:
        """Seconds of the whole command; `FOREVER` where only the steps are given."""
        if self.seconds is not None:
            return self.seconds
        return USUAL if self.steps is None else FOREVER

    def learned(self, spec: Spec) -> Task:
        """The task, with the metric that the race is decided by.

        Raises:
            InputError: there is no such task or metric.
        """
        task = tasks.find(self.task, spec) if self.task else tasks.infer(spec)
        return tasks.scored_by(task, self.metric)

    def notes(self) -> list[str]:
        """Which candidates were left out because the user said so, in words."""
        asked = [
            f"--{name} {','.join(getattr(self, name))}"
            for name in ("models", "families", "exclude")
            if getattr(self, name)
        ]
        return [f"only what {' '.join(asked)} leaves was a candidate"] if asked else []

    def code(self) -> str:
        """Python for the arguments of `open_source`."""
        data = repr(self.data) if self.data is not None else "(x, y)"
        given = {name: getattr(self, name) for name in ("input", "target", "group", "image_size", "task")}
        return ", ".join([data, *(f"{name}={value!r}" for name, value in given.items() if value)])

    def to_json(self) -> str:
        """As `read` takes it."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def to_yaml(self) -> str:
        """As `choose --recipe` takes it: what is not left open, without the fingerprint."""
        entries = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        del entries["fingerprint"]
        said = {name: value for name, value in entries.items() if value not in (None, []) and value is not False}
        said = {name.rstrip("_"): value for name, value in said.items()}
        return yaml.safe_dump(said, sort_keys=False, allow_unicode=True)

    @classmethod
    def stored(cls, entries: Mapping[str, Any]) -> Self:
        """From the entries that `to_json` writes.

        Raises:
            ValidationError: they are not these.
        """
        return TypeAdapter(cls).validate_python(entries)

    @classmethod
    def resumed(cls, folder: Path, beside: bool) -> Self:
        """From the folder of an interrupted command.

        Args:
            beside: whether anything else was asked for.

        Raises:
            InputError: something was; or the folder holds none, or they were changed.
        """
        path = folder / "run" / cls.FILE
        if beside:
            raise InputError(f"--resume {folder}: the folder knows its options", "leave the others out")
        if not path.is_file():
            raise InputError(f"{folder} holds nothing to go on with", f"give the --out of a `triarch {cls.VERB}`")
        try:
            return TypeAdapter(cls).validate_json(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read", "start anew") from error

    def named(self, data: Any, resumed: bool) -> Any:
        """`data`, or what it was said to be.

        Args:
            resumed: whether that was said in a command before this one.

        Raises:
            InputError: neither is there.
        """
        if data is None and self.data is None:
            begun = self.fingerprint is not None
            raise InputError(
                "it was begun on data from memory" if begun else "no data is named",
                f"in Python: triarch.{self.VERB}(data, resume=…)" if begun else f"triarch {self.VERB} digits …, say",
            )
        if data is not None:
            return data
        return reachable(str(self.data)) if resumed else self.data
