"""`triarch inspect`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from triarch.core.results import Inspection


def inspect(data: Any, input: str | Sequence[str] = (), target: str | None = None) -> Inspection:
    """Show what a data set is and how it would be used.

    Args:
        data: name of a built-in set, or path of an .npz file with x and y.
        input: what the inputs are (image, text, series) where it should not be inferred.
        target: column of the labels, where the data has columns.
    """
    import numpy as np

    from triarch.data.dataset import prepare
    from triarch.data.open import open_source
    from triarch.tasks import registry as tasks

    dataset = prepare(open_source(data, input, target))
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
        notes=source.notes,
    )
