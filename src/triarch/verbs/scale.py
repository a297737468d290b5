"""`triarch scale`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from triarch.core.scaling import Scaling

SHORTEST, LONGEST = 20, 10_000_000


def scale(
    data: Any = None,
    *,
    models: str | Sequence[str] = (),
    seconds: float | None = None,
    items: str | Sequence[str] = (),
    at: str | Sequence[str] = (),
    hours: str | Sequence[str] = (),
    flops: float | None = None,
    utilisation: float | None = None,
    task: str | None = None,
    metric: str | None = None,
    input: str | Sequence[str] = (),
    target: str | None = None,
    group: str | None = None,
    image_size: int | None = None,
    horizon: int | None = None,
    lookback: int | None = None,
    season: int | None = None,
    known: str | Sequence[str] = (),
    impute: str | None = None,
    seed: int | None = None,
    threads: int | None = None,
    out: Path | None = None,
    resume: Path | None = None,
) -> Scaling:
    """Foretell from small runs what more data, a larger model or more computing would give, and which model would win.

    Args:
        data: built-in set, folder of pictures or texts, CSV, Parquet, JSONL, .ts, IDX, .npz, hf:org/name, (x, y).
        models: which, names and patterns with commas: resnet,lstm/micro,vit/*; a name alone means its smallest sizes.
        seconds: time limit of the whole command; 600 if not given.
        items: amounts of training data to run, with commas: 500,1000,2000,4000; the split halved again and again if
            not given.
        at: amounts of training data to foretell for; what there is and ten times the largest run if not given.
        hours: of computing, with commas, for which the best size and amount of data are told; 1 if not given.
        flops: of the machine of these hours, a second: 3.1e14; if not given they are hours of this machine.
        utilisation: the share of flops that a training uses; 0.35 if not given.
        task: what to learn, where it should not be inferred: classify or forecast.
        metric: what decides, one of the task's: accuracy, balanced-accuracy, loss; MASE, sMAPE, CRPS.
        input: input columns of a table; else what the inputs are (image, text, series), where not to be inferred.
        target: column of the labels, where the data has columns.
        group: column that says which items belong together: they stay in one split.
        image_size: shorter side of pictures in pixels; if not given, the median, at most 96.
        horizon: steps ahead, where series are to be continued; a day of hours, a year of months… if not given.
        lookback: steps that a model sees of a series; inferred if not given.
        season: steps of a season; inferred if not given.
        known: columns that are known for the steps ahead too.
        impute: how gaps in series are filled: linear or last; if not given, they are an error.
        seed: of weights and batches, 0 if not given; the splits never depend on it.
        threads: threads inside an operation; 1 if not given.
        out: folder of the runs; must be new or empty. runs/NAME-scale-N if not given.
        resume: folder of an interrupted forecast to go on with; nothing else is needed.
    """
    import time

    began = time.perf_counter()
    from dataclasses import replace

    from triarch.core.errors import InputError
    from triarch.core.files import new_folder, only_one
    from triarch.core.interrupt import deferred
    from triarch.core.machine import computing
    from triarch.core.progress import progress
    from triarch.race.subject import subject
    from triarch.scaling.forecast import planned, run
    from triarch.scaling.runs import Runs
    from triarch.scaling.wanted import Wanted
    from triarch.training.start import batched

    out, resume = (Path(path) if path is not None else None for path in (out, resume))
    asked: dict[str, Any] = {
        "models": models, "seconds": seconds, "items": items, "at": at, "hours": hours, "flops": flops,
        "utilisation": utilisation, "task": task, "metric": metric, "input": input, "target": target, "group": group,
        "image_size": image_size, "horizon": horizon, "lookback": lookback, "season": season, "known": known,
        "impute": impute, "seed": seed, "threads": threads,
    }  # fmt: skip
    given = {name: value for name, value in asked.items() if value is not None and value != ()}
    if resume is not None:
        wanted = Wanted.resumed(resume, bool(given or out))
    else:
        wanted = Wanted.of({**given, "data": str(data) if isinstance(data, str | Path) else None})
    data, limit = wanted.named(data, resume is not None), wanted.limit
    if not SHORTEST <= limit <= LONGEST:
        raise InputError(f"--seconds {limit:g}: a forecast takes from {SHORTEST} to {LONGEST}")
    if not wanted.models:
        raise InputError("no model is named", "--models plain,lstm, say; `triarch list` shows them all")
    base = wanted.recipe()
    with computing(base.threads, base.seed, flush_denormals=True), progress("scaling") as reporter:
        dataset, learned = subject(data, wanted, base, reporter.update)
        base = batched(base, dataset)
        dataset = replace(dataset, folds=())
        wanted = replace(wanted, fingerprint=dataset.spec.fingerprint)

        def plan() -> Any:
            return planned(wanted, dataset, learned, base, 0.9 * limit - (time.perf_counter() - began))

        grid = plan() if resume is None else None
        first = {f"run/{Wanted.FILE}": wanted.to_json()}
        stem = f"{Path(dataset.spec.name).stem}-scale"
        folder = resume or new_folder(out, stem, first, "triarch scale")
        with only_one(folder / "run"), deferred() as stop:
            runs = Runs(folder / "run", dataset, learned, base, limit, reporter, stop, began)
            return run(runs, wanted, lambda: grid or plan())
