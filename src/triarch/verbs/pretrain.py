"""`triarch pretrain`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from triarch.core.results import Training


def pretrain(
    data: Any = None,
    *,
    objective: str = "causal",
    model: str = "decoder/nano",
    steps: int | None = None,
    epochs: float | None = None,
    seconds: float | None = None,
    context: int | None = None,
    tokenizer: str | None = None,
    input: str | None = None,
    seed: int | None = None,
    threads: int | None = None,
    workers: int | None = None,
    out: Path | None = None,
    set: Mapping[str, Any] | Sequence[str] = (),
) -> Training:
    """Train a language model on raw text, and save it as an artifact. `triarch train --resume DIR` goes on with one.

    Args:
        data: a file of text, JSON lines or Parquet, a folder of such with all below it, an hf: set, or web, which is
            built in; rows with `instruction` and `output`, or `messages`; in Python also a list of texts.
        objective: causal: tell the next token of each; masked: tell hidden ones from both sides, of whole words with
            --set whole_words=true.
        model: architecture/size, for example mingru/micro.
        steps: stop after this many steps.
        epochs: stop after this many passes over the training split; 1 where no limit is given.
        seconds: stop after this time.
        context: tokens that the model sees; 256 if not given.
        tokenizer: bpe, bytes or characters, fitted on the training split, or the path of a tokenizer.json; bpe if not
            given.
        input: of rows, the column of the text, where not to be inferred.
        seed: of weights and batches; 0 if not given.
        threads: threads inside an operation; if not given, as many as prove useful.
        workers: processes that prepare batches; any number gives the same result.
        out: folder of the artifact; must be new or empty. runs/DATA-MODEL-N if not given.
        set: one entry of the recipe, key=value: --set optimiser.lr=0.01 --set settings.depth=2.
    """
    from triarch.core.errors import InputError, near
    from triarch.models import registry
    from triarch.verbs.train import train

    objectives = {"causal": "language-model", "masked": "masked-model"}
    if objective not in objectives:
        raise InputError(f"there is no objective {objective!r}", near(objective, objectives))
    if data is None:
        raise InputError("no data is named", "triarch pretrain TEXTS --model decoder/nano, say")
    given = {"context": context, "tokenizer": tokenizer}
    entries: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if objective == "masked":
        entries |= {f"settings.{name}": value for name, value in registry.parse(model)[0].masked.items()}
    if steps is epochs is seconds is None:
        epochs = 1
    return train(
        data, model=model, steps=steps, epochs=epochs, seconds=seconds, seed=seed, threads=threads, workers=workers,
        input=input or (), task=objectives[objective], out=out, set=changed(entries, set),
    )  # fmt: skip


def changed(entries: dict[str, Any], changes: Mapping[str, Any] | Sequence[str]) -> Mapping[str, Any] | Sequence[str]:
    """`changes` after `entries`, as `train` takes them."""
    if isinstance(changes, Mapping):
        return {**entries, **changes}
    return [*(f"{name}={value}" for name, value in entries.items()), *changes]
