"""`triarch choose`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from triarch.core.results import Choice

SHORTEST, LONGEST = 10, 10_000_000


def choose(
    data: Any = None,
    *,
    seconds: float | None = None,
    max_params: int | None = None,
    max_size: int | None = None,
    models: str | Sequence[str] = (),
    families: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
    task: str | None = None,
    metric: str | None = None,
    margin: float | None = None,
    input: str | Sequence[str] = (),
    target: str | None = None,
    group: str | None = None,
    image_size: int | None = None,
    seed: int | None = None,
    threads: int | None = None,
    out: Path | None = None,
    recipe: Path | None = None,
    resume: Path | None = None,
) -> Choice:
    """Race CNNs, RNNs and Transformers on your data and say which to use; the best is saved as an artifact.

    Args:
        data: built-in set, folder of pictures or texts, CSV, Parquet, JSONL, .ts, IDX, .npz, hf:org/name, (x, y).
        seconds: time limit of the whole command; 300 if not given.
        max_params: limit on the parameters of the model.
        max_size: limit on the bytes of the artifact.
        models: which may race, names and patterns with commas: resnet,lstm/*,vit/micro; a name means all its sizes.
        families: which may race: cnn, rnn, transformer, hybrid.
        exclude: which may not: names and patterns as for models, or families; rnn means the family.
        task: what to learn, where it should not be inferred: classify.
        metric: what decides, one of the task's: accuracy, balanced-accuracy, loss.
        margin: a difference of the metric that does not matter to you: a smaller one is a tie; 0 if not given.
        input: input columns of a table; else what the inputs are (image, text, series), where not to be inferred.
        target: column of the labels, where the data has columns.
        group: column that says which items belong together: they stay in one split.
        image_size: shorter side of pictures in pixels; if not given, the median, at most 96.
        seed: of weights and batches, 0 if not given; the splits never depend on it.
        threads: threads inside an operation; if not given, as many as prove useful.
        out: folder of the artifact; must be new or empty. runs/NAME-N if not given.
        recipe: YAML file with any of these; what is given beside it wins. run/choose.yaml of a race is one.
        resume: folder of an interrupted race to go on with; nothing else is needed.
    """
    import time

    began = time.perf_counter()
    from dataclasses import replace

    from triarch.core.budget import Budget
    from triarch.core.errors import InputError
    from triarch.core.files import new_folder, only_one
    from triarch.core.interrupt import deferred
    from triarch.core.machine import computing
    from triarch.core.progress import progress
    from triarch.data.dataset import prepare
    from triarch.race.candidates import entries, within
    from triarch.race.choose import run
    from triarch.race.options import Options
    from triarch.race.race import Race
    from triarch.race.selection import selected
    from triarch.training.recipe import read
    from triarch.training.start import open_data

    out, recipe, resume = (Path(path) if path is not None else None for path in (out, recipe, resume))
    asked: dict[str, Any] = {
        "seconds": seconds, "max_params": max_params, "max_size": max_size, "models": models, "families": families,
        "exclude": exclude, "task": task, "metric": metric, "margin": margin, "input": input, "target": target,
        "group": group, "image_size": image_size, "seed": seed, "threads": threads,
    }  # fmt: skip
    given = {name: value for name, value in asked.items() if value is not None and value != ()}
    if resume is not None:
        if given or out is not None or recipe is not None:
            raise InputError(f"--resume {resume}: the folder knows its options", "leave the others out")
        options = Options.read(resume / "run" / "options.json")
    else:
        if data is not None:
            given["data"] = str(data) if isinstance(data, str | Path) else None
        options = Options.of({**(read(recipe) if recipe else {}), **given})
    data = options.data if data is None else data
    if data is None:
        raise InputError(
            "no data is named" if resume is None else f"{resume} was a race on data from memory",
            "triarch choose digits, say" if resume is None else "in Python: triarch.choose(data, resume=…)",
        )
    if not SHORTEST <= options.seconds <= LONGEST:
        raise InputError(f"--seconds {options.seconds:g}: a race takes from {SHORTEST} to {LONGEST}")
    base = options.recipe()
    budget = Budget(options.seconds, options.max_params, options.max_size)
    with computing(base.threads, base.seed, flush_denormals=True), progress("choosing") as reporter:
        dataset = prepare(open_data(data, base, reporter.update), report=reporter.update)
        if options.fingerprint not in (None, dataset.spec.fingerprint):
            raise InputError(f"{dataset.spec.name} is not the data that this race began with", "bring that data back")
        options = replace(options, fingerprint=dataset.spec.fingerprint)
        learned = options.learned(dataset.spec)
        models = selected(dataset.spec.modality, options.models, options.families, options.exclude)
        found = entries(dataset, learned, options.seconds, base.batch_size, models)
        allowed = within(budget, found)
        first = {"run/options.json": options.to_json(), "run/choose.yaml": options.to_yaml()}
        stem = Path(dataset.spec.name).stem
        folder = resume or new_folder(out, stem, first, "triarch choose")
        with only_one(folder / "run"), deferred() as stop:
            race = Race(folder / "run", budget, dataset, learned, base, reporter, stop, began)
            return run(race, found, allowed, options)
