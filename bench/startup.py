"""How long a user waits for the first sign of life: `triarch --help` and `import triarch`, against bare Python."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 11
COMMANDS = {
    "python": ["-c", "pass"],
    "triarch --help": ["-m", "triarch", "--help"],
    "import triarch": ["-c", "import triarch"],
    "import torch": ["-c", "import torch"],
}


def main() -> None:
    """Run the commands in turn and write medians of wall seconds."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, arguments in COMMANDS.items():
            begin = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
            times[name].append(time.perf_counter() - begin)
    medians = {name: round(statistics.median(values), 4) for name, values in times.items()}
    result = {"rounds": ROUNDS, "median_seconds": medians}
    path = Path(__file__).parent / "results" / "startup.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
