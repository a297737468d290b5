"""An artifact that models language, or translates, as the generator wants it: a network, and text instead of tokens."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer

from triarch.core.errors import InputError
from triarch.data.preprocess import collate
from triarch.data.tokens import encode, end_of, special
from triarch.generation.network import Network
from triarch.layers.position import places_of
from triarch.model import Pair
from triarch.ship.artifact import Artifact
from triarch.tasks.language_model import Head
from triarch.tasks.translate import Translate


class Writer:
    """What goes on with a text, or writes what it becomes.

    Attributes:
        tokenizer: of what is written.
        end: tokens with which a text ends.
        banned: tokens that stand for no text, and do not end it either.

    Raises:
        InputError: the artifact does neither, or came without a tokenizer.
    """

    def __init__(self, artifact: Artifact) -> None:
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
        self.end = () if end is None else (end,)
        self.banned = tuple(token for token in special(self.tokenizer) if token not in self.end)

    def begin(self, texts: list[str]) -> tuple[Network, list[list[int]]]:
        """What `texts` are gone on with or translated by, and the tokens to begin with; see `read`.

        Raises:
            InputError: there is nothing to begin with.
        """
        model = self._artifact.model
        if not isinstance(model, Pair):
            return self._network, [self.read(text) for text in texts]
        if "" in texts:
            raise InputError("the prompt is empty: there is nothing to translate", "write a word")
        with torch.inference_mode():
            context = model.context(collate(self._artifact.preprocessor.encode(texts)))
        return model.network(context), [[model.target.begin] for _ in texts]

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
