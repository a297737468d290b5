"""Adapters of low rank, written and read as `peft` does: adapter_config.json and adapter_model.safetensors.

There a matrix W of the base becomes W + (alpha / r) B A, with A called lora_A and B lora_B. What lies in one matrix
here, queries, keys and values say, and apart there, gets the same A and its own rows of B.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from triarch.core.errors import InputError
from triarch.core.files import whole_folder, write_bytes, write_json
from triarch.data.template import plain
from triarch.ship.artifact import Artifact
from triarch.ship.layouts.fields import Fields
from triarch.ship.layouts.layout import Layout, Pair
from triarch.ship.shards import Shape, read_json
from triarch.ship.templates import read_template, write_template
from triarch.ship.transformers import configured, fitting, pairs_of

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX, DOWN, UP = "base_model.model.", ".lora_A.weight", ".lora_B.weight"
CAUSAL = "language-model"
HARMLESS = (
    "auto_mapping", "peft_version", "revision", "inference_mode", "target_modules", "exclude_modules", "lora_dropout",
    "layers_to_transform", "layers_pattern", "rank_pattern", "megatron_core", "qalora_group_size", "task_type",
    "base_model_name_or_path", "modules_to_save", "fan_in_fan_out", "ensure_weight_tying",
)  # fmt: skip
UNLIKE = ("use_rslora", "use_dora", "use_qalora", "lora_bias")
Ranks = dict[str, tuple[Tensor, Tensor]]


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds adapters alone."""
    return (folder / CONFIG).is_file()


def base_of(folder: Path) -> Path:
    """The folder of the model that adapters are for, as their config names it.

    Raises:
        InputError: it names none that is here.
    """
    named = read_json(folder / CONFIG).get("base_model_name_or_path")
    for place in (Path(str(named)), folder / str(named)):
        if named and os.path.isdir(place):
            return place
    raise InputError(
        f"{folder / CONFIG}: base_model_name_or_path is {named!r}, which is no folder here",
        "write the folder of the base there; in Python, triarch.load(DIR, base=FOLDER)",
    )


def apply(folder: Path, base: Artifact) -> Artifact:
    """The base with what the adapters add merged in, and their chat template, if any; `base` itself is changed.

    Raises:
        InputError: they are of another kind than low ranks, or for another model.
    """
    alpha, tensors = _alpha(folder / CONFIG), _read(folder / WEIGHTS)
    layout, _ = fitting(base)
    pairs, ours = pairs_of(base, layout), base.weights()
    shapes = {name: shape for pair in pairs for name, shape in pair.their_shapes(ours).items()}
    turned = {name for pair in pairs if pair.turned for name in pair.theirs}
    ranks, replaced = _parted(folder, layout, shapes, turned, tensors)
    for pair in pairs:
        if not any(name in ranks or name in replaced for name in pair.theirs):
            continue
        theirs = pair.to_theirs(ours)
        for name in theirs:
            made = replaced.get(name)
            if name in ranks:
                down, up = ranks[name]
                added = (alpha / len(down)) * up.float() @ down.float()
                made = theirs[name] + (added.mT if pair.turned else added)
            theirs[name] = theirs[name] if made is None else made
        base.model.load_state_dict(pair.to_ours(theirs.__getitem__, ours), strict=False)
    known, tokenizer = base.preprocessor, base.preprocessor.tokenizer
    told = None if tokenizer is None else read_template(folder, tokenizer)
    if tokenizer is None or told is None:
        return base
    template = replace(known.settings.template or plain(tokenizer), jinja=told.jinja)
    return replace(base, preprocessor=known.changed(template=template))


def write(
    tensors: Mapping[str, Tensor], alpha: float, base: Artifact, named: str, tuned: Artifact, folder: Path
) -> Path:
    """Write low ranks as a folder that `peft` opens on the base; it appears whole or not at all.

    Where the base is a causal language model and they were trained as one, they are for the whole model, and a matrix
    of its own that logits are read off goes along; else they are for the backbone, and the head stays behind.

    Args:
        tensors: what `finetune` left in run/adapter.safetensors.
        alpha: the scale of each is alpha / rank.
        base: the model that they were trained on.
        named: its folder.
        tuned: what became of it.
        folder: missing, or empty.

    Raises:
        InputError: one changes what no linear layer of theirs holds, the base has other settings, or something is in
            the folder.
    """
    _check_settings(tuned, base)
    layout, fields = fitting(base)
    task = tuned.config.task
    whole = task == base.task.name == CAUSAL
    prefix = "" if whole else layout.prefix
    ranks = {
        name.removeprefix(prefix).removesuffix(".weight"): value
        for name, value in _theirs(tensors, pairs_of(base, layout, False), layout).items()
    }
    usual = Counter(len(down) for down, _ in ranks.values()).most_common(1)[0][0]
    made = _heads(tensors, pairs_of(base, layout), base) if whole else {}
    config = {
        "peft_type": "LORA", "task_type": "CAUSAL_LM" if whole else "FEATURE_EXTRACTION", "inference_mode": True,
        "base_model_name_or_path": named, "r": usual, "lora_alpha": int(alpha) if alpha == int(alpha) else alpha,
        "rank_pattern": {name: len(down) for name, (down, _) in ranks.items() if len(down) != usual},
        "lora_dropout": 0.0, "bias": "none", "fan_in_fan_out": fields["model_type"] == "gpt2",
        "target_modules": sorted(ranks), "modules_to_save": [name.removesuffix(".weight") for name in made] or None,
    }  # fmt: skip
    for name, (down, up) in ranks.items():
        made |= {name + DOWN: down.clone(), name + UP: up.contiguous()}  # several may share one `down`
    with whole_folder(folder) as place:
        write_json(place / CONFIG, config)
        write_bytes(
            place / WEIGHTS, save_tensors({PREFIX + name: value for name, value in made.items()}, {"format": "pt"})
        )
        write_template(place, tuned.preprocessor.settings.template)
    return folder


