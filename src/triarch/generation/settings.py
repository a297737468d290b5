"""How text is to be generated, checked."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, cast

from triarch.core.errors import InputError

MOST_TOKENS, MOST_BEAMS, MOST_STOPS, LONGEST_STOP = 1_000_000, 64, 64, 1_000


@dataclass(frozen=True)
class Settings:
    """What holds for all texts of a batch.

    Attributes:
        max_tokens: tokens made for a text at most.
        temperature: logits are divided by it; 0 takes the most probable token always.
        top_k: only so many of the most probable tokens.
        top_p: only the most probable ones that together reach this probability (Holtzman et al. 2019,
            arXiv 1904.09751).
        min_p: only those at least this part as probable as the most probable one (Nguyen et al. 2024,
            arXiv 2407.01082).
        repetition_penalty: scores of tokens already in the text are divided by it, or multiplied where below zero
            (Keskar et al. 2019, arXiv 1909.05858).
        beams: how many beginnings are searched side by side for the most probable text; 1: none, tokens are drawn.
        length_penalty: with beams a text's log-probability is divided by its length to this power.
        stop: strings before which a text ends.
        end: tokens with which a text ends; they are no part of it.
        banned: tokens that are never made.
        logprobs: whether the log-probability of each token is told.

    Raises:
        InputError: a value is out of bounds, or some do not go together.
    """

    max_tokens: int = 128
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float = 1.0
    beams: int = 1
    length_penalty: float = 1.0
    stop: tuple[str, ...] = ()
    end: tuple[int, ...] = ()
    banned: tuple[int, ...] = ()
    logprobs: bool = False

    def __post_init__(self) -> None:
        _bounded("max-tokens", self.max_tokens, 1, MOST_TOKENS, Integral)
        _bounded("temperature", self.temperature, 0, 100)
        _bounded("repetition-penalty", self.repetition_penalty, 0.01, 100)
        _bounded("beams", self.beams, 1, MOST_BEAMS, Integral)
        _bounded("length-penalty", self.length_penalty, -10, 10)
        if self.top_k is not None:
            _bounded("top-k", self.top_k, 1, 1 << 31, Integral)
        for name, share in (("top-p", self.top_p), ("min-p", self.min_p)):
            if share is not None and not (isinstance(share, Real) and 0 < share <= 1):
                raise InputError(f"--{name} {share}: it is a probability above 0, at most 1", f"leave --{name} out")
        fits = [isinstance(stop, str) and 0 < len(stop) <= LONGEST_STOP for stop in self.stop]
        if len(fits) > MOST_STOPS or not all(fits):
            raise InputError(
                f"--stop: at most {MOST_STOPS} strings of 1 to {LONGEST_STOP:,} characters each",
                "leave out what is empty or longer",
            )
        if self.beams > 1 and self.draws:
            raise InputError(
                "--beams searches for the most probable text: nothing is drawn in it",
                "leave out --temperature, --top-k, --top-p and --min-p, or --beams",
            )

    @property
    def draws(self) -> bool:
        """Whether something shapes what is drawn."""
        shaped = self.top_k is not None or self.top_p is not None or self.min_p is not None
        return shaped or self.temperature not in (0, 1)

    @property
    def greedy(self) -> bool:
        """Whether the most probable token is taken always."""
        return self.temperature == 0


def _bounded(name: str, value: Any, least: float, most: float, kind: type = Real) -> None:
    if not isinstance(value, kind) or not least <= cast(float, value) <= most:
        what = "whole number" if kind is Integral else "number"
        raise InputError(f"--{name} {value} is out of bounds", f"write a {what} from {least:,} to {most:,}")
