"""`triarch train`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from triarch.core.results import Training

DEFAULT_EPOCHS = 30


def train(
    data: Any = None,
    *,
    model: str | None = None,
    steps: int | None = None,
    epochs: float | None = None,
    seconds: float | None = None,
    seed: int | None = None,
    threads: int | None = None,
    workers: int | None = None,
    input: Sequence[str] = (),
    target: str | None = None,
    task: str | None = None,
    out: Path | None = None,
    recipe: Path | None = None,
    set: Mapping[str, Any] | Sequence[str] = (),
    resume: Path | None = None,
) -> Training:
    """Train one model and save it as an artifact.

    Args:
        data: name of a built-in set, or path of an .npz file with x and y; in Python also (x, y) or a DataFrame.
        model: architecture/size, for example lstm/nano.
        steps: stop after this many steps.
        epochs: stop after this many passes over the training split; 30 where no limit is given.
        seconds: stop after this time.
        seed: of weights and batches; 0 if not given.
        threads: threads inside an operation; all cores if not given.
        workers: processes that prepare batches; any number gives the same result.
        input: what the inputs are (image, text, series) where it should not be inferred.
        target: column of the labels, where the data has columns.
        task: what to learn, where it should not be inferred: classify.
        out: folder of the artifact; must be new or empty. runs/NAME-N if not given.
        recipe: YAML file with any of these and more.
        set: one entry of the recipe, key=value: --set optimiser.lr=0.01 --set settings.depth=2.
        resume: folder of an interrupted training to go on with; nothing else is needed.
    """
    from triarch.core.errors import InputError, Interrupted
    from triarch.core.files import new_folder, only_one, write_text
    from triarch.core.machine import computing, cores
    from triarch.core.progress import progress
    from triarch.data.dataset import prepare
    from triarch.data.open import open_source
    from triarch.measure.count import params
    from triarch.measure.statistics import score_interval
    from triarch.ship.artifact import Artifact, new_config, save
    from triarch.ship.card import card
    from triarch.tasks import registry as tasks
    from triarch.training import recipe as recipes
    from triarch.training.evaluate import evaluate
    from triarch.training.session import Session
    from triarch.training.start import finished, resolve, start

    given = {
        "model": model, "steps": steps, "epochs": epochs, "seconds": seconds, "seed": seed, "threads": threads,
        "workers": workers, "input": [*input] or None, "target": target, "task": task,
    }  # fmt: skip
    given = {name: value for name, value in given.items() if value is not None}
    if resume is not None:
        if given or out or recipe or set:
            raise InputError(f"--resume {resume}: the folder knows its options", "leave the others out")
        source_of = resume / "run" / "recipe.yaml"
        if not source_of.is_file() or (resume / "run" / "choose.json").is_file():
            raise InputError(f"{resume} holds no training to go on with", "give the --out of a `triarch train`")
        chosen = recipes.make(recipes.read(source_of))
    else:
        entries = {"threads": cores(), **(recipes.read(recipe) if recipe else {}), **given}
        if isinstance(data, str | Path):
            entries["data"] = str(data)
        limits = {"steps", "epochs", "seconds"}
        if len(limits & given.keys()) > 1:
            raise InputError("--steps, --epochs and --seconds: give one of them")
        if limits & given.keys():
            entries |= dict.fromkeys(limits - given.keys())
        if "model" not in entries:
            raise InputError("no model is named", "--model lstm/nano, say; `triarch list` shows them all")
        chosen = recipes.make(entries, set)
        if chosen.steps is chosen.epochs is chosen.seconds is None:
            chosen = chosen.model_copy(update={"epochs": DEFAULT_EPOCHS})
        if chosen.schedule.name == "cosine" and chosen.seconds is not None:
            raise InputError(
                "a cosine schedule must know its end", "give --steps or --epochs, or take schedule.name=wsd"
            )
    place = chosen.data if data is None else data
    if place is None:
        raise InputError("no data is named", "triarch train digits --model lstm/nano, say")
    with computing(chosen.threads, chosen.seed, flush_denormals=True):
        dataset = prepare(open_source(place, chosen.input, chosen.target), chosen.tokenizer)
        learned = tasks.find(chosen.task) if chosen.task else tasks.infer(dataset.spec)
        chosen = resolve(chosen, dataset)
        architecture, _, size = chosen.model.partition("/")
        trainer = start(chosen, dataset, learned)
        stem = f"{Path(dataset.spec.name).stem}-{architecture}-{size}"
        folder = resume or new_folder(out, stem, {"run/recipe.yaml": recipes.to_yaml(chosen)}, "triarch train")

        def scores(split: str = "select") -> Any:
            return evaluate(trainer.result, learned, dataset.batches(dataset.rows(split), 256))

        with only_one(folder / "run"), progress(f"training {chosen.model}") as reporter:
            session = Session(trainer, folder / "run", scores, reporter)
            if resume is not None:
                session.resume()
            if not session.train():
                raise Interrupted(f"triarch train --resume {folder}")
            result = scores()
            metric = learned.primary
            values = result.metrics[metric.name]
            score, interval, done = result.mean(metric.name), score_interval(values), finished(trainer)
            write_text(folder / "run" / "recipe.yaml", recipes.to_yaml(done))
            text = card(
                chosen.model, dataset.spec, metric, score, interval, len(values), "select", params(trainer.result),
                recipes.to_yaml(done),
            )  # fmt: skip
            config = new_config(architecture, size, chosen.settings, learned, dataset.spec)
            artifact = Artifact(config, trainer.result, learned, dataset.preprocessor)
            save(artifact, folder, text, dataset.source.take(dataset.splits["train"][:4]))
    return Training(
        model=chosen.model,
        metric=metric,
        score=score,
        interval=interval,
        n=len(values),
        split="select",
        steps=trainer.step,
        seconds=round(trainer.elapsed, 2),
        params=params(trainer.result),
        seed=chosen.seed,
        threads=chosen.threads,
        artifact=str(folder),
    )
