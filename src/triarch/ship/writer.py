"""An artifact that models language, as the generator wants it: a network, and text instead of tokens."""

from __future__ import annotations

from tokenizers import Tokenizer

from triarch.core.errors import InputError
from triarch.data.chat import Chat
from triarch.data.template import USER, Dialogue
from triarch.data.tokens import encode, end_of, special
from triarch.generation.network import Network
from triarch.layers.position import AddPosition
from triarch.ship.artifact import Artifact
from triarch.tasks.language_model import Head


class Writer:
    """What goes on with a text, or answers.

    Args:
        chat: a prompt is what a user says, or a dialogue, and goes into the model's own template.

    Attributes:
        network: what is generated from.
        end: tokens with which a text ends; of a model that answers, an answer too.
        banned: tokens that stand for no text, and do not end it either.

    Raises:
        InputError: the artifact is no causal language model, came without a tokenizer, or does not say how it is asked.
    """

    def __init__(self, artifact: Artifact, chat: bool = False) -> None:
        model = artifact.model
        if not artifact.task.causal or not isinstance(model.head, Head):
            raise InputError(
                f"a {artifact.config.task} model does not go on with a text",
                "give an artifact of `triarch pretrain --objective causal`",
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
        self.chat = _chat(artifact) if chat else None
        ends = [end, None if self.chat is None else self.chat.end]
        self.end = tuple(dict.fromkeys(one for one in ends if one is not None))
        self.banned = tuple(token for token in special(tokenizer) if token not in self.end)

    def read(self, text: str | Dialogue) -> list[int]:
        """A prompt → its tokens; an empty one is the beginning of a document.

        Raises:
            InputError: there is nothing to begin with.
        """
        if self.chat is not None:
            return self.chat.prompt([{"role": USER, "content": text}] if isinstance(text, str) else text)
        assert isinstance(text, str)
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


def _chat(artifact: Artifact) -> Chat:
    """How it is asked.

    Raises:
        InputError: it does not say.
    """
    template = artifact.preprocessor.settings.template
    if template is None:
        raise InputError(
            "--chat: this model does not say how it is asked",
            "fine-tune it on instructions or messages with their answers, or leave --chat out",
        )
    return Chat(template, artifact.preprocessor.reader)
