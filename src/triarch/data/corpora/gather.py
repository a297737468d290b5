"""A corpus of any size → tokens on disk, in stages that can be broken off at any time.

The stages: what files there are (`portions`), what each document is (`records`), which are kept (`dealing`), a
tokenizer of the train split, and the tokens (`shards`). What is finished lies in a folder of the cache and is never
done twice.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from triarch.core.errors import InputError
from triarch.core.files import only_one, write_json, write_text
from triarch.core.progress import Report, silent
from triarch.data.cache import cache_folder, stamp
from triarch.data.corpora.dealing import Outcome, deal, keep
from triarch.data.corpora.encoder import shard_type
from triarch.data.corpora.fitted import KINDS, fit
from triarch.data.corpora.minhash import HASHES
from triarch.data.corpora.portion_crew import do_portions, usual_processes
from triarch.data.corpora.portion_work import DEALT, END, PLACES, PLAN, RECORDS, TOKENIZER
from triarch.data.corpora.portions import Plan, survey
from triarch.data.corpora.records import RECORD, Records, each
from triarch.data.corpora.shards import Shards
from triarch.data.known import SPLITS
from triarch.data.tokenizer_file import read_tokenizer
from triarch.data.tokens import BPE_SAMPLE, NAME_AN_END, end_of

VERSION = 3
SUMMARY, SIGNATURES = "removed.json", "signatures"
SAMPLED = 32
SHARES = (0.0, 0.3, 0.35, 0.4, 1.0)


@dataclass(frozen=True)
class Gathered:
    """A corpus on disk.

    Attributes:
        end: the id of the token between documents.
        removed: how many documents each filter took out, in its words.
        notes: what was inferred and done, in words.
        digest: of the contents of all documents that were read, and of what became of them.
    """

    name: str
    folder: Path
    tokenizer: Tokenizer
    end: int
    shards: Shards
    removed: dict[str, int]
    rule: str
    notes: list[str]
    digest: str


def gather(
    place: str,
    column: str = "",
    tokenizer: str | Tokenizer = "bpe",
    processes: int | None = None,
    report: Report = silent,
    learned: str | None = None,
) -> Gathered:
    """Read, clean, deal and tokenise what is not in the cache yet.

    Args:
        place: a file, a folder or an hf: set.
        column: of rows, that of the text.
        tokenizer: `characters`, `bytes`, `bpe`, the path of a `tokenizer.json`, or a model's.
        processes: that work beside each other; None: as many as there are processors, at most eight.
        learned: the digest of what that model has learned from: any other text is only scored, and all of it.

    Raises:
        InputError: there is no text at `place`, something in it is at fault, or the cache cannot be written.
    """
    plan = survey(place, column)
    foreign: tuple[Tokenizer, list[str]] | None = None
    if isinstance(tokenizer, Tokenizer):
        foreign = tokenizer, []
    elif tokenizer not in KINDS:
        foreign = read_tokenizer(Path(tokenizer))
    folder = _folder(place, column, plan)
    count = processes or usual_processes()
    with only_one(folder):
        _sweep(folder)
        if not (folder / PLAN).exists():
            write_text(folder / PLAN, plan.model_dump_json())
        if not (folder / SUMMARY).exists():
            do_portions(folder, RECORDS, count, _part_of(report, 0), "reading")
            report(SHARES[1], "looking for copies")
            _decide(folder, plan)
        outcome = Outcome.model_validate_json((folder / SUMMARY).read_bytes())
        dealt = np.load(folder / DEALT, allow_pickle=False)
        if learned not in (None, outcome.digest):
            dealt, outcome = keep(_records(folder, plan), outcome.named)
        outcome.check(place, whole=learned is not None)
        if foreign is None:
            report(SHARES[2], f"fitting the tokenizer {tokenizer}")
            fitted = _fitted(folder, plan, str(tokenizer))
            foreign = fitted, [f"tokenizer: {tokenizer}, {fitted.get_vocab_size():,} tokens"]
        fitted, notes = foreign
        end = end_of(fitted)
        if end is None:
            raise InputError(f"{place}: the tokenizer has no token between documents", NAME_AN_END)
        content = fitted.to_str()
        stage = f"tokens-{blake2b(content.encode() + dealt.tobytes(), digest_size=8).hexdigest()}"
        write_text(folder / stage / TOKENIZER, content)
        np.save(folder / stage / DEALT, dealt, allow_pickle=False)
        write_json(folder / stage / END, end)
        do_portions(folder, stage, count, _part_of(report, 3), "tokenising")
    if stamp(plan.files) != folder.name.partition("-")[2]:
        raise InputError(f"{place} was changed while it was read", "run this again")
    shards = Shards(folder / stage, len(plan.portions), shard_type(fitted))
    return Gathered(
        plan.name, folder, fitted, end, shards, outcome.removed, outcome.rule,
        [*plan.notes, *outcome.notes, *notes], outcome.digest,
    )  # fmt: skip


def _part_of(report: Report, stage: int) -> Report:
    """Reports a stage's share of the whole."""
    begin, end = SHARES[stage], SHARES[stage + 1]

    def told(done: float, note: str) -> None:
        report(begin + (end - begin) * done, note)

    return told


