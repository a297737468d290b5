"""Instructions and chats with their answers → a source of dialogues, for models of language that learn to answer.

What is asked is seen, what is answered is sought, with the token that ends it. The rows are read into memory.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tokenizers import Tokenizer

from triarch.core.errors import InputError
from triarch.core.progress import Report
from triarch.data.asked import Asked
from triarch.data.blocks import Dialogues
from triarch.data.chat import Chat, Example
from triarch.data.corpora.corpus import CONTEXT
from triarch.data.corpora.dealing import in_order
from triarch.data.corpora.fitted import fit
from triarch.data.dialogues import answered, columns_of, dialogues
from triarch.data.source import Corpus, Source
from triarch.data.split import SPLITS
from triarch.data.template import ASSISTANT, PLAIN, Dialogue, Template, plain

FEWEST = 3


def holds_answers(data: Any, asked: Asked) -> bool:
    """Whether data is rows of instructions or messages, and no column of them is named as a text."""
    return not asked.inputs and answered(columns_of(data))


def read_instructions(data: Any, asked: Asked, report: Report) -> Source:
    """A table, a frame or a list of objects with the columns instruction, input and output, or messages.

    Dialogues that begin alike, up to the first answer, are in one split; of equal ones the first is kept. One that is
    longer than the context is cut at its end, and left out where no answer begins before that.

    Raises:
        InputError: a row is at fault, or there are too few.
    """
    path = Path(data) if isinstance(data, str | Path) else None
    where = str(path or ("frame" if isinstance(data, pd.DataFrame) else "dialogues"))
    if asked.task == "masked-model":
        raise InputError(f"{where} holds answers to be written, not texts with hidden words", "--task language-model")
    asked.refuse(f"{where}: a set of dialogues", "target", "group")
    report(0.0, f"reading {path.name if path else where}")
    read = dialogues(data, where)
    keys = [json.dumps(dialogue, ensure_ascii=False) for _, dialogue in read]
    digest = blake2b("\0".join(keys).encode(), digest_size=16).hexdigest()
    how = asked.modelled
    scored = how.learned not in (None, digest)  # then equal ones count as often as they are there
    first = dict(zip(reversed(keys), reversed(read)))
    kept = read if scored else [first[key] for key in dict.fromkeys(keys)]
    dealt = _dealt([dialogue for _, dialogue in kept])
    if not scored and len(np.unique(dealt)) < len(SPLITS):
        begin = len({_before_answer(dialogue) for _, dialogue in kept})
        raise InputError(
            f"{where}: {len(kept)} different dialogue(s), of which {begin} begin differently; each split needs one, so"
            f" {FEWEST} at least",
            "give more",
        )
    tokenizer = how.tokenizer or fit(how.kind or "bpe", _texts([dialogue for _, dialogue in kept], dealt))
    chat, context = Chat(how.template or plain(tokenizer), tokenizer), how.context or CONTEXT
    examples = _examples(chat, kept, context, report)
    answering = np.array([one.sought[1:].any() for one in examples], dtype=bool)
    if not answering.any():
        raise InputError(
            f"{where}: no answer begins within {context:,} tokens", "shorter instructions, or a longer context"
        )
    lacking = [part for part in SPLITS if part not in dealt[answering]]
    if lacking and not scored:
        raise InputError(
            f"{where}: of {len(examples):,} dialogues {int(answering.sum()):,} begin their answer within {context:,}"
            f" tokens, and none of those is in {lacking[0]}",
            "a longer --context, shorter instructions, or more of them",
        )
    removed = {
        "equal to another": len(read) - len(kept), f"without an answer in {context:,} tokens": int((~answering).sum()),
    }  # fmt: skip
    taken = [one for one, answers in zip(examples, answering) if answers]
    return _source(path.name if path else where, taken, dealt[answering], chat, tokenizer, context, removed, digest)


def _source(
    name: str, taken: Sequence[Example], parts: NDArray[np.str_], chat: Chat, tokenizer: Tokenizer, context: int,
    removed: dict[str, int], digest: str,
) -> Source:  # fmt: skip
    """The source of examples of these splits (I)."""
    sizes = np.array([one.size for one in taken], dtype=np.float32)
    units = np.zeros(len(taken), dtype=np.float32)
    for part in np.unique(parts):
        units[parts == part] = sizes[parts == part].mean(dtype=np.float64)
    notes = _notes(taken, removed, chat.template, context)
    inputs = Dialogues([one.ids for one in taken], [one.sought for one in taken], context)
    corpus = Corpus(tokenizer, context, len(taken), int(sizes.sum()), units, removed, template=chat.template)
    return Source(name, "text", inputs, sizes, (), parts=parts, notes=notes, digest=digest, corpus=corpus)


def _dealt(read: Sequence[Dialogue]) -> NDArray[np.str_]:
    """The split of each dialogue, in the order of the hash of what comes before its first answer: a tenth of them each
    to confirm and select.
    """
    asked = [_before_answer(dialogue) for dialogue in read]
    prints = [int.from_bytes(blake2b(one.encode(), digest_size=8).digest(), "little") for one in asked]
    different, group = np.unique(np.array(prints, dtype=np.uint64), return_inverse=True)
    return np.array(SPLITS)[in_order(different, np.bincount(group))[group]]


def _before_answer(dialogue: Dialogue) -> str:
    """What comes before its first answer, as JSON."""
    turn = next(turn for turn, message in enumerate(dialogue) if message["role"] == ASSISTANT)
    return json.dumps(dialogue[:turn], ensure_ascii=False)


def _texts(read: Sequence[Dialogue], dealt: NDArray[np.str_]) -> list[str]:
    """What a tokenizer is fitted on: the training dialogues, without the tokens that it is to get."""
    bare = Template(PLAIN)
    return [bare.write(dialogue) for dialogue, part in zip(read, dealt) if part == SPLITS[0]]


def _examples(
    chat: Chat, read: Sequence[tuple[str, Dialogue]], context: int, report: Report
) -> list[Example]:  # fmt: skip
    """The tokens of each dialogue; an error says where it lies."""
    made = []
    for number, (place, dialogue) in enumerate(read):
        try:
            made.append(chat.example(dialogue, context + 1))
        except InputError as error:
            what, _, remedy = str(error).partition("\n")
            raise InputError(f"{place}: {what}", remedy) from error
        if number % 1_000 == 0:
            report(number / len(read), "tokenising")
    return made


def _notes(taken: Sequence[Example], removed: dict[str, int], template: Template, context: int) -> list[str]:
    """How it is learned from, in words."""
    cut, tokens = sum(one.cut for one in taken), sum(len(one.ids) - 1 for one in taken)
    sought = sum(int(one.sought[1:].sum()) for one in taken)
    whose = "plain, a line '### role' before each turn" if template.jinja == PLAIN else "the model's own"
    rest = {f"longer than {context:,} tokens, cut": cut, **{f"left out, {why}": n for why, n in removed.items()}}
    return [
        f"dialogues: {len(taken):,}, of {tokens:,} tokens, of which the {sought:,} of answers are sought",
        f"template: {whose}",
        *(f"{what}: {count:,}" for what, count in rest.items() if count),
    ]
