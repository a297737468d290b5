"""Text after text, token by token: what a caller of the generator sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from triarch.core.errors import InputError
from triarch.generation.beams import BeamSearch
from triarch.generation.drawing import Drawing
from triarch.generation.network import Network
from triarch.generation.prompts import check
from triarch.generation.settings import Settings
from triarch.generation.speculation import Speculation
from triarch.generation.text import Decode, Pieces, Stops


@dataclass(frozen=True)
class Event:
    """One token more of a text.

    Attributes:
        text: the number of its prompt.
        token: None where only what was held back is told.
        piece: what is sure to follow in the text; it may lag behind the tokens.
        logprob: the token's log-probability as the network has it, where that is wanted.
        reason: why the text ends here: "end" by a token, "stop" by a string, "length"; "" where it goes on.
    """

    text: int
    token: int | None
    piece: str = ""
    logprob: float | None = None
    reason: str = ""


@dataclass
class Generated:
    """A finished text: its tokens, without the one that ended it; `text` is cut before a stop string."""

    tokens: list[int] = field(default_factory=list)
    text: str = ""
    logprobs: list[float] = field(default_factory=list)
    reason: str = ""


class _Text:
    """One text on its way."""

    def __init__(self, number: int, settings: Settings, decode: Decode | None) -> None:
        self.number, self.settings, self.count = number, settings, 0
        self.pieces = Pieces(decode) if decode else None
        self.stops = Stops(settings.stop)
        self.done = False

    def feed(self, token: int, logprob: float | None) -> Event:
        self.count += 1
        if token in self.settings.end:
            self.done = True
            return Event(self.number, None, self._rest(), logprob, "end")
        piece = self.stops.feed(self.pieces.feed(token)) if self.pieces else ""
        reason = "stop" if self.stops.met else "length" if self.count == self.settings.max_tokens else ""
        self.done = bool(reason)
        if reason == "length":
            piece += self._rest()
            reason = "stop" if self.stops.met else reason
        return Event(self.number, token, piece, logprob, reason)

    def _rest(self) -> str:
        """What was held back."""
        if self.pieces is None:
            return ""
        last = self.stops.feed(self.pieces.finish())
        return last if self.stops.met else last + self.stops.finish()


def stream(
    network: Network, prompts: Sequence[Sequence[int]], settings: Settings, *, seeds: Sequence[int] | None = None,
    decode: Decode | None = None, draft: Network | None = None,
) -> Iterator[Event]:  # fmt: skip
    """Go on with each prompt.

    Args:
        prompts: token ids, of any lengths.
        seeds: one for each prompt: what is drawn for it depends on nothing else; 0, 1, 2 … if not given.
        decode: tokens → text.
        draft: a smaller network that runs ahead; the texts are distributed as without it.

    Yields:
        An event for each token of each text; with beams, all of them at the end.

    Raises:
        InputError: prompts or settings that do not fit.
    """
    asked = [list(prompt) for prompt in prompts]
    check(asked, network, settings.max_tokens)
    if draft is not None:
        check(asked, draft, settings.max_tokens, "the draft")
    if settings.stop and decode is None:
        raise InputError("--stop: there is no tokenizer to tell text from tokens by", "leave it out")
    if draft is not None and settings.beams > 1:
        raise InputError("--beams and --draft do not go together", "leave one of them out")
    seeds = list(range(len(asked)) if seeds is None else seeds)
    if len(seeds) != len(asked) or any(not 0 <= seed < 1 << 63 for seed in seeds):
        raise InputError(f"{len(seeds)} seed(s) for {len(asked)} prompt(s)", "give each one, 0 or more")
    return _events(network, asked, settings, seeds, decode, draft)


def _events(
    network: Network, prompts: list[list[int]], settings: Settings, seeds: list[int], decode: Decode | None,
    draft: Network | None,
) -> Iterator[Event]:  # fmt: skip
    texts = [_Text(number, settings, decode) for number in range(len(prompts))]
    if settings.beams > 1:
        search = BeamSearch(
            network, prompts, settings, lambda tokens: decode is not None and _stopped(tokens, settings, decode)
        )
        for text, beam in zip(texts, search.run()):
            for token, logprob in zip(beam.tokens, beam.logprobs):
                yield text.feed(token, logprob if settings.logprobs else None)
        return
    maker = (
        Drawing(network, prompts, settings, seeds)
        if draft is None
        else Speculation(network, draft, prompts, settings, seeds)
    )
    going = set(range(len(texts)))
    while going:
        for made in maker.step():
            text = texts[made.text]
            for place, token in enumerate(made.tokens):
                if not text.done:
                    yield text.feed(token, made.logprobs[place] if made.logprobs else None)
        ended = {number for number in going if texts[number].done}
        if ended:
            going -= ended
            maker.keep(going)


def _stopped(tokens: list[int], settings: Settings, decode: Decode) -> bool:
    text = decode(tokens)
    return any(stop in text for stop in settings.stop)


def generate(
    network: Network, prompts: Sequence[Sequence[int]], settings: Settings, *, seeds: Sequence[int] | None = None,
    decode: Decode | None = None, draft: Network | None = None,
) -> list[Generated]:  # fmt: skip
    """The finished texts of `stream`, in the order of the prompts."""
    made = [Generated() for _ in prompts]
    for event in stream(network, prompts, settings, seeds=seeds, decode=decode, draft=draft):
        text = made[event.text]
        if event.token is not None:
            text.tokens.append(event.token)
        if event.logprob is not None:
            text.logprobs.append(event.logprob)
        text.text += event.piece
        text.reason = event.reason
    return made
