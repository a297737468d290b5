"""From logits to the next token."""

from __future__ import annotations

import torch
from torch import Tensor

from triarch.generation.settings import Settings

NEVER = float("-inf")


def scores(logits: Tensor, settings: Settings, seen: Tensor | None) -> Tensor:
    """Logits (B V) with what was `seen` (B V) made less likely, and what is banned impossible."""
    if seen is not None:
        punished = torch.where(logits < 0, logits * settings.repetition_penalty, logits / settings.repetition_penalty)
        logits = torch.where(seen, punished, logits)
    if settings.banned:
        logits = logits.clone()
        logits[:, list(settings.banned)] = NEVER
    return logits


def probabilities(scored: Tensor, settings: Settings) -> Tensor:
    """Scores (B V) → what the next token is drawn by (B V): temperature, then top-k, top-p and min-p."""
    if settings.greedy:
        best = scored.argmax(dim=-1, keepdim=True)
        return torch.zeros_like(scored).scatter_(1, best, 1.0)
    if settings.temperature != 1:
        scored = scored / settings.temperature
    if settings.top_k is not None and settings.top_k < scored.shape[1]:
        least = scored.topk(settings.top_k, dim=-1).values[:, -1:]
        scored = scored.masked_fill(scored < least, NEVER)
    found = scored.softmax(dim=-1)
    if settings.top_p is not None and settings.top_p < 1:
        falling, order = found.sort(dim=-1, descending=True, stable=True)
        above = falling.cumsum(dim=-1) - falling
        falling = falling.masked_fill(above >= settings.top_p, 0.0)
        found = torch.zeros_like(found).scatter_(1, order, falling)
        found = found / found.sum(dim=-1, keepdim=True)
    if settings.min_p is not None:
        found = found.masked_fill(found < settings.min_p * found.amax(dim=-1, keepdim=True), 0.0)
        found = found / found.sum(dim=-1, keepdim=True)
    return found


def drawn(found: Tensor, uniform: Tensor) -> Tensor:
    """The tokens (B) at which the summed probabilities (B V) pass `uniform` (B), numbers from 0 to below 1."""
    summed = found.double().cumsum(dim=-1)
    token = torch.searchsorted(summed, uniform[:, None] * summed[:, -1:], right=True)
    return token[:, 0].clamp(max=found.shape[1] - 1)


def next_tokens(logits: Tensor, settings: Settings, seen: Tensor | None, uniform: Tensor) -> Tensor:
    """Logits (B V) → tokens (B)."""
    scored = scores(logits, settings, seen)
    return scored.argmax(dim=-1) if settings.greedy else drawn(probabilities(scored, settings), uniform)


def first_seen(
    prompts: list[list[int]], vocab_size: int, settings: Settings, device: torch.device | str
) -> Tensor | None:
    """(B V), True for the tokens of each prompt; None where no repetition is punished."""
    if settings.repetition_penalty == 1:
        return None
    seen = torch.zeros(len(prompts), vocab_size, dtype=torch.bool, device=device)
    for row, prompt in enumerate(prompts):
        seen[row, torch.tensor(prompt, device=device)] = True
    return seen


def log_probability(logits: Tensor, tokens: Tensor) -> Tensor:
    """Of `tokens` (B), as the network has it: before temperature and all else."""
    return logits.log_softmax(dim=-1).gather(1, tokens[:, None])[:, 0]
