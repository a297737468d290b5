"""How like translations are to others, by `sacrebleu`; 1 is alike, where that library says 100."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any


def chrf(written: str, reference: str) -> float:
    """The F-score of runs of one to six characters, recall counted twice (Popović 2015, "chrF"), of one text."""
    return float(_metrics().CHRF().sentence_score(written, [reference]).score) / 100


def corpus_chrf(written: Sequence[str], references: Sequence[str]) -> float:
    """chrF of many texts, whose runs are counted together."""
    return float(_metrics().CHRF().corpus_score(list(written), [list(references)]).score) / 100


def corpus_bleu(written: Sequence[str], references: Sequence[str]) -> float:
    """BLEU of many texts, tokenised as in the conferences on machine translation (Post 2018, arXiv 1804.08771)."""
    return float(_metrics().BLEU().corpus_score(list(written), [list(references)]).score) / 100


@cache
def _metrics() -> Any:
    """The library, which takes half a second to load, so only where something was translated."""
    return import_module("sacrebleu.metrics")
