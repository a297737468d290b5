"""Words that are looked up give what the library gives."""

import random

import numpy as np
import pytest

from triarch.data.corpora import encoder
from triarch.data.corpora.encoder import Encoder
from triarch.data.corpora.fitted import fit

TEXT = "It's what they'd said: 12 ants can't (really) carry 3.5 grams…\n\n  Größe 字 don’t\t" * 40
SIGNS = "ab'stlvermd  \n\t\r\x0b\x1c\x1f\x00\x7f\x85\xa0\u2028\u3000é²½Ⅷ字́’“9 0.(){}[`~_-\U0001f600\u200d\ufeff\u200b"


def library(tokenizer, texts):
    return [encoding.ids for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]


@pytest.mark.parametrize("kind", ["bpe", "bytes", "characters"])
def test_ids_are_the_library_s(monkeypatch, kind):
    tokenizer = fit(kind, [TEXT])
    made = Encoder(tokenizer)
    draw = random.Random(0)
    texts = ["".join(draw.choice(SIGNS) for _ in range(draw.randrange(1, 60))) for _ in range(3_000)]
    for most in (encoder.MOST_WORDS, 500):  # the second forgets words again and again
        monkeypatch.setattr(encoder, "MOST_WORDS", most)
        for start in range(0, len(texts), 100):
            some = texts[start : start + 100]
            ids = [np.frombuffer(one, dtype=made.dtype).tolist() for one in made.encode(some)]
            assert ids == library(tokenizer, some)


@pytest.mark.parametrize("kind", ["bpe", "bytes", "characters"])
def test_no_text_is_lost(kind):
    """Not even characters that training did not have."""
    tokenizer = fit(kind, ["only these letters"])
    text = "Ünïcode 字 \U0001f600 \x00\t and letters"
    (ids,) = Encoder(tokenizer).encode([text])
    assert tokenizer.decode(np.frombuffer(ids, dtype=np.uint16).tolist(), skip_special_tokens=False) == text


def test_what_looks_like_a_special_token_is_text():
    tokenizer = fit("bytes", [TEXT])
    (ids,) = Encoder(tokenizer).encode(["[END][PAD]"])
    assert len(ids) // 2 == 10
