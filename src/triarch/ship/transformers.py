"""Folders in the layouts of Transformers, opened as an artifact and written from one, without Transformers itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing
from torch import Tensor, nn

from triarch.core.errors import InputError, near
from triarch.core.files import whole_folder, write_json, write_text
from triarch.core.spec import Logits, Spec, Target
from triarch.data.preprocess import Preprocessor, Settings
from triarch.data.tokens import MASK, PAD, UNKNOWN, begun, end_of, special
from triarch.layers.backbone import Backbone
from triarch.model import build, needed
from triarch.models import registry
from triarch.ship.artifact import ANSWERS, CONFIG, TOKENIZER, Artifact, empty, new_config
from triarch.ship.layouts.fields import Fields
from triarch.ship.layouts.layout import Layout, Pair, Shape, Told
from triarch.ship.layouts.registry import LAYOUTS, of_kind
from triarch.ship.sentences import MODULES, read_sentences
from triarch.ship.shards import Tensors, read_json, write_shards
from triarch.ship.templates import read_template, tokens_of, write_template
from triarch.tasks import registry as tasks
from triarch.tasks.features import Summarise

SHARD = 5_000_000_000
PIECES = ("source.spm", "target.spm")
ROLES = {"pad_token": PAD, "unk_token": UNKNOWN, "mask_token": MASK, "cls_token": "[CLS]", "sep_token": "[SEP]"}


def is_foreign(folder: Path) -> bool:
    """Whether a folder is in a layout of Transformers: its config.json names a `model_type`; or one of
    sentence-transformers, which has such a one in it.
    """
    try:
        if (folder / MODULES).is_file():
            return True
        return (folder / CONFIG).is_file() and "model_type" in read_json(folder / CONFIG)
    except InputError:
        return False


def read(folder: Path) -> Artifact:
    """Open a folder of Transformers; a backbone without a head gives its features.

    Raises:
        InputError: its model is not known here or would compute otherwise, or files are missing or do not fit together.
    """
    sentences = read_sentences(folder)
    folder = sentences.folder
    layout, told = _told(folder)
    if sentences.pool is not None:
        told = _summarised(folder, told, sentences.pool)
    spec = _spec(folder, told)
    preprocessor = _preprocessor(folder, spec, sentences.max_len)
    known = preprocessor.tokenizer
    if told.task is None:
        spec = replace(spec, target=Target("features", unit=sentences.unit))
    elif told.answers is not None:
        preprocessor.target = _answers(folder, told, known)
        spec = replace(spec, target=preprocessor.target)
    elif known is not None:
        spec = replace(spec, target=replace(spec.target, special=special(known), mask=known.token_to_id(MASK)))
    task = tasks.find(told.task or Summarise.name, spec if told.task is None or known or told.answers else None)
    with Tensors(folder) as tensors:
        _check_depth(folder, told, tensors)
        model = empty(folder / CONFIG, lambda: build(told.architecture, _smallest(told), task, spec, told.settings))
        _fill(folder, layout, told, spec, tensors, model)
    settings = {name: value for name, value in told.settings.items() if value is not None}
    config = new_config(told.architecture, _smallest(told), settings, task, spec)
    return Artifact(config, model.arrange().eval(), task, preprocessor)


def read_backbone(folder: Path) -> tuple[Backbone, Spec]:
    """The backbone of a folder of Transformers, with or without a head.

    Raises:
        InputError: as `read`.
    """
    layout, told = _told(folder)
    spec = _spec(folder, told)
    with Tensors(folder) as tensors:
        _check_depth(folder, told, tensors)
        found = registry.find(told.architecture)
        backbone = empty(folder / CONFIG, lambda: found.backbone(found.configure(_smallest(told), told.settings), spec))
        _fill(folder, layout, told, spec, tensors, backbone, "backbone.")
    return backbone.eval(), spec


def write(artifact: Artifact, folder: Path, most: int = SHARD) -> Path:
    """Write an artifact as a folder that Transformers opens; it appears whole or not at all.

    Args:
        folder: missing, or empty.
        most: bytes of a file of weights; a larger model gets several.

    Raises:
        InputError: no layout fits the model, or something is in the folder.
    """
    layout, fields = fitting(artifact)
    spec, tokenizer = artifact.config.spec, artifact.preprocessor.tokenizer
    ours = artifact.weights()
    pairs = pairs_of(artifact, layout)
    template = artifact.preprocessor.settings.template
    roles = {} if tokenizer is None else _roles(tokenizer) | tokens_of(template)
    ids = {f"{role}_id": tokenizer.token_to_id(roles[role]) if tokenizer and role in roles else None
           for role in ("bos_token", "eos_token", "pad_token")}  # fmt: skip
    with whole_folder(folder) as made:
        write_json(made / CONFIG, {**ids, **fields, "dtype": "float32", "torch_dtype": "float32"})
        write_shards(
            made, [pair.their_shapes(ours) for pair in pairs], lambda number: pairs[number].to_theirs(ours), most
        )
        if tokenizer is not None:
            write_text(made / TOKENIZER, begun(tokenizer).to_str())
            write_template(made, template)
            about = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": spec.max_len}
            write_json(made / "tokenizer_config.json", {**about, **roles})
        if spec.target.tokenizer:
            write_text(made / ANSWERS, spec.target.tokenizer)
    return folder


def _roles(tokenizer: Tokenizer) -> dict[str, str]:
    """What Transformers calls the tokens that stand for no text."""
    roles = {role: token for role, token in ROLES.items() if tokenizer.token_to_id(token) is not None}
    end = end_of(tokenizer)
    if end is None or (token := str(tokenizer.id_to_token(end))) in roles.values():
        return roles
    return roles | dict.fromkeys(("bos_token", "eos_token"), token)


def layout_of(artifact: Artifact) -> str:
    """The name of the layout that `write` writes an artifact in.

    Raises:
        InputError: there is none.
    """
    return str(fitting(artifact)[1]["model_type"])


def _told(folder: Path) -> tuple[Layout, Told]:
    """What its config tells, and the task of a folder whose head is its embedding, where that alone was saved."""
    where = folder / CONFIG
    fields = Fields(read_json(where), str(where))
    kind = fields.raw("model_type")
    layout = of_kind(str(kind))
    if layout is None:
        known = [kind for layout in LAYOUTS for kind in layout.kinds]
        raise fields.fault("model_type", near(str(kind), known))
    named = fields.raw("architectures") or [next(name for name, task in layout.classes.items() if task)]
    if not isinstance(named, list) or len(named) != 1 or named[0] not in layout.classes:
        raise fields.fault("architectures", f"triarch reads {', '.join(layout.classes)}")
    task = layout.classes[named[0]]
    told = layout.read(fields, task)
    if task is None and layout.task == "language-model" and told.logits.tied:
        told = replace(told, task=layout.task)
    return layout, told


def _summarised(folder: Path, told: Told, pool: str) -> Told:
    """A backbone whose steps become one vector as `pool` says.

    Raises:
        InputError: it makes it otherwise.
    """
    if told.architecture == "encoder" and pool != "last":
        return replace(told, task=None, settings={**told.settings, "pool": pool})
    if told.architecture == "decoder" and pool == "last":
        return replace(told, task=None)
    raise InputError(
        f"{folder}: its vectors are made of the {pool} of the steps, those of {told.architecture} are not",
        "triarch computes mean and first with BERT, last with GPT-2, Llama, Qwen2 and Mistral",
    )


def _spec(folder: Path, told: Told) -> Spec:
    target = Target("token", logits=told.logits)
    return Spec(folder.resolve().name, "text", (told.context,), target, ragged=True, vocab_size=told.vocab_size)


def _answers(folder: Path, told: Told, reader: Tokenizer | None) -> Target:
    """What is written, with its tokenizer: a file of its own, or that of what is read, where one serves both.

    Raises:
        InputError: what is read has a tokenizer and what is written has none.
    """
    answers = told.answers
    assert answers is not None
    tokenizer = _tokenizer(folder / ANSWERS, answers.vocab_size)
    if tokenizer is None and reader is not None:
        if not answers.shared:
            raise InputError(
                f"{folder}: {TOKENIZER} is for what is read; there is no {ANSWERS} for what is written",
                "put the tokenizer of the answers there, as the library `tokenizers` writes it",
            )
        tokenizer = Tokenizer.from_str(reader.to_str())
        first = str(tokenizer.id_to_token(answers.first))
        tokenizer.post_processor = TemplateProcessing(f"{first} $A", f"{first} $A $B:1", [(first, answers.first)])
    return Target(
        "text", special=() if tokenizer is None else special(tokenizer), logits=told.logits,
        vocab_size=answers.vocab_size, max_len=told.context, end=answers.end,
        first=None if answers.first == answers.end else answers.first,
        tokenizer="" if tokenizer is None else tokenizer.to_str(),
    )  # fmt: skip


def _smallest(told: Told) -> str:
    return next(iter(registry.find(told.architecture).sizes))


def _check_depth(folder: Path, told: Told, tensors: Tensors) -> None:
    """A model is built only as deep as its file can fill."""
    if told.layers > len(tensors.shapes):
        raise InputError(
            f"{folder / CONFIG} tells of {told.layers:,} layers, the weights are {len(tensors.shapes):,} tensors",
            "fetch the folder again",
        )


def _fill(
    folder: Path, layout: Layout, told: Told, spec: Spec, tensors: Tensors, module: nn.Module, prefix: str = ""
) -> None:
    """Give `module`, which is on the meta device, the tensors of the folder, once all shapes are seen to fit.

    Args:
        prefix: what the names of its tensors lack to be those of a model; it is a backbone then.
    """
    headless = bool(prefix) or told.task is None
    ours = {prefix + name: value for name, value in module.state_dict().items()}
    config = registry.find(told.architecture).configure(_smallest(told), told.settings)
    pairs = layout.pairs(config, spec, not headless)
    named = _named(layout, tensors.shapes)
    expected = {name: shape for pair in pairs for name, shape in pair.their_shapes(ours).items()}
    _check(folder, layout, expected, {name: tensors.shapes[stored] for name, stored in named.items()}, headless)
    made: dict[str, Tensor] = {}
    for pair in pairs:
        made |= pair.to_ours(lambda name: tensors.read(named[name]), ours)
    module.load_state_dict({name.removeprefix(prefix): value for name, value in made.items()}, assign=True)


def _named(layout: Layout, stored: Mapping[str, Shape]) -> dict[str, str]:
    """Names as the layout has them → as they are stored."""
    whole = any(name.startswith(layout.prefix) for name in stored)
    heads = ("lm_head.", "cls.")
    named = {}
    for name in stored:
        current = name if whole or name.startswith(heads) else layout.prefix + name
        for old, new in layout.aliases.items():
            current = current.removesuffix(old) + new if current.endswith(old) else current
        if not any(re.fullmatch(pattern, current) for pattern in layout.ignored):
            named[current] = name
    held = {wanted: named[holder] for wanted, holder in layout.shared.items() if holder in named}
    return held | {name: stored for name, stored in named.items() if name not in layout.shared.values()}


def _check(
    folder: Path, layout: Layout, expected: Mapping[str, Shape], found: Mapping[str, Shape], headless: bool
) -> None:
    for name, shape in expected.items():
        if name not in found:
            raise InputError(f"{folder}: there is no tensor {name}", "fetch the whole folder")
        if found[name] != shape:
            raise InputError(
                f"{folder}: {name} has shape {found[name]}, by {CONFIG} it is {shape}", "fetch the folder again"
            )
    tied = ("lm_head.weight", "cls.predictions.decoder.weight")
    spare = sorted(name for name in set(found) - set(expected) if name not in tied)
    if headless:
        spare = [name for name in spare if name.startswith(layout.prefix)]
    if spare:
        raise InputError(
            f"{folder}: {layout.name} has no place for the tensor {spare[0]}", "triarch would answer otherwise; use a"
            " model without it, or Transformers itself",
        )  # fmt: skip


def _preprocessor(folder: Path, spec: Spec, most: int | None = None) -> Preprocessor:
    """With the folder's tokenizer, where it has one in tokenizer.json; texts are cut after `most` tokens.

    Raises:
        InputError: that cannot be read, or the folder has pieces of another library in its place.
    """
    tokenizer = _tokenizer(folder / TOKENIZER, spec.vocab_size)
    if tokenizer is None and (pieces := [name for name in PIECES if (folder / name).is_file()]):
        raise InputError(
            f"{folder}: its tokenizer is {' and '.join(pieces)}, of sentencepiece, which triarch does not read",
            f"put the same as a {TOKENIZER}, of the library `tokenizers`, into the folder; many models are to be had"
            " with it",
        )
    template = None if tokenizer is None else read_template(folder, tokenizer)
    return Preprocessor(Settings("text", (min(most or spec.max_len, spec.max_len),), template=template), tokenizer)


def _tokenizer(path: Path, most: int) -> Tokenizer | None:
    """The tokenizer of at most so many tokens in a file; None: there is no file."""
    if not path.is_file():
        return None
    try:
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # the library raises nothing narrower
        raise InputError(f"{path} cannot be read: {error}", "fetch it again") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if tokenizer.get_vocab_size() > most:
        raise InputError(
            f"{path} has {tokenizer.get_vocab_size():,} tokens, the model {most:,}",
            "give the tokenizer that the model was trained with",
        )
    return tokenizer


def configured(artifact: Artifact) -> Any:
    """The settings of its architecture, all of them."""
    found = registry.find(artifact.config.architecture)
    return found.configure(artifact.config.size, {**needed(found, artifact.task), **artifact.config.settings})


def pairs_of(artifact: Artifact, layout: Layout, head: bool = True) -> list[Pair]:
    """Which tensors are which; with `head`, those of its head too, where it has one."""
    return layout.pairs(configured(artifact), artifact.config.spec, head and artifact.task.name != Summarise.name)


def fitting(artifact: Artifact) -> tuple[Layout, dict[str, Any]]:
    """The layout that the artifact has a counterpart in, and its fields.

    Raises:
        InputError: there is none; why, and what there is.
    """
    own, task, config, spec = (
        artifact.config.architecture,
        artifact.task.name,
        configured(artifact),
        artifact.config.spec,
    )
    alone = task == Summarise.name
    if alone:
        spec = replace(spec, target=Target("token", logits=Logits(eps=getattr(config, "eps", None) or Logits.eps)))
    reasons = []
    for layout in LAYOUTS:
        if own in layout.architectures and (alone or task == layout.task):
            try:
                fields = layout.write(config, spec)
                return layout, {**fields, "architectures": layout.bare(fields["architectures"])} if alone else fields
            except ValueError as error:
                reasons.append(f"{layout.name}: {error}")
    known = sorted({f"{name} for {layout.task}" for layout in LAYOUTS for name in layout.architectures})
    told = f": {'; '.join(reasons)}" if reasons else ""
    raise InputError(
        f"{artifact.config.model} for {task} has no counterpart among the layouts of Transformers{told}",
        f"those that have one: {', '.join(known)}",
    )
