"""What a forecast was asked for, kept so that it can be gone on with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from triarch.core.errors import InputError
from triarch.core.spec import Spec
from triarch.race.options import Options
from triarch.tasks.task import Task


def _numbers(value: Any) -> Any:
    """Numbers, or texts of them with commas between, one or several → numbers."""
    texts = value if isinstance(value, list | tuple) else [value]
    try:
        return tuple(float(part) for text in texts for part in str(text).split(",") if part.strip())
    except ValueError:
        raise ValueError("these are no numbers with commas between them") from None


Items = Annotated[tuple[Annotated[int, Field(gt=0)], ...], BeforeValidator(_numbers)]
Numbers = Annotated[tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...], BeforeValidator(_numbers)]


@dataclass(frozen=True)
class Wanted(Options):
    """The parameters of `scale`.

    Attributes:
        items: amounts of data to run; (): as they fit.
        at: amounts to foretell for; (): what there is, and ten times the largest run.
        hours: of computing, for which the best buy is told.
        flops: a second, of the machine of these hours; None: this machine, as it was timed.
        utilisation: the share of `flops` that a training uses.
    """

    VERB: ClassVar[str] = "scale"
    FILE: ClassVar[str] = "scale.json"

    seconds: float | None = 600.0
    items: Items = ()
    at: Items = ()
    hours: Numbers = (1.0,)
    flops: Annotated[float | None, Field(ge=1e6, allow_inf_nan=False)] = None
    utilisation: Annotated[float, Field(gt=0, le=1)] = 0.35

    def learned(self, spec: Spec) -> Task:
        """As in a race, but for translations, of which no law was tested.

        Raises:
            InputError: they are asked for; or see `Options.learned`.
        """
        if spec.target.kind == "text":
            raise InputError("laws of scale are not fitted to translations", "triarch choose … --task translate")
        return super().learned(spec)

    @property
    def speed(self) -> float | None:
        """Multiply–adds a second of the machine that hours are counted of; None: as timed here."""
        return None if self.flops is None else self.flops * self.utilisation / 2

    def machine(self, threads: int) -> str:
        """That machine in words."""
        if self.flops is None:
            return f"this machine, {threads} thread{'s' * (threads > 1)}, as its runs were timed"
        return f"a machine of {self.flops:.3g} FLOP/s, used to {self.utilisation:.0%}"
