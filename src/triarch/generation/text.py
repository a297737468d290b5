"""From tokens to text, piece by piece."""

from __future__ import annotations

from collections.abc import Callable

Decode = Callable[[list[int]], str]
BROKEN = "\ufffd"
MOST_HELD = 8


class Pieces:
    """The text of a growing list of tokens.

    What a token adds may depend on those before it, and a character may be spread over several: what ends in half a
    character is held back.
    """

    def __init__(self, decode: Decode) -> None:
        self._decode = decode
        self._tokens: list[int] = []
        self._told = 0

    def feed(self, token: int) -> str:
        """What `token` adds to the text."""
        self._tokens.append(token)
        whole = self._decode(self._tokens)
        if whole.endswith(BROKEN) and len(self._tokens) - self._told < MOST_HELD:
            return ""
        return self._tell(whole)

    def finish(self) -> str:
        """What was held back."""
        return self._tell(self._decode(self._tokens)) if len(self._tokens) > self._told else ""

    def _tell(self, whole: str) -> str:
        piece = whole[len(self._decode(self._tokens[: self._told])) :]
        self._tokens = self._tokens[self._told :]
        self._told = len(self._tokens)
        return piece


class Stops:
    """Text as it comes, until a stop string is in it; what may be the beginning of one is held back."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = stops
        self._held = ""
        self.met = False

    def feed(self, piece: str) -> str:
        """What of the text is sure to be told."""
        if not self._stops:
            return piece
        text = self._held + piece
        found = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        if found:
            self.met, self._held = True, ""
            return text[: min(found)]
        sure = len(text) - max(_overlap(text, stop) for stop in self._stops)
        self._held = text[sure:]
        return text[:sure]

    def finish(self) -> str:
        """What was held back, where nothing more comes."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of `text` that is a beginning of `stop`."""
    return next(size for size in range(min(len(text), len(stop) - 1), -1, -1) if text.endswith(stop[:size]))
