"""Who sees whom: what all layers of attention share in one pass, worked out once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce

import torch
from torch import Tensor

from triarch.layers.cache import Slots
from triarch.layers.pack import Pack
from triarch.layers.position import UNSCALED, Position, Rotary, alibi_slopes, rotary


@dataclass(frozen=True)
class View:
    """What one pass needs besides queries, keys and values; by default every step sees every other.

    S counts the keys: the T of this pass or, with a cache, those that `slots` gives.

    Attributes:
        causal: whether "no key after the query" says all there is to say.
        bias: broadcast to (B N T S); True where a key is seen, or what is added to its score; None: `causal` says it.
        turn: cosines and sines (… T 1 H/2) of rotary positions.
        slots: where the steps of this pass go in the caches; None: there are no caches.
        pack: the sequences of which the one row of this pass is made; `bias` is that of the longest. None: there is
            no packing.
    """

    causal: bool = False
    bias: Tensor | None = None
    turn: tuple[Tensor, Tensor] | None = None
    slots: Slots | None = None
    pack: Pack | None = None


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

    def __call__(self, mask: Tensor | None, places: Tensor, slots: Slots | None = None) -> View:
        """The view of the steps at `places`.

        Args:
            mask: (B T), True where a step is real.
            places: (T), or (B T) where rows stand at different ones.
            slots: of the caches, for the same places; None: there are none.
        """
        turn = rotary(places, self.head_dim, self.rotary) if self.position == "rotary" else None
        if slots is not None and self.position != "alibi" and (slots.all_seen or slots.first_chunk):
            return View(slots.first_chunk, None, turn, slots)
        keys = places if slots is None else slots.places
        distance = places[..., :, None] - keys[..., None, :]
        seen = self._seen(mask, keys, distance, slots is not None)
        bias = seen
        if self.position == "alibi":
            slopes = alibi_slopes(self.num_heads, places.device)[:, None, None]
            bias = -slopes * (distance if distance.ndim == 2 else distance[:, None]).abs()
            bias = bias if seen is None else torch.where(seen, bias, float("-inf"))
        return View(self.causal and bias is None, bias, turn, slots)

    def packed(self, pack: Pack) -> View:
        """The view of the steps of a pack."""
        view = self(None, torch.arange(pack.longest, device=pack.places.device))
        turn = None if view.turn is None else (view.turn[0][pack.places], view.turn[1][pack.places])
        return replace(view, turn=turn, pack=pack)

    def _seen(self, mask: Tensor | None, keys: Tensor, distance: Tensor, cached: bool) -> Tensor | None:
        """Padding stands on the right, so a causal step never sees it."""
        window = self.window if self.window is not None and self.window < distance.shape[-1] else None
        seen: list[Tensor] = []
        if self.causal and (cached or window or self.position == "alibi"):
            seen.append(distance >= 0)
        if window or (cached and self.window):
            seen.append(distance.abs() < (self.window or 0))
        if mask is not None and not self.causal:
            seen.append(mask[:, None, None])
        if cached:  # slots that were never filled
            seen.append((keys >= 0)[..., None, :])
        if not seen:
            return None
        met = reduce(torch.logical_and, seen)
        return met[:, None] if met.ndim == 3 else met
