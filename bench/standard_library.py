"""Python's standard library, modelled by all three families, each for the same processor time.

    python bench/data.py standard-library
    python bench/standard_library.py [--cpu-minutes 30] [--models decoder,mingru,tcn]

Beside the models, on the same documents of confirm, which are whole packages that none of them saw: `xz -9` of these
documents alone, `xz -9` that has read the training text before (what the file grows by), and n-grams of bytes with
Kneser–Ney smoothing. A model's steps are as many as its share of processor time allows, at the time that its first
steps take. An interrupted run goes on where it stood; what is done is not done again.
"""

from __future__ import annotations

import argparse
import json
import lzma
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import triarch
from language import step_seconds
from sides import RESULTS
from triarch.core.files import write_json
from triarch.core.machine import computing, this_machine
from triarch.data.blocks import Blocks
from triarch.data.dataset import Dataset, prepare
from triarch.race.ngrams import ByteNGrams
from triarch.tasks.language_model import LanguageModel
from triarch.training import recipe as recipes
from triarch.training.start import open_data

DATA = Path(__file__).parent / "data" / "standard-library"
ORDERS = (5, 6)
CONTEXT, BATCH = 1024, 2
MODELS: dict[str, tuple[str, str, float, dict[str, Any]]] = {
    "decoder": (
        "decoder/tiny",
        "muon",
        4e-3,
        {"dim": 256, "depth": 4, "num_heads": 4, "hidden_dim": 688, "dropout": 0.0},
    ),
    "mingru": ("mingru/tiny", "muon", 4e-3, {"dim": 256, "depth": 6, "hidden_dim": 768, "dropout": 0.0}),
    "tcn": ("tcn/tiny", "adamw", 2e-3, {"dim": 256, "depth": 8, "dropout": 0.0}),
}
"""Name → model, optimiser, learning rate and settings, of 5.2 to 5.3 million parameters with 8,192 tokens."""


def entries(name: str) -> dict[str, Any]:
    """What of a recipe is changed."""
    _, optimiser, rate, settings = MODELS[name]
    changed = {f"settings.{setting}": value for setting, value in settings.items()}
    return {
        **changed, "optimiser.name": optimiser, "optimiser.momentum": 0.95, "optimiser.lr": rate,
        "optimiser.weight_decay": 0.1, "schedule.warmup": 100, "schedule.decay": 0.3, "precision": "bfloat16",
        "batch_size": BATCH, "context": CONTEXT, "tokenizer": "bpe", "checkpoint_seconds": 60,
    }  # fmt: skip


def corpus(data: Path) -> Dataset:
    """The texts as all models get them."""
    recipe = recipes.make({"model": "decoder/tiny", "task": "language-model", "context": CONTEXT, "tokenizer": "bpe"})
    return prepare(open_data(str(data), recipe), "bpe")


def texts(dataset: Dataset, split: str) -> Iterator[str]:
    """The documents of a split."""
    blocks, known = dataset.source.inputs, dataset.source.corpus
    assert isinstance(blocks, Blocks)
    assert known is not None
    for number in np.unique(blocks.documents[dataset.rows(split)]):
        ids = blocks.flat[blocks.marks[number] + 1 : blocks.marks[number + 1]]
        yield known.tokenizer.decode(ids.tolist(), skip_special_tokens=False)


def peers(dataset: Dataset) -> list[dict[str, Any]]:
    """What the documents of confirm take without a network, in bits per byte."""
    train, confirm = (list(texts(dataset, split)) for split in ("train", "confirm"))
    before, content = ("".join(some).encode() for some in (train, confirm))
    packed, primed, alone = (len(lzma.compress(part, preset=9)) for part in (before, before + content, content))
    rows = [{"model": "xz -9", "bits per byte": 8 * alone / len(content)},
            {"model": "xz -9, primed with train", "bits per byte": 8 * (primed - packed) / len(content)}]  # fmt: skip
    for order in ORDERS:
        bits = ByteNGrams(order).fit(train).predict(confirm).sum()
        rows.append({"model": f"{order}-grams of bytes", "bits per byte": float(bits) / len(content)})
    return [{**row, "bits per byte": round(row["bits per byte"], 4)} for row in rows]  # type: ignore[arg-type]


def run(name: str, data: Path, minutes: float, folder: Path) -> dict[str, Any]:
    """Train one model, or go on with it, and score it on confirm."""
    model, optimiser, rate, settings = MODELS[name]
    spent: float | None = None
    if not (folder / "config.json").is_file():
        if (folder / "run" / "recipe.yaml").is_file():
            triarch.train(resume=folder)
        else:
            dataset = corpus(data)
            recipe = recipes.make({"model": model, "task": "language-model", "steps": 10**6}, entries(name))
            with computing(1):
                steps = round(60 * minutes / step_seconds(recipe, dataset, LanguageModel()))
            begin = time.process_time()
            triarch.pretrain(str(data), model=model, steps=steps, threads=1, seed=0, out=folder, set=entries(name))
            spent = round((time.process_time() - begin) / 60, 2)
    scored = triarch.evaluate(folder, threads=1)
    trained = recipes.read(folder / "run" / "recipe.yaml")
    loaded = triarch.load(folder)
    return {
        "model": model, "cpu_minutes": minutes, "cpu_minutes_spent": spent, "settings": settings,
        "optimiser": optimiser, "lr": rate, "context": CONTEXT, "batch_size": BATCH, "steps": trained["steps"],
        "params": sum(value.numel() for value in loaded.model.parameters()), "n": scored.n,
        **{metric: round(value, 4) for metric, value in scored.metrics.items()},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--cpu-minutes", type=float, default=30.0)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--runs", type=Path, default=Path("runs") / "standard-library", help="where the artifacts lie")
    parser.add_argument("--out", type=Path, default=RESULTS / "language-standard-library.json")
    options = parser.parse_args()
    known = json.loads(options.out.read_text()) if options.out.is_file() else {}
    result = {"data": options.data.name, "machine": asdict(this_machine()), **known}
    if "models" not in result:
        dataset = corpus(options.data)
        assert dataset.source.corpus is not None
        notes = [note for note in dataset.source.notes if str(options.data) not in note]
        result |= {"notes": notes, "models": peers(dataset)}
        write_json(options.out, result)
    done = {(one["model"], one.get("cpu_minutes")) for one in result["models"]}
    for name in filter(None, options.models.split(",")):
        if (MODELS[name][0], options.cpu_minutes) not in done:
            folder = options.runs / f"{name}-{options.cpu_minutes:g}"
            result["models"].append(run(name, options.data, options.cpu_minutes, folder))
            write_json(options.out, result)
    for one in result["models"]:
        print(json.dumps(one))


if __name__ == "__main__":
    main()
