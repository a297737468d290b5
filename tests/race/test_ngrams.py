"""N-grams of bytes against a count by hand."""

import math
from collections import Counter

import numpy as np
import pytest

from triarch.race.ngrams import ByteNGrams

TRAIN = ["abracadabra größe", "the cat sat on the mat", "a", "the dog"] * 2
TEST = ["the cat größe", "zebra", "", "abra"]


def by_hand(order):
    """Interpolated Kneser–Ney with dictionaries, one byte after the other."""
    padded = [bytes(order - 1) + text.encode() for text in TRAIN]
    counts = {order: Counter(text[at : at + order] for text in padded for at in range(len(text) - order + 1))}
    for shorter in range(order - 1, 0, -1):
        counts[shorter] = Counter(gram[1:] for gram in counts[shorter + 1])

    def probability(context, byte, length):
        if not length:
            return 1 / 256
        lower = probability(context[1:], byte, length - 1)
        following = [count for gram, count in counts[length].items() if gram[:-1] == context]
        if not following:
            return lower
        once, twice = (sum(count == number for count in counts[length].values()) for number in (1, 2))
        discount = once / (once + 2 * twice) if once else 0.5
        kept = max(counts[length][context + byte] - discount, 0)
        return (kept + discount * len(following) * lower) / sum(following)

    for text in TEST:
        whole = bytes(order - 1) + text.encode()
        yield sum(
            -math.log2(probability(whole[at - order + 1 : at], whole[at : at + 1], order))
            for at in range(order - 1, len(whole))
        )


@pytest.mark.parametrize("order", [1, 2, 4])
def test_bits_are_those_of_the_formula(order):
    assert ByteNGrams(order).fit(TRAIN).predict(TEST) == pytest.approx(list(by_hand(order)))


def test_probabilities_sum_to_one():
    model = ByteNGrams(3).fit(TRAIN)
    letters = [chr(number) for number in range(1, 128)]
    with_high = sum(2 ** -model.predict(["th" + letter for letter in letters]) * 2 ** model.predict(["th"])[0])
    assert 0.9 < with_high <= 1 + 1e-9


def test_more_text_takes_fewer_bits():
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(["ant", "bee", "cat"], 30)) for _ in range(100)]
    little, much = (ByteNGrams().fit(texts[:count]).predict(texts[90:]).sum() for count in (2, 90))
    assert much < little
