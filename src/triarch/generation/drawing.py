"""One token at a time for each text of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from triarch.core.state import State
from triarch.generation.network import Network
from triarch.generation.prompts import read
from triarch.generation.sampling import first_seen, log_probability, next_tokens
from triarch.generation.seeds import Uniforms
from triarch.generation.settings import Settings


@dataclass(frozen=True)
class Made:
    """Tokens that a text goes on with.

    Attributes:
        text: its number.
        logprobs: of the tokens, where they are wanted.
    """

    text: int
    tokens: list[int]
    logprobs: list[float]


class Drawing:
    """Draws from the network's distribution, or takes the most probable token."""

    def __init__(self, network: Network, prompts: list[list[int]], settings: Settings, seeds: Sequence[int]) -> None:
        self._network, self._prompts, self._settings = network, prompts, settings
        self._uniforms = Uniforms(seeds)
        self._seen = first_seen(prompts, network.vocab_size, settings, network.device)
        self._texts = list(range(len(prompts)))
        self._state: State | None = None
        self._tokens = torch.empty(0, dtype=torch.long)

    @torch.inference_mode()
    def step(self) -> list[Made]:
        """The next token of each text that is not done."""
        if self._state is None:
            logits, self._state = read(self._network, self._prompts, self._settings.max_tokens)
        else:
            logits, self._state = self._network.last(self._tokens[:, None], None, self._state)
        uniform = torch.empty(0) if self._settings.greedy else self._uniforms.next().to(logits.device)
        self._tokens = next_tokens(logits, self._settings, self._seen, uniform)
        if self._seen is not None:
            self._seen.scatter_(1, self._tokens[:, None], True)
        told = log_probability(logits, self._tokens).tolist() if self._settings.logprobs else []
        return [
            Made(text, [token], told[row : row + 1])
            for row, (text, token) in enumerate(zip(self._texts, self._tokens.tolist()))
        ]

    @torch.inference_mode()
    def keep(self, texts: set[int]) -> None:
        """Only these go on. Others are dropped once they are half of the batch: to drop copies the state."""
        rows = [row for row, text in enumerate(self._texts) if text in texts]
        if 2 * len(rows) > len(self._texts) or not rows or self._state is None:
            return
        index = torch.tensor(rows, device=self._tokens.device)
        self._state = self._state.rows(index)
        self._tokens = self._tokens[index]
        self._seen = None if self._seen is None else self._seen[index]
        self._uniforms.rows(rows)
        self._texts = [self._texts[row] for row in rows]
