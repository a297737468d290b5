"""A trained network for longer texts than it was trained on: what becomes of its positions.

Rotary ones are slowed down, so that what is far looks as far as what was known. `linear` divides all of them (Chen et
al. 2023, arXiv 2306.15595); `ntk` raises the base, so that what turns fastest stays and what turns slowest is divided
(bloc97 2023; as in Transformers' "dynamic", arXiv 2309.00071); `llama3` divides only what did not turn once in the old
context (Grattafiori et al. 2024, arXiv 2407.21783). Learned ones get new rows; recurrences and waves need nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from triarch.core.errors import InputError
from triarch.layers.position import UNSCALED, Rotary
from triarch.models import registry
from triarch.training.recipe import Recipe, Scaling


def lengthen(recipe: Recipe, before: int, settings: Mapping[str, Any]) -> tuple[Recipe, str]:
    """The recipe with what its context asks of the settings, and that in words.

    Args:
        before: T of the model that it begins from.
        settings: of that model; where the recipe has another `rotary` than it, that is not touched.

    Raises:
        InputError: places would be new, and could not be learned.
    """
    after = recipe.context or before
    if after == before:
        return recipe, ""
    found, size = registry.parse(recipe.model)
    config = found.configure(size, recipe.settings)
    position, said = getattr(config, "position", None), f"context: {after:,} tokens, was {before:,}"
    if after < before:
        return recipe, said
    if position == "learned":
        if recipe.adapt.method in ("head", "lora"):
            raise InputError(
                f"{recipe.begin} has learned positions: those beyond {before:,} would be new, and --adapt"
                f" {recipe.adapt.method} would not learn them",
                "--adapt full, or no longer --context",
            )
        return recipe, f"{said}; learned positions, of which those beyond {before:,} are new"
    if position != "rotary":
        return recipe, f"{said}; {position or 'no'} positions"
    window = getattr(config, "window", None)
    if not hasattr(config, "rotary") or (window is not None and window <= before):
        return recipe, f"{said}; rotary positions as they were"
    old, how = _rotary(settings), recipe.adapt.scaling
    made = stretched(old, config.head_dim or config.dim // config.num_heads, before, after, how)
    if _rotary(recipe.settings) not in (old, made):
        return recipe, f"{said}; rotary positions as the settings have them"
    told = {name: value for name, value in asdict(made).items() if value is not None}
    scaled = recipe.model_copy(update={"settings": {**recipe.settings, "rotary": told}})
    return scaled, f"{said}; rotary positions, scaling {how}"


def stretched(rotary: Rotary, head_dim: int, before: int, after: int, how: Scaling) -> Rotary:
    """Rotary positions of a context of `before` steps, for one of `after`.

    Args:
        head_dim: H.
    """
    times = after / before
    if how == "none":
        return rotary
    if how == "ntk":
        return replace(rotary, base=rotary.base * times ** (head_dim / max(1, head_dim - 2)))
    if how == "llama3" and rotary.factor == 1:
        return replace(rotary, factor=times, trained=before)
    return replace(rotary, factor=rotary.factor * times)


def _rotary(settings: Mapping[str, Any]) -> Rotary:
    known = settings.get("rotary")
    return known if isinstance(known, Rotary) else replace(UNSCALED, **known) if known else UNSCALED
