"""A process that does pieces of a race: `python -m triarch.race.worker`, started and fed by `triarch.race.crew`.

The first line of its input is the setting, every other a piece. It answers each piece with its result, and tells now
and then how it stands. It keeps the data for all its pieces and ends with the process that started it.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from triarch.core.errors import InputError
from triarch.core.files import write_bytes
from triarch.core.interrupt import end_with_parent
from triarch.core.machine import computing
from triarch.data.cache import store, stored
from triarch.data.dataset import Dataset
from triarch.data.panel import to_long
from triarch.data.tables import read_frame
from triarch.race.arms import Arm
from triarch.race.options import Options
from triarch.race.origins import origins, unmoved
from triarch.race.subject import subject
from triarch.race.work import Piece, Workshop
from triarch.tasks.task import Task
from triarch.training.recipe import Recipe

DATA, FRAME = "data", "data.parquet"
NOTE_SECONDS = 0.5


def setting(
    run: Path, options: Options, dataset: Dataset, task: Task, base: Recipe, begun: Iterable[Arm] = ()
) -> dict[str, Any]:
    """What a process needs before its first piece; data from memory is written into `run`.

    Args:
        begun: the candidates that do not begin with random weights.
    """
    if options.data is None and dataset.source.corpus is not None:
        raise InputError("texts from memory are raced in one process", "write them to a file, or leave --workers out")
    if options.data is None and dataset.source.continued is not None:
        write_bytes(run / FRAME, to_long(dataset.source.continued).to_parquet())
    elif options.data is None:
        store(dataset.source, run / DATA)
    return {
        "run": str(run), "options": json.loads(options.to_json()), "base": base.model_dump(mode="json"),
        "same": _told(dataset, task, begun),
    }  # fmt: skip


def main() -> None:
    """Answer piece after piece until there is none."""
    lines = iter(sys.stdin.readline, "")
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what anything else prints must not stand between the answers

    def answer(content: Mapping[str, Any]) -> None:
        answers.write(json.dumps(content) + "\n")

    try:
        given = json.loads(next(lines))
        end_with_parent(given["parent"])
        base = Recipe(**given["base"])
        with computing(base.threads, base.seed, flush_denormals=True):
            workshop = _workshop(given, base, _Watch(answer))
            answer({"note": "ready"})
            for line in lines:
                begin = time.process_time()
                result = workshop.do(Piece(**json.loads(line)))
                answer({"result": result, "cpu_seconds": time.process_time() - begin})
    except InputError as error:
        answer({"fault": str(error), "input": True})
    except Exception:
        answer({"fault": traceback.format_exc(), "input": False})


class _Watch:
    """Tells now and then how the work stands."""

    def __init__(self, answer: Any) -> None:
        self._answer, self._told = answer, 0.0

    def __call__(self, note: str) -> None:
        if time.monotonic() - self._told >= NOTE_SECONDS:
            self._told = time.monotonic()
            self._answer({"note": note})


def _workshop(given: Mapping[str, Any], base: Recipe, watch: _Watch) -> Workshop:
    run, options = Path(given["run"]), Options.stored(given["options"])
    data: Any = options.data
    if data is None:
        ahead = (run / FRAME).exists()
        data = read_frame(run / FRAME) if ahead else stored(run / DATA)
        base = base.model_copy(update={"task": "forecast"}) if ahead else base
    dataset, task = subject(data, options, base)
    begun = origins(options.from_, dataset, task)
    if _told(dataset, task, begun) != given["same"]:
        raise InputError(f"{dataset.spec.name} is not the data that this race began with", "bring that data back")
    return Workshop(run, unmoved(dataset, begun), task, base, watch, begun)


def _told(dataset: Dataset, task: Task, begun: Iterable[Arm]) -> dict[str, Any]:
    """What must be the same in all processes."""
    facts = {
        "spec": asdict(dataset.spec), "fitted": dataset.preprocessor.to_json(),
        "task": task.name, "metric": asdict(task.primary), "begun": {arm.name: arm.digest for arm in begun},
    }  # fmt: skip
    return dict(json.loads(json.dumps(facts)))


if __name__ == "__main__":
    main()
