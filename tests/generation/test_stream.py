"""The generator against the plainest loop, for every causal architecture."""

import pytest
import torch

from generation.networks import CAUSAL, greedily, logits_of, network, prompts
from triarch.core.errors import InputError
from triarch.generation import prompts as reading
from triarch.generation.settings import Settings
from triarch.generation.stream import Event, generate, stream

GREEDY = Settings(max_tokens=12, temperature=0, logprobs=True)


@pytest.mark.parametrize("name", CAUSAL)
def test_greedy_equals_the_plain_loop(name):
    made, given = network(name), prompts([5, 1, 9, 5])
    together = generate(made, given, GREEDY)
    for prompt, text in zip(given, together):
        assert text.tokens == greedily(made, prompt, 12)
        assert text.reason == "length"
        whole = logits_of(made, prompt + text.tokens).log_softmax(-1)
        expected = [float(whole[len(prompt) - 1 + place, token]) for place, token in enumerate(text.tokens)]
        assert text.logprobs == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    "settings", [{"window": 4}, {"position": "alibi"}, {"position": "learned"}, {"num_kv_heads": 1}], ids=str
)
def test_every_kind_of_attention(settings):
    made, given = network(settings=settings), prompts([3, 8, 1])
    assert [text.tokens for text in generate(made, given, GREEDY)] == [greedily(made, one, 12) for one in given]


@pytest.mark.parametrize("name", ["decoder", "lstm", "griffin", "tcn"])
def test_a_long_prompt_is_read_in_pieces(name, monkeypatch):
    monkeypatch.setattr(reading, "PASS", 4)
    made, given = network(name), prompts([14, 3, 4, 5])
    assert [text.tokens for text in generate(made, given, GREEDY)] == [greedily(made, one, 12) for one in given]


@pytest.mark.parametrize("name", ["decoder", "gru"])
@pytest.mark.parametrize(
    "shaped", [{}, {"top_k": 4, "repetition_penalty": 1.3}, {"top_p": 0.8, "min_p": 0.05}], ids=str
)
def test_a_text_depends_on_its_seed_alone(name, shaped):
    made, given, settings = network(name), prompts([4, 7, 2, 4, 1]), Settings(max_tokens=30, end=(3,), **shaped)
    seeds = [5, 6, 7, 5, 2**40]
    together = generate(made, given, settings, seeds=seeds)
    for prompt, seed, text in zip(given, seeds, together):
        assert generate(made, [prompt], settings, seeds=[seed]) == [text]
    backwards = generate(made, given[::-1], settings, seeds=seeds[::-1])
    assert backwards[::-1] == together
    assert generate(made, given, settings, seeds=[1, 2, 3, 4, 5]) != together


def test_an_end_token_ends_a_text_and_is_no_part_of_it():
    made, given = network(), prompts([5, 2, 3])
    plain = generate(made, given, Settings(max_tokens=20))
    end = plain[0].tokens[6]
    ended = generate(made, given, Settings(max_tokens=20, end=(end,)))
    for before, after in zip(plain, ended):
        place = before.tokens.index(end) if end in before.tokens else 20
        assert after.tokens == before.tokens[:place]
        assert after.reason == ("end" if place < 20 else "length")


def test_banned_tokens_never_come():
    made = network()
    for settings in (Settings(max_tokens=50, banned=(1, 2, 3)), Settings(max_tokens=9, beams=3, banned=(1, 2, 3))):
        text = generate(made, prompts([5]), settings)[0]
        assert not {1, 2, 3} & set(text.tokens)


def test_a_repetition_penalty_of_the_prompt_and_the_text():
    made, prompt = network(), [4, 4, 9]
    ids = list(prompt)
    for _ in range(10):
        logits = logits_of(made, ids)[-1]
        for token in set(ids):
            logits[token] = logits[token] / 1.8 if logits[token] > 0 else logits[token] * 1.8
        ids.append(int(logits.argmax()))
    made_by_us = generate(made, [prompt], Settings(max_tokens=10, temperature=0, repetition_penalty=1.8))
    assert made_by_us[0].tokens == ids[3:]


def test_events_come_one_by_one():
    made = network()
    events = stream(made, prompts([3, 4]), Settings(max_tokens=5), decode=lambda ids: "".join(map(chr, ids)))
    first = next(events)
    assert isinstance(first, Event)
    assert torch.is_inference_mode_enabled() is False
    rest = list(events)
    assert len(rest) == 9
    assert [event.text for event in [first, *rest]] == [0, 1] * 5
    assert [event.reason for event in rest[-2:]] == ["length"] * 2


@pytest.mark.parametrize(
    ("given", "settings", "options", "said"),
    [
        ([], {}, {}, "no prompt"),
        ([[]], {}, {}, "prompt 1"),
        ([[1, 11]], {}, {}, "prompt 1"),
        ([[-1]], {}, {}, "prompt 1"),
        ([[1]], {"stop": ("x",)}, {}, "--stop"),
        ([[1]], {}, {"seeds": [1, 2]}, "seed"),
        ([[1]], {}, {"seeds": [-1]}, "seed"),
        ([[1]], {}, {"draft": network(vocab_size=7)}, "prompt|tokens"),
        ([[1]], {"beams": 2}, {"draft": network()}, "--beams"),
    ],
)
def test_what_does_not_fit(given, settings, options, said):
    with pytest.raises(InputError, match=said):
        generate(network(), given, Settings(**settings), **options)


@pytest.mark.parametrize(
    "settings",
    [
        {"max_tokens": 0}, {"max_tokens": 10**9}, {"temperature": -1}, {"temperature": float("nan")}, {"top_k": 0},
        {"top_p": 0}, {"top_p": 1.1}, {"min_p": -0.1}, {"repetition_penalty": 0}, {"beams": 0}, {"beams": 1000},
        {"stop": ("",)}, {"beams": 2, "top_k": 3}, {"beams": 2, "temperature": 0.5}, {"length_penalty": 99},
    ],
    ids=str,
)  # fmt: skip
def test_settings_out_of_bounds(settings):
    with pytest.raises(InputError, match="--"):
        Settings(**settings)


def test_more_than_there_are_places_for_is_told():
    from dataclasses import replace

    made = replace(network(settings={"position": "learned"}), longest=64)
    with pytest.raises(InputError, match="64"):
        generate(made, prompts([40]), Settings(max_tokens=26))
    assert len(generate(made, prompts([40]), Settings(max_tokens=25))[0].tokens) == 25
