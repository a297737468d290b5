"""What augmentation does to a training: score and loss on the select split, step-limited, so that load does not matter.

    python bench/augmentation.py digits plain/classic --steps 300 1000 --seeds 3 --variants crop=0.1 mixup=0.2,crop=0.1

Every variant is the one named and nothing else; `off` is always run first and is what the others are compared with.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from pathlib import Path

import numpy as np
import yaml

from triarch.core.machine import computing
from triarch.data.dataset import Dataset, prepare
from triarch.data.open import open_source
from triarch.tasks import registry as tasks
from triarch.training.evaluate import evaluate
from triarch.training.recipe import Augment, make
from triarch.training.start import resolve, start


def read(data: str, items: int | None) -> Dataset:
    """A built-in set, a file, or the folder of Debian's `dataset-fashion-mnist`; `items` of it, drawn by lot."""
    if not Path(data).is_dir():
        return prepare(open_source(data))
    x, y = (
        np.frombuffer(gzip.decompress((Path(data) / f"train-{name}.gz").read_bytes()), np.uint8, offset=offset)
        for name, offset in (("images-idx3-ubyte", 16), ("labels-idx1-ubyte", 8))
    )
    rows = np.random.default_rng(0).permutation(len(y))[:items]
    return prepare(open_source((x.reshape(-1, 28, 28)[rows], y[rows]), "image"))


def measure(dataset: Dataset, model: str, steps: int, seed: int, variant: str) -> dict[str, object]:
    """One training, from its first step to its score."""
    task = tasks.infer(dataset.spec)
    changes: dict[str, str] = {} if variant == "off" else dict(pair.split("=") for pair in variant.split(","))
    strengths = Augment.model_validate(False).model_copy(
        update={name: yaml.safe_load(value) for name, value in changes.items()}
    )
    entries = {"model": model, "steps": steps, "seed": seed, "augment": strengths.model_dump()}
    begin = time.perf_counter()
    with computing(1, seed, flush_denormals=True):
        trainer = start(resolve(make(entries), dataset), dataset, task)
        losses: list[float] = []
        trainer.run(after_step=lambda one: losses.append(one.loss))  # type: ignore[func-returns-value]
        scores = evaluate(trainer.result, task, dataset.batches(dataset.rows("select")))
    return {
        "data": dataset.spec.name, "model": model, "steps": steps, "seed": seed, "variant": variant,
        "accuracy": scores.mean("accuracy"), "loss": scores.mean("loss"), "train": float(np.mean(losses[-50:])),
        "epochs": round(steps / trainer.batches.per_epoch, 1), "seconds": round(time.perf_counter() - begin, 1),
    }  # fmt: skip


def main() -> None:
    """Train every variant with every seed; write after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("model")
    parser.add_argument("--steps", type=int, nargs="+", default=[300, 1000, 3000])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--items", type=int)
    parser.add_argument("--variants", nargs="+", required=True)
    options = parser.parse_args()
    dataset = read(options.data, options.items)
    name = f"augmentation-{dataset.spec.name}-{options.model.replace('/', '-')}.jsonl"
    path = Path(__file__).parent / "results" / name
    path.parent.mkdir(exist_ok=True)
    for steps in options.steps:
        for variant in ("off", *options.variants):
            for seed in range(options.seeds):
                line = json.dumps(measure(dataset, options.model, steps, seed, variant))
                print(line, flush=True)
                with path.open("a") as file:
                    file.write(line + "\n")


if __name__ == "__main__":
    main()
