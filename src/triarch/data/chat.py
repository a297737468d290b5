"""Dialogues → token ids, of which those of the answers are sought."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from triarch.core.errors import InputError
from triarch.data.template import ASSISTANT, USER, Dialogue, Template
from triarch.data.tokens import encodable


class Example(NamedTuple):
    """A dialogue as tokens.

    Attributes:
        ids: (T), up to the end of its last answer, or cut.
        sought: (T), True in the answers and at the token that ends each.
        size: bytes of the answers in UTF-8, without those tokens.
        cut: whether there was more.
    """

    ids: NDArray[np.int64]
    sought: NDArray[np.bool_]
    size: int
    cut: bool


class Chat:
    """A template and the tokenizer that reads what it writes.

    What is said may not hold the tokenizer's special tokens: they would end turns, or begin them.

    Attributes:
        end: the token that ends an answer.

    Raises:
        InputError: the template cannot be read, or ends answers with no token of its own.
    """

    def __init__(self, template: Template, tokenizer: Tokenizer) -> None:
        self.template = template
        self._tokenizer = Tokenizer.from_str(tokenizer.to_str())  # this one knows special tokens by their text
        self._tokenizer.post_processor = None
        added = self._tokenizer.get_added_tokens_decoder()
        self._marks = [token.content for token in added.values() if token.special]
        probe = [{"role": USER, "content": "a"}, {"role": ASSISTANT, "content": "b"}]
        last = next(reversed(self._encoded(template.write(probe).rstrip()).ids), None)
        if last not in added:
            raise InputError(
                "the model's chat template ends an answer with no token of its own: where it ends could not be learned",
                "mend it, or take it out of the folder: a plain one is taken instead",
            )
        self.end: int = last

    def prompt(self, dialogue: Dialogue) -> list[int]:
        """The tokens after which an answer is written.

        Raises:
            InputError: the template refuses the dialogue, or a special token or half a character is in it.
        """
        self._check(dialogue)
        ids: list[int] = self._encoded(self.template.write(dialogue, answer=True)).ids
        return ids

    def example(self, dialogue: Dialogue, most: int) -> Example:
        """A dialogue with answers, of which the first `most` tokens are kept.

        A token is sought if any of its characters is of an answer, as in Transformers.

        Raises:
            InputError: as `prompt`; or the template writes a turn otherwise where another follows.
        """
        self._check(dialogue)
        text = self.template.write(dialogue)
        spans = [self._span(dialogue, turn, text) for turn, one in enumerate(dialogue) if one["role"] == ASSISTANT]
        encoded = self._encoded(text)
        begins, ends = np.array(encoded.offsets, dtype=np.int64).reshape(-1, 2).T
        sought = np.zeros(len(begins), dtype=bool)
        for begin, end in spans:
            sought |= (ends > begin) & (begins < end)
        last = int(np.flatnonzero(sought)[-1]) + 1
        kept = min(last, most)
        reached, marks = int(ends[kept - 1]), np.isin(encoded.ids, self.end)
        size = 0
        for begin, end in spans:
            own = marks & (begins >= begin) & (ends == end)
            stop = int(begins[own][-1]) if own.any() else end
            size += len(text[begin : min(stop, reached)].encode())
        return Example(np.array(encoded.ids[:kept], dtype=np.int64), sought[:kept], size, kept < last)

    def _span(self, dialogue: Dialogue, turn: int, text: str) -> tuple[int, int]:
        """Where in the text of the whole dialogue the answer of a turn begins and, after its token, ends."""
        before = self.template.write(dialogue[:turn], answer=True)
        upto = self.template.write(dialogue[: turn + 1]).rstrip()
        if not upto.startswith(before) or upto == before or not text.startswith(upto):
            raise InputError(
                "the model's chat template writes a turn otherwise where another follows: its answers cannot be told",
                "give dialogues with one answer, or a model with a plainer template",
            )
        return len(before), len(upto)

    def _encoded(self, text: str) -> Encoding:
        return self._tokenizer.encode(text, add_special_tokens=False)

    def _check(self, dialogue: Dialogue) -> None:
        for message in dialogue:
            if not encodable(message["content"]):
                raise InputError(f"what is said is not valid Unicode: {message['content'][:40]!r}", "mend its encoding")
            mark = next((mark for mark in self._marks if mark in message["content"]), None)
            if mark is not None:
                raise InputError(f"{mark} is written in it, which the model takes for one of its marks", "take it out")
