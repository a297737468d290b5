"""Weights, or gradients, of a backbone of Transformers under our names, by the layouts that folders are read with."""

from __future__ import annotations

from collections.abc import Callable

from parity.compare import Weights
from triarch.core.spec import Spec
from triarch.layers.backbone import Backbone
from triarch.ship.layouts.layout import Layout


def translation(layout: Layout, backbone: Backbone, config: object, spec: Spec) -> Callable[[Weights], Weights]:
    """What makes of theirs ours; nothing of theirs may be left over."""
    ours = {f"backbone.{name}": value for name, value in backbone.state_dict().items()}
    pairs = layout.pairs(config, spec, False)

    def translate(theirs: Weights) -> Weights:
        assert {layout.prefix + name for name in theirs} == {name for pair in pairs for name in pair.theirs}
        made = {}
        for pair in pairs:
            made |= pair.to_ours(lambda name: theirs[name.removeprefix(layout.prefix)], ours)
        return {name.removeprefix("backbone."): value for name, value in made.items()}

    return translate
