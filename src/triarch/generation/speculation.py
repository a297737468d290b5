"""A smaller network drafts a few tokens, the large one checks them in one pass: faster, and the same distribution.

A drafted token x, drawn by q, is accepted with probability min(1, p(x)/q(x)); the first one that is not is drawn again
by max(0, p - q), scaled. What comes out is distributed as p (Leviathan et al. 2022, arXiv 2211.17192; Chen et al. 2023,
arXiv 2302.01318). States go back by being cut, or, where a recurrence cannot be, from a snapshot.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from triarch.core.errors import InputError
from triarch.core.state import State
from triarch.generation.drawing import Made
from triarch.generation.network import Network
from triarch.generation.prompts import read
from triarch.generation.sampling import drawn, first_seen, log_probability, probabilities, scores
from triarch.generation.seeds import Uniforms
from triarch.generation.settings import Settings

AHEAD = 4


class Speculation:
    """As `Drawing`, but several tokens at a step.

    Args:
        draft: knows the same tokens.
        ahead: tokens that it drafts at a time.
    """

    def __init__(
        self, network: Network, draft: Network, prompts: list[list[int]], settings: Settings, seeds: Sequence[int],
        ahead: int = AHEAD,
    ) -> None:  # fmt: skip
        if draft.vocab_size != network.vocab_size:
            raise InputError(
                f"the draft knows {draft.vocab_size:,} tokens, the model {network.vocab_size:,}: they must be the same",
                "train the draft with the tokenizer of the model",
            )
        self._network, self._draft, self._prompts, self._settings = network, draft, prompts, settings
        self._ahead = ahead
        self._uniforms = Uniforms(seeds)
        self._seen = first_seen(prompts, network.vocab_size, settings, network.device)
        self._left = [settings.max_tokens] * len(prompts)
        self._state: State | None = None
        self._drafting: State | None = None

    def keep(self, texts: set[int]) -> None:
        """Only these are to go on; the others stand still."""
        self._left = [left if text in texts else 0 for text, left in enumerate(self._left)]

    @torch.inference_mode()
    def step(self) -> list[Made]:
        """The next tokens of each text that is not done: one at least."""
        if self._state is None or self._drafting is None:
            return self._begin()
        width = [min(self._ahead, left - 1) for left in self._left]  # -1: done
        numbers = [self._uniforms.of(row, 2 * count + 1) if count >= 0 else [] for row, count in enumerate(width)]
        most = max(width)
        lengths = torch.tensor(width, device=self._tokens.device) + 1
        before = self._state.position
        held = None if self._state.can_cut(most + 1) else self._state.snapshot()
        drafted, q, held_draft = self._guess(most, lengths, numbers)
        chunk = torch.cat((self._tokens[:, None], drafted), dim=1)
        logits, after = self._network.every(chunk, _mask(lengths, most + 1), self._state)
        p, seen = [], self._seen
        for place in range(most + 1):
            seen = _with(seen, drafted[:, place - 1] if place else None)
            p.append(probabilities(scores(logits[:, place], self._settings, seen), self._settings))
        made, kept = [], []
        for row, count in enumerate(width):
            accepted, last = _accept(row, count, drafted, p, q, numbers[row])
            kept.append(accepted + 1 if count >= 0 else 0)
            if count >= 0:
                tokens = [*drafted[row, :accepted].tolist(), last]
                self._tokens[row] = last
                self._left[row] -= len(tokens)
                if self._seen is not None:
                    self._seen[row, tokens] = True
                made.append(Made(row, tokens, self._told(logits[row, : len(tokens)], tokens)))
        moved = torch.tensor(kept, device=before.device)
        self._state = _back(self._network, after, held, before, chunk, moved)
        if self._drafted is not None:
            self._drafting = _back(self._draft, self._drafted, held_draft, before, chunk, moved)
        return made

    def _begin(self) -> list[Made]:
        """The prompts are read, and the first token is drawn as ever."""
        spare = self._settings.max_tokens + self._ahead + 1
        logits, self._state = read(self._network, self._prompts, spare)
        _, self._drafting = read(self._draft, self._prompts, spare)
        self._drafted: State | None = None
        found = probabilities(scores(logits, self._settings, self._seen), self._settings)
        first = [self._uniforms.of(row, 1)[0] for row in range(len(self._prompts))]
        self._tokens = drawn(found, torch.tensor(first, dtype=torch.float64, device=found.device))
        self._seen = _with(self._seen, self._tokens)
        self._left = [left - 1 for left in self._left]
        return [
            Made(row, [token], self._told(logits[row : row + 1], [token]))
            for row, token in enumerate(self._tokens.tolist())
        ]

    def _guess(
        self, most: int, lengths: Tensor, numbers: list[list[float]]
    ) -> tuple[Tensor, list[Tensor], State | None]:
        """Tokens drafted (B most), what they were drawn by, and the draft's state before if it cannot be cut."""
        state, token, seen = self._drafting, self._tokens, self._seen
        assert state is not None
        held = None if state.can_cut(most + 1) else state.snapshot()
        drafted, q = [token.new_empty(len(token), 0)], []
        for place in range(most + 1):  # the last token too is seen, in case all are accepted
            going = lengths > place
            logits, state = self._draft.last(token[:, None], None if going.all() else going[:, None], state)
            if place < most:
                q.append(probabilities(scores(logits, self._settings, seen), self._settings))
                uniform = [row[place] if place < len(row) else 0.0 for row in numbers]
                token = drawn(q[-1], torch.tensor(uniform, dtype=torch.float64, device=logits.device))
                seen = _with(seen, token)
                drafted.append(token[:, None])
        self._drafted = state
        return torch.cat(drafted, dim=1), q, held

    def _told(self, logits: Tensor, tokens: list[int]) -> list[float]:
        if not self._settings.logprobs:
            return []
        told: list[float] = log_probability(logits, torch.tensor(tokens, device=logits.device)).tolist()
        return told


def _accept(
    row: int, count: int, drafted: Tensor, p: list[Tensor], q: list[Tensor], numbers: list[float]
) -> tuple[int, int]:
    """How many of the `count` drafted tokens of a row are accepted, and the token after them."""
    for place in range(count):
        token = int(drafted[row, place])
        wanted, drafted_by = p[place][row], q[place][row]
        if numbers[count + place] * float(drafted_by[token]) < float(wanted[token]):
            continue
        rest = (wanted.double() - drafted_by.double()).clamp(min=0)
        return place, _one(rest if rest.any() else wanted, numbers[-1])
    return (count, _one(p[count][row], numbers[-1])) if count >= 0 else (0, 0)


def _one(found: Tensor, uniform: float) -> int:
    return int(drawn(found[None], torch.tensor([uniform], dtype=torch.float64, device=found.device)))


def _with(seen: Tensor | None, tokens: Tensor | None) -> Tensor | None:
    """`seen` (B V) and `tokens` (B) too."""
    return seen if seen is None or tokens is None else seen.scatter(1, tokens[:, None], True)


def _mask(lengths: Tensor, width: int) -> Tensor | None:
    """(B T) where rows are shorter than `width`."""
    mask = torch.arange(width, device=lengths.device) < lengths[:, None]
    return None if mask.all() else mask


def _back(network: Network, after: State, held: State | None, before: Tensor, chunk: Tensor, moved: Tensor) -> State:
    """The state after the first `moved` (B) steps of `chunk`, which began at the places `before`."""
    if held is None:
        after.cut(before + moved)
        return after
    width = int(moved.max())
    if bool((moved == chunk.shape[1]).all()):
        return after
    _, state = network.last(chunk[:, :width], _mask(moved, width), held)
    return state
