"""How fast our networks answer, beside other people's: a forward pass of one item and of 32, in inference mode.

    python bench/infer.py
    python bench/infer.py --only resnet --threads 1

Every architecture of the registry, at size tiny on the reference data of the modality that its peer serves, or else the
first that it serves. The weights are the same and the outputs are compared first. Architectures without a peer in
`peers.py` are timed alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from peers import PEERS, data_for, difference, pair
from sides import (
    RESULTS,
    Entry,
    Side,
    against,
    command_line,
    each_in_its_own_process,
    load,
    rounds,
    save,
    show,
    summary,
)
from triarch.core.machine import computing
from triarch.core.spec import Spec
from triarch.core.types import Batch
from triarch.measure.count import params
from triarch.models import registry

RESULT = RESULTS / "infer.json"
ROWS = (1, 32)


def inputs(spec: Spec, rows: int) -> Batch:
    """Noise in the shape of the data."""
    if spec.modality == "text":
        return Batch(torch.randint(spec.vocab_size, (rows, *spec.shape)))
    return Batch(torch.randn(rows, *spec.shape))


def answering(network: nn.Module, batch: Batch) -> Side:
    """A forward pass."""
    return lambda: network(batch)


def measure(name: str, threads: int, number: int, seconds: float) -> Iterator[tuple[str, Entry]]:
    """What is known after each round of one item, then of 32."""
    peer = PEERS.get(name)
    spec = data_for(name)
    with computing(threads, seed=0, flush_denormals=True), torch.inference_mode():
        ours, theirs = pair(name, "tiny", spec)
        ours.eval()
        for rows in ROWS:
            batch = inputs(spec, rows)
            sides = {"ours": answering(ours, batch)}
            entry: Entry = {"data": spec.modality, "rows": rows, "threads": threads, "params": params(ours)}
            if peer and theirs is not None:
                entry["difference"] = difference(ours, theirs.eval(), batch) if peer.names else None
                sides["theirs"] = answering(theirs, batch)
            entry["rounds"] = []
            for one in rounds(sides, number, seconds):
                entry["rounds"].append(one)
                yield f"{name} x{rows}", entry | summary(entry["rounds"], threads)


def report() -> None:
    """Print what the results say."""
    rows = [
        (
            name, entry["data"], f"{entry['params']:,}", f"{1000 * entry['ours_seconds']:,.1f}",
            f"{1000 * entry['theirs_seconds']:,.1f}" if "ratio" in entry else "–", against(entry.get("ratio"), None),
            f"{entry['threads_at_work']:.0%}", f"{entry['load']:.1f}",
        )
        for name, entry in load(RESULT).items()
        if " x" in name
    ]  # fmt: skip
    columns = ("tiny", "data", "parameters", "ours, ms", "theirs, ms", "ratio", "threads at work", "load")
    show("Answering", columns, rows)


def main() -> None:
    options = command_line(__doc__, registry.names(), seconds=0.5)
    if len(options.only) > 1:
        each_in_its_own_process(Path(__file__), options)
    else:
        for name, entry in measure(options.only[0], options.threads, options.rounds, options.seconds):
            save(RESULT, name, entry)
            print(f"{name}: round {len(entry['rounds'])} of {options.rounds}", file=sys.stderr, flush=True)
    report()


if __name__ == "__main__":
    main()
