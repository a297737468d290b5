"""Classical methods that make one text of another."""

import numpy as np
import pytest

from triarch.race.translators import LONGEST, Copy, Dictionary, MostFrequent, Nearest

ENGLISH = ["the house is red", "the tree is green", "a red tree", "a green house", "the red house is a house"]
GERMAN = ["das haus ist rot", "das baum ist grün", "ein rot baum", "ein grün haus", "das rot haus ist ein haus"]


def test_words_are_learned_from_whole_texts():
    more = ["it is red", "red is good", "the good"], ["es ist rot", "rot ist gut", "das gut"]
    made = Dictionary().fit(ENGLISH + more[0], GERMAN + more[1])
    assert made.predict(["a green tree", "the unicorn is red!"]) == ["ein grün baum", "das unicorn ist rot!"]


def test_letters_are_learned_where_there_are_no_words():
    random = np.random.default_rng(0)
    words = ["".join(random.choice(list("abcd"), size)) for size in random.integers(2, 9, 200)]
    made = Dictionary().fit(words, [" ".join(word.upper()) for word in words])
    assert made.predict(["dcba", "bxb"]) == ["D C B A", "B x B"]


def test_a_dictionary_of_too_many_pairs_is_learned_from_some(monkeypatch):
    monkeypatch.setattr("triarch.race.translators.MOST_LINKS", 300)
    assert Dictionary().fit(ENGLISH * 50, GERMAN * 50).predict(["a tree"]) == ["ein baum"]


def test_the_answer_of_what_is_most_alike():
    made = Nearest().fit(ENGLISH, GERMAN)
    assert made.predict(["is the tree green", "red house"]) == [GERMAN[1], GERMAN[4]]
    letters = Nearest().fit(["running", "walking", "house"], ["R", "W", "H"])
    assert letters.predict(["runner", "houses"]) == ["R", "H"]


@pytest.mark.parametrize("method", [Copy, MostFrequent, Nearest, Dictionary])
def test_answers_are_no_longer_than_those_of_networks(method):
    texts = ["word " * 3_000, "word two", "two word"]
    made = method().fit(texts, texts).predict(texts)
    assert len(made) == 3
    assert max(map(len, made)) <= LONGEST


def test_copies_and_what_is_there_most_often():
    assert Copy().fit(ENGLISH, GERMAN).predict(["as it is"]) == ["as it is"]
    assert MostFrequent().fit(["a", "b", "c"], ["x", "y", "y"]).predict(["a", "z"]) == ["y", "y"]
