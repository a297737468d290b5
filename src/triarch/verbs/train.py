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
    input: str | Sequence[str] = (),
    target: str | None = None,
    group: str | None = None,
    image_size: int | None = None,
    task: str | None = None,
    horizon: int | None = None,
    lookback: int | None = None,
    season: int | None = None,
    known: str | Sequence[str] = (),
    impute: str | None = None,
    out: Path | None = None,
    recipe: Path | None = None,
    set: Mapping[str, Any] | Sequence[str] = (),
    resume: Path | None = None,
) -> Training:
    """Train one model and save it as an artifact.

    Args:
        data: built-in set, folder of pictures or texts, CSV, Parquet, JSONL, .ts, IDX, .npz, hf:org/name, (x, y).
        model: architecture/size, for example lstm/nano.
        steps: stop after this many steps.
        epochs: stop after this many passes over the training split; 30 where no limit is given.
        seconds: stop after this time.
        seed: of weights and batches; 0 if not given.
        threads: threads inside an operation; if not given, as many as prove useful.
        workers: processes that prepare batches; any number gives the same result.
        input: input columns of a table; else what the inputs are (image, text, series), where not to be inferred.
        target: column of the labels, where the data has columns.
        group: column that says which items belong together: they stay in one split.
        image_size: shorter side of pictures in pixels; if not given, the median, at most 96.
        task: what to learn, where it should not be inferred: classify, forecast, translate, language-model or
            masked-model.
        horizon: steps ahead, where series are to be continued; a day of hours, a year of months… if not given.
        lookback: steps that a model sees of a series; inferred if not given.
        season: steps of a season; inferred if not given.
        known: columns that are known for the steps ahead too.
        impute: how gaps in series are filled: linear or last; if not given, they are an error.
        out: folder of the artifact; must be new or empty. runs/DATA-MODEL-N if not given.
        recipe: YAML file with any of these and more.
        set: one entry of the recipe, key=value: --set optimiser.lr=0.01 --set settings.depth=2.
        resume: folder of an interrupted training to go on with; nothing else is needed.
    """
    from shlex import quote

    import torch
    from safetensors.torch import save

    from triarch.core.errors import Interrupted
    from triarch.core.files import new_folder, only_one, write_bytes, write_text
    from triarch.core.machine import computing, cores
    from triarch.core.progress import progress
    from triarch.data.asked import names
    from triarch.ship.deliver import Measured, deliver
    from triarch.ship.open import load
    from triarch.training.adapt import adapter, merge, trained_params
    from triarch.training.evaluate import evaluate
    from triarch.training.recipe import to_yaml
    from triarch.training.session import CHECKPOINT, Session
    from triarch.training.start import finished, resolve, start, useful_threads

    given = {
        "model": model, "steps": steps, "epochs": epochs, "seconds": seconds, "seed": seed, "threads": threads,
        "workers": workers, "input": names(input) or None, "target": target, "group": group,
        "image_size": image_size, "task": task, "horizon": horizon, "lookback": lookback, "season": season,
        "known": names(known) or None, "impute": impute, "out": out, "recipe": recipe,
        "set": set or None,
    }  # fmt: skip
    given = {name: value for name, value in given.items() if value is not None}
    out, recipe, resume = (Path(path) if path is not None else None for path in (out, recipe, resume))
    asked, place = _resumed(data, resume, given) if resume else _asked(data, given)
    with computing(asked.threads), progress("reading") as reading:
        base = load(asked.begin) if asked.begin else None
        asked, longer = (asked, "") if base is None else _longer(asked, base)
        dataset, learned = _read(place, asked, base, reading.update)
        asked, dataset = resolve(asked, dataset), dataset.folded(asked.fold)
        if "threads" not in asked.model_fields_set:
            asked = asked.model_copy(update={"threads": useful_threads([asked], dataset, learned, cores())})
    with computing(asked.threads, asked.seed, flush_denormals=True):
        weights = None if base is None else base.weights()
        if asked.inputs_first is not None and not (resume and (resume / "run" / CHECKPOINT).exists()):
            with torch.random.fork_rng():
                start(asked, dataset, learned)  # what cannot be is told before anything is learned
            weights = _inputs_first(asked, dataset)
        trainer = start(asked, dataset, learned, weights)
        read = dataset.source.notes if dataset.source.corpus else ()
        trainer.notes = [*filter(None, [longer, _changed(base, learned)]), *trainer.notes, *read]
        changing = None if base is None else trained_params(trainer.model)
        stem = f"{Path(dataset.spec.name).stem}-{asked.model.replace('/', '-')}"
        folder = resume or new_folder(out, stem, {"run/recipe.yaml": to_yaml(asked)}, "triarch train")

        def scores() -> Any:
            return evaluate(trainer.result, learned, dataset.batches(dataset.rows("select")))

        with only_one(folder / "run"), progress(f"training {asked.model}") as reporter:
            session = Session(trainer, folder / "run", scores, reporter)
            if resume is not None:
                session.resume()
            if not session.train():
                raise Interrupted(f"triarch train --resume {quote(str(folder))}")
            if asked.adapt.method == "lora":
                write_bytes(folder / "run" / "adapter.safetensors", save(adapter(trainer.result)))
            merge(trainer.result)
            outcome = _outcome(trainer, asked, scores(), folder, changing)
            done = to_yaml(finished(trainer))
            write_text(folder / "run" / "recipe.yaml", done)
            origin = Path(asked.begin).name if asked.begin else None
            measured = Measured(outcome.score, outcome.interval, outcome.n, outcome.split, origin=origin)
            deliver(folder, asked.model, trainer.result, asked.settings, learned, dataset, measured, done)
    return outcome


