"""What `scale` returns: small runs, the laws through them, and what these foretell. The field names are a promise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from triarch.core.results import Interval, Metric


@dataclass(frozen=True)
class SmallRun:
    """One training, to where its loss on select was lowest.

    Attributes:
        items: it was trained on.
        loss, score: on select, at that step; None where it diverged.
        steps: to there; `ended`: until it was clear that this was so; of `batch` items each.
        macs, seconds: multiply–adds and time until it was ended, without the looks at select.
        settled: whether its loss had stopped falling before it was ended.
        used: whether the laws are fitted to it; it is set aside where it hardly does better than guessing.
    """

    model: str
    params: int
    items: int
    seed: int
    lr: float
    loss: float | None
    score: float | None
    steps: int
    ended: int
    batch: int
    macs: int
    seconds: float
    settled: bool
    used: bool = True


@dataclass(frozen=True)
class Trend:
    """The law of one architecture: quantity = floor + (size/N^alpha + data/D^beta) (1 − quantity/guess)^½.

    Attributes:
        quantity: the loss, or the error of the metric: 1 − score where higher is better, else the score.
        model: the architecture; where each size has a law of its own, with its size, and `size` is 0.
        since: the items from which on the law holds; on less the loss does not fall as a power.
        missed: median error of the forecasts of held-out runs, as a share; None where none could be held out.
        held_out: how many cells of size and amount were.
        covered: the share of them in which all runs lay inside the interval before it was widened.
        widened: how far intervals were stretched in the light of that.
        guess: the quantity of who guesses; None where there is no such thing, and the last factor is 1.
        refused: why nothing is foretold from it; "" where it is.
    """

    quantity: str
    model: str
    since: int
    floor: float
    size: float
    alpha: float
    data: float
    beta: float
    missed: float | None
    held_out: int
    covered: float | None
    widened: float
    guess: float | None
    refused: str = ""


@dataclass(frozen=True)
class Prospect:
    """What one training is foretold to reach; intervals are of 90%.

    Attributes:
        loss, score: on data like the select split; None where nothing could be foretold.
        beyond: how many times the most items that were run.
        far: it lies more than ten times beyond what was run.
    """

    model: str
    params: int
    items: int
    loss: float | None
    loss_interval: Interval | None
    score: float | None
    score_interval: Interval | None
    beyond: float
    far: bool


@dataclass(frozen=True)
class Crossover:
    """From how many items on another architecture is better.

    Attributes:
        by: what is compared: the metric or the loss.
        below, above: the better one up to there and from there on; the same where they do not cross within reach.
        items: where; None where they do not cross. An end of `interval` is None where it lies beyond reach.
        reach: items between which it was sought.
        sure: the share of the laws that fit the runs in which `below` leads at the near end and `above` at the far end.
    """

    by: str
    models: tuple[str, str]
    below: str
    above: str
    items: int | None
    interval: tuple[int | None, int | None] | None
    reach: tuple[int, int]
    sure: float
    text: str


@dataclass(frozen=True)
class Purchase:
    """The best that an amount of computing buys.

    Attributes:
        data: with the training items that are there, or with as many as are of use, up to ten times what was run.
        takes: hours of it.
    """

    hours: float
    data: Literal["there", "more"]
    model: str
    params: int
    items: int
    loss: float
    loss_interval: Interval
    takes: float
    far: bool
    text: str


@dataclass(frozen=True)
class Scaling:
    """A forecast beyond the budget.

    Attributes:
        rates: model → the learning rate that did best at it.
        machine_speed: what hours are counted with, in words.
    """

    data: str
    task: str
    metric: Metric
    items: int
    amounts: list[int]
    rates: dict[str, float]
    runs: list[SmallRun]
    trends: list[Trend]
    prospects: list[Prospect]
    crossovers: list[Crossover]
    purchases: list[Purchase]
    text: str
    spent: dict[str, float]
    machine_speed: str
    run: str
    seed: int
    threads: int
    machine: dict[str, Any]
    notes: list[str] = field(default_factory=list)
