"""`triarch export`."""

from __future__ import annotations

from pathlib import Path

from triarch.core.results import Exported


def export(artifact: str | Path, *, to: str = "hf", out: Path | None = None) -> Exported:
    """Write a model in somebody else's layout.

    Args:
        artifact: folder that `pretrain`, `train` or `choose` wrote, or one of Transformers.
        to: hf: the folder that Transformers opens (AutoModelForCausalLM, MaskedLM or Seq2SeqLM; AutoTokenizer), for
            language models of decoder, mamba2 and griffin, masked ones of encoder as BERT, and translators of
            encoder+decoder as Marian.
        out: the folder; must be new or empty. exports/NAME-N if not given.
    """
    from triarch.core.errors import InputError, near
    from triarch.core.files import folder_bytes
    from triarch.ship.open import load
    from triarch.ship.transformers import layout_of, write

    if to not in TARGETS:
        raise InputError(f"there is no layout {to!r} to export to", near(to, TARGETS))
    loaded = load(artifact)
    name = layout_of(loaded)
    folder = write(loaded, _free(Path(artifact).resolve().name) if out is None else Path(out))
    files = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    return Exported(str(artifact), str(folder), to, name, folder_bytes(folder), files)


TARGETS = ("hf",)


def _free(stem: str) -> Path:
    """The first of `exports/STEM-N` that is not there."""
    from itertools import count

    return next(folder for number in count(1) if not (folder := Path("exports") / f"{stem}-{number}").exists())