def _read(place: Any, asked: Any, base: Any, report: Any) -> tuple[Any, Any]:
    """The dataset, as `base` takes it where there is one, and what is learned of it."""
    from triarch.core.errors import InputError
    from triarch.data.dataset import prepare
    from triarch.tasks import registry as tasks
    from triarch.training.start import open_data, taken_by

    fitted = None if base is None else base.preprocessor
    if base is not None and asked.tokenizer is not None:
        raise InputError(f"{asked.begin} keeps its tokenizer: it is not to be chosen anew", "leave tokenizer out")
    if fitted is not None and fitted.settings.modality == "text":
        fitted = fitted.changed(context=asked.context)
    source = open_data(place, asked, report, fitted)
    if base is not None and asked.context is not None and source.corpus is None:
        raise InputError(
            f"{asked.begin} keeps its context where no language is modelled", "leave context out, or --task"
        )
    if base is not None and source.modality != base.config.spec.modality:
        raise InputError(
            f"{source.name} holds {source.modality}, {asked.begin} was trained on {base.config.spec.modality}"
        )
    dataset = prepare(source, asked.tokenizer, fitted, report, learned=True)
    dataset = dataset if base is None else taken_by(base.config.spec, dataset)
    return dataset, tasks.find(asked.task, dataset.spec) if asked.task else tasks.infer(dataset.spec)


def _longer(asked: Any, base: Any) -> tuple[Any, str]:
    """The recipe with what a context other than that of `base` asks for, and that in words."""
    from triarch.training.longer import lengthen

    spec = base.config.spec
    if asked.context is None or spec.modality != "text":
        return asked, ""
    return lengthen(asked, spec.max_len, base.config.settings)


def _changed(base: Any, learned: Any) -> str:
    """That a language model becomes something else, which its user may not have meant; "" where it does not."""
    if base is None or not base.task.causal or learned.causal:
        return ""
    return f"a language model learns to {learned.name}; rows with instruction and output would teach it to answer"


def _inputs_first(asked: Any, dataset: Any) -> Any:
    """The weights of the model once it has learned the inputs, in the steps that the recipe gives to that."""
    from triarch.core.progress import progress
    from triarch.training.inputs_first import learn_inputs

    with progress(f"inputs first of {asked.model}") as reporter:

        def after_step(trainer: Any) -> bool:
            reporter.update(trainer.step / asked.inputs_first, f"step {trainer.step:,}, loss {trainer.loss:.3f}")
            return False

        return learn_inputs(asked, dataset, asked.inputs_first, after_step=after_step).weights


def _outcome(trainer: Any, asked: Any, result: Any, folder: Path, changed: int | None) -> Training:
    """What is said of a training that has ended."""
    from triarch.measure.count import params
    from triarch.measure.statistics import score_interval

    metric = trainer.task.primary
    values = result.metrics[metric.name]
    return Training(
        model=asked.model,
        metric=metric,
        score=result.score(metric),
        interval=score_interval(values, result.strata(metric)),
        n=len(values),
        split="select",
        steps=trainer.step,
        seconds=round(trainer.elapsed, 2),
        params=params(trainer.result),
        seed=asked.seed,
        threads=asked.threads,
        artifact=str(folder),
        trained_params=changed,
        notes=trainer.notes,
    )


def _asked(data: Any, given: dict[str, Any]) -> tuple[Any, Any]:
    """The recipe that the options make, and the data."""
    from triarch.core.errors import InputError
    from triarch.training import recipe as recipes

    limits = {"steps", "epochs", "seconds"}
    if len(limits & given.keys()) > 1:
        raise InputError("--steps, --epochs and --seconds: give one of them")
    options = {name: value for name, value in given.items() if name not in ("recipe", "set", "out")}
    entries = {**(recipes.read(given["recipe"]) if "recipe" in given else {}), **options}
    if data is not None:
        entries |= {"data": str(data) if isinstance(data, str | Path) else None, "fingerprint": None}
    if limits & given.keys():
        entries |= dict.fromkeys(limits - given.keys())
    if "model" not in entries:
        raise InputError("no model is named", "--model lstm/nano, say; `triarch list` shows them all")
    chosen = recipes.make(entries, given.get("set", ()))
    if chosen.steps is chosen.epochs is chosen.seconds is None:
        chosen = chosen.model_copy(update={"epochs": DEFAULT_EPOCHS})
    if chosen.schedule.name == "cosine" and chosen.seconds is not None:
        raise InputError("a cosine schedule must know its end", "give --steps or --epochs, or take schedule.name=wsd")
    place = chosen.data if data is None else data
    if place is None:
        raise InputError("no data is named", "triarch train digits --model lstm/nano, say")
    return chosen, place


def _resumed(data: Any, folder: Path, given: dict[str, Any]) -> tuple[Any, Any]:
    """The recipe of an interrupted training, and its data."""
    from triarch.core.errors import InputError
    from triarch.data.open import reachable
    from triarch.training import recipe as recipes

    if given:
        raise InputError(f"--resume {folder}: the folder knows its options", f"leave --{next(iter(given))} out")
    path = folder / "run" / "recipe.yaml"
    if not path.is_file() or (folder / "run" / "options.json").is_file():
        raise InputError(f"{folder} holds no training to go on with", "give the --out of a `triarch train`")
    chosen = recipes.make(recipes.read(path))
    if data is None and chosen.data is None:
        raise InputError(f"{folder} was trained on data from memory", "in Python: triarch.train(data, resume=…)")
    return chosen, reachable(str(chosen.data)) if data is None else data
