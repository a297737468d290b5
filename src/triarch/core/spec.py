"""What a data set is: the one value from which backbones and heads take their sizes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Modality = Literal["image", "text", "series"]
MODALITIES: tuple[Modality, ...] = ("image", "text", "series")
Cycle = Literal["day", "week", "year"]
GOES_ON, IS_OPEN = 1, 2


@dataclass(frozen=True)
class Future:
    """How a series is continued.

    Attributes:
        horizon: steps ahead.
        lookback: steps before them, which a model sees.
        recent: the last of these, which it sees one by one, and the others by `lags` only; 0: all of them.
        lags: so many steps before each step, those ahead too, it sees the series besides; none below the horizon.
        season: steps after which the series moves as it did before; 1: it has no season.
        repeat: of all such numbers of steps, the one whose repetition foretells best; a forecast starts from there.
        step: from one time to the next, as pandas writes it; empty where steps are numbered.
        series, time: the columns that name the series and the step; `series` is empty where there is one.
        channels: the columns that make up the input, the one to be continued first.
        known: so many of them, after the first, are known for the steps ahead too.
        calendar: cycles whose columns follow the channels, known ahead as well; see `data/calendar.py`.
        scale: how far the series usually moves in a season.
    """

    horizon: int
    lookback: int
    season: int = 1
    repeat: int = 1
    step: str = ""
    series: str = ""
    time: str = ""
    channels: tuple[str, ...] = ("y",)
    known: int = 0
    recent: int = 0
    lags: tuple[int, ...] = ()
    calendar: tuple[Cycle, ...] = ()
    scale: float = 1.0

    @property
    def steps(self) -> int:
        """Of a window: the look-back, and the horizon too where anything is known of it."""
        return self.lookback + (self.horizon if self.known or self.calendar else 0)


@dataclass(frozen=True)
class Logits:
    """How a model scores the tokens of its vocabulary.

    Attributes:
        tied: by the matrix that embeds them; else by one of its own.
        soft_cap: c where scores are bent to c·tanh(score / c) (Gemma Team 2024, arXiv 2408.00118).
        eps: of the norm before the scores, where the task has one.
        bias: a number for each token is added, where the task leaves that open.
    """

    tied: bool = True
    soft_cap: float | None = None
    eps: float = 1e-5
    bias: bool = False


@dataclass(frozen=True)
class Target:
    """What is to be predicted: one of several classes, how a series goes on, tokens of a text, or what it becomes; or
    nothing, where a backbone gives its features.

    Attributes:
        names: the name of each class; the target holds positions in this tuple.
        rarest: how often the rarest class is there in train, as a part of an equal share.
        future: how a series is continued.
        special: the tokens that stand for no text.
        mask: of these the one that hides another.
        words: where words are hidden whole, a digit for each token (V): `GOES_ON` where it may go on with a word, plus
            `IS_OPEN` where one may go on after it; else empty.
        logits: how a model scores them.
        vocab_size: V of answers that are texts.
        max_len: T of the longest of them, with its [END], or where they are cut.
        end: the token that ends them.
        first: the one that begins them, and is never written; None: `end` does.
        tokenizer: of the answers, as the library `tokenizers` writes it.
        unit: whether features are brought to length 1.
    """

    kind: Literal["class", "future", "token", "text", "features"]
    names: tuple[str, ...] = ()
    rarest: float = 1.0
    future: Future | None = None
    special: tuple[int, ...] = ()
    mask: int | None = None
    words: str = field(default="", repr=False)
    logits: Logits = Logits()
    vocab_size: int = 0
    max_len: int = 0
    end: int = 0
    first: int | None = None
    tokenizer: str = field(default="", repr=False)
    unit: bool = False

    @property
    def begin(self) -> int:
        """The token that answers are written from."""
        return self.end if self.first is None else self.first


@dataclass(frozen=True)
class Spec:
    """Facts about a data set.

    Attributes:
        shape: images (C, Y, X); series (T, C); text (T,). T is the longest item, or where items are cut.
        ragged: whether items differ in length.
        vocab_size: V for text, else 0.
        items: number of items in all splits.
        fingerprint: hash of the content; the same data has the same fingerprint anywhere.
        split: the rule of the splits, in words.
    """

    name: str
    modality: Modality
    shape: tuple[int, ...]
    target: Target
    ragged: bool = False
    vocab_size: int = 0
    items: int = 0
    fingerprint: str = ""
    split: str = ""

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.target.names)

    @property
    def future(self) -> Future:
        """How the series is continued."""
        if self.target.future is None:
            raise ValueError(f"{self.name} is not continued")
        return self.target.future

    @property
    def horizon(self) -> int:
        """Steps ahead."""
        return self.future.horizon

    @property
    def in_channels(self) -> int:
        """C of images and series."""
        if self.modality == "text":
            raise ValueError("text has no channels")
        return self.shape[0] if self.modality == "image" else self.shape[1]

    @property
    def max_len(self) -> int:
        """T of series and text."""
        if self.modality == "image":
            raise ValueError("an image has no length; see layers/geometry.py for its number of patches")
        return self.shape[0]


def reference(modality: Modality, num_classes: int = 10) -> Spec:
    """The data set at which sizes are nominal: a 32x32 colour image, 128 tokens, or 96 steps of one channel."""
    target = Target("class", tuple(str(number) for number in range(num_classes)))
    shape: tuple[int, ...] = {"image": (3, 32, 32), "text": (128,), "series": (96, 1)}[modality]
    return Spec(f"reference-{modality}", modality, shape, target, vocab_size=256 * (modality == "text"))
