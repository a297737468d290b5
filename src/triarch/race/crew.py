"""Who does the pieces of a race: this process, or processes of its own that are fed one piece after another.

A process is `python -m triarch.race.worker`. It is told in JSON lines what to do and answers in JSON lines; weights and
checkpoints go through files. It needs no `if __name__ == "__main__"` in the user's program.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from triarch.core.errors import InputError
from triarch.race.work import Piece, Workshop

TRIES = 3
POLL = 0.1
LOG = "workers.log"


class Done(NamedTuple):
    """A piece of work, what came out, the seconds that it took and the processor time that it had."""

    piece: Piece
    result: dict[str, Any]
    seconds: float
    cpu_seconds: float


class Crew(Protocol):
    """Does pieces of work, `size` at a time."""

    size: int

    def ready(self) -> None:
        """Wait until work would begin at once."""
        ...

    def results(self, pieces: Iterable[Piece]) -> Iterator[Done]:
        """Do `pieces`, each of which is taken when there is somebody free to do it; as they are ready."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class Alone:
    """This process."""

    size = 1

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop

    def ready(self) -> None:
        """It is."""

    def results(self, pieces: Iterable[Piece]) -> Iterator[Done]:
        """See `Crew`."""
        for piece in pieces:
            begin, processed = time.perf_counter(), time.process_time()
            result = self.workshop.do(piece)
            yield Done(piece, result, time.perf_counter() - begin, time.process_time() - processed)

    def close(self) -> None:
        """Nothing is held."""


class Processes:
    """`size` processes of this machine.

    Args:
        setting: what a process needs before the first piece, see `triarch.race.worker`.
        run: the race's `run/`; what the processes have to complain about goes to a file there.
        watch: told in words how they stand, again and again; what it raises ends the work.
    """

    def __init__(self, size: int, setting: Mapping[str, Any], run: Path, watch: Callable[[str], None]) -> None:
        self.size, self.setting, self.run, self.watch = size, setting, run, watch
        self._tries: Counter[str] = Counter()
        self._selector = selectors.DefaultSelector()
        self._workers = [self._hire() for _ in range(size)]

    def ready(self) -> None:
        """See `Crew`."""
        while not all(worker.ready for worker in self._workers):
            self.watch("workers are getting ready")
            for key, _ in self._selector.select(POLL):
                alive, _ = key.data.hear()
                if not alive:
                    self._replace(key.data)

    def results(self, pieces: Iterable[Piece]) -> Iterator[Done]:
        """See `Crew`.

        Raises:
            InputError: processes were ended again and again while they did the same piece; or one has met a fault of
                the input.
            RuntimeError: one has met a fault of ours.
        """
        waiting, again = iter(pieces), deque[Piece]()
        while True:
            for worker in list(self._workers):
                if worker.piece is None:
                    piece = again.popleft() if again else next(waiting, None)
                    if piece is not None and not worker.ask(piece):
                        again.extend(self._replace(worker))
            if not again and all(worker.piece is None for worker in self._workers):
                return
            for key, _ in self._selector.select(POLL):
                alive, done = key.data.hear()
                yield from done
                if not alive:
                    again.extend(self._replace(key.data))
            self.watch(" · ".join(worker.note for worker in self._workers if worker.piece))

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            self._selector.unregister(worker.answers)
            worker.end()
        self._workers = []

    def _hire(self) -> _Worker:
        worker = _Worker(self.setting, self.run / LOG)
        self._selector.register(worker.answers, selectors.EVENT_READ, worker)
        return worker

    def _replace(self, worker: _Worker) -> list[Piece]:
        """Put a new process in the place of one that is gone; returns the piece that was lost with it."""
        lost = worker.piece
        key, title = (lost.key, lost.title) if lost else ("", "the start")
        self._tries[key] += 1
        if self._tries[key] == TRIES:
            raise InputError(
                f"{TRIES} workers were ended from outside, or broke down, at {title}; see {self.run / LOG}",
                "is there memory enough? take fewer --workers",
            )
        self._selector.unregister(worker.answers)
        worker.end()
        self._workers[self._workers.index(worker)] = self._hire()
        return [lost] if lost else []


class _Worker:
    """One process, and the piece that it has in hand."""

    def __init__(self, setting: Mapping[str, Any], log: Path) -> None:
        command = [sys.executable, "-m", "triarch.race.worker"]
        with open(log, "ab") as complaints:
            # A session of its own: Ctrl-C is for this process, which then ends that one.
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints, start_new_session=True
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._orders, self.answers = self.process.stdin, self.process.stdout
        self.piece: Piece | None = None
        self.note, self.ready = "", False
        self._begun = 0.0
        self._heard = b""
        self._send({**setting, "parent": os.getpid()})

    def ask(self, piece: Piece) -> bool:
        """Give it a piece to do; False where the process is gone."""
        self.piece, self.note, self._begun = piece, piece.title, time.perf_counter()
        return self._send(asdict(piece))

    def hear(self) -> tuple[bool, list[Done]]:
        """Whether it is still there, and what it has done.

        Raises:
            InputError, RuntimeError: what it has met.
        """
        content = os.read(self.answers.fileno(), 1 << 20)
        if not content:
            return False, []
        *lines, self._heard = (self._heard + content).split(b"\n")
        done = []
        for line in lines:
            told, self.ready = json.loads(line), True
            if "fault" in told:
                raise (InputError if told["input"] else RuntimeError)(told["fault"])
            if "note" in told:
                self.note = told["note"]
            else:
                assert self.piece is not None
                seconds = time.perf_counter() - self._begun
                done.append(Done(self.piece, told["result"], seconds, told["cpu_seconds"]))
                self.piece = None
        return True, done

    def end(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait()
        self.answers.close()
        with suppress(BrokenPipeError):
            self._orders.close()

    def _send(self, content: Mapping[str, Any]) -> bool:
        try:
            self._orders.write(json.dumps(content).encode() + b"\n")
            self._orders.flush()
        except BrokenPipeError:
            return False
        return True
