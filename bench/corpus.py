"""A large text file, tokenised while it is killed and begun again: memory, and what is done twice.

    python bench/corpus.py [--gigabytes 2] [--from DIR …] [--processes 2] [--out bench/results/corpus.json]

The file is made of the text files below the folders given, cut into blocks of 40 lines, in one random order after the
other until it is long enough. Half way through the shards everything is ended with SIGKILL, then begun again. Memory is
the resident memory of all processes, summed, twice a second, in all that `pretrain` does before it trains; pages that
they share count in each. Everything is written into a temporary folder, which needs twice the size of the text.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from array import array
from pathlib import Path
from unittest.mock import patch

from triarch.core.files import write_json
from triarch.core.progress import progress
from triarch.data import gather
from triarch.data.blocks import Blocks
from triarch.data.corpora.documents import PLAIN
from triarch.data.open import open_source

LINES, FILE_BYTES = 40, 4 << 20
PAGE = os.sysconf("SC_PAGE_SIZE")


def make(path: Path, size: int, folders: list[Path]) -> int:
    """Write the file; how often each block is in it, rounded up."""
    files = [
        file
        for folder in folders
        for file in sorted(folder.rglob("*"))
        if file.suffix in (*PLAIN, ".html", ".xml", ".json") and file.is_file() and file.stat().st_size < FILE_BYTES
    ]
    seen: set[int] = set()
    places, starts, stops = array("l"), array("l"), array("l")
    for number, file in enumerate(files):
        content = file.read_bytes()
        try:
            content.decode()
        except UnicodeDecodeError:
            continue
        lines = content.splitlines(keepends=True)
        start = 0
        for first in range(0, len(lines), LINES):
            block = b"".join(lines[first : first + LINES])
            if hash(block) not in seen:
                seen.add(hash(block))
                places.append(number)
                starts.append(start)
                stops.append(start + len(block))
            start += len(block)
    order = list(range(len(places)))
    passes, written = 0, 0
    with open(path, "wb") as out:
        while written < size:
            random.Random(passes).shuffle(order)
            passes += 1
            for block in order:
                with open(files[places[block]], "rb") as file:
                    file.seek(starts[block])
                    written += out.write(file.read(stops[block] - starts[block]).rstrip() + b"\n\n")
                if written >= size:
                    break
    return passes


def tree(process: int) -> list[int]:
    """The process and all that it started."""
    found = [process]
    for one in found:
        try:
            found += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
        except OSError:
            continue
    return found


def resident(processes: list[int]) -> int:
    """Their memory in bytes."""
    memory = 0
    for one in processes:
        try:
            memory += int(Path(f"/proc/{one}/statm").read_text().split()[1]) * PAGE
        except OSError:
            continue
    return memory


def shards(cache: Path) -> dict[str, int]:
    """The finished shards and when each was."""
    return {file.name: file.stat().st_mtime_ns for file in cache.glob("*/tokens-*/*.npy")}


def run(text: Path, cache: Path, told: Path, processes: int, until: float) -> dict[str, object]:
    """Tokenise, to the end or until a share of the shards is there."""
    command = [sys.executable, __file__, "--child", str(text), "--told", str(told), "--processes", str(processes)]
    begin = time.perf_counter()
    child = subprocess.Popen(command, env={**os.environ, "TRIARCH_CACHE": str(cache)}, start_new_session=True)
    peak, most, killed = 0, 0, False
    while child.poll() is None:
        there = tree(child.pid)
        peak, most = max(peak, resident(there)), max(most, len(there))
        portions = next(iter(cache.glob("*/plan.json")), None)
        count = len(json.loads(portions.read_text())["portions"]) if portions else 0
        if count and len(shards(cache)) >= until * count:
            os.killpg(child.pid, signal.SIGKILL)
            killed = True
            break
        time.sleep(0.5)
    status = child.wait()
    if status and not killed:
        raise SystemExit(f"it ended with {status}")
    return {
        "seconds": time.perf_counter() - begin, "peak_bytes": peak, "processes": most,
        "killed": killed, "shards": len(shards(cache)),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--from", dest="folders", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, default=Path("bench/results/corpus.json"))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--child", type=Path, help="used by the bench itself, as --told")
    parser.add_argument("--told", type=Path)
    asked = parser.parse_args()
    if asked.child:
        with patch.object(gather, "usual_processes", lambda: asked.processes), progress("corpus") as reporter:
            source = open_source(asked.child, task="language-model", report=reporter.update)
        corpus, blocks = source.corpus, source.inputs
        assert corpus is not None
        assert isinstance(blocks, Blocks)
        told = {"documents": corpus.documents, "tokens": int(blocks.marks[-1]), "blocks": len(blocks)}
        write_json(asked.told, {**told, "bytes_kept": corpus.bytes, "removed": dict(corpus.removed)})
        return
    folders = asked.folders or [Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib")]
    with tempfile.TemporaryDirectory() as place:
        text, cache, told = Path(place) / "text.txt", Path(place) / "cache", Path(place) / "told.json"
        passes = make(text, int(asked.gigabytes * 1e9), folders)
        size = text.stat().st_size
        print(f"{size:,} bytes, in {passes} orders", flush=True)
        first = run(text, cache, told, asked.processes, 0.5)
        there = shards(cache)
        print(first, flush=True)
        second = run(text, cache, told, asked.processes, 2.0)
        print(second, flush=True)
        then = shards(cache)
        again = sum(then[name] != when for name, when in there.items())
        found = json.loads(told.read_text())
    write_json(
        asked.out,
        {
            "bytes": size, "orders": passes, **found, "first_run": first, "second_run": second,
            "shards": len(then), "finished_before_the_kill": len(there), "of_these_done_again": again,
            "peak_bytes": max(int(one["peak_bytes"]) for one in (first, second)),  # type: ignore[call-overload]
            "bar_peak_bytes": 1_000_000_000,
        },
    )  # fmt: skip
    print(f"written to {asked.out}")


if __name__ == "__main__":
    main()
