"""What work costs on this machine: measured within minutes when asked for, and kept.

Timed are operators by themselves and every architecture at its small sizes: answers, or steps of training. What is kept
belongs to one machine, version of torch and number of threads, lies in the cache and may be deleted at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from hashlib import blake2b
from pathlib import Path

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn

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

VERSION = 2
SIZES = ("nano", "micro", "tiny")
# Besides those of `reference`.
SHORT: dict[Modality, tuple[int, ...]] = {"image": (1, 8, 8), "text": (32,), "series": (24, 3)}
PATIENCE, PATIENCE_FOR_SINGLES, PATIENCE_FOR_STEPS, PASSES = 0.06, 0.02, 0.03, 2
# Items of a step, and of one of a lone operator.
ROWS, LONE_ROWS = {"nano": 32, "micro": 16, "tiny": 4}, 4


def work_of(model: Model, batch: Batch) -> Work:
    """What an answer takes.

    Args:
        model: on the meta device.
        batch: prepared, of which one item is answered; without weight or with.
    """
    with weightless(model) as twin:
        one = like(batch, 1)
        return work(twin, lambda: twin(one))


@dataclass(frozen=True)
class Case:
    """A call to be timed, and how to count what it does."""

    group: str
    name: str
    call: Callable[[], object]
    count: Callable[[], Work]


def time_everything(threads: int, report: Report = silent, steps: bool = False) -> list[Timed]:
    """Time the operators, then the architectures; about a minute of one core, one and a half for steps.

    Everything is timed several times, a while apart, and the lowest time counts: a machine with other work changes its
    pace from one second to the next.

    Args:
        steps: of training, instead of answers.
    """
    lone, network = (_step_of_single, step) if steps else (_answer_of_single, _answer)
    whole = PATIENCE_FOR_STEPS if steps else PATIENCE
    cases = [(partial(lone, one), PATIENCE_FOR_SINGLES) for one in singles() if one.is_trained or not steps]
    cases += [(partial(network, model, spec), whole) for model, spec in _networks(short=not steps)]
    passes: list[list[Timed]] = []
    with computing(threads, seed=0):
        for number in range(PASSES):
            passes.append([])
            for place, (make, patience) in enumerate(cases):
                case = make()
                does = passes[0][place].work if number else case.count()
                passes[-1].append(Timed(case.group, case.name, does, seconds_of(case, patience, threads, steps)))
                report((number + (place + 1) / len(cases)) / PASSES, case.name)
    return [min(times, key=lambda one: one.seconds) for times in zip(*passes)]


def seconds_of(case: Case, patience: float, threads: int, steps: bool) -> float:
    """What its call takes on a quiet machine."""
    with torch.inference_mode(not steps):
        return undisturbed(case.call, patience, threads, *([1] if steps else [])) / 1000


def _answer(model: str, spec: Spec) -> Case:
    """A forward pass of one item."""
    name, _, size = model.partition("/")
    network, batch = build(name, size, Classify(), spec).eval(), _items(spec, 1)
    return Case(name, _title(model, spec), lambda: network(batch), lambda: work(network, lambda: network(batch)))


def _answer_of_single(single: Single) -> Case:
    module, x = single.make().eval(), single.input(torch.randn)
    return Case("", single.name, lambda: module(x), lambda: work(module, lambda: module(x)))


def step(model: str, spec: Spec, rows: int | None = None) -> Case:
    """A step of training on `rows` items, as many as the calibration takes if not given."""
    name, _, size = model.partition("/")
    task, rows = Classify(), rows or ROWS[size]
    network = build(name, size, task, spec)
    batch = replace(_items(spec, rows), target=torch.randint(spec.num_classes, (rows,)))

    def count() -> Work:
        with torch.device("meta"):
            empty = build(name, size, task, spec)
        with weightless(empty) as twin:
            one = replace(like(batch, rows), target=torch.zeros(rows, dtype=torch.long))
            return work(twin, lambda: task.loss(twin(one), one).backward(), training=True)

    call = _step(network.train(), lambda: task.loss(network(batch), batch))
    return Case(name, f"{_title(model, spec)} x {rows}", call, count)


def _step_of_single(single: Single) -> Case:
    module, x = single.make().train(), single.input(torch.randn, LONE_ROWS).requires_grad_()

    def count() -> Work:
        with torch.device("meta"):
            empty = single.make()
        with weightless(empty) as twin:
            nothing = single.input(torch.empty, LONE_ROWS).requires_grad_()
            return work(twin, lambda: _whole(twin(nothing)).backward(), training=True)

    return Case("", single.name, _step(module, lambda: _whole(module(x))), count)


def _whole(made: Tensor | list[Tensor] | tuple[Tensor, Tensor]) -> Tensor:
    """A single value: of all that functions made, of the outputs of a recurrence."""
    if isinstance(made, tuple):
        return made[0].sum()
    return torch.stack([one.sum() for one in made]).sum() if isinstance(made, list) else made.sum()


def _step(module: nn.Module, loss: Callable[[], Tensor]) -> Callable[[], None]:
    """As the trainer makes it."""
    moved = list(module.parameters())
    optimiser = torch.optim.AdamW(moved, lr=1e-5, fused=True) if moved else None

    def call() -> None:
        value = loss()
        module.zero_grad()
        value.backward()
        if optimiser:
            nn.utils.clip_grad_norm_(moved, 1.0)
            optimiser.step()

    return call


def learn(threads: int, report: Report = silent, steps: bool = False) -> Foreteller:
    """Calibrate on this machine, for answers or for steps of training, and keep it."""
    found = calibrate(time_everything(threads, report, steps))
    about = {"machine": asdict(this_machine()), "threads": threads, "steps": steps}
    write_json(_path(threads, steps), {**about, **asdict(found)})
    return found


def known(threads: int, steps: bool = False) -> Foreteller | None:
    """What was learned on this machine before, of answers or steps of training; None where nothing was."""
    try:
        return TypeAdapter(Foreteller).validate_json(_path(threads, steps).read_bytes())
    except (OSError, ValidationError):
        return None


def foretold(model: Model, batch: Batch, threads: int) -> Foretold | None:
    """How long an answer of `model`, on the meta device, takes by what was learned before; None: nothing was."""
    found = known(threads)
    return found.foretell(work_of(model, batch)) if found else None


def _path(threads: int, steps: bool) -> Path:
    what = f"{VERSION}\0{this_machine()}\0{threads}" + "\0steps" * steps
    return cache_folder() / "machines" / f"{blake2b(what.encode(), digest_size=12).hexdigest()}.json"


def _networks(short: bool) -> Iterator[tuple[str, Spec]]:
    """Every architecture at its small sizes; `short`: one of them on smaller items too."""
    for name in registry.names():
        architecture = registry.find(name)
        for modality in (known for known in MODALITIES if known in architecture.modalities):
            for size in (size for size in SIZES if size in architecture.sizes):
                yield f"{name}/{size}", reference(modality)
                if short and size == "micro":
                    yield f"{name}/{size}", replace(reference(modality), shape=SHORT[modality])


def _title(model: str, spec: Spec) -> str:
    return f"{model} {spec.modality} {spec.shape}"


def _items(spec: Spec, rows: int) -> Batch:
    if spec.modality == "text":
        return Batch(torch.randint(spec.vocab_size, (rows, *spec.shape)))
    return Batch(torch.randn(rows, *spec.shape))
