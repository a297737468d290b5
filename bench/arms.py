"""What pretraining is worth in a race: on few labels, from weights that learned such texts, and from the inputs alone.

    python bench/data.py debian-sections
    python bench/arms.py bench/data/debian-sections.csv [--labels 100] [--steps 480] [--learned 2000] [--out DIR]

Of the descriptions of Debian's packages `labels` of each of 20 sections have a label, see `bench/finetune.py`. Two
language models learn all descriptions but those of test and select, one hidden tokens and one the next ones. Then they
race, by steps, beside models from scratch, of which each finalist does so once more with its own inputs first. Accuracy
on select, and on test what the inputs gave, in `bench/results/arms.json`.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from pathlib import Path

import pandas as pd

import triarch
from finetune import deal
from triarch.core.files import write_json

RESULTS = Path(__file__).parent / "results" / "arms.json"
KEPT = ("model", "family", "params", "score", "interval", "status", "trials", "seeds")
DECIDED = ("kind", "model", "score", "score_interval", "n", "runner_up", "difference", "interval")
BASES = {"encoder/nano": "masked", "gru/nano": "causal"}


def main() -> None:
    """Pretrain what is not there yet, race, and write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--models", default="textcnn/nano,encoder/nano")
    parser.add_argument("--labels", type=int, default=100)
    parser.add_argument("--steps", type=int, default=480)
    parser.add_argument("--learned", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=Path("runs/arms"))
    asked = parser.parse_args()
    begin = time.process_time()
    texts = deal(pd.read_csv(asked.data), asked.labels, asked.out / "labelled")
    bases = []
    for model, objective in BASES.items():
        bases.append(asked.out / f"{model.partition('/')[0]}-{objective}")
        if not (bases[-1] / "config.json").exists():
            triarch.pretrain(
                texts, objective=objective, model=model, steps=asked.learned, context=128, threads=1, out=bases[-1]
            )
    race = asked.out / "race"
    if (race / "run" / "options.json").exists():
        choice = triarch.choose(resume=race)
    else:
        choice = triarch.choose(
            asked.out / "labelled", models=asked.models, steps=asked.steps, threads=1, out=race, pretrain=True,
            from_=[str(base) for base in bases],
        )  # fmt: skip
    options = {name: value for name, value in vars(asked).items() if name not in ("out", "data")}
    found = {
        "options": options | {"data": asked.data.name},
        "process_seconds": round(time.process_time() - begin),
        "baselines": {one.name: one.score for one in choice.baselines},
        "candidates": [
            {name: getattr(one, name) for name in KEPT} for one in choice.candidates if one.trials or one.seeds
        ],
        "verdict": {name: getattr(choice.verdict, name) for name in DECIDED},
        "inputs_first": [asdict(one) for one in choice.reasons if one.kind == "inputs"],
    }
    write_json(RESULTS, found)
    print(choice.verdict.text)


if __name__ == "__main__":
    main()
