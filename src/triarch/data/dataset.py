"""A data set ready to be learned: splits, what was fitted on train, and the Spec that says what it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from triarch.core.errors import InputError, near
from triarch.core.files import write_text
from triarch.core.progress import Report, silent
from triarch.core.spec import Spec, Target
from triarch.core.types import NOTHING, Batch
from triarch.data.answers import encode_answers, fit_answers, text_target, whole_answer
from triarch.data.augment.mirror import MOST_ITEMS, Mirror, mirror
from triarch.data.augment.spare import MOST_ITEMS as MOST_TEXTS
from triarch.data.augment.spare import Spare, spare
from triarch.data.augment.texts import USUAL_SHARE
from triarch.data.blocks import Blocks
from triarch.data.cache import kept
from triarch.data.preprocess import LONGEST_TEXT, Preprocessor, Settings, collate
from triarch.data.source import Inputs, Parallel, Source, check_learnable
from triarch.data.split import SPLITS, Rows, check_dealt, parted_anew, split, undivided
from triarch.data.store import Chosen, Ragged, Texts
from triarch.data.table import Table, enough, tabulate
from triarch.data.tokens import MASK, encode_all, fit_tokenizer, special, suited, token_type
from triarch.data.windows import Windows
from triarch.data.words import words


@dataclass(frozen=True)
class Dataset:
    """Made by `prepare`.

    Attributes:
        splits: the row numbers of each split.
        folds: other ways to part train and select, where there is little to train on.
        movable: train and select as they were dealt first, where they may be parted anew.
        lengths: steps of each item, as a model takes them; 1 for images.
        tokens: token ids of each text, cut at the longest that any model takes; None for images and series.
        answers: those of what each text becomes, after [END].
    """

    source: Source
    spec: Spec
    preprocessor: Preprocessor
    splits: Rows
    lengths: NDArray[np.int64]
    tokens: Ragged | None
    folds: tuple[Rows, ...] = ()
    movable: Rows | None = None
    answers: Ragged | None = None
    _anew: dict[int, Rows] = field(default_factory=dict, repr=False, compare=False)

    def folded(self, number: int | None) -> Dataset:
        """With train and select of fold `number`, counted round, or parted anew; 0, None: as they were dealt first.

        Itself where time or the data says how they are parted.
        """
        if self.folds and number:
            return replace(self, splits=self.folds[number % len(self.folds)])
        if self.movable is None or not number:
            return self
        if number not in self._anew:
            self._anew[number] = parted_anew(self.source, self.movable, number)
        return replace(self, splits=self._anew[number])

    @property
    def longest(self) -> NDArray[np.int64]:
        """The row number of the longest item, (1)."""
        return np.array([self.lengths.argmax()])

    @cached_property
    def sides(self) -> NDArray[np.int64]:
        """Steps of each text and of what it becomes, as a model takes them (I 2)."""
        assert self.answers is not None
        answers = np.minimum(self.answers.lengths, self.spec.target.max_len)
        return np.stack((self.lengths - answers, answers), axis=1)

    @cached_property
    def mirror(self) -> Mirror:
        """Whether left and right of its images can be exchanged, told from the training split."""
        rows = np.random.default_rng(0).permutation(self.splits["train"])[:MOST_ITEMS]
        return mirror(self.batch(rows).input, self.source.labels[rows])

    @cached_property
    def spare(self) -> Spare:
        """Whether its texts have tokens to spare, told from the training split."""
        assert self.tokens is not None
        rows = np.random.default_rng(0).permutation(self.splits["train"])[:MOST_TEXTS]
        return spare([self.tokens[row] for row in rows.tolist()], self.source.labels[rows], USUAL_SHARE)

    @property
    def variations(self) -> list[str]:
        """What was found out about how its items may be varied in training, in words."""
        if self.spec.modality == "series" or self.spec.target.kind != "class":
            return []
        return [self.mirror.note if self.spec.modality == "image" else self.spare.note]

    def batch(self, rows: NDArray[np.int64]) -> Batch:
        """The items `rows`, in that order."""
        if isinstance(self.source.inputs, Blocks):
            made = self._pieces(self.source.inputs, rows)
        else:
            raw = self.source.take(rows) if self.tokens is None else [self.tokens[row] for row in rows.tolist()]
            made = collate(self.preprocessor.normalise(raw))
        return replace(self.wanted(rows), input=made.input, mask=made.mask, sought=made.sought)

    @staticmethod
    def _pieces(blocks: Blocks, rows: NDArray[np.int64]) -> Batch:
        """Blocks of text, and which of their tokens are sought."""
        made = collate([blocks[row] for row in rows.tolist()])
        sought = [torch.from_numpy(one) for row in rows.tolist() if (one := blocks.sought(row)) is not None]
        return replace(made, sought=torch.nn.utils.rnn.pad_sequence(sought, batch_first=True)) if sought else made

    def raw(self, rows: NDArray[np.int64]) -> Inputs:
        """The items `rows` as a user would give them: blocks of tokens as the text that they stand for."""
        blocks, tokenizer = self.source.inputs, self.preprocessor.tokenizer
        if not isinstance(blocks, Blocks) or tokenizer is None:
            return self.source.take(rows)
        return [tokenizer.decode(blocks[row].tolist()) for row in rows.tolist()]

    def wanted(self, rows: NDArray[np.int64]) -> Batch:
        """The items `rows` without their inputs: what is sought of them."""
        if self.answers is not None and self.source.parallel is not None:
            return self._sought(rows, self.answers, self.source.parallel)
        units = self.source.units
        unit = None if units is None else torch.from_numpy(units[rows])
        nothing = torch.empty(len(rows), 0)
        return Batch(nothing, None, torch.from_numpy(self.source.labels[rows]), torch.from_numpy(rows), unit)

    def _sought(self, rows: NDArray[np.int64], answers: Ragged, parallel: Parallel) -> Batch:
        """The texts that `rows` become, as tokens (B T) and as they are."""
        ids = [torch.from_numpy(whole_answer(answers[row], self.spec.target)) for row in rows.tolist()]
        sought = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=NOTHING)
        return Batch(
            torch.empty(len(rows), 0), None, sought, torch.from_numpy(rows), torch.full((len(rows),), parallel.unit),
            references=tuple(parallel.texts[row] for row in rows.tolist()),
        )  # fmt: skip

    def rows(self, name: str) -> NDArray[np.int64]:
        """The row numbers of a split, or of `all` items.

        Raises:
            InputError: no such split.
        """
        if name == "all":
            return np.arange(len(self.source))
        for known in SPLITS:
            if name == known:
                return self.splits[known]
        raise InputError(f"there is no split {name!r}", near(name, (*SPLITS, "all")))

    def labels(self, name: str) -> NDArray[Any]:
        """The class numbers of a split, in the order of `rows`, or the next values."""
        return self.source.labels[self.rows(name)]

    def table(self, name: str) -> tuple[Table, NDArray[Any] | list[str]]:
        """A split as classical methods take it, see `tabulate`, and what they are to tell; of train no more than is
        `enough`.
        """
        rows = self.rows(name)
        rows = enough(self.source, rows) if name == "train" else rows
        return self.tabulate(rows), self.truth(rows)

    def truth(self, rows: NDArray[np.int64]) -> NDArray[Any] | list[str]:
        """What is to be told of the items `rows`: class numbers (I), next values (I H), or texts."""
        parallel = self.source.parallel
        return self.source.labels[rows] if parallel is None else [parallel.texts[row] for row in rows.tolist()]

    def tabulate(self, rows: NDArray[np.int64]) -> Table:
        """The items `rows` as classical methods take them."""
        return tabulate(self.source, self.preprocessor, self.lengths, rows)

    @property
    def judged(self) -> NDArray[np.int64]:
        """The items by which candidates are compared: those of select, or of every fold's, one after the other."""
        return np.concatenate([fold["select"] for fold in self.folds]) if self.folds else self.splits["select"]

    def batches(self, rows: NDArray[np.int64], size: int | None = None) -> Iterator[Batch]:
        """The items `rows` in batches, those of like length together; of 256, or 64 where answers are texts."""
        size = size or (256 if self.answers is None else 64)
        ordered = rows[np.argsort(self.lengths[rows], kind="stable")]
        for start in range(0, len(ordered), size):
            yield self.batch(ordered[start : start + size])


