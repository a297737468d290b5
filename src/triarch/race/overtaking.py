"""Finalists whose trials misled: what was clearly behind at its last rung, and is not in its first final."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from triarch.core.results import Metric
from triarch.measure.statistics import Strata, score_interval
from triarch.race.plan import clearly_behind
from triarch.race.plateau import falls_fast


def overtaking(
    firsts: Mapping[str, Mapping[str, Any]], behind: Sequence[str], metric: Metric, strata: Strata = None
) -> list[str]:
    """Those of `behind` that one final does not put behind: it reaches the best, or its loss was still falling fast.

    Adding two marked numbers, for one: a GRU guessed at its last rung and was right in 99% of its final.

    Args:
        firsts: the result of each finalist's first final.
        behind: the models that were clearly behind at their last rung.
        strata: of the items on which the finals were scored.
    """
    done = {model: result for model, result in firsts.items() if result["score"] is not None}
    still = clearly_behind(metric, {model: score_interval(one["values"], strata) for model, one in done.items()})
    if not done:
        return []
    best = max(done.values(), key=lambda result: metric.gain(result["score"]))
    return [
        model
        for model in behind
        if model in done and (model not in still or falls_fast(np.array(done[model]["losses"]), best["losses"][-1][1]))
    ]
