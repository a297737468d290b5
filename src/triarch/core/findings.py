"""What is found out about a trained network besides its score. The fields are JSON names, so they are a promise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["order", "context", "channel", "gradient", "data", "inputs"]


@dataclass(frozen=True)
class ClassScore:
    """How one class is answered; None where there is nothing to divide by."""

    name: str
    items: int
    recall: float | None
    precision: float | None
    f1: float | None


@dataclass(frozen=True)
class CalibrationBin:
    """The items whose answer was given a probability above `low` and up to `high`; `confidence` is its mean."""

    low: float
    high: float
    items: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Quality:
    """How a classifier answers, class by class.

    Attributes:
        confusion: items by class (rows) and answer (columns).
        calibration_error: the expected one over `bins`, which leave empty ones out.
    """

    classes: list[ClassScore]
    confusion: list[list[int]]
    calibration_error: float
    bins: list[CalibrationBin]


@dataclass(frozen=True)
class Reason:
    """What a trained network was found to use, or not to use, on items of the confirm split.

    Attributes:
        kind: what was taken away from every item; then `difference` is the score without it minus that with it. Of
            "gradient" it is a ratio, see `statement`; of "data" the items were taken from its training; of "inputs"
            these were learned first, without their labels, and `difference` is what that gave.
        statement: a sentence with its figures.
    """

    model: str
    kind: Kind
    name: str
    statement: str
    difference: float
    interval: tuple[float, float]

    @property
    def told(self) -> bool:
        """Whether it belongs to a short account: all but a channel that costs nothing that could be measured."""
        return self.kind != "channel" or not self.interval[0] <= 0 <= self.interval[1]


@dataclass(frozen=True)
class Effect:
    """What a change of the items of the confirm split does to the score of a trained network, the mean of its seeds.

    Attributes:
        name: of the change.
        score: on the changed items.
        difference: `score` minus that on the same items as they are.
    """

    model: str
    name: str
    score: float
    difference: float
    interval: tuple[float, float]
