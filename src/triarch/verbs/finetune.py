"""`triarch finetune`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from triarch.core.results import Training


def finetune(
    artifact: str | Path,
    data: Any,
    *,
    adapt: str = "full",
    steps: int | None = None,
    epochs: float | None = None,
    seconds: float | None = None,
    seed: int | None = None,
    threads: int | None = None,
    workers: int | None = None,
    input: str | Sequence[str] = (),
    target: str | None = None,
    group: str | None = None,
    task: str | None = None,
    context: int | None = None,
    out: Path | None = None,
    set: Mapping[str, Any] | Sequence[str] = (),
) -> Training:
    """Train an artifact further, on other data or for another task. `triarch train --resume DIR` goes on with it.

    Its backbone is taken over with its tokenizer, or how it brings pictures and series to their scale; the head too,
    where task and classes are the same in number.

    Args:
        artifact: folder of a trained model, of `pretrain`, `train` or `choose`, or of Transformers,
            sentence-transformers or peft.
        data: as `train` takes it. A causal language model learns to answer from rows with `instruction`, `input` (may
            be left out) and `output`, or with `messages`, lists of objects with `role` and `content`.
        adapt: full: all weights; head: the backbone stays, but for the table of tokens that a head of a language model
            shares; gradual: stage by stage from the head down, with --steps or --epochs; lora: matrices of low rank are
            added to the backbone, and merged in at the end.
        steps: stop after this many steps.
        epochs: stop after this many passes over the training split; 10 where no limit is given.
        seconds: stop after this time.
        seed: of the head and the batches; 0 if not given.
        threads: threads inside an operation; if not given, as many as prove useful.
        workers: processes that prepare batches; any number gives the same result.
        input: input columns of a table; else what the inputs are (image, text, series), where not to be inferred.
        target: column of the labels, where the data has columns.
        group: column that says which items belong together: they stay in one split.
        task: what to learn, where it should not be inferred; translations stay translations, and text without labels is
            learned as the model's own was.
        context: of a language model: the tokens that it sees, more than it was trained on or fewer; rotary positions
            are scaled for more (--set adapt.scaling=llama3, ntk, linear or none), learned ones get new rows.
        out: folder of the new artifact; must be new or empty. runs/DATA-MODEL-N if not given.
        set: one entry of the recipe, key=value: --set adapt.rank=4 --set optimiser.lr=0.001.
    """
    from typing import get_args

    from triarch.core.errors import InputError, near
    from triarch.data.open import unlabelled
    from triarch.model import needed
    from triarch.models import registry
    from triarch.ship.open import load
    from triarch.training.recipe import Adapt
    from triarch.verbs.pretrain import changed
    from triarch.verbs.train import train

    methods = get_args(Adapt.model_fields["method"].annotation)
    if adapt not in methods:
        raise InputError(f"--adapt {adapt}: there is no such way", near(adapt, methods))
    if adapt == "gradual" and seconds is not None:
        raise InputError("--adapt gradual must know its end", "give --steps or --epochs in place of --seconds")
    base = load(artifact)
    config = base.config
    kind = config.spec.target.kind
    if task is None and (kind == "text" or (kind == "token" and not target and unlabelled(data))):
        task = base.task.name
    settings = {**needed(registry.find(config.architecture), base.task), **config.settings}
    if steps is epochs is seconds is None:
        epochs = EPOCHS
    entries: dict[str, Any] = {"begin": str(artifact), "adapt.method": adapt}
    entries |= {f"settings.{name}": value for name, value in settings.items()}
    entries |= {} if context is None else {"context": context}
    return train(
        data, model=config.model, steps=steps, epochs=epochs, seconds=seconds, seed=seed, threads=threads,
        workers=workers, input=input, target=target, group=group, task=task, out=out, set=changed(entries, set),
    )  # fmt: skip


EPOCHS = 10
