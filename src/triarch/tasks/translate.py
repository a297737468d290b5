"""Translation: what a text becomes in another language, in sounds, in another form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from triarch.core.results import Metric
from triarch.core.spec import Spec
from triarch.core.types import NOTHING, Batch, FeatureShape
from triarch.measure.translation import chrf
from triarch.tasks.language_model import Head, each_token

SMOOTHING = 0.1
PAD = 0
EXACT = "exact match"


class Translate:
    """Cross-entropy of the next token of the answer, given those before it, with smoothed labels (Szegedy et al. 2016,
    arXiv 1512.00567); scored by chrF of what is written token by token, the likeliest each time.
    """

    name = "translate"
    causal = False

    def __init__(self, spec: Spec | None = None) -> None:
        self.scores: tuple[Metric, ...] = (
            Metric("chrF", "max"),
            Metric(EXACT, "max"),
            Metric("loss", "min"),
            Metric("bits per byte", "min"),
        )
        self.primary = self.scores[0]
        self.target = spec.target if spec is not None else None
        self.tokenizer = _tokenizer(self.target.tokenizer) if self.target and self.target.tokenizer else None

    def view(self, spec: Spec) -> Spec:
        """As it is: the texts that are given."""
        return spec

    def answer(self, spec: Spec) -> Spec:
        """The texts that are sought, as the backbone that writes them sees them."""
        return replace(spec, shape=(spec.target.max_len,), vocab_size=spec.target.vocab_size)

    def prepare(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        """Answers (B T+1), where they are known → what is given of them (B T), and what follows each step (B T)."""
        if batch.target is None:
            return batch
        return replace(batch, given=batch.target[:, :-1].clamp(min=PAD), target=batch.target[:, 1:])

    def head(self, shape: FeatureShape, spec: Spec) -> Head:
        """The vocabulary of the answers, at every step.

        Raises:
            ValueError: the backbone does not make one feature of each token.
        """
        each_token(shape)
        return Head(shape.dim, spec.target.vocab_size, bias=spec.target.logits.bias)

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """Mean cross-entropy of a token in nats, of logits (B T V), a tenth of each label spread over all tokens."""
        assert batch.target is not None
        return F.cross_entropy(
            output.flatten(0, 1), batch.target.flatten(), ignore_index=NOTHING, label_smoothing=SMOOTHING
        )

    def metrics(self, output: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Of each item what `judge` says of its answer, its mean cross-entropy of a token in nats, without smoothing,
        and its bits by the bytes of an answer.
        """
        assert batch.target is not None
        each = F.cross_entropy(
            output.flatten(0, 1), batch.target.flatten(), ignore_index=NOTHING, reduction="none"
        ).view_as(batch.target)
        nats, count = each.sum(dim=1), batch.target.ne(NOTHING).sum(dim=1)
        values = {**self.judge(self.decode(output, batch), batch), "loss": nats / count.clamp(min=1)}
        if batch.unit is not None:
            values["bits per byte"] = nats / math.log(2) / batch.unit
        return values

    def judge(self, answers: Tensor, batch: Batch) -> dict[str, Tensor]:
        """chrF of answers, tokens (B T), and whether they are right to the letter."""
        return self.compare(self.texts(answers), batch)

    @staticmethod
    def compare(answers: Sequence[str], batch: Batch) -> dict[str, Tensor]:
        """As `judge`, of texts."""
        assert batch.references is not None
        pairs = list(zip(answers, batch.references))
        return {
            "chrF": torch.tensor([chrf(*pair) for pair in pairs]),
            EXACT: torch.tensor([float(written == reference) for written, reference in pairs]),
        }

    def decode(self, output: Tensor, batch: Batch) -> Tensor:
        """The tokens of the answer (B T), [PAD] after its [END]: those that were written, else the likeliest."""
        assert self.target is not None
        ids = output.argmax(dim=-1) if batch.written is None else batch.written
        ended = ids.eq(self.target.end).cumsum(dim=1)
        return ids.masked_fill(ended - ids.eq(self.target.end).long() > 0, PAD)

    def texts(self, answers: Tensor) -> Sequence[str]:
        """What tokens (B T) stand for."""
        assert self.tokenizer is not None
        return self.tokenizer.decode_batch([row[row != PAD].tolist() for row in answers.long()])


def _tokenizer(content: str) -> Tokenizer:
    """As the library wrote it.

    Raises:
        ValueError: it did not.
    """
    try:
        return Tokenizer.from_str(content)
    except Exception as error:  # the library raises nothing narrower
        raise ValueError(f"the tokenizer of the answers cannot be read: {error}") from error
