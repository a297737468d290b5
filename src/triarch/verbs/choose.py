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
    seconds: float = 300.0,
    max_params: int | str | None = None,
    max_size: int | str | None = None,
    max_memory: int | str | None = None,
    max_latency: float | None = None,
    input: str | Sequence[str] = (),
    target: str | None = None,
    group: str | None = None,
    image_size: int | None = None,
    seed: int = 0,
    threads: int | None = None,
    out: Path | None = None,
    resume: Path | None = None,
) -> Choice:
    """Race CNNs, RNNs and Transformers on your data and say which to use; the best is saved as an artifact.

    Args:
        data: built-in set, folder of pictures or texts, CSV, Parquet, JSONL, .ts, IDX, .npz, hf:org/name, (x, y).
        seconds: time limit of the whole command.
        max_params: limit on the parameters of the model: 500000, 500k, 2M.
        max_size: limit on the bytes of the artifact: 500k, 2M, 1.5GB.
        max_memory: limit on the bytes of memory that one answer takes, weights included.
        max_latency: limit on the milliseconds from raw input to answer, one item at a time; 95 of 100 are quicker.
        input: input columns of a table; else what the inputs are (image, text, series), where not to be inferred.
        target: column of the labels, where the data has columns.
        group: column that says which items belong together: they stay in one split.
        image_size: shorter side of pictures in pixels; if not given, the median, at most 96.
        seed: of weights and batches; the splits never depend on it.
        threads: threads inside an operation; if not given, as many as prove useful.
        out: folder of the artifact; must be new or empty. runs/NAME-N if not given.
        resume: folder of an interrupted race to go on with; nothing else is needed.
    """
    import time

    began = time.perf_counter()
    from dataclasses import replace

    from triarch.core.budget import milliseconds, whole
    from triarch.core.errors import InputError
    from triarch.core.files import new_folder, only_one
    from triarch.core.interrupt import deferred
    from triarch.core.machine import computing
    from triarch.core.progress import progress
    from triarch.data.asked import names
    from triarch.data.dataset import prepare
    from triarch.race.candidates import entries
    from triarch.race.choose import run
    from triarch.race.limits import quick_enough, quick_look, refuse_hopeless, within
    from triarch.race.options import Options
    from triarch.race.race import Race
    from triarch.tasks import registry as tasks
    from triarch.training.start import open_data

    out, resume = (Path(path) if path is not None else None for path in (out, resume))
    options = Options(
        data=str(data) if isinstance(data, str | Path) else None,
        seconds=seconds,
        max_params=whole("max_params", max_params),
        max_size=whole("max_size", max_size),
        max_memory=whole("max_memory", max_memory),
        max_latency=milliseconds("max_latency", max_latency),
        input=names(input),
        target=target,
        group=group,
        image_size=image_size,
        seed=seed,
        threads=threads,
    )
    if resume is not None:
        if replace(options, data=None) != Options() or out is not None:
            raise InputError(f"--resume {resume}: the folder knows its options", "leave the others out")
        options = Options.read(resume / "run" / "options.json")
    data = options.data if data is None else data
    if data is None:
        raise InputError(
            "no data is named" if resume is None else f"{resume} was a race on data from memory",
            "triarch choose digits, say" if resume is None else "in Python: triarch.choose(data, resume=…)",
        )
    if not SHORTEST <= options.seconds <= LONGEST:
        raise InputError(f"--seconds {options.seconds:g}: a race takes from {SHORTEST} to {LONGEST}")
    base, budget = options.recipe(), options.budget()
    with computing(base.threads, base.seed, flush_denormals=True), progress("choosing") as reporter:
        dataset = prepare(open_data(data, base, reporter.update), report=reporter.update)
        if options.fingerprint not in (None, dataset.spec.fingerprint):
            raise InputError(f"{dataset.spec.name} is not the data that this race began with", "bring that data back")
        options = replace(options, fingerprint=dataset.spec.fingerprint)
        task = tasks.infer(dataset.spec)
        if resume is None:
            refuse_hopeless(budget, dataset, task, base.threads)
        found = entries(dataset, task, budget, base.batch_size)
        allowed = within(budget, found, dataset, task)
        looked = quick_look(budget, allowed, dataset, task, base.threads) if resume is None else None
        if looked is not None:
            quick_enough(budget, allowed, looked)
        first = {"run/options.json": options.to_json()}
        stem = Path(dataset.spec.name).stem
        folder = resume or new_folder(out, stem, first, "triarch choose")
        with only_one(folder / "run"), deferred() as stop:
            race = Race(folder / "run", budget, dataset, task, base, reporter, stop, began)
            return run(race, found, allowed, options, looked)