def prepare(
    source: Source, tokenizer: str | None = None, preprocessor: Preprocessor | None = None, report: Report = silent,
    whole: bool = False, learned: bool | None = None,
) -> Dataset:  # fmt: skip
    """Split, and fit on the training split what is fitted.

    Args:
        tokenizer: of text: `characters`, `bytes` or `bpe`; None: what suits its length.
        preprocessor: one that was fitted before, instead.
        report: told how far it is.
        learned: whether it is to be learned from, and checked for that; None: where there is no preprocessor.
        whole: of a source in memory, all items are for training; who asks for it scores on others.

    Raises:
        InputError: it cannot be learned from, or does not fit the preprocessor.
    """
    learned = preprocessor is None if learned is None else learned
    if learned and source.units is None and source.parallel is None and not whole:
        check_learnable(source)
    dealt = undivided(source) if whole else split(source)
    if learned and not whole:
        check_dealt(source, dealt)
    notes = list(dealt.notes)
    tokens = None
    if isinstance(source.inputs, Texts):
        kind = tokenizer or suited(source.inputs.encoded.lengths)
        known = preprocessor.tokenizer if preprocessor else None
        fitted = known or _fitted(source, source.inputs, kind, dealt.rows["train"])
        tokens = _tokens(source, source.inputs, fitted, report)
        if preprocessor is None:
            preprocessor = Preprocessor.of_tokens(fitted, tokens.lengths[dealt.rows["train"]])
            notes.append(f"tokenizer: {kind}, {fitted.get_vocab_size():,} tokens")
    elif preprocessor is None and source.corpus is not None:
        preprocessor = Preprocessor(Settings("text", (source.corpus.context,)), source.corpus.tokenizer)
    elif preprocessor is None and source.continued is not None:
        preprocessor = Preprocessor.of_windows(source.continued.panel, source.continued.future)
    elif preprocessor is None:
        preprocessor = _fitted_moments(source, dealt.rows["train"])
    elif source.corpus is None:
        _check_fits(source, preprocessor)
    if source.corpus is not None and source.corpus.template is not None:
        preprocessor = preprocessor.changed(template=source.corpus.template)
    lengths, cut = _lengths(source, tokens, preprocessor.settings.shape[0])
    answers = None
    if source.parallel is not None:
        if preprocessor.target is None:
            fitted, kind = fit_answers(source.parallel, dealt.rows["train"], tokenizer)
            notes.append(f"tokenizer of the answers: {kind}, {fitted.get_vocab_size():,} tokens")
        else:
            fitted = Tokenizer.from_str(preprocessor.target.tokenizer)
        answers = encode_answers(source, fitted, report)
        if preprocessor.target is None:
            target = text_target(fitted, answers.lengths[dealt.rows["train"]])
            preprocessor = Preprocessor(preprocessor.settings, preprocessor.tokenizer, target)
        assert preprocessor.target is not None
        lengths = lengths + np.minimum(answers.lengths, preprocessor.target.max_len)
    if cut:
        notes.append(f"{cut:,} items are longer than {preprocessor.settings.shape[0]} steps and are cut")
    spec = Spec(
        name=source.name,
        modality=source.modality,
        shape=preprocessor.settings.shape,
        target=preprocessor.target or _target(source, dealt.rows["train"], preprocessor.tokenizer),
        ragged=bool((lengths != lengths[0]).any()),
        vocab_size=preprocessor.tokenizer.get_vocab_size() if preprocessor.tokenizer else 0,
        items=len(source),
        fingerprint=source.fingerprint,
        split=dealt.rule,
    )
    source = replace(source, notes=[*source.notes, *notes])
    movable = dealt.rows if dealt.movable else None
    return Dataset(source, spec, preprocessor, dealt.rows, lengths, tokens, dealt.folds, movable, answers)


