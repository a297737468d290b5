"""`triarch evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from triarch.core.results import Evaluation


def evaluate(
    artifact: str | Path,
    data: Any = None,
    *,
    split: str | None = None,
    input: str | Sequence[str] = (),
    target: str | None = None,
    group: str | None = None,
    beams: int | None = None,
    length_penalty: float | None = None,
    threads: int | None = None,
) -> Evaluation:
    """Score an artifact on data.

    Args:
        artifact: folder that `train` or `choose` wrote.
        data: what to score it on; the data it was trained on if not given.
        split: train, select, confirm or all. If not given: confirm of the data it was trained on, all of other data.
        input: input columns of a table; else what the inputs are (image, text, series), where not to be inferred.
        target: column of the labels, where the data has columns.
        group: column that says which items belong together, as in training.
        beams: score the most probable translation of so many that are searched side by side; if not given, that of the
            likeliest token each time.
        length_penalty: with beams; above 0 favours longer texts; 1 if not given.
        threads: threads inside an operation; all cores if not given.
    """
    from triarch.core.errors import InputError
    from triarch.core.machine import computing, cores
    from triarch.core.progress import progress
    from triarch.data.asked import names
    from triarch.data.dataset import prepare
    from triarch.data.open import reachable
    from triarch.measure.statistics import score_interval
    from triarch.ship.open import load
    from triarch.training import recipe as recipes
    from triarch.training.evaluate import evaluate as score_batches
    from triarch.training.start import open_data
    from triarch.verbs.predict import writing

    loaded = load(artifact)
    how = writing(loaded, beams, length_penalty)
    spec, metric = loaded.config.spec, loaded.task.primary
    if spec.target.kind == "features":
        raise InputError(
            f"{artifact} has no head: it gives features, and none are right or wrong",
            "`triarch finetune` teaches it a task",
        )
    stored = data is None
    origin = Path(artifact) / "run" / "recipe.yaml"
    recipe = recipes.make(recipes.read(origin)) if origin.is_file() else None
    asked = recipes.make({"model": "", "input": names(input), "target": target, "group": group})
    if stored:
        if recipe is None or recipe.data is None:
            raise InputError(
                f"{artifact} does not know where its data is", "name the data: triarch evaluate ARTIFACT DATA"
            )
        data, asked = reachable(recipe.data), recipe
    elif spec.target.kind == "future":
        future = spec.future
        known, others = future.channels[1 : 1 + future.known], future.channels[1 + future.known :]
        asked = asked.model_copy(
            update={
                "task": "forecast", "horizon": future.horizon, "lookback": future.lookback, "season": future.season,
                "known": known, "calendar": future.calendar, "input": others, "target": target or future.channels[0],
            }
        )  # fmt: skip
    elif spec.target.kind in ("token", "text"):
        asked = asked.model_copy(update={"task": loaded.task.name})
    with progress("reading") as reporter:
        source = open_data(data, asked, reporter.update, loaded.preprocessor, spec.fingerprint)
    if source.modality != spec.modality:
        raise InputError(f"{source.name} holds {source.modality}, {artifact} was trained on {spec.modality}")
    if source.continued is not None:
        theirs, ours = source.continued.future.step, spec.future.step
        if theirs.partition("-")[0] != ours.partition("-")[0]:  # weeks may begin on another day
            raise InputError(
                f"{source.name}: its steps are {theirs or 'numbered'}, those {artifact} was trained on"
                f" {ours or 'numbered'}",
                "give series with the steps of the training",
            )
    own = source.fingerprint == spec.fingerprint
    if stored and not own:
        raise InputError(
            f"{source.name} is not the data that {artifact} was trained on: it was changed",
            "bring that data back, or name the data to score on: triarch evaluate ARTIFACT DATA",
        )
    if spec.target.kind == "class":
        source = _numbered(source, spec, str(artifact))
    with computing(cores() if threads is None else threads):
        dataset = prepare(source, preprocessor=loaded.preprocessor)
        split = split or ("confirm" if own else "all")
        if own and split != "all" and dataset.spec.split != spec.split:
            raise InputError(
                f"{source.name} was split otherwise when {artifact} was trained: {spec.split}",
                "leave DATA out, or give the --group of the training: else items that it learned would be in confirm",
            )
        rows = (dataset.folded(recipe.fold) if own and recipe else dataset).rows(split)
        if not len(rows):
            raise InputError(f"{source.name}: no item is in split {split}", "--split all")
        scores = score_batches(loaded.model, loaded.task, dataset.batches(rows), how)
    values = scores.metrics[metric.name]
    metrics = scores.summary(metric) | _corpus(loaded.task, scores, dataset)
    return Evaluation(
        metric=metric,
        score=scores.score(metric),
        interval=score_interval(values, scores.strata(metric)),
        n=len(values),
        split=split,
        artifact=str(artifact),
        metrics=metrics,
        notes=list(dataset.source.notes),
    )


def _corpus(task: Any, scores: Any, dataset: Any) -> dict[str, float]:
    """Of translations, also what is counted over all of them together."""
    import torch

    from triarch.measure.translation import corpus_bleu, corpus_chrf
    from triarch.tasks.translate import Translate

    if not isinstance(task, Translate):
        return {}
    written = task.texts(torch.from_numpy(scores.answers))
    references = [dataset.source.parallel.texts[row] for row in scores.items.tolist()]
    return {"corpus chrF": corpus_chrf(written, references), "corpus BLEU": corpus_bleu(written, references)}


def _numbered(source: Any, spec: Any, artifact: str) -> Any:
    """The source with its classes numbered as in the training."""
    from dataclasses import replace

    import numpy as np

    from triarch.core.errors import InputError

    unknown = [name for name in source.class_names if name not in spec.target.names]
    if unknown:
        raise InputError(
            f"{source.name} has class {unknown[0]!r}, which {artifact} was not trained on",
            f"it knows: {', '.join(spec.target.names[:20])}",
        )
    numbers = np.array([spec.target.names.index(name) for name in source.class_names], dtype=np.int64)
    return replace(source, labels=numbers[source.labels], class_names=spec.target.names)
