"""The ledger of a run: one append-only file of lines, from which an interrupted run goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Record:
    """One finished piece of work.

    Attributes:
        key: what was done, unique in its ledger: "trial/lstm/nano/lr=0.01/rung0".
        result: what came out; plain JSON values.
        seconds: how long it took.
        ended: seconds since the run began, interruptions left out.
        threads: threads that it could use.
        cpu_seconds: processor time that it had, where that was looked at.
    """

    key: str
    result: dict[str, Any]
    seconds: float
    ended: float
    threads: int = field(default=1)
    cpu_seconds: float | None = None


class Ledger:
    """An append-only `records.jsonl`. A last line torn by a crash is dropped, every earlier line is kept.

    Args:
        path: the file; made with the first record.

    Raises:
        ValueError: a line that is not the last cannot be read: the file was changed by somebody else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._records: dict[str, Record] = {}
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.truncate(path, len(whole))
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                record = Record(**json.loads(line))
            except (ValueError, TypeError) as error:
                raise ValueError(f"{path}:{number} is not a record: {error}") from error
            self._records[record.key] = record

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records.values())

    def get(self, key: str) -> Record | None:
        """The record of `key`, or None while that work is not done."""
        return self._records.get(key)

    def append(self, record: Record) -> Record:
        """Write one record; it is on the disk when this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "ab") as file:
            file.write(json.dumps(asdict(record), ensure_ascii=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._records[record.key] = record
        return record

    @property
    def elapsed(self) -> float:
        """Seconds of the run that are accounted for."""
        return max((record.ended for record in self), default=0.0)