def _folder(place: str, column: str, plan: Plan) -> Path:
    """The corpus' folder in the cache; those of other states of the same files are removed."""
    where = place if place.startswith("hf:") else str(Path(place).resolve())
    key = blake2b(f"corpus {VERSION}\0{where}\0{column}".encode(errors="surrogateescape"), digest_size=12).hexdigest()
    folder = cache_folder() / f"{key}-{stamp(plan.files)}"
    try:
        for old in folder.parent.glob(f"{key}-*"):
            if old != folder:
                shutil.rmtree(old, ignore_errors=True)
        (folder / RECORDS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot write in {folder}: {error.strerror}", "name another folder in TRIARCH_CACHE"
        ) from error
    return folder


def _sweep(folder: Path) -> None:
    """Remove what processes that were ended had begun."""
    for begun in folder.glob("*/*.building"):
        begun.unlink(missing_ok=True)


def _records(folder: Path, plan: Plan) -> Records:
    """Those of all portions."""
    paths = [folder / RECORDS / f"{number:05}.records" for number in range(len(plan.portions))]
    return np.concatenate([np.fromfile(path, dtype=RECORD) for path in paths])


def _decide(folder: Path, plan: Plan) -> None:
    """Join the records of all portions, decide on each document, and let the signatures go."""
    paths = [folder / RECORDS / f"{number:05}" for number in range(len(plan.portions))]
    records = _records(folder, plan)
    counts = [path.with_suffix(".records").stat().st_size // RECORD.itemsize for path in paths]
    named = [name for path in paths for name in json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))]
    joined = folder / SIGNATURES
    with open(joined, "wb") as file:
        for path in paths:
            with open(path.with_suffix(".signatures"), "rb") as one:
                shutil.copyfileobj(one, file)
    empty = np.zeros((0, HASHES), dtype=np.uint32)
    signatures = np.memmap(joined, np.uint32, "r", shape=(len(records), HASHES)) if len(records) else empty
    dealt, outcome = deal(records, signatures, named)
    np.save(folder / DEALT, dealt, allow_pickle=False)
    np.save(folder / PLACES, np.cumsum([0, *counts]), allow_pickle=False)
    write_json(folder / SUMMARY, outcome.model_dump())
    joined.unlink()
    for path in paths:
        path.with_suffix(".signatures").unlink()


def _fitted(folder: Path, plan: Plan, kind: str) -> Tokenizer:
    """The tokenizer of the train split, which is kept."""
    path = folder / f"tokenizer-{kind}.json"
    if not path.exists():
        write_text(path, fit(kind, list(_sample(folder, plan))).to_str())
    return Tokenizer.from_file(str(path))


def _sample(folder: Path, plan: Plan) -> Iterator[str]:
    """Documents of train, evenly from at most 32 portions, of no more than `BPE_SAMPLE` bytes or a little more."""
    dealt, places = np.load(folder / DEALT, mmap_mode="r"), np.load(folder / PLACES)
    numbers = np.unique(np.linspace(0, len(plan.portions) - 1, SAMPLED).round().astype(int)).tolist()
    room = BPE_SAMPLE // len(numbers)
    for number in numbers:
        records = np.fromfile(folder / RECORDS / f"{number:05}.records", dtype=RECORD)
        train = dealt[places[number] : places[number + 1]] == SPLITS.index("train")
        sizes = np.where(train, records["bytes"], 0)
        every = max(1, -(-int(sizes.sum()) // room))
        rank = np.cumsum(train) - 1
        wanted = train & (rank % every == 0)
        last = int(np.flatnonzero(wanted)[-1]) if wanted.any() else -1
        for place, (_, (content, _)) in enumerate(each(plan.portions[number], plan.stretch)):
            if place > last:
                break
            if wanted[place]:
                yield content.decode()
