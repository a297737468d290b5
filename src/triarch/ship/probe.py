"""Measures artifacts in a fresh process: `python -m triarch.ship.probe THREADS SECONDS TIMED FOLDER…`, a line each."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter

from triarch.core.files import folder_bytes
from triarch.core.interrupt import end_with_parent
from triarch.core.machine import computing
from triarch.core.results import Latency
from triarch.data.preprocess import collate
from triarch.measure.latency import latency
from triarch.measure.memory import inference_peak
from triarch.ship.artifact import golden, load


@dataclass(frozen=True)
class Reading:
    """What one artifact costs here; latency is None where there was no time for it."""

    latency_ms: Latency | None
    peak_memory_bytes: int
    artifact_bytes: int

    @property
    def quiet_ms(self) -> Latency | None:
        """The latency; None where the machine was too busy for it to count."""
        return None if self.latency_ms is None or self.latency_ms.busy else self.latency_ms


def measure(folder: Path, threads: int, limit: float | None = None, timed: bool = True) -> Reading:
    """Measure in this process.

    Args:
        threads: threads inside an operation.
        limit: seconds that the latency may take to measure.
        timed: whether the latency is wanted, which takes longest.
    """
    with computing(threads):
        artifact = load(folder)
        one = golden(folder)[0][:1]
        batch = artifact.task.prepare(collate(artifact.preprocessor.encode(one)))
        peak = inference_peak(artifact.model, batch)
        answer = artifact.answers if artifact.config.spec.target.kind in ("token", "features") else artifact.predict
        reading = latency(lambda: answer(one), limit) if timed else None
    return Reading(reading, peak, folder_bytes(folder))


def measure_apart(
    folders: Sequence[Path], threads: int, limit: float | None = None, timed: bool = True
) -> dict[Path, Reading]:
    """Measure in one fresh process, in the given order.

    Args:
        limit: seconds that it all may take; what is not reached by then has no latency, or is missing.
        timed: whether the latency is wanted, which takes longest.
    """
    if not folders:
        return {}
    options = (str(threads), str(limit or 0), str(int(timed)))
    command = [sys.executable, "-m", "triarch.ship.probe", *options, *map(str, folders)]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, timeout=limit and limit + 5, check=False, start_new_session=True
        )
        output = done.stdout
    except subprocess.TimeoutExpired as error:
        output = error.stdout or b""
    readings = [TypeAdapter(Reading).validate_json(line) for line in output.splitlines() if line.endswith(b"}")]
    return dict(zip([*folders, *folders], readings))


def main(arguments: Sequence[str]) -> None:
    """Print a reading without latency for each folder, then one with it until the time is over."""
    end_with_parent()
    threads, limit, timed, *folders = arguments
    end = time.perf_counter() + float(limit) if float(limit) else None
    for folder in folders:
        print(json.dumps(asdict(measure(Path(folder), int(threads), timed=False))), flush=True)
    for folder in folders if timed == "1" else ():
        left = None if end is None else end - time.perf_counter()
        if left is not None and left <= 0:
            return
        print(json.dumps(asdict(measure(Path(folder), int(threads), left))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
