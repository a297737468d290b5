"""Prompts of any lengths → a state that has seen them, and the scores of what comes next."""

from __future__ import annotations

import torch
from torch import Tensor

from triarch.core.errors import InputError
from triarch.core.state import State
from triarch.generation.network import Network

PASS, MOST_ROOM = 2_048, 8_192


def check(prompts: list[list[int]], network: Network, max_tokens: int, whose: str = "this model") -> None:
    """That each prompt has tokens of the vocabulary, and that the network can go so far.

    Args:
        whose: what the network is called.

    Raises:
        InputError: it is not so.
    """
    if not prompts:
        raise InputError("there is no prompt", "give one")
    for number, prompt in enumerate(prompts, 1):
        if not prompt or min(prompt) < 0 or max(prompt) >= network.vocab_size:
            raise InputError(f"prompt {number}: tokens from 0 to {network.vocab_size - 1} are wanted, one at least")
        if network.longest is not None and len(prompt) + max_tokens - 1 > network.longest:  # the last is not read
            room = network.longest - len(prompt) + 1
            raise InputError(
                f"prompt {number} has {len(prompt):,} tokens: with --max-tokens {max_tokens:,} it would go beyond the "
                f"{network.longest:,} that {whose} has places for",
                f"--max-tokens {room}" if room > 0 else "give a shorter prompt",
            )


def read(network: Network, prompts: list[list[int]], spare: int) -> tuple[Tensor, State]:
    """Logits (B V) after each prompt, and the state with room for `spare` more steps, where these are not too many.

    Long prompts are read `PASS` steps at a time, so that memory grows with their length only.
    """
    lengths = torch.tensor([len(prompt) for prompt in prompts], device=network.device)
    longest = int(lengths.max())
    ids = torch.zeros(len(prompts), longest, dtype=torch.long)
    for row, prompt in enumerate(prompts):
        ids[row, : len(prompt)] = torch.tensor(prompt)
    ids = ids.to(network.device)
    state = network.start(len(prompts), longest + min(spare, MOST_ROOM))
    made = torch.zeros(len(prompts), network.vocab_size, device=network.device)
    for start in range(0, longest, PASS):
        chunk = ids[:, start : start + PASS]
        here = torch.arange(start, start + chunk.shape[1], device=network.device) < lengths[:, None]
        logits, state = network.last(chunk, None if here.all() else here, state)
        ends = (lengths > start) & (lengths <= start + PASS)
        made = torch.where(ends[:, None], logits, made)
    return made, state
