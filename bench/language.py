"""Spelling to sound, and translation, by pairs of all three families, each for the same processor time.

    python bench/data.py cmudict libreoffice-help
    python bench/language.py spell --cpu-minutes 20
    python bench/language.py translate --cpu-minutes 40 [--models gru+gru/micro,…] [--summary gru+gru/micro]

A model's steps are as many as its share of processor time allows, at the time that its first steps take. An interrupted
run goes on where it stood; what is done is not done again. A model writes the likeliest token each time, and once more
the most probable text of four beams. `--summary` names models to be trained once more with only a summary of the source
in place of attention to its steps. Beside them stand, on the same items of confirm: for spelling the real weights of
g2p-en (a GRU pair of 0.83 million parameters, trained on cmudict, those words perhaps included), for translation the
source as it is.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import triarch
from packages import Package, fetch
from sides import RESULTS
from triarch.core.files import write_json
from triarch.core.machine import computing, this_machine
from triarch.data.dataset import Dataset, prepare
from triarch.measure.translation import chrf, corpus_bleu, corpus_chrf
from triarch.tasks.task import Task
from triarch.tasks.translate import Translate
from triarch.training import recipe as recipes
from triarch.training.start import open_data, resolve, start

DATA = Path(__file__).parent / "data"
TASKS: dict[str, dict[str, Any]] = {
    "spell": {"data": "cmudict.csv", "input": ("word",), "target": "sounds", "group": None},
    "translate": {"data": "libreoffice-help.csv", "input": ("en",), "target": "de", "group": "file"},
}
MODELS = "gru+gru/micro,encoder+decoder/micro,tcn+tcn/micro"
MUON = {"optimiser.name": "muon", "optimiser.momentum": 0.95, "optimiser.lr": 0.006}
CHANGES: dict[tuple[str, str], dict[str, Any]] = {
    ("translate", "gru+gru/micro"): MUON, ("translate", "encoder+decoder/micro"): MUON,
}  # fmt: skip
"""What a recipe has of its own, by task and model; `tcn+tcn` has kernels, which Muon leaves alone."""
G2P = Package("pip", "g2p-en", "2.1.0", "2a7aabf1fc7f270fcc3349881407988c9245173c2413debbe5432f4a4f31319f")
WARM_UP, TIMED = 5, 40
BEAMS = 4
WRITTEN = ("chrF", "exact match", "corpus chrF", "corpus BLEU")
SOUNDS = """<pad> <unk> <s> </s> AA0 AA1 AA2 AE0 AE1 AE2 AH0 AH1 AH2 AO0 AO1 AO2 AW0 AW1 AW2 AY0 AY1 AY2 B CH D DH
EH0 EH1 EH2 ER0 ER1 ER2 EY0 EY1 EY2 F G HH IH0 IH1 IH2 IY0 IY1 IY2 JH K L M N NG OW0 OW1 OW2 OY0 OY1 OY2 P R S SH T TH
UH0 UH1 UH2 UW UW0 UW1 UW2 V W Y Z ZH""".split()  # noqa: SIM905


def entries(task: str, data: Path, model: str) -> dict[str, Any]:
    """The recipe of a model."""
    how = {name: value for name, value in TASKS[task].items() if name != "data"}
    return {**how, "data": str(data), "task": "translate", "model": model, "threads": 1}


def step_seconds(recipe: recipes.Recipe, dataset: Dataset, task: Task) -> float:
    """Processor time of a training step: the mean of some after the first."""
    laps: list[float] = []

    def clock(_: Any) -> bool:
        laps.append(time.process_time())
        return False

    with computing(1, 0, flush_denormals=True):
        trainer = start(resolve(recipe, dataset), dataset, task)
        trainer.run(steps=WARM_UP + TIMED, after_step=clock)
    return (laps[-1] - laps[WARM_UP - 1]) / TIMED


def run(task: str, data: Path, model: str, minutes: float, folder: Path, summary: bool) -> dict[str, Any]:
    """Train one model, or go on with it, and score it on confirm."""
    if not (folder / "config.json").is_file():
        if (folder / "run" / "recipe.yaml").is_file():
            triarch.train(resume=folder)
        else:
            given = entries(task, data, model)
            changes = CHANGES.get((task, model), {}) | ({"settings.sees": "summary"} if summary else {})
            recipe = recipes.make({**given, "steps": 10**6}, changes)
            with computing(1):
                dataset = prepare(open_data(str(data), recipe))
            steps = round(60 * minutes / step_seconds(recipe, dataset, Translate(dataset.spec)))
            triarch.train(
                str(data), model=model, task="translate", input=given["input"], target=given["target"],
                group=given["group"], steps=steps, threads=1, seed=0, out=folder, set=changes,
            )  # fmt: skip
    scored, searched = triarch.evaluate(folder, threads=1), triarch.evaluate(folder, threads=1, beams=BEAMS)
    trained = recipes.read(folder / "run" / "recipe.yaml")
    return {
        "model": model, "sees": "summary" if summary else "steps", "cpu_minutes": minutes, "steps": trained["steps"],
        "optimiser": trained["optimiser"]["name"], "lr": trained["optimiser"]["lr"],
        "params": sum(value.numel() for value in triarch.load(folder).model.parameters()), "n": scored.n,
        **{name: round(value, 4) for name, value in scored.metrics.items()},
        **{f"{name}, {BEAMS} beams": round(searched.metrics[name], 4) for name in WRITTEN},
    }  # fmt: skip


def confirm(task: str, data: Path) -> tuple[list[str], list[str]]:
    """The items that no training saw, and their answers."""
    dataset = prepare(open_data(str(data), recipes.make(entries(task, data, "gru+gru/nano"))))
    rows = dataset.rows("confirm").tolist()
    assert dataset.source.parallel is not None
    return [str(dataset.source.inputs[row]) for row in rows], [dataset.source.parallel.texts[row] for row in rows]


def peer(task: str, data: Path) -> dict[str, Any]:
    """What stands beside the models."""
    inputs, answers = confirm(task, data)
    written = g2p(inputs) if task == "spell" else inputs
    return {
        "model": "g2p-en, its real weights" if task == "spell" else "the source, copied",
        "n": len(inputs),
        "chrF": round(float(np.mean([chrf(*pair) for pair in zip(written, answers)])), 4),
        "exact match": round(float(np.mean([one == other for one, other in zip(written, answers)])), 4),
        "corpus chrF": round(corpus_chrf(written, answers), 4),
        "corpus BLEU": round(corpus_bleu(written, answers), 4),
    }


def g2p(words: list[str]) -> list[str]:
    """The sounds that g2p-en's network gives words of a to z; its weights are read without its code."""
    with tempfile.TemporaryDirectory() as scratch:
        path = fetch(G2P, Path(scratch) / "g2p") / "g2p_en" / "checkpoint20.npz"
        weights = dict(np.load(path, allow_pickle=False))

    def cell(x: NDArray[Any], h: NDArray[Any], side: str) -> NDArray[Any]:
        given = x @ weights[f"{side}_w_ih"].T + weights[f"{side}_b_ih"]
        held = h @ weights[f"{side}_w_hh"].T + weights[f"{side}_b_hh"]
        (r, z, n), (hr, hz, hn) = np.split(given, 3, -1), np.split(held, 3, -1)
        r, z = 1 / (1 + np.exp(-(r + hr))), 1 / (1 + np.exp(-(z + hz)))
        made: NDArray[Any] = (1 - z) * np.tanh(n + r * hn) + z * h
        return made

    told = []
    for word in words:
        h = np.zeros((1, weights["enc_w_hh"].shape[-1]), np.float32)
        for number in [*(ord(letter) - ord("a") + 3 for letter in word), 2]:
            h = cell(weights["enc_emb"][[number]], h, "enc")
        sounds, last = [], 2
        for _ in range(20):
            h = cell(weights["dec_emb"][[last]], h, "dec")
            last = int((h @ weights["fc_w"].T + weights["fc_b"]).argmax())
            if last == 3:
                break
            sounds.append(SOUNDS[last])
        told.append(" ".join(sounds))
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=tuple(TASKS))
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--summary", default="", help="models to be trained without attention too")
    parser.add_argument("--cpu-minutes", type=float)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--runs", type=Path, default=Path("runs") / "language", help="where the artifacts lie")
    parser.add_argument("--out", type=Path, help="JSON file")
    options = parser.parse_args()
    task = options.task
    minutes = options.cpu_minutes or {"spell": 20.0, "translate": 40.0}[task]
    data = options.data or DATA / TASKS[task]["data"]
    out = options.out or RESULTS / f"language-{task}.json"
    known = json.loads(out.read_text()) if out.is_file() else {}
    result = {"task": task, "data": data.name, "machine": asdict(this_machine()), "models": known.get("models", [])}
    done = {(one["model"], one.get("sees", ""), one.get("cpu_minutes", 0)) for one in result["models"]}
    asked = [(model, False) for model in filter(None, options.models.split(","))]
    asked += [(model, True) for model in filter(None, options.summary.split(","))]
    if not any("sees" not in one for one in result["models"]):
        result["models"].append(peer(task, data))
        write_json(out, result)
    for model, summary in asked:
        if (model, "summary" if summary else "steps", minutes) in done:
            continue
        name = f"{task}-{model.replace('/', '-')}-{minutes:g}{'-summary' if summary else ''}"
        result["models"].append(run(task, data, model, minutes, options.runs / name, summary))
        write_json(out, result)
    for one in result["models"]:
        print(json.dumps(one))


if __name__ == "__main__":
    main()