def _target(source: Source, train: NDArray[np.int64], tokenizer: Tokenizer | None) -> Target:
    if source.corpus is not None:
        assert tokenizer is not None
        made = words(tokenizer, source.name) if source.corpus.whole_words else ""
        return Target("token", special=special(tokenizer), mask=tokenizer.token_to_id(MASK), words=made)
    if source.continued is not None:
        return Target("future", future=source.continued.future)
    counts = np.bincount(source.labels[train], minlength=len(source.class_names))
    return Target("class", source.class_names, float(counts.min() / max(1, counts.sum()) * len(counts)))


def _lengths(source: Source, tokens: Ragged | None, most: int) -> tuple[NDArray[np.int64], int]:
    """Steps of each item after the cut at `most`, and how many items are cut."""
    if source.modality == "image":
        return np.ones(len(source), dtype=np.int64), 0
    if isinstance(source.inputs, Blocks):
        return source.inputs.lengths - 1, 0
    if isinstance(source.inputs, Windows):
        return np.full(len(source), source.inputs.future.steps), 0
    ragged = source.inputs if tokens is None else tokens
    whole = ragged.lengths if isinstance(ragged, Ragged) else np.full(len(source), source.inputs[0].shape[0])  # type: ignore[union-attr]
    return np.minimum(whole, most), int((whole > most).sum())


