"""Folders of sentence-transformers (Reimers, Gurevych 2019, arXiv 1908.10084): a model of Transformers, and what its
steps become one vector by.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triarch.core.errors import InputError
from triarch.ship.layouts.fields import Fields
from triarch.ship.shards import read_json, read_list

MODULES, SENTENCES = "modules.json", "sentence_bert_config.json"
MODES = {"mean_tokens": "mean", "cls_token": "first", "lasttoken": "last", "mean": "mean", "cls": "first"}
OTHER_MODES = ("max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens")


@dataclass(frozen=True)
class Sentences:
    """What such a folder says beside the model.

    Attributes:
        folder: of the model itself.
        pool: mean, first or last: which steps the vector is made of; None: nothing is said.
        max_len: tokens after which texts are cut; None: those of the model.
        unit: whether vectors are brought to length 1.
    """

    folder: Path
    pool: str | None = None
    max_len: int | None = None
    unit: bool = False


def read_sentences(folder: Path) -> Sentences:
    """What is told beside the model; nothing where the folder is not of this kind.

    Raises:
        InputError: there is a part in it that triarch does not compute.
    """
    where = folder / MODULES
    if not where.is_file():
        return Sentences(folder)
    model, pool, unit = folder, None, False
    for module in read_list(where):
        kind, place = _module(where, module)
        if kind == "Transformer":
            model = folder / place
        elif kind == "Pooling":
            pool = _pool(folder / place / "config.json")
        elif kind == "Normalize":
            unit = True
        else:
            raise InputError(f"{where}: there is a part {kind!r}", "triarch computes Transformer, Pooling, Normalize")
    return Sentences(model, pool, _max_len(model / SENTENCES), unit)


def _module(where: Path, module: Any) -> tuple[str, str]:
    if not isinstance(module, dict) or not isinstance(module.get("type"), str):
        raise InputError(f"{where}: a list of objects with a type is wanted", "fetch it again")
    place = str(module.get("path", ""))
    if Path(place).is_absolute() or ".." in Path(place).parts:
        raise InputError(f"{where}: path {place!r} leads out of the folder", "fetch it again")
    return module["type"].rpartition(".")[2], place


def _pool(path: Path) -> str:
    fields = Fields(read_json(path), str(path))
    flags = [mode for mode in (*MODES, *OTHER_MODES) if fields.raw(f"pooling_mode_{mode}", False) is True]
    said = fields.word("pooling_mode")
    modes = flags if said is None else [said]
    if len(modes) != 1 or modes[0] not in MODES:
        raise InputError(
            f"{path}: its vectors are made by {' and '.join(map(str, modes)) or 'nothing'}",
            "triarch makes them of the mean, the first or the last step; use a model that does",
        )
    for name in ("word_embedding_dimension", "embedding_dimension"):
        fields.raw(name)
    fields.only("include_prompt", True)
    for mode in (*MODES, *OTHER_MODES):
        fields.flag(f"pooling_mode_{mode}", False)
    fields.finish()
    return MODES[modes[0]]


def _max_len(path: Path) -> int | None:
    if not os.path.isfile(path):
        return None
    fields = Fields(read_json(path), str(path))
    fields.only("do_lower_case", False)
    most = None if fields.raw("max_seq_length") is None else fields.count("max_seq_length")
    fields.finish()
    return most
