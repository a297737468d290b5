"""Beam search: the most probable of the texts whose beginnings stayed among the best at every length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from triarch.generation.network import Network
from triarch.generation.prompts import read
from triarch.generation.sampling import first_seen, scores
from triarch.generation.settings import Settings

Stopped = Callable[[list[int]], bool]


@dataclass(frozen=True)
class Beam:
    """A text, or the beginning of one.

    Attributes:
        total: its log-probability.
        reason: why it ends there; "" for a beginning.
    """

    tokens: list[int]
    logprobs: list[float]
    total: float
    reason: str = ""


@dataclass
class Search:
    """The beams of one prompt; the best finished text so far."""

    beams: list[Beam] = field(default_factory=list)
    best: Beam | None = None


class BeamSearch:
    """For each prompt the text whose log-probability, divided by its length to the `length_penalty`, is greatest.

    Args:
        stopped: whether a text is done.
    """

    def __init__(self, network: Network, prompts: list[list[int]], settings: Settings, stopped: Stopped) -> None:
        self._network, self._prompts, self._settings, self._stopped = network, prompts, settings, stopped

    @torch.inference_mode()
    def run(self) -> list[Beam]:
        """The best text for each prompt."""
        settings, size = self._settings, self._network.vocab_size
        logits, state = read(self._network, self._prompts, settings.max_tokens)
        seen = first_seen(self._prompts, size, settings, logits.device)
        searches = [Search([Beam([], [], 0.0)]) for _ in self._prompts]
        going = list(range(len(searches)))
        while True:
            known = logits.log_softmax(dim=-1) if seen is None and not settings.banned else (
                scores(logits, settings, seen).log_softmax(dim=-1))  # fmt: skip
            rows, tokens, still, start, steady = [], [], [], 0, True
            for number in going:
                search = searches[number]
                count = len(search.beams)
                chosen = self._widen(search, known[start : start + count])
                done = self._done(search)
                if not done:
                    still.append(number)
                    rows += [start + row for row, _ in chosen]
                    tokens += [token for _, token in chosen]
                steady = steady and not done and len(chosen) == count
                start += count
            going = still
            if not going:
                return [search.best for search in searches if search.best is not None]
            index = torch.tensor(rows, device=logits.device)
            if steady:  # each text has its beams where it had them: only those that come from another are copied
                to = (index != torch.arange(start, device=index.device)).nonzero()[:, 0]
                if len(to):
                    state.move(index[to], to)
            else:
                state = state.rows(index)
            seen = None if seen is None else seen[index]
            ids = torch.tensor(tokens, device=logits.device)[:, None]
            seen = None if seen is None else seen.scatter(1, ids, True)
            logits, state = self._network.last(ids, None, state)

    def _widen(self, search: Search, known: torch.Tensor) -> list[tuple[int, int]]:
        """Take the best continuations as the new beams: from which of the old ones each comes, and by which token.

        The first that comes from an old one takes its place.
        """
        settings, size = self._settings, known.shape[1]
        totals = torch.tensor([beam.total for beam in search.beams], dtype=torch.float64, device=known.device)
        ahead = (totals[:, None] + known.double()).flatten()
        # At most `end` of the continuations of each beam leave it by a token; others do by a stop string.
        ranked = ahead.topk(min(len(ahead), settings.beams * (1 + len(settings.end) + 4 * bool(settings.stop))))
        beams: list[Beam] = []
        chosen: list[tuple[int, int]] = []
        for total, place in zip(ranked.values.tolist(), ranked.indices.tolist()):
            if len(beams) == settings.beams or total == float("-inf"):
                break
            row, token = divmod(place, size)
            old = search.beams[row]
            made = Beam([*old.tokens, token], [*old.logprobs, float(known[row, token])], total)
            reason = ""
            if token in settings.end:
                reason = "end"
            elif settings.stop and self._stopped(made.tokens):
                reason = "stop"
            elif len(made.tokens) == settings.max_tokens:
                reason = "length"
            if not reason:
                beams.append(made)
                chosen.append((row, token))
                continue
            finished = Beam(made.tokens, made.logprobs, total, reason)
            if search.best is None or self._worth(finished) > self._worth(search.best):
                search.best = finished
        order = _placed([row for row, _ in chosen])
        search.beams = [beams[number] for number in order]
        return [chosen[number] for number in order]

    def _worth(self, beam: Beam) -> float:
        return float(beam.total / len(beam.tokens) ** self._settings.length_penalty)

    def _done(self, search: Search) -> bool:
        """Whether no beam can still become better than the best text: going on, it is less and less probable."""
        if not search.beams:
            if search.best is None:  # nothing is possible
                search.best = Beam([], [], 0.0, "end")
            return True
        if search.best is None:
            return False
        total, power = max(beam.total for beam in search.beams), self._settings.length_penalty
        lengths = (len(search.beams[0].tokens) + 1, self._settings.max_tokens)
        return bool(max(total / length**power for length in lengths) <= self._worth(search.best))


def _placed(parents: list[int]) -> list[int]:
    """An order of beams in which the first of each parent stands where that stood."""
    places: list[int | None] = [None] * len(parents)
    others = []
    for number, parent in enumerate(parents):
        if parent < len(parents) and places[parent] is None:
            places[parent] = number
        else:
            others.append(number)
    return [others.pop(0) if number is None else number for number in places]
