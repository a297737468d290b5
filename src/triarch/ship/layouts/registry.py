"""All layouts."""

from __future__ import annotations

from triarch.ship.layouts import bert, gpt2, llama, mamba2, marian, recurrent_gemma
from triarch.ship.layouts.layout import Layout

LAYOUTS: tuple[Layout, ...] = (
    gpt2.LAYOUT, llama.LAYOUT, bert.LAYOUT, mamba2.LAYOUT, recurrent_gemma.LAYOUT, marian.LAYOUT,
)  # fmt: skip


def of_kind(kind: str) -> Layout | None:
    """The layout that reads a `model_type`."""
    return next((layout for layout in LAYOUTS if kind in layout.kinds), None)
