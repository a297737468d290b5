"""A replay table that is made up: what each training comes to, and how fast, is known."""

import json
from base64 import b64encode

import numpy as np

from replay_table import FINALS, RUNGS, Table, grid
from triarch.models import registry

SEEDS = (0, 1)
STEPS, SECONDS, ITEMS = 400, 4.0, 400


def tabled(path, models, metric=("accuracy", "max"), noise=0.0, diverged=()):
    """Write and read a table.

    Args:
        models: model → (score at the end and the middle learning rate, how much slower than others it comes to it).
        noise: standard deviation of a final's score.
        diverged: models whose second seed diverges.
    """
    random = np.random.default_rng(0)
    rates = {model: grid(model) for model in models}
    about = {
        "task": path.stem, "metric": {"name": metric[0], "direction": metric[1]}, "folds": 0, "per_epoch": 20,
        "splits": {"train": 1_300, "select": 400, "confirm": ITEMS}, "classes": [], "seeds": SEEDS, "rates": rates,
        "models": {
            model: {"family": str(registry.parse(model)[0].family), "params": 1_000 + place, "macs": 1_000 + place}
            for place, model in enumerate(models)
        },
        "paces": dict.fromkeys(models, SECONDS / STEPS), "steps": dict.fromkeys(models, STEPS),
        "seconds_each": SECONDS,
    }  # fmt: skip
    lines = [about]
    for seed in SEEDS:
        for model, (end, slow) in models.items():
            for place, rate in enumerate(rates[model]):
                best = end - 0.05 * abs(place - 1)

                def at(share, best=best, slow=slow):
                    return round(best * (1 - np.exp(-8 * share ** (1 + slow))) + random.normal(0, noise), 6)

                gone = model in diverged and seed == 1
                trial = {"model": model, "lr": rate, "seed": seed}
                trial["rungs"] = [entry(share, None if gone else at(share)) for share in sorted(RUNGS)]
                trial["finals"] = [] if gone else [entry(share, at(share)) for share in FINALS]
                trial["confirm"] = None if gone else best
                right = np.arange(ITEMS) < round(best * ITEMS)
                trial["values"] = f"b{ITEMS}:" + bits(np.random.default_rng(list(model.encode())).permutation(right))
                lines.append(trial)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return Table(path)


def entry(share, score):
    loss = None if score is None else 1 - score
    ends = [] if score is None else [score - 0.03, score + 0.03]
    return [round(share * STEPS), share * SECONDS, 0.0, score, loss, *ends]


def bits(array):
    return b64encode(np.packbits(array).tobytes()).decode()
