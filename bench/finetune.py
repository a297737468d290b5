"""What pretraining is worth with few labels: an encoder fine-tuned in each way, and trained from scratch.

    python bench/data.py debian-sections
    python bench/finetune.py bench/data/debian-sections.csv [--labels 100] [--steps 8000] [--seeds 3] [--out DIR]

The descriptions of Debian's packages, 20 sections; a fifth of the source packages is test, a tenth select, and of the
others `labels` of each section have a label. The encoder learns hidden tokens of all descriptions but those of test and
select, without labels; then each way, with four learning rates, of which select takes one. From scratch: the same
architecture with a tokenizer of its own, and the same choice of rates and epochs. Positions are rotary: learned ones
hold the loss of hidden tokens at that of frequencies for thousands of steps. Accuracy on test, in
`bench/results/finetune.json`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pandas as pd

import triarch
from triarch.core.files import write_json
from triarch.models import registry

RESULTS = Path(__file__).parent / "results" / "finetune.json"
RATES = {
    "scratch": (0.5, 1.0, 2.0, 4.0),
    "full": (0.125, 0.25, 0.5, 1.0),
    "lora": (2.0, 4.0, 8.0, 16.0),
    "gradual": (0.5, 1.0, 2.0, 4.0),
    "head": (1.0, 2.0, 4.0, 8.0),
}
"""Of each way the learning rates that are tried, times the architecture's own."""
SETTINGS = ["settings.position=rotary"]
PRETRAINING = ["optimiser.name=muon", "optimiser.momentum=0.95", "optimiser.lr=0.003"]


def deal(table: pd.DataFrame, labels: int, place: Path) -> list[str]:
    """Write the labelled items as folders train, val and test; the texts to pretrain on."""
    rank = table["group"].map(lambda group: blake2b(str(group).encode(), digest_size=8).digest()[0] / 256)
    parts = {"test": table[rank < 0.2], "val": table[(rank >= 0.2) & (rank < 0.3)]}
    others = table[rank >= 0.3]
    parts["train"] = others.groupby("label").head(labels)
    for part, rows in parts.items():
        for number, (text, label) in enumerate(zip(rows["text"], rows["label"])):
            folder = place / part / str(label)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number}.txt").write_text(str(text))
    return [str(text) for text in others["text"]]


def best(run: Callable[[float, Path], Any], out: Path, rates: Sequence[float]) -> dict[str, Any]:
    """The training whose rate select prefers, scored on test."""
    done = {}
    for factor in rates:
        folder = out / f"{factor:g}"
        if not (folder / "config.json").exists():
            done[factor] = run(factor, folder)
            write_json(
                folder / "run" / "seen.json", {"score": done[factor].score, "trained": done[factor].trained_params}
            )
        done[factor] = json.loads((folder / "run" / "seen.json").read_text())
    rate = max(done, key=lambda factor: done[factor]["score"])
    tested = triarch.evaluate(out / f"{rate:g}", split="confirm", threads=1)
    return {"accuracy": tested.score, "rate": rate, "trained_params": done[rate]["trained"], "n": tested.n}


def main() -> None:
    """Run what is not there yet, and write the table after each training."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="encoder/micro")
    parser.add_argument("--labels", type=int, default=100)
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--ways", default=",".join(RATES))
    parser.add_argument("--out", type=Path, default=Path("runs/finetune"))
    asked = parser.parse_args()
    place = asked.out / "labelled"
    texts = deal(pd.read_csv(asked.data), asked.labels, place)
    base = asked.out / "base"
    if not (base / "config.json").exists():
        triarch.pretrain(
            texts, objective="masked", model=asked.model, steps=asked.steps, context=128, threads=1, out=base,
            set=[*SETTINGS, *PRETRAINING],
        )  # fmt: skip
    rate = registry.parse(asked.model)[0].learning_rate
    found: dict[str, list[dict[str, Any]]] = {}
    options = {name: value for name, value in vars(asked).items() if name != "out"} | {"data": asked.data.name}
    for seed in range(asked.seeds):
        for way in asked.ways.split(","):

            def run(factor: float, folder: Path, way: str = way, seed: int = seed) -> Any:
                shared = {"epochs": asked.epochs, "seed": seed, "threads": 1, "out": folder}
                lr = factor * rate
                if way == "scratch":
                    return triarch.train(place, model=asked.model, set=[*SETTINGS, f"optimiser.lr={lr}"], **shared)
                return triarch.finetune(base, place, adapt=way, set=[f"optimiser.lr={lr}"], **shared)

            found.setdefault(way, []).append(best(run, asked.out / way / str(seed), RATES[way]))
            write_json(RESULTS, {"options": options, "runs": found})
            print(seed, way, found[way][-1], flush=True)


if __name__ == "__main__":
    main()
