"""An artifact that models language, or translates, as the generator wants it: a network, and text instead of tokens."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from tokenizers import Tokenizer

from triarch.core.errors import InputError
from triarch.data.chat import Chat
from triarch.data.preprocess import collate
from triarch.data.template import USER, Dialogue
from triarch.data.tokens import encode, end_of, special
from triarch.generation.network import Network
from triarch.generation.prompts import check
from triarch.layers.position import places_of
from triarch.layers.weight_layout import lay_out
from triarch.model import Pair
from triarch.ship.artifact import Artifact
from triarch.tasks.language_model import Head
from triarch.tasks.translate import Translate


class Writer:
    """What goes on with a text, answers, or writes what it becomes.

    Args:
        chat: a prompt is what a user says, or a dialogue, and goes into the model's own template.

    Attributes:
        tokenizer: of what is written.
        end: tokens with which a text ends; of a model that answers, an answer too.
        banned: tokens that stand for no text, and do not end it either.

    Raises:
        InputError: the artifact does none of these, came without a tokenizer, or does not say how it is asked.
    """

    def __init__(self, artifact: Artifact, chat: bool = False) -> None:
        self.chat = _chat(artifact) if chat else None
        self._artifact, model, task = artifact, artifact.model.eval(), artifact.task
        if isinstance(model, Pair) and isinstance(task, Translate) and task.tokenizer is not None:
            self.tokenizer: Tokenizer = task.tokenizer
            self.end, self.banned = model.settings().end, model.settings().banned
            return
        if not task.causal or not isinstance(model.head, Head):
            kind = "backbone alone" if artifact.config.task == "features" else f"{artifact.config.task} model"
            raise InputError(
                f"a {kind} does not go on with a text",
                "give an artifact of `triarch pretrain --objective causal`, or one that translates",
            )
        self.tokenizer = artifact.preprocessor.reader
        self._network = Network(
            model.backbone, model.head.vocabulary, artifact.config.spec.vocab_size, places_of(model)
        )
        end = end_of(self.tokenizer)
        ends = [end, None if self.chat is None else self.chat.end]
        self.end = tuple(dict.fromkeys(one for one in ends if one is not None))
        self.banned = tuple(token for token in special(self.tokenizer) if token not in self.end)

    def check(self, texts: Sequence[str | Dialogue], max_tokens: int, whose: str = "this model") -> None:
        """That it can go on with each of `texts` for so long; what translates reads any.

        Raises:
            InputError: it cannot.
        """
        if not isinstance(self._artifact.model, Pair):
            check([self.read(text) for text in texts], self._network, max_tokens, whose)

    def begin(self, texts: Sequence[str | Dialogue], rows_each: int = 1) -> tuple[Network, list[list[int]]]:
        """What `texts` are gone on with or translated by, and the tokens to begin with; see `read`.

        Args:
            rows_each: of a step, for each text: its beams, or its tokens that are checked at a time.

        Raises:
            InputError: there is nothing to begin with.
        """
        model = self._artifact.model
        lay_out(model, len(texts) * rows_each)
        if not isinstance(model, Pair):
            return self._network, [self.read(text) for text in texts]
        if "" in texts:
            raise InputError("the prompt is empty: there is nothing to translate", "write a word")
        with torch.inference_mode():
            context = model.context(collate(self._artifact.preprocessor.encode([str(text) for text in texts])))
        return model.network(context), [[model.target.begin] for _ in texts]

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
