"""`triarch inspect`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from triarch.core.results import Inspection


def inspect(
    data: Any,
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
) -> Inspection:
    """Show what a data set is and how it would be used.

    Args:
        data: built-in set, folder of pictures or texts, CSV, Parquet, JSONL, .ts, IDX, .npz or hf:org/name.
        input: input columns of a table; else what the inputs are (image, text, series), where not to be inferred.
        target: column of the labels, where the data has columns.
        group: column that says which items belong together: they stay in one split.
        image_size: shorter side of pictures in pixels; if not given, the median, at most 96.
        task: classify or forecast, where the data could be for either.
        horizon: steps ahead, where series are to be continued; a day of hours, a year of months… if not given.
        lookback: steps that a model sees of a series; inferred if not given.
        season: steps of a season; inferred if not given.
        known: columns that are known for the steps ahead too.
        impute: how gaps in series are filled: linear or last; if not given, they are an error.
    """
    import numpy as np

    from triarch.core.progress import progress
    from triarch.data.asked import names
    from triarch.data.dataset import prepare
    from triarch.tasks import registry as tasks
    from triarch.training import recipe as recipes
    from triarch.training.start import open_data

    asked = recipes.make(
        {
            "model": "", "input": names(input), "target": target, "group": group, "image_size": image_size,
            "task": task, "horizon": horizon, "lookback": lookback, "season": season, "known": names(known),
            "impute": impute,
        }
    )  # fmt: skip
    with progress("reading") as reporter:
        dataset = prepare(open_data(data, asked, reporter.update), report=reporter.update)
    source, spec = dataset.source, dataset.spec
    found = tasks.infer(spec)
    classes = {}
    if spec.target.kind == "class":
        classes = dict(zip(spec.target.names, np.bincount(source.labels, minlength=spec.num_classes).tolist()))
    return Inspection(
        data=spec.name,
        task=found.name,
        modality=spec.modality,
        shape=spec.shape,
        ragged=spec.ragged,
        items=len(source),
        classes=classes,
        splits={name: len(rows) for name, rows in dataset.splits.items()},
        split=spec.split,
        metric=found.primary,
        fingerprint=spec.fingerprint,
        notes=[*source.notes, *dataset.variations],
    )
