"""Who does the portions of a corpus: this process where there is one, else processes that are told one after another.

A portion that is finished is a file that stays, so work that was broken off, in whatever way, goes on where it was.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from triarch.core.errors import InputError
from triarch.core.progress import Report
from triarch.data.corpora.portion_work import Workshop

MOST_PROCESSES = 8


def usual_processes() -> int:
    """As many as there are processors for this process, but no more than eight: each takes some 100 MB."""
    return min(MOST_PROCESSES, len(os.sched_getaffinity(0)))


def do_portions(folder: Path, stage: str, processes: int, report: Report, words: str) -> None:
    """Do all portions of a stage that are not finished.

    Args:
        stage: see `Workshop`.
        processes: how many work beside each other.
        words: what is done, for `report`.

    Raises:
        InputError: something that is read is at fault, or a process was ended.
    """
    workshop = Workshop(folder, stage)
    waiting, all_of_them = workshop.waiting(), len(workshop.plan.portions)
    done = all_of_them - len(waiting)
    report(done / all_of_them, words)
    few = min(processes, len(waiting)) <= 1
    for _ in _alone(workshop, waiting) if few else _beside(folder, stage, waiting, processes):
        done += 1
        report(done / all_of_them, f"{words}: {done:,} of {all_of_them:,} portions")


def _alone(workshop: Workshop, waiting: list[int]) -> Iterator[int]:
    for number in waiting:
        workshop.do(number)
        yield number


def _beside(folder: Path, stage: str, waiting: list[int], processes: int) -> Iterator[int]:
    command = [sys.executable, "-m", "triarch.data.corpora.portion_work", str(folder), stage]
    settings = {**os.environ, "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    left = iter(waiting)
    workers: list[subprocess.Popen[str]] = []
    with selectors.DefaultSelector() as selector:
        try:
            for number in islice(left, processes):
                worker = subprocess.Popen(
                    command, env=settings, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
                )
                workers.append(worker)
                assert worker.stdout is not None
                selector.register(worker.stdout, selectors.EVENT_READ, worker)
                _tell(worker, number)
            for _ in waiting:
                key, _ = selector.select()[0]
                worker = key.data
                yield _answer(worker, folder)
                if (following := next(left, None)) is not None:
                    _tell(worker, following)
                else:
                    selector.unregister(key.fileobj)
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
                for pipe in (worker.stdin, worker.stdout):
                    if pipe is not None:
                        pipe.close()


def _tell(worker: subprocess.Popen[str], number: int) -> None:
    assert worker.stdin is not None
    with suppress(BrokenPipeError):  # that it is gone is seen where its answer is awaited
        worker.stdin.write(f"{number}\n")
        worker.stdin.flush()


def _answer(worker: subprocess.Popen[str], folder: Path) -> int:
    assert worker.stdout is not None
    line = worker.stdout.readline()
    if not line:
        raise InputError(
            f"a process that read text was ended (status {worker.wait()})",
            f"what is finished is kept in {folder}: the same command goes on from there; more memory may be needed",
        )
    answer = json.loads(line)
    if "fault" in answer:
        what, _, remedy = answer["fault"].partition("\n")
        raise InputError(what, remedy)
    return int(answer["done"])
