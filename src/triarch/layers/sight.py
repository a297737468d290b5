"""Who sees whom: what all layers of attention share in one pass, worked out once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from triarch.layers.position import UNSCALED, Position, Rotary, alibi_slopes, rotary


@dataclass(frozen=True)
class View:
    """What one pass needs besides queries, keys and values; by default every step sees every other.

    S counts the keys: those held in a cache, then the T of this pass.

    Attributes:
        causal: whether "no key after the query" says all there is to say.
        bias: broadcast to (B N T S); True where a key is seen, or what is added to its score; None: `causal` says it.
        turn: cosines and sines (… T 1 H/2) of rotary positions.
        kept: (B S'), which of the S keys a cache keeps for the next pass; None: all.
    """

    causal: bool = False
    bias: Tensor | None = None
    turn: tuple[Tensor, Tensor] | None = None
    kept: Tensor | None = None


@dataclass(frozen=True)
class Sight:
    """Which steps a step attends to.

    Attributes:
        causal: itself and the past only.
        window: only steps less than this far away (Beltagy et al. 2020, arXiv 2004.05150); a cache then keeps no more.
        position: rotary and alibi act in attention, the other two on the input.
        rotary: how fast rotary positions turn.
    """

    causal: bool
    position: Position
    num_heads: int
    head_dim: int
    window: int | None = None
    rotary: Rotary = UNSCALED

    def __post_init__(self) -> None:
        if self.position == "rotary" and self.head_dim % 2:
            raise ValueError(f"rotary positions need an even width of a head, not {self.head_dim}")
        if self.window is not None and self.window < 1:
            raise ValueError(f"window is at least 1, the step itself, not {self.window}")

    def __call__(self, mask: Tensor | None, places: Tensor, held: int | None = None) -> View:
        """The view of the steps at `places`.

        Args:
            mask: (B T), True where a step is real.
            places: (T), or with a cache (B T): row b's steps stand after the `places[b, 0]` that it has seen.
            held: steps in the cache; row b's own are the last of them. None: there is no cache.
        """
        past, steps = held or 0, places.shape[-1]
        distance = torch.arange(past, past + steps, device=places.device)[:, None]
        distance = distance - torch.arange(past + steps, device=places.device)
        seen = self._seen(mask, places, distance, past)
        bias = seen
        if self.position == "alibi":
            slopes = alibi_slopes(self.num_heads, places.device)[:, None, None]
            bias = -slopes * distance.abs()
            bias = bias if seen is None else torch.where(seen, bias, float("-inf"))
        turn = rotary(places, self.head_dim, self.rotary) if self.position == "rotary" else None
        kept = None if held is None else self._kept(mask, places, held)
        return View(self.causal and bias is None, bias, turn, kept)

    def _seen(self, mask: Tensor | None, places: Tensor, distance: Tensor, past: int) -> Tensor | None:
        """Padding stands on the right, so a causal step never sees it."""
        window = self.window if self.window is not None and self.window < distance.shape[1] else None
        seen: list[Tensor] = []
        if self.causal and (past or window or self.position == "alibi"):
            seen.append(distance >= 0)
        if window:
            seen.append(distance.abs() < window)
        if mask is not None and not self.causal:
            seen.append(mask[:, None, None])
        if past:  # the cache of a row that has seen less than others begins with nothing
            begun = torch.arange(distance.shape[1], device=places.device) >= past - places[:, :1]
            seen.append(begun[:, None, None])
        return reduce(torch.logical_and, seen) if seen else None

    def _kept(self, mask: Tensor | None, places: Tensor, held: int) -> Tensor | None:
        """A cache ends with each row's last real step, so that the distance to a key is the same in every row."""
        rows, steps = places.shape
        reach = held + steps if self.window is None else self.window - 1
        if mask is None:
            if held + steps <= reach:
                return None
            done = torch.full((rows,), steps, device=places.device)
            keep = reach
        else:
            done = mask.sum(dim=1)
            keep = min(reach, int((places[:, 0] + done).max()))
        index = held + done[:, None] - keep + torch.arange(keep, device=places.device)
        return index.clamp(min=0)
