"""How data is to be read, as far as the user says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tokenizers import Tokenizer

from triarch.core.errors import InputError, near
from triarch.core.spec import MODALITIES, Cycle, Modality
from triarch.data.template import Template

Impute = Literal["linear", "last"]


@dataclass(frozen=True)
class Continued:
    """How series are to be continued, as far as the user says; what is not given is inferred.

    Attributes:
        horizon: steps ahead.
        lookback: steps that a model sees.
        season: steps of a season.
        known: columns that are known for the steps ahead.
        impute: how gaps are filled; None: they are an error.
        calendar: cycles that models are told of; None: those that training passes through twice.
    """

    horizon: int | None = None
    lookback: int | None = None
    season: int | None = None
    known: tuple[str, ...] = ()
    impute: Impute | None = None
    calendar: tuple[Cycle, ...] | None = None


@dataclass(frozen=True)
class Modelled:
    """How text is read where language is modelled, as far as the user says.

    Attributes:
        context: the most tokens that a model sees.
        kind: of the tokenizer that is fitted.
        tokenizer: that of a model, in place of one to be fitted.
        learned: the fingerprint of what that model has learned from: any other text is only scored, and all of it.
        whole_words: whether the words of hidden tokens are hidden whole.
        template: how that model writes dialogues, where it says so.
    """

    context: int | None = None
    kind: str | None = None
    tokenizer: Tokenizer | None = None
    learned: str | None = None
    whole_words: bool = False
    template: Template | None = None


@dataclass(frozen=True)
class Asked:
    """Options of a reader; what is not given is inferred, and the source's notes say how.

    Attributes:
        inputs: the input columns of a table; of arrays and folders image, text or series.
        target: the column of labels.
        group: the column that says which items belong together and must not be split.
        image_size: the shorter side of pictures.
        image_shape: (C, Y, X) of pictures, for a model that takes these only.
        image_white: what white is in pictures, for such a model.
        task: what is to be learned, where that is said.
        continued: how series are.
        modelled: how text is, where language is modelled.
    """

    inputs: tuple[str, ...] = ()
    target: str | None = None
    group: str | None = None
    image_size: int | None = None
    image_shape: tuple[int, int, int] | None = None
    image_white: float | None = None
    task: str | None = None
    continued: Continued = Continued()
    modelled: Modelled = Modelled()

    @property
    def modality(self) -> Modality | None:
        """What the inputs are, where `inputs` says that instead of columns.

        Raises:
            InputError: it names something else.
        """
        if not self.inputs:
            return None
        for modality in MODALITIES:
            if self.inputs == (modality,):
                return modality
        raise InputError(f"--input {' '.join(self.inputs)}: {', '.join(MODALITIES)}", near(self.inputs[0], MODALITIES))

    def refuse(self, place: str, *names: str) -> None:
        """Check that options which make no sense at `place` are not given.

        Raises:
            InputError: one of `names` is.
        """
        for name in names:
            if getattr(self, name):
                option = name.rstrip("s").replace("_", "-")
                raise InputError(f"{place} takes no --{option}", f"leave --{option} out")


def listed(given: Sequence[str], columns: Sequence[str]) -> list[str]:
    """Names of columns; what is none itself may be several, with commas between them."""
    parts = ([one] if one in columns else one.split(",") for one in given)
    return [name.strip() for part in parts for name in part]


def names(inputs: str | Sequence[str]) -> tuple[str, ...]:
    """One name or several, as several."""
    return (inputs,) if isinstance(inputs, str) else tuple(inputs)
