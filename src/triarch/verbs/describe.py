"""`triarch describe`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triarch.core.results import Description, Foretold

if TYPE_CHECKING:
    from triarch.core.spec import Spec
    from triarch.core.types import Batch
    from triarch.measure.foretell import Foreteller
    from triarch.model import Model
    from triarch.tasks.task import Task


def describe(
    model: str, *, data: Any = None, modality: str | None = None, batch_size: int = 64, threads: int = 1,
    calibrate: bool = False,
) -> Description:  # fmt: skip
    """Show what a model is and what it costs here.

    Args:
        model: architecture/size, for example lstm/micro; or the folder of an artifact or of Transformers.
        data: the data that it is for; without, a nominal set: a 32x32 colour image, 128 tokens or 96 steps.
        modality: of the nominal set: image, text or series.
        batch_size: items of the training step whose memory, and time on a calibrated machine, is told.
        threads: threads inside an operation.
        calibrate: first time for two or three minutes what operators and small networks cost here, answering and in
            training; kept, so that training steps can be foretold later, and latencies where the machine is too busy to
            measure them.
    """
    from dataclasses import asdict, replace
    from pathlib import Path
    from tempfile import TemporaryDirectory

    import numpy as np
    import torch

    from triarch.core.errors import InputError, near
    from triarch.core.machine import computing
    from triarch.core.progress import progress
    from triarch.core.spec import MODALITIES, reference
    from triarch.data.dataset import prepare
    from triarch.data.nominal import nominal_source
    from triarch.data.open import open_source
    from triarch.data.preprocess import collate
    from triarch.measure.count import macs, params
    from triarch.model import build, needed
    from triarch.models import registry
    from triarch.ship.artifact import Artifact, golden, new_config, save
    from triarch.ship.calibration import foretold, known, learn
    from triarch.ship.open import foreign, load
    from triarch.ship.probe import measure_apart
    from triarch.tasks import registry as tasks

    if batch_size < 1:
        raise InputError(f"--batch-size {batch_size}: a batch holds at least one item", "write 1 or more")
    if modality is not None and modality not in MODALITIES:
        raise InputError(f"there is no modality {modality!r}", near(modality, MODALITIES))
    with TemporaryDirectory() as temporary:
        folder = Path(model)
        if not ((folder / "config.json").is_file() or foreign(folder)):
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
        elif foreign(folder):
            nominal = nominal_source("text")
            save(load(folder), folder := Path(temporary) / "artifact", "", nominal.take(np.arange(1)))
        artifact = load(folder)
        config = artifact.config
        found = registry.find(config.architecture)
        with torch.device("meta"):
            empty = build(config.architecture, config.size, artifact.task, config.spec, config.settings)
        one = artifact.task.prepare(collate(artifact.preprocessor.encode(golden(folder)[0][:1])))
        if config.spec.target.kind == "text":  # an answer as long as the longest
            one = replace(one, given=torch.full((1, config.spec.target.max_len), config.spec.target.end))
        batch = one.to("meta")
        reading = measure_apart([folder], threads)[folder]
    if calibrate:
        for steps, what in ((False, "calibrating answers"), (True, "calibrating training")):
            with progress(what) as reporter:
                learn(threads, reporter.update, steps)
    prices = known(threads, steps=True)
    step_macs, step_peak, step_time = _training_step(empty, artifact.task, config.spec, batch, batch_size, prices)
    return Description(
        model=config.model,
        family=found.family,
        summary=registry.summary(config.architecture),
        data=config.spec.name,
        params=params(empty),
        macs=macs(empty, lambda: empty(batch)),
        training_macs=step_macs // batch_size,
        latency_ms=reading.latency_ms,
        peak_memory_bytes=reading.peak_memory_bytes,
        batch_size=batch_size,
        training_memory_bytes=step_peak,
        state_bytes=_state(artifact.model, one),
        artifact_bytes=reading.artifact_bytes,
        threads=threads,
        settings=asdict(found.configure(config.size, {**needed(found, artifact.task), **config.settings})),
        foretold_ms=foretold(empty, one, threads) if calibrate or reading.quiet_ms is None else None,
        foretold_step_ms=step_time,
    )


def _training_step(
    model: Model, task: Task, spec: Spec, batch: Batch, rows: int, prices: Foreteller | None
) -> tuple[int, int, Foretold | None]:
    """Multiply–adds, peak of live bytes, and time by `prices`, of a step on `rows` items like the prepared `batch`."""
    from dataclasses import replace

    import torch

    from triarch.measure.count import training_macs
    from triarch.measure.memory import batch_bytes, training_peak
    from triarch.measure.weightless import like, weightless
    from triarch.measure.work import work

    with weightless(model) as twin:
        whole = spec.target.kind != "future"
        steps = {
            "class": (),
            "future": (spec.target.future.horizon,) if spec.target.future else (),
            "token": batch.input.shape[1:],
            "text": (spec.target.max_len,),
            "features": (),
        }
        target = torch.zeros(rows, *steps[spec.target.kind], dtype=torch.long if whole else None)
        many = replace(like(batch, rows), target=target)
        peak = training_peak(twin.train(), lambda: task.loss(twin(many), many), batch_bytes(many))
        count = training_macs(twin, lambda: task.loss(twin(many), many))
        if prices is None:
            return count, peak, None
        does = work(twin, lambda: task.loss(twin(many), many).backward(), training=True)
        return count, peak, prices.foretell(does)


def _state(model: Model, batch: Batch) -> int | None:
    """Bytes that the backbone remembers of the item in `batch`, which is prepared; None where it is not causal."""
    import torch

    from triarch.measure.states import state_bytes

    with torch.no_grad():
        try:
            state = model.remembered(batch)
        except ValueError:
            return None
    return None if state is None else state_bytes(state)
