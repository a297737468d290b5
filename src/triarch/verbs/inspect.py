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
) -> Inspection:
    """Show what a data set is and how it would be used.

    Args:
        data: built-in set, folder of pictures or texts, CSV, Parquet, JSONL, .ts, IDX, .npz or hf:org/name.
        input: input columns of a table; else what the inputs are (image, text, series), where not to be inferred.
        target: column of the labels, where the data has columns.
        group: column that says which items belong together: they stay in one split.
        image_size: shorter side of pictures in pixels; if not given, the median, at most 96.
    """
    import numpy as np

    from triarch.core.progress import progress
    from triarch.data.dataset import prepare
    from triarch.data.open import open_source
    from triarch.tasks import registry as tasks

    with progress("reading") as reporter:
        dataset = prepare(
            open_source(data, input, target, group, image_size, report=reporter.update), report=reporter.update
        )
    source, spec = dataset.source, dataset.spec
    task = tasks.infer(spec)
    return Inspection(
        data=spec.name,
        task=task.name,
        modality=spec.modality,
        shape=spec.shape,
        ragged=spec.ragged,
        items=len(source),
        classes=dict(zip(spec.target.names, np.bincount(source.labels, minlength=spec.num_classes).tolist())),
        splits={name: len(rows) for name, rows in dataset.splits.items()},
        split=spec.split,
        metric=task.primary,
        fingerprint=spec.fingerprint,
        notes=[*source.notes, *dataset.variations],
    )