def _check_fits(source: Source, preprocessor: Preprocessor) -> None:
    """Check that series or images of other data are of the kind that the preprocessor was fitted on.

    Raises:
        InputError: other channels, or images of another size.
    """
    first = np.asarray(source.inputs[0])
    fits = first.shape if source.modality == "image" else first.shape[1:]
    known = preprocessor.settings.shape if source.modality == "image" else preprocessor.settings.shape[1:]
    if fits != known:
        raise InputError(
            f"{source.name}: items have shape {first.shape}, the model was trained on {preprocessor.settings.shape}",
            "bring them to that shape",
        )


def _fitted(source: Source, texts: Texts, kind: str, rows: NDArray[np.int64]) -> Tokenizer:
    """The tokenizer of the training split; where the source lies in the cache, it is kept there."""
    path = source.folder / f"tokenizer-{kind}.json" if source.folder else None
    if path is not None and path.is_file():
        return Tokenizer.from_file(str(path))
    made = fit_tokenizer(kind, Chosen(texts, rows))
    if path is not None:
        write_text(path, made.to_str())
    return made


def _fitted_moments(source: Source, rows: NDArray[np.int64]) -> Preprocessor:
    """The preprocessor of images or series; where the source lies in the cache, it is kept there."""
    key = blake2b(rows.tobytes(), digest_size=8).hexdigest()
    path = source.folder / f"moments-{key}.json" if source.folder else None
    if path is not None and path.is_file():
        return Preprocessor.from_json(path.read_text(encoding="utf-8"), None)
    made = Preprocessor.fit(source, rows)
    if path is not None:
        write_text(path, made.to_json())
    return made


def _tokens(source: Source, texts: Texts, tokenizer: Tokenizer, report: Report) -> Ragged:
    """Token ids of all texts, in a file of the cache where the source lies there."""
    key = blake2b(tokenizer.to_str().encode(), digest_size=8).hexdigest()

    def write(file: BinaryIO) -> NDArray[np.int64]:
        # One more than any model takes, so that what is cut can be counted.
        return encode_all(tokenizer, texts, LONGEST_TEXT + 1, file, report)

    return kept(source.folder, f"tokens-{key}", token_type(tokenizer), write)
