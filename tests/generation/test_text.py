"""Text as it comes."""

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from generation.networks import network
from triarch.generation.settings import Settings
from triarch.generation.stream import generate, stream
from triarch.generation.text import Pieces, Stops

ALPHABET = {unit: number for number, unit in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
BYTES = Tokenizer(models.BPE(vocab=ALPHABET, merges=[]))
BYTES.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
BYTES.decoder = decoders.ByteLevel()


@pytest.mark.parametrize("text", ["plain", "größer, 大きい, 👩‍🚀!", "á é"])
def test_characters_are_told_whole(text):
    pieces, told = Pieces(BYTES.decode), []
    for token in BYTES.encode(text).ids:
        told.append(pieces.feed(token))
        assert "\ufffd" not in told[-1]
        assert text.startswith("".join(told))
    told.append(pieces.finish())
    assert "".join(told) == text


def test_what_is_no_text_is_told_sooner_or_later():
    pieces = Pieces(BYTES.decode)
    told = "".join(pieces.feed(ALPHABET["ł"]) for _ in range(50)) + pieces.finish()
    assert told
    assert set(told) == {"\ufffd"}


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize(
    ("stops", "text", "expected"),
    [
        (("END",), "some ENENDING", "some EN"),
        (("END",), "some EN", "some EN"),
        (("abab", "bb"), "aababb", "a"),
        (("abac",), "ababac", "ab"),
        (("\n\n", "\nQ:"), "one\n two\nQ: three", "one\n two"),
        ((), "some END", "some END"),
    ],
)
def test_stop_strings_across_pieces(stops, text, expected, size):
    held, told = Stops(stops), ""
    for start in range(0, len(text), size):
        told += held.feed(text[start : start + size])
        assert expected.startswith(told)
        if held.met:
            break
    told += held.finish()
    assert told == expected
    assert held.met == (expected != text)


LETTERS = "abcdefghijk"


def spelled(ids):
    return "".join(LETTERS[token] for token in ids)


@pytest.mark.parametrize("beams", [1, 3])
def test_a_text_ends_before_a_stop_string(beams):
    made = network(spread=1.0)
    plain = generate(made, [[1, 2]], Settings(max_tokens=40, beams=beams), decode=spelled)[0]
    assert plain.text == spelled(plain.tokens)
    stop = plain.text[9:12]
    settings = Settings(max_tokens=40, beams=beams, stop=(stop, "zzz"))
    text = generate(made, [[1, 2]], settings, decode=spelled)[0]
    assert stop not in text.text
    if beams == 1:
        assert text.reason == "stop"
        assert text.text == plain.text[: plain.text.index(stop)]
        assert text.tokens == plain.tokens[: plain.text.index(stop) + 3]
        told = ""
        for event in stream(made, [[1, 2]], settings, decode=spelled):
            told += event.piece
            assert text.text.startswith(told)
