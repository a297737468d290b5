"""`triarch describe`."""

from __future__ import annotations

from typing import Any

from triarch.core.results import Description


def describe(model: str, *, data: Any = None, modality: str | None = None, threads: int = 1) -> Description:
    """Show what a model is and what it costs here.

    Args:
        model: architecture/size, for example lstm/micro; or the folder of an artifact.
        data: the data that it is for; without, a nominal set: a 32x32 colour image, 128 tokens or 96 steps.
        modality: of the nominal set: image, text or series.
        threads: threads inside an operation.
    """
    from dataclasses import asdict, replace
    from pathlib import Path
    from tempfile import TemporaryDirectory

    import torch

    from triarch.core.errors import InputError, near
    from triarch.core.machine import computing
    from triarch.core.spec import MODALITIES, reference
    from triarch.data.dataset import prepare
    from triarch.data.nominal import nominal_source
    from triarch.data.open import open_source
    from triarch.data.preprocess import collate
    from triarch.measure.count import macs, params
    from triarch.model import build
    from triarch.models import registry
    from triarch.ship.artifact import Artifact, golden, load, new_config, save
    from triarch.ship.probe import measure_apart
    from triarch.tasks import registry as tasks

    if modality is not None and modality not in MODALITIES:
        raise InputError(f"there is no modality {modality!r}", near(modality, MODALITIES))
    with TemporaryDirectory() as temporary:
        folder = Path(model)
        if not (folder / "config.json").is_file():
            architecture, size = registry.parse(model)
            folder = Path(temporary) / "artifact"
            kind = next(known for known in MODALITIES if known == (modality or architecture.modalities[0]))
            dataset = prepare(open_source(data) if data is not None else nominal_source(kind))
            spec = dataset.spec if data is not None else replace(dataset.spec, name=reference(kind).name)
            task = tasks.infer(spec)
            with computing(threads, seed=0):
                network = build(architecture.name, size, task, spec)
            config = new_config(architecture.name, size, {}, task, spec)
            longest = dataset.source.take(dataset.longest)
            save(Artifact(config, network, task, dataset.preprocessor), folder, "", longest)
        elif data is not None or modality is not None:
            raise InputError(f"{model} is an artifact, its data is known", "leave --data and --modality out")
        artifact = load(folder)
        config = artifact.config
        found = registry.find(config.architecture)
        with torch.device("meta"):
            empty = build(config.architecture, config.size, artifact.task, config.spec, config.settings)
        batch = artifact.task.prepare(collate(artifact.preprocessor.encode(golden(folder)[0][:1]))).to("meta")
        reading = measure_apart([folder], threads)[folder]
    return Description(
        model=config.model,
        family=found.family,
        summary=registry.summary(config.architecture),
        data=config.spec.name,
        params=params(empty),
        macs=macs(empty, lambda: empty(batch)),
        latency_ms=reading.latency_ms,
        peak_memory_bytes=reading.peak_memory_bytes,
        artifact_bytes=reading.artifact_bytes,
        threads=threads,
        settings=asdict(found.configure(config.size, config.settings)),
    )
