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
            encoder+decoder as Marian; where the settings are not those of the layout, it is told with which it would
            be trained. peft: what `finetune --adapt lora` added to a decoder, an encoder or a pair of these alone,
            for PeftModel.from_pretrained on the base, which `--to hf` exports; the head of another task stays behind.
        out: the folder; must be new or empty. exports/NAME-N if not given.
    """
    from triarch.core.errors import InputError, near
    from triarch.core.files import folder_bytes
    from triarch.ship.open import load
    from triarch.ship.transformers import layout_of, write

    if to not in TARGETS:
        raise InputError(f"there is no layout {to!r} to export to", near(to, TARGETS))
    place = _free(Path(artifact).resolve().name) if out is None else Path(out)
    if to == "peft":
        name, folder = "LoRA", _adapters(Path(artifact), place)
    else:
        loaded = load(artifact)
        name, folder = layout_of(loaded), write(loaded, place)
    files = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    return Exported(str(artifact), str(folder), to, name, folder_bytes(folder), files)


TARGETS = ("hf", "peft")


def _adapters(artifact: Path, out: Path) -> Path:
    """Write the low ranks that were trained on a base, beside which they are opened."""
    from safetensors import SafetensorError
    from safetensors.torch import load as load_tensors

    from triarch.core.errors import InputError
    from triarch.ship.adapters import write
    from triarch.ship.open import load
    from triarch.training import recipe as recipes

    path = artifact / "run" / "adapter.safetensors"
    if not path.is_file():
        raise InputError(
            f"{artifact} has no low ranks in run/{path.name}", "`triarch finetune --adapt lora` makes some"
        )
    recipe = recipes.make(recipes.read(artifact / "run" / "recipe.yaml"))
    begin = Path(recipe.begin or "")
    if recipe.begin is None or not begin.is_dir():
        raise InputError(f"{artifact} was trained on {recipe.begin}, which is not there", "bring its base back")
    try:
        tensors = load_tensors(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read: {' '.join(str(error).split())[:200]}", "train again") from error
    return write(tensors, recipe.adapt.alpha, load(begin), str(begin.resolve()), load(artifact), out)


def _free(stem: str) -> Path:
    """The first of `exports/STEM-N` that is not there."""
    from itertools import count

    return next(folder for number in count(1) if not (folder := Path("exports") / f"{stem}-{number}").exists())
