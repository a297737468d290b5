"""Ways to search for a network, replayed on a table: each pays for what it sees, then names a model and learning rate.

A strategy is a function of a `Purse`, from which it pays, and a generator. What it can look at is what was recorded, so
a training goes to the last rung within the seconds that were meant for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, inf, log

import numpy as np

from replay_table import FINALS, Recorded, Rung, Table

LONGEST = len(FINALS) - 1

Key = tuple[str, float]
"""Model and learning rate."""


class Purse:
    """Seconds to be spent on trials of a table.

    The seeds of each model and learning rate are put into an order of their own, drawn by lot.

    Attributes:
        left: seconds; below zero where the last thing that was bought took more.
        price: of the longest final, on average.
    """

    def __init__(self, table: Table, seconds: float, random: np.random.Generator) -> None:
        self.table, self.left = table, seconds
        self.price = table.seconds / len(table.trials)
        self.keys: list[Key] = [(model, rate) for model, rates in table.about["rates"].items() for rate in rates]
        self._seeds = {key: random.permutation(table.about["seeds"]).tolist() for key in self.keys}
        self._paid: dict[tuple[Key, int], float] = {}

    def trial(self, key: Key, number: int = 0) -> Recorded:
        """The trial with the seed that is `number` in its order, counted round."""
        seeds = self._seeds[key]
        return self.table.trials[*key, seeds[number % len(seeds)]]

    def rung(self, key: Key, seconds: float, number: int = 0, anew: bool = False) -> Rung:
        """The training as it stands after about `seconds` in all; those that it went on for are paid.

        Args:
            anew: from the beginning, although it was paid before.
        """
        trial = self.trial(key, number)
        rungs = trial.rungs or trial.finals
        found = [rung for rung in rungs if rung.seconds <= seconds]
        return self._pay(key, number, found[-1] if found else rungs[0], anew)

    def after(self, key: Key, steps: int) -> Rung:
        """The training at the first rung that has so many steps, or at the last."""
        rungs = self.trial(key).rungs
        return self._pay(key, 0, next((rung for rung in rungs if rung.steps >= steps), rungs[-1]), False)

    def final(self, key: Key, length: int = LONGEST, number: int = 0, anew: bool = False) -> Rung:
        """A final of one of the lengths `FINALS`; where it diverged, how far it came."""
        trial = self.trial(key, number)
        return self._pay(key, number, trial.finals[length] if len(trial.finals) > length else trial.rungs[-1], anew)

    def _pay(self, key: Key, number: int, rung: Rung, anew: bool) -> Rung:
        paid = 0.0 if anew else self._paid.get((key, number), 0.0)
        self.left -= max(0.0, rung.seconds - paid)
        self._paid[key, number] = max(rung.seconds, self._paid.get((key, number), 0.0))
        return rung

    def rank(self, rung: Rung) -> tuple[float, float]:
        """Higher is better: the score, then the loss; what diverged is last."""
        if rung.score is None or rung.loss is None:
            return (-inf, -inf)
        return (self.table.metric.gain(rung.score), -rung.loss)

    def best(self, seen: dict[Key, Rung]) -> Key:
        """The best of them."""
        return max(seen, key=lambda key: self.rank(seen[key]))

    def shuffled(self, random: np.random.Generator) -> list[Key]:
        """All models at all learning rates, in an order drawn by lot."""
        return [self.keys[place] for place in random.permutation(len(self.keys))]


Strategy = Callable[[Purse, np.random.Generator], Key]


def random_search(purse: Purse, random: np.random.Generator) -> Key:
    """One after another trained to its end.

    Bergstra, Bengio 2012, "Random search for hyper-parameter optimization".
    """
    return _to_the_end(purse, purse.shuffled(random))


def halving_without_floor(purse: Purse, random: np.random.Generator, reduction: int = 3) -> Key:
    """Successive halving of all together, whatever their family: every rung has the same time.

    Jamieson, Talwalkar 2016, "Non-stochastic best arm identification and hyperparameter optimization".
    Where not all can come to their first rung in its time, as many race as can, drawn by lot.
    """
    alive = purse.shuffled(random)
    rungs = max(1, ceil(log(len(alive), reduction)))
    share = purse.left / rungs
    first = np.cumsum([purse.trial(key).rungs[0].seconds for key in alive])
    alive = alive[: max(1, int(np.searchsorted(first, share, side="right")))]
    meant, seen = 0.0, {}
    while True:
        meant += share / len(alive)
        seen = {key: _furthest(purse, key, meant) for key in alive}
        if len(alive) == 1 or purse.left <= 0:
            return purse.best(seen)
        alive = sorted(alive, key=lambda key: purse.rank(seen[key]), reverse=True)[: ceil(len(alive) / reduction)]


def one_epoch_top_k(purse: Purse, random: np.random.Generator) -> Key:
    """All for an epoch, then the best to their end, as far as the time goes; the epochs have half of it at most.

    The control of arXiv 2307.15422 and 2404.04111.
    """
    half, seen = purse.left / 2, {}
    for key in purse.shuffled(random):
        if purse.left <= half:
            break
        seen[key] = purse.after(key, purse.table.about["per_epoch"])
    return _to_the_end(purse, sorted(seen, key=lambda key: purse.rank(seen[key]), reverse=True))


def _to_the_end(purse: Purse, keys: Sequence[Key]) -> Key:
    """The best of those that can be trained to their end, one after another; the first at least."""
    seen: dict[Key, Rung] = {}
    for key in keys:
        if seen and purse.left < purse.price / 2:
            break
        seen[key] = purse.final(key)
    return purse.best(seen)


def _furthest(purse: Purse, key: Key, seconds: float) -> Rung:
    """After about so many seconds; its final, where it comes to that."""
    finals = purse.trial(key).finals
    if len(finals) > LONGEST and finals[LONGEST].seconds <= seconds:
        return purse.final(key)
    return purse.rung(key, seconds)
