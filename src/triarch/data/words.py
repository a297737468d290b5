"""Which tokens make up a word together, told from their names alone."""

from __future__ import annotations

import json
import unicodedata

from tokenizers import Tokenizer
from tokenizers.pre_tokenizers import ByteLevel

from triarch.core.errors import InputError
from triarch.core.spec import GOES_ON, IS_OPEN

SPACE_OF_BYTES, SPACE = "Ġ", "▁"


def words(tokenizer: Tokenizer, name: str) -> str:
    """`Target.words` of a tokenizer.

    A piece of WordPiece goes on where it begins with ##. Others do where they begin with a letter or a digit, without
    the mark of a space before, and after what ends with one: so punctuation and what is between spaces are words of
    their own. In a vocabulary of bytes all that are not ASCII count as letters.

    Args:
        name: of the data.

    Raises:
        InputError: there are no such marks, as in a vocabulary of bytes or characters alone.
    """
    known = {number: token for token, number in tokenizer.get_vocab().items()}
    special = {number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    made = json.loads(tokenizer.to_str())
    prefix = made["model"].get("continuing_subword_prefix") if made["model"]["type"] == "WordPiece" else None
    of_bytes = '"ByteLevel"' in json.dumps([made["pre_tokenizer"], made["decoder"]])
    mark = prefix or (SPACE_OF_BYTES if of_bytes else SPACE)
    if not any(token.startswith(mark) and len(token) > len(mark) for token in known.values()):
        raise InputError(
            f"the tokenizer of {name} has no words that could be hidden whole", "leave whole_words out, or take bpe"
        )
    letters = _letters_of_bytes() if of_bytes else None
    kinds = []
    for number in range(max(known) + 1):
        token = known.get(number, "")
        if number in special or not token:
            kinds.append(0)
        elif prefix:
            kinds.append(GOES_ON * token.startswith(prefix) + IS_OPEN)
        else:
            ends = token == mark or _is_letter(token[-1], letters)
            kinds.append(GOES_ON * _is_letter(token[0], letters) + IS_OPEN * ends)
    return "".join(map(str, kinds))


def _is_letter(character: str, of_bytes: frozenset[str] | None) -> bool:
    """Whether it is part of words: a letter, a digit, or a mark on one."""
    return unicodedata.category(character)[0] in "LNM" if of_bytes is None else character in of_bytes


def _letters_of_bytes() -> frozenset[str]:
    """The names of bytes that are letters or digits of ASCII, or are not of ASCII."""
    plain = {chr(code) for code in range(ord("!"), 127)}
    blank = {chr(256 + code) for code in range(34)}  # 0 to 32, and 127
    return frozenset({one for one in plain if one.isalnum()} | (set(ByteLevel.alphabet()) - plain - blank))