def _check_settings(tuned: Artifact, base: Artifact) -> None:
    """Check that both compute the same but for their weights; dropout is of training alone."""
    made, was = (asdict(configured(one)) for one in (tuned, base))
    for name, value in made.items():
        if value != was.get(name) and name != "dropout":
            raise InputError(
                f"{name} is {value}, in the base {was.get(name)}: adapters would not bring that along",
                "export the model: --to hf",
            )


def _theirs(tensors: Mapping[str, Tensor], pairs: Sequence[Pair], layout: Layout) -> Ranks:
    """The matrices of low rank by the name of the weight that they are added to there."""
    found: Ranks = {}
    held = {pair.ours[0]: pair for pair in pairs if len(pair.ours) == 1 and pair.axis == 0 and pair.scale == 1}
    for name, up in tensors.items():
        if name.startswith("head.") or not name.endswith(".up"):
            continue
        down = tensors[f"{name.removesuffix('.up')}.down"]
        ours = re.sub(r"\.parametrizations\.(\w+)\.\d+\.up$", r".\1", name)
        pair = held.get(ours)
        if pair is None or not all(one.endswith(".weight") for one in pair.theirs):
            raise InputError(
                f"{ours} has no counterpart in {layout.name} that peft adds low ranks to", "export the model: --to hf"
            )
        found |= {one: (down, part) for one, part in zip(pair.theirs, up.split(pair.sizes or (len(up),)))}
    return found


def _heads(tensors: Mapping[str, Tensor], pairs: Sequence[Pair], base: Artifact) -> dict[str, Tensor]:
    """The matrix of its own that logits are read off, by its name there; nothing where that is the embedding."""
    made = {
        name: value
        for pair in pairs
        if set(pair.ours) & set(tensors)
        for name, value in pair.to_theirs(dict(tensors)).items()
    }
    vocab_size = base.config.spec.vocab_size
    for name, value in made.items():
        if len(value) != vocab_size:
            raise InputError(
                f"{name} has {len(value):,} rows now, the base {vocab_size:,}", "export the model: --to hf"
            )
    return made


def _alpha(path: Path) -> float:
    """What all are scaled by, times their rank. What is off, none or empty changes nothing.

    Raises:
        InputError: they add something that triarch does not compute.
    """
    values = read_json(path)
    fields = Fields(values, str(path))
    fields.only("peft_type", "LORA")
    fields.only("bias", "none")
    fields.only("init_lora_weights", True, False, "gaussian")
    fields.only("alpha_pattern", {}, None)
    for name in UNLIKE:
        fields.only(name, False, None)
    fields.count("r", 8)
    alpha = fields.number("lora_alpha", 8)
    fields.finish((*HARMLESS, *(name for name, value in values.items() if value in (None, False, {}, []))))
    return alpha


def _read(path: Path) -> dict[str, Tensor]:
    try:
        tensors = load_tensors(path.read_bytes())
    except (OSError, SafetensorError) as error:
        told = " ".join(str(error).split())[:200]
        raise InputError(f"{path} cannot be read: {told}", "save the adapters as safetensors") from error
    for name, value in tensors.items():
        if not value.is_floating_point():
            raise InputError(f"{path}: {name} holds {value.dtype}, not floats", "give adapters that are not quantised")
    return tensors


def _parted(
    folder: Path, layout: Layout, shapes: Mapping[str, Shape], turned: Collection[str], tensors: Mapping[str, Tensor]
) -> tuple[Ranks, dict[str, Tensor]]:
    """What is added and what is replaced, by the names of the base's tensors, which have these shapes, columns first
    where they are `turned`.

    Raises:
        InputError: the base has no such tensor, or one of another shape.
    """
    ranks: Ranks = {}
    replaced: dict[str, Tensor] = {}
    for stored, value in tensors.items():
        if stored.endswith(UP) and stored.removesuffix(UP) + DOWN in tensors:
            continue  # read with the other of the two
        module = stored.removesuffix(DOWN)
        up = tensors.get(module + UP) if stored.endswith(DOWN) else None
        low = up is not None and up.ndim == value.ndim == 2
        name = module.removeprefix(PREFIX) + (".weight" if low else "")
        place = next((one for one in (name, layout.prefix + name) if one in shapes), None)
        if place is None:
            raise InputError(f"{folder}: {layout.name} has no place for {stored}", "give adapters of its linear layers")
        made = tuple(value.shape) if up is None else (up.shape[0], value.shape[1])
        wanted = shapes[place][::-1] if low and place in turned else shapes[place]
        if made != wanted or (up is not None and not 0 < len(value) == up.shape[1]):
            raise InputError(
                f"{folder}: {stored} is for a tensor of shape {made}, the base's is {wanted}",
                "give the base that these adapters were trained on",
            )
        if up is None:
            replaced[place] = value
        else:
            ranks[place] = value, up
    return ranks, replaced
