"""What work costs on this machine: measured within a minute when asked for, and kept.

Timed are operators by themselves and every architecture at its small sizes. What is kept belongs to one machine,
version of torch and number of threads, lies in the cache and may be deleted at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from hashlib import blake2b
from pathlib import Path

import torch
from pydantic import TypeAdapter, ValidationError

from triarch.core.files import write_json
from triarch.core.machine import computing, this_machine
from triarch.core.progress import Report, silent
from triarch.core.results import Foretold
from triarch.core.spec import MODALITIES, Modality, Spec, reference
from triarch.core.types import Batch
from triarch.data.cache import cache_folder
from triarch.measure.foretell import Foreteller, Timed, calibrate
from triarch.measure.latency import undisturbed
from triarch.measure.singles import Single, singles
from triarch.measure.weightless import like, weightless
from triarch.measure.work import Work, work
from triarch.model import Model, build
from triarch.models import registry
from triarch.tasks.classify import Classify

VERSION = 1
SIZES = ("nano", "micro", "tiny")
# Besides those of `reference`.
SHORT: dict[Modality, tuple[int, ...]] = {"image": (1, 8, 8), "text": (32,), "series": (24, 3)}
PATIENCE, PATIENCE_FOR_SINGLES, PASSES = 0.06, 0.02, 2


def work_of(model: Model, batch: Batch) -> Work:
    """What an answer takes.

    Args:
        model: on the meta device.
        batch: prepared, of which one item is answered; without weight or with.
    """
    with weightless(model) as twin:
        one = like(batch, 1)
        return work(twin, lambda: twin(one))


def time_everything(threads: int, report: Report = silent) -> list[Timed]:
    """Time the operators, then the architectures; less than a minute on one quiet core.

    Everything is timed several times, a while apart, and the lowest time counts: a machine with other work changes its
    pace from one second to the next.
    """
    things: list[Single | tuple[str, Spec]] = [*singles(), *_networks()]
    passes: list[list[Timed]] = []
    with computing(threads, seed=0):
        for number in range(PASSES):
            passes.append([])
            for thing in things:
                done = (number + len(passes[-1]) / len(things)) / PASSES
                one = _time_single(thing, threads) if isinstance(thing, Single) else _time_network(*thing, threads)
                passes[-1].append(one)
                report(done, one.name)
    return [min(times, key=lambda one: one.seconds) for times in zip(*passes)]


def _time_network(model: str, spec: Spec, threads: int) -> Timed:
    """A forward pass of one item."""
    name, _, size = model.partition("/")
    network = build(name, size, Classify(), spec).eval()
    batch = _one(spec)
    seconds = _seconds(lambda: network(batch), PATIENCE, threads)
    return Timed(name, f"{model} {spec.modality} {spec.shape}", work(network, lambda: network(batch)), seconds)


def learn(threads: int, report: Report = silent) -> Foreteller:
    """Calibrate on this machine, and keep it."""
    found = calibrate(time_everything(threads, report))
    write_json(_path(threads), {"machine": asdict(this_machine()), "threads": threads, **asdict(found)})
    return found


def known(threads: int) -> Foreteller | None:
    """What was learned on this machine before; None where nothing was."""
    try:
        return TypeAdapter(Foreteller).validate_json(_path(threads).read_bytes())
    except (OSError, ValidationError):
        return None


def foretold(model: Model, batch: Batch, threads: int) -> Foretold | None:
    """How long an answer of `model`, on the meta device, takes by what was learned before; None: nothing was."""
    found = known(threads)
    return found.foretell(work_of(model, batch)) if found else None


def _path(threads: int) -> Path:
    what = f"{VERSION}\0{this_machine()}\0{threads}"
    return cache_folder() / "machines" / f"{blake2b(what.encode(), digest_size=12).hexdigest()}.json"


def _networks() -> Iterator[tuple[str, Spec]]:
    for name in registry.names():
        architecture = registry.find(name)
        for modality in (known for known in MODALITIES if known in architecture.modalities):
            for size in (size for size in SIZES if size in architecture.sizes):
                yield f"{name}/{size}", reference(modality)
                if size == "micro":
                    yield f"{name}/{size}", replace(reference(modality), shape=SHORT[modality])


def _time_single(single: Single, threads: int) -> Timed:
    module, x = single.make().eval(), single.input(torch.randn)
    seconds = _seconds(lambda: module(x), PATIENCE_FOR_SINGLES, threads)
    return Timed("", single.name, work(module, lambda: module(x)), seconds)


def _one(spec: Spec) -> Batch:
    if spec.modality == "text":
        return Batch(torch.randint(spec.vocab_size, (1, *spec.shape)))
    return Batch(torch.randn(1, *spec.shape))


def _seconds(call: Callable[[], object], patience: float, threads: int) -> float:
    with torch.inference_mode():
        return undisturbed(call, patience, threads) / 1000
