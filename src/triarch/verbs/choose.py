"""`triarch choose`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from triarch.core.choice import Choice

SHORTEST, LONGEST = 10, 10_000_000
MOST_WORKERS = 256


def choose(
    data: Any = None,
    *,
    seconds: float | None = None,
    steps: int | None = None,
    max_params: int | str | None = None,
    max_size: int | str | None = None,
    max_memory: int | str | None = None,
    max_latency: float | None = None,
    models: str | Sequence[str] = (),
    families: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
    from_: str | Sequence[str] = (),
    pretrain: bool | None = None,
    task: str | None = None,
    metric: str | None = None,
    margin: float | None = None,
    input: str | Sequence[str] = (),
    target: str | None = None,
    group: str | None = None,
    image_size: int | None = None,
    horizon: int | None = None,
    lookback: int | None = None,
    season: int | None = None,
    known: str | Sequence[str] = (),
    impute: str | None = None,
    context: int | None = None,
    tokenizer: str | None = None,
    seed: int | None = None,
    threads: int | None = None,
    workers: int | None = None,
    out: Path | None = None,
    recipe: Path | None = None,
    resume: Path | None = None,
) -> Choice:
    """Race CNNs, RNNs and Transformers on your data and say which to use; the best is saved as an artifact.

    Args:
        data: built-in set, folder of pictures or texts, CSV, Parquet, JSONL, .ts, IDX, .npz, hf:org/name, (x, y).
        seconds: time limit of the whole command; if not given, 300, or none where steps are given.
        steps: race by steps instead of time, so that it can be repeated bit for bit: each final takes so many, a trial
            a third of them before the final and a third of a third at the rung before; a time limit still holds.
        max_params: limit on the parameters of the model: 500000, 500k, 2M.
        max_size: limit on the bytes of the artifact: 500k, 2M, 1.5GB.
        max_memory: limit on the bytes of memory that one answer takes, weights included.
        max_latency: limit on the milliseconds from raw input to answer, one item at a time; 95 of 100 are quicker.
        models: which may race, names and patterns with commas: resnet,lstm/*,vit/micro; a name means all its sizes.
        families: which may race: cnn, rnn, transformer, hybrid.
        exclude: which may not: names and patterns as for models, or families; rnn means the family.
        from_: artifacts, or folders of Transformers, with commas: fine-tuned, they race as one more family beside the
            others, which begin with random weights; what their pretraining cost is not counted.
        pretrain: of texts, race each finalist a second time that first learns the inputs without their labels, in half
            of its time.
        task: what to learn, where it should not be inferred: classify, forecast, translate, language-model or
            masked-model.
        metric: what decides, one of the task's: accuracy, balanced-accuracy, loss; MASE, sMAPE, CRPS;
            bits-per-byte.
        margin: a difference of the metric that does not matter to you: a smaller one is a tie; 0 if not given.
        input: input columns of a table; else what the inputs are (image, text, series), where not to be inferred.
        target: column of the labels, where the data has columns.
        group: column that says which items belong together: they stay in one split.
        image_size: shorter side of pictures in pixels; if not given, the median, at most 96.
        horizon: steps ahead, where series are to be continued; a day of hours, a year of months… if not given.
        lookback: steps that a model sees of a series; inferred if not given.
        season: steps of a season; inferred if not given.
        known: columns that are known for the steps ahead too.
        impute: how gaps in series are filled: linear or last; if not given, they are an error.
        context: tokens that a language model sees; 256 if not given.
        tokenizer: of language models: bpe, bytes or characters, fitted on the training split; bpe if not given.
        seed: of weights and batches, 0 if not given; the splits never depend on it.
        threads: threads inside an operation; if not given, as many as prove useful, with steps or workers one.
        workers: processes that train at the same time, with that many threads each; 1 if not given.
        out: folder of the artifact; must be new or empty. runs/NAME-N if not given.
        recipe: YAML file with any of these; what is given beside it wins. run/choose.yaml of a race is one.
        resume: folder of an interrupted race to go on with; nothing else is needed.
    """
    import time

    began = time.perf_counter()
    from dataclasses import replace

    from triarch.core.errors import InputError
    from triarch.core.files import new_folder, only_one
    from triarch.core.interrupt import deferred
    from triarch.core.machine import computing, cores
    from triarch.core.progress import progress
    from triarch.model import candidates, unfit
    from triarch.race.candidates import entries, entries_of
    from triarch.race.choose import run
    from triarch.race.limits import quick_enough, quick_look, refuse_hopeless, within
    from triarch.race.options import Options
    from triarch.race.origins import origins, unmoved
    from triarch.race.pairs import usual
    from triarch.race.race import Race
    from triarch.race.selection import selected
    from triarch.race.subject import subject
    from triarch.race.twins import refuse_unable
    from triarch.training.recipe import read
    from triarch.training.start import batched

    out, recipe, resume = (Path(path) if path is not None else None for path in (out, recipe, resume))
    asked: dict[str, Any] = {
        "seconds": seconds, "steps": steps, "max_params": max_params, "max_size": max_size, "max_memory": max_memory,
        "max_latency": max_latency, "models": models, "families": families, "exclude": exclude,
        "from_": from_, "pretrain": pretrain, "task": task,
        "metric": metric, "margin": margin, "input": input, "target": target, "group": group,
        "image_size": image_size, "horizon": horizon, "lookback": lookback, "season": season, "known": known,
        "impute": impute, "context": context, "tokenizer": tokenizer, "seed": seed,
        "threads": threads, "workers": workers,
    }  # fmt: skip
    given = {name: value for name, value in asked.items() if value is not None and value != ()}
    if resume is not None:
        options = Options.resumed(resume, bool(given or out or recipe))
    else:
        if data is not None:
            given["data"] = str(data) if isinstance(data, str | Path) else None
        options = Options.of({**(read(recipe) if recipe else {}), **given})
    data = options.named(data, resume is not None)
    if options.seconds is not None and not SHORTEST <= options.seconds <= LONGEST:
        raise InputError(f"--seconds {options.seconds:g}: a race takes from {SHORTEST} to {LONGEST}")
    if options.steps is not None and options.steps < 1:
        raise InputError(f"--steps {options.steps}: a final takes 1 step or more")
    if not 1 <= options.workers <= MOST_WORKERS:
        raise InputError(
            f"--workers {options.workers}: from 1 to {MOST_WORKERS}", f"this machine has {cores()} core(s)"
        )
    base, budget = options.recipe(), options.budget()
    with computing(base.threads, base.seed, flush_denormals=True), progress("choosing") as reporter:
        dataset, learned = subject(data, options, base, reporter.update)
        base = batched(base, dataset)
        options = replace(options, fingerprint=dataset.spec.fingerprint)
        cannot = unfit(learned, dataset.spec)
        models = selected(
            dataset.spec.modality, options.models, options.families, options.exclude, cannot, candidates(learned),
            usual(learned),
        )  # fmt: skip
        begun = origins(options.from_, dataset, learned, reporter.update)
        dataset = unmoved(dataset, begun)
        if options.pretrain:
            refuse_unable(dataset, models)
        if resume is None:
            refuse_hopeless(budget, models, dataset, learned, base.threads)
        found = entries(dataset, learned, budget, base.batch_size, models) + entries_of(begun, learned, budget)
        allowed = within(budget, found, dataset, learned)
        looked = quick_look(budget, allowed, dataset, learned, base.threads) if resume is None else None
        if looked is not None:
            quick_enough(budget, allowed, looked)
        first = {f"run/{Options.FILE}": options.to_json(), "run/choose.yaml": options.to_yaml()}
        stem = Path(dataset.spec.name).stem
        folder = resume or new_folder(out, stem, first, "triarch choose")
        with (
            only_one(folder / "run"),
            deferred() as stop,
            Race(folder / "run", options, budget, dataset, learned, base, reporter, stop, began, begun) as race,
        ):
            return run(race, found, allowed, options, looked)
