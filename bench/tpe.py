"""Optuna's TPE with Hyperband on a table, as they come: `pip install optuna` where it is wanted."""

from __future__ import annotations

import numpy as np
import optuna

from replay_table import RUNGS, Rung
from strategies import Key, Purse

MOST_TRIALS = 300
RESOURCE = round(1 / min(RUNGS))


def tpe_and_hyperband(purse: Purse, random: np.random.Generator) -> Key:
    """One objective, pruned at the rungs, until the time is over.

    What is asked for again has another seed, and is known when there is none left.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    rates: dict[str, list[float]] = purse.table.about["rates"]
    ended: dict[Key, Rung] = {}
    furthest: dict[Key, Rung] = {}
    asked: dict[Key, int] = {}
    sign = purse.table.metric.gain(1.0)

    def objective(trial: optuna.Trial) -> float:
        model = trial.suggest_categorical("model", list(rates))
        key = model, rates[model][trial.suggest_int("rate", 0, len(rates[model]) - 1)]
        number = asked[key] = asked.get(key, -1) + 1
        total, told = purse.table.about["steps"][model], 0
        for rung in purse.trial(key, number).rungs:
            resource = max(1, round(RESOURCE * rung.steps / total))
            if resource == told:
                continue
            told = resource
            furthest[key] = purse.rung(key, rung.seconds, number)
            if rung.score is None:
                raise optuna.TrialPruned
            trial.report(sign * rung.score, told)
            if purse.left <= 0 or trial.should_prune():
                raise optuna.TrialPruned
        final = purse.final(key, number=number)
        if final.score is None:
            raise optuna.TrialPruned
        ended[key] = max(final, ended.get(key, final), key=purse.rank)
        return sign * final.score

    sampler = optuna.samplers.TPESampler(seed=int(random.integers(2**31)))
    pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=RESOURCE, reduction_factor=3)
    # Brackets are drawn by the name of the study, which is a random one where none is given.
    study = optuna.create_study(study_name="replay", direction="maximize", sampler=sampler, pruner=pruner)
    while purse.left > 0 and len(study.trials) < MOST_TRIALS:
        study.optimize(objective, n_trials=1)
    return purse.best(ended or furthest)
