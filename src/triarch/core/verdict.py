"""What a race decides, and how sure that is. The fields are the JSON names, so they are a promise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from triarch.core.findings import Quality
from triarch.core.results import Interval


@dataclass(frozen=True)
class Settling:
    """What would make a difference clear that is not, if it stays as large as it is.

    Attributes:
        seeds: that many more of each; None: no number of them would.
        minutes: what those take; None where a race has no clock.
        items: that many in confirm, with the seeds at hand; None: more than a hundred times as many.
    """

    seeds: int | None
    minutes: float | None
    items: int | None


@dataclass(frozen=True)
class BestBaseline:
    """The best classical method beside the best network, on the confirm split.

    Attributes:
        difference: score of the network minus the baseline's.
        code: lines of Python that reproduce it.
        probability: that the network is the better of the two.
        settling: where they are not clearly apart.
    """

    name: str
    score: float
    difference: float
    interval: Interval
    code: str
    probability: float | None = None
    settling: Settling | None = None


@dataclass(frozen=True)
class Undecided:
    """A family of which the race cannot tell how good it is, by its finalist."""

    family: str
    model: str
    reason: str


@dataclass(frozen=True)
class Limit:
    """A limit of the budget beside what the answer takes.

    Attributes:
        name: max_params, max_size (bytes), max_memory (bytes) or max_latency (milliseconds, p95).
        measured: of the finished artifact, in a fresh process; None where it could not be measured.
        kept: None where that is not known.
    """

    name: str
    limit: float
    measured: float | None
    kept: bool | None


@dataclass(frozen=True)
class Verdict:
    """The answer.

    Attributes:
        kind: what to use; "undecided" where the data cannot tell network and baseline apart. Where no network keeps the
            limits it is a baseline, if one was ready.
        model: the best network, whatever `kind` says; of two that tie the cheaper.
        difference: `model` minus `runner_up`, paired on the items of the confirm split.
        tie: the interval of `difference` contains zero, or `difference` is within the margin that was asked for.
        score: of the artifact, on the confirm split, opened once.
        front: the models than which none is both as good and as cheap, in latency, memory and size, and better in one.
        quality: of the artifact on the confirm split; None where the answer is no class.
        probability: that `model` is better than `runner_up`.
        settling: where these two are not clearly apart.
        optimism: by how much the artifact scored better on select, by which it was chosen, than on confirm.
        undecided: families whose training had not come to its end.
    """

    kind: Literal["network", "baseline", "undecided"]
    model: str
    runner_up: str | None
    difference: float | None
    interval: Interval | None
    tie: bool
    score: float
    score_interval: Interval
    n: int
    split: str
    baseline: BestBaseline | None
    text: str
    limits: list[Limit] = field(default_factory=list)
    front: list[str] = field(default_factory=list)
    quality: Quality | None = None
    probability: float | None = None
    settling: Settling | None = None
    optimism: float | None = None
    undecided: list[Undecided] = field(default_factory=list)
