"""Successive halving of one family's trials.

Jamieson, Talwalkar 2016, "Non-stochastic best arm identification and hyperparameter optimization" (arXiv 1502.07943).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from triarch.core.results import Metric
from triarch.race.plan import Heat

WIDER = 2  # times that a model's learning rates may go on beyond their end
LEAST_RATE, MOST_RATE, MANY_STEPS = 1e-6, 1.0, 500

Trial = tuple[str, float]
"""Model and learning rate."""


@dataclass(frozen=True)
class Finalist:
    """A family's survivor: its model and learning rate."""

    model: str
    family: str
    lr: float


class Halving:
    """The trials of a heat that are still in the race.

    Args:
        on_folds: each rung is a training of its own on another fold, and all of them count; else a rung goes on with
            the training of the one before, and the last counts.
        chance: the score of who has learned nothing; None: that is not known.
        by_loss: trials are ranked by their loss on select: where answers are written, the long nonsense of untrained
            networks scores above the few words that learning begins with.
    """

    def __init__(
        self, heat: Heat, metric: Metric, on_folds: bool, chance: float | None = None, by_loss: bool = False
    ) -> None:
        self.heat, self.metric, self.on_folds, self.chance, self.by_loss = heat, metric, on_folds, chance, by_loss
        self.alive = self._all(heat.models)
        self.screened = {model: max(heat.rates[model]) for model in heat.models} if heat.kept else {}
        if self.screened:
            self.alive = list(self.screened.items())
        self._results: dict[Trial, list[dict[str, Any]]] = {}
        self._widened = dict.fromkeys(heat.models, 0)

    def wider(self, number: int, results: Mapping[Trial, dict[str, Any]]) -> list[Trial]:
        """Trials to be added to rung `number`: one beyond the learning rates of each model that was best at their end.

        It must have been clearly better than its neighbour, after many steps: high rates are ahead early and behind
        late. There are some only in the rung in which every learning rate races, and at most two for a model. The
        heat's `rates` take them in.

        Args:
            results: of the trials that are in the race.
        """
        if number != (1 if self.heat.kept else 0):
            return []
        found = []
        for model in dict.fromkeys(model for model, _ in self.alive):
            rates = sorted(self.heat.rates[model])
            best = max(rates, key=lambda rate: self._rank([results[model, rate]]))
            if len(rates) == 1 or best not in (rates[0], rates[-1]) or self._widened[model] == WIDER:
                continue
            step, place = rates[1] / rates[0], rates.index(best)
            rate, neighbour = (best / step, rates[1]) if place == 0 else (best * step, rates[-2])
            if LEAST_RATE <= rate <= MOST_RATE and self._clearly(results[model, best], results[model, neighbour]):
                self._widened[model] += 1
                self.heat.rates[model].append(rate)
                found.append((model, rate))
        self.alive += found
        return found

    def cut(self, number: int, results: Mapping[Trial, dict[str, Any]]) -> list[Trial]:
        """Keep the best after rung `number`, none that diverged; returns the trials that are out.

        Where a model has learned nothing yet, at no learning rate, these are not judged by what noise says: all of them
        go on, and from the last rung the one in their middle.
        """
        for trial, result in results.items():
            self._results[trial] = [*(self._results.get(trial, []) if self.on_folds else []), result]
        ranked = sorted(self.alive, key=lambda trial: self._rank(self._results[trial]), reverse=True)
        rungs = self.heat.rungs
        if self.heat.kept and number == 0:
            self.alive, self._results = self._all([model for model, _ in ranked[: self.heat.kept]]), {}
            return ranked[self.heat.kept :]
        kept = ranked[: rungs[number + 1] if number + 1 < len(rungs) else 1]
        for model in dict.fromkeys(model for model, _ in kept):
            if self._knows_nothing(model):
                every = sorted(trial for trial in self._done() if trial[0] == model)
                others = [trial for trial in kept if trial[0] != model]
                kept = [*others, *every] if number + 1 < len(rungs) else [every[len(every) // 2]]
        done = self._done()
        before, self.alive = self.alive, [trial for trial in kept if trial in done]
        return [trial for trial in before if trial not in self.alive]

    @property
    def finalist(self) -> Finalist | None:
        """The best of those in the race; None where every one diverged."""
        return Finalist(self.alive[0][0], self.heat.family, self.alive[0][1]) if self.alive else None

    def _all(self, models: Sequence[str]) -> list[Trial]:
        """Models at every learning rate."""
        return [(model, rate) for model in models for rate in self.heat.rates[model]]

    def _clearly(self, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
        """Whether it has many steps and is better, by intervals that do not meet."""
        if one["score"] is None or one["steps"] < MANY_STEPS:
            return False
        worst = min(map(self.metric.gain, one["interval"]))
        return other["score"] is None or worst > max(map(self.metric.gain, other["interval"]))

    def _done(self) -> list[Trial]:
        """The trials in the race that did not diverge."""
        return [trial for trial in self.alive if self._results[trial][-1]["score"] is not None]

    def _knows_nothing(self, model: str) -> bool:
        """Whether it is not clearly better than chance at any learning rate that is in the race."""
        if self.chance is None:
            return False
        reached = [
            min(map(self.metric.gain, self._results[trial][-1]["interval"]))
            for trial in self._done() if trial[0] == model
        ]  # fmt: skip
        return bool(reached) and max(reached) <= self.metric.gain(self.chance)

    def _rank(self, results: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
        """Higher is better: the mean score, then the loss, or the loss first; a trial that diverged is last."""
        if any(result["score"] is None for result in results):
            return (-np.inf, -np.inf)
        score = self.metric.gain(float(np.mean([result["score"] for result in results])))
        loss = -float(np.mean([result["loss"] for result in results]))
        return (loss, score) if self.by_loss else (score, loss)
