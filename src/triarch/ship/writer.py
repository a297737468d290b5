"""An artifact that models language, as the generator wants it: a network, and text instead of tokens."""

from __future__ import annotations

from tokenizers import Tokenizer

from triarch.core.errors import InputError
from triarch.data.tokens import encode, end_of, special
from triarch.generation.network import Network
from triarch.layers.position import AddPosition
from triarch.ship.artifact import Artifact
from triarch.tasks.language_model import Head


class Writer:
    """What goes on with a text.

    Attributes:
        network: what is generated from.
        end: tokens with which a text ends.
        banned: tokens that stand for no text, and do not end it either.

    Raises:
        InputError: the artifact is no causal language model, or came without a tokenizer.
    """

    def __init__(self, artifact: Artifact) -> None:
        model = artifact.model
        if not artifact.task.causal or not isinstance(model.head, Head):
            kind = "backbone alone" if artifact.config.task == "features" else f"{artifact.config.task} model"
            raise InputError(
                f"a {kind} does not go on with a text", "give an artifact of `triarch pretrain --objective causal`"
            )
        tokenizer = artifact.preprocessor.reader
        self.tokenizer: Tokenizer = tokenizer
        places = [
            part.max_len for part in model.modules() if isinstance(part, AddPosition) and part.position == "learned"
        ]
        self.network = Network(
            model.eval().backbone, model.head.vocabulary, artifact.config.spec.vocab_size, min(places, default=None)
        )
        end = end_of(tokenizer)
        self.end = () if end is None else (end,)
        self.banned = tuple(token for token in special(tokenizer) if token not in self.end)

    def read(self, text: str) -> list[int]:
        """A prompt → its tokens; an empty one is the beginning of a document.

        Raises:
            InputError: there is nothing to begin with.
        """
        if not text:
            if not self.end:
                raise InputError("the prompt is empty, and this model has no token to begin with", "write a word")
            return list(self.end)
        ids: list[int] = encode(self.tokenizer, [text])[0].tolist()
        return ids

    def decode(self, tokens: list[int]) -> str:
        """Tokens → text."""
        text: str = self.tokenizer.decode(tokens)
        return text
