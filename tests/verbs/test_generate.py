"""`triarch generate`."""

import json
import subprocess
import sys

import numpy as np
import pytest

import triarch
from triarch.core.errors import InputError


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A model and a smaller one of the same tokens, and a masked one."""
    folder = tmp_path_factory.mktemp("models")
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(["ant", "bee", "cät"], 60)) for _ in range(70)]
    made = {}
    for name, model, objective in (
        ("model", "decoder/nano", "causal"), ("draft", "gru/nano", "causal"), ("masked", "encoder/nano", "masked"),
    ):  # fmt: skip
        made[name] = folder / name
        triarch.pretrain(
            texts, objective=objective, model=model, steps=40, context=32, tokenizer="bytes", out=made[name], threads=1
        )
    return made


def test_texts_their_counts_and_their_seeds(models, tmp_path):
    one = triarch.generate(models["model"], prompt="ant b", max_tokens=20, seed=3).texts[0]
    assert one.tokens == len(one.token_ids) <= 20
    assert one.tokens_per_second > 0
    (tmp_path / "prompts.txt").write_text("cät\nant b\n\nbee bee ant\n", encoding="utf-8")
    many = triarch.generate(models["model"], prompts=tmp_path / "prompts.txt", max_tokens=20, seed=3)
    assert [text.prompt for text in many.texts] == ["cät", "ant b", "bee bee ant"]
    assert many.texts[1].text == one.text
    assert triarch.generate(models["model"], prompt="ant b", max_tokens=20, seed=4).texts[0].text != one.text
    (tmp_path / "prompts.jsonl").write_text('"cät"\n{"prompt": "ant b", "seed": 3}\n{"prompt": ""}', encoding="utf-8")
    lines = triarch.generate(models["model"], prompts=tmp_path / "prompts.jsonl", max_tokens=20, seed=9)
    assert lines.texts[1].text == one.text
    assert len(lines.to_json()) == 3


def test_a_draft_and_beams_and_stops(models):
    given = {"prompt": "ant bee ", "max_tokens": 25, "temperature": 0.0, "threads": 1}
    greedy = triarch.generate(models["model"], **given).texts[0]
    drafted = triarch.generate(models["model"], draft=str(models["draft"]), **given).texts[0]
    assert drafted.text == greedy.text
    told = triarch.generate(models["model"], logprobs=True, **given).texts[0]
    assert len(told.logprobs) == told.tokens
    stopped = triarch.generate(models["model"], stop=[greedy.text[4:6]], **given).texts[0]
    assert stopped.reason == "stop"
    assert stopped.text == greedy.text[: greedy.text.index(greedy.text[4:6])]
    del given["temperature"]
    assert triarch.generate(models["model"], beams=3, **given).texts[0].text


def test_a_folder_of_transformers_takes_the_draft_of_what_it_was_made_of(models, tmp_path):
    triarch.export(models["model"], to="hf", out=tmp_path / "theirs")
    given = {"prompt": "ant bee ", "max_tokens": 8, "temperature": 0.0, "threads": 1}
    greedy = triarch.generate(models["model"], **given).texts[0].text
    for model, draft in ((tmp_path / "theirs", models["draft"]), (models["model"], tmp_path / "theirs")):
        assert triarch.generate(model, draft=str(draft), **given).texts[0].text == greedy


@pytest.mark.parametrize(
    "ids",
    [None, [[1], [2, 3]], [[0.5]], [[True]], [[9, 300]], [[-1]], [1, 2], np.zeros((1, 0), int), [["a"]]],
    ids=str,
)
def test_what_are_no_tokens_has_no_logits(models, ids):
    with pytest.raises(InputError, match="token ids"):
        triarch.load(models["model"]).logits(ids)


@pytest.mark.parametrize("kind", ["int8", "uint8", "uint16", "uint32", "uint64", "int32"])
def test_tokens_may_come_in_any_whole_numbers(models, kind):
    loaded = triarch.load(models["model"])
    wanted = loaded.logits([[5, 97, 98]])
    assert loaded.logits(np.array([[5, 97, 98]], dtype=kind)).equal(wanted)


def test_the_command_streams_what_json_tells(models):
    command = [sys.executable, "-m", "triarch", "generate", str(models["model"]), "--prompt", "ant ", "--seed", "5"]
    command += ["--max-tokens", "12", "--threads", "1", "--top-k", "20"]
    plain = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    told = json.loads(subprocess.run([*command, "--json"], capture_output=True, check=True).stdout)
    assert plain == told["text"] + "\n"
    assert {"text", "tokens", "tokens_per_second"} <= told.keys()


def test_of_several_prompts_all_are_printed(models, tmp_path):
    from triarch.verbs.generate import stream

    (tmp_path / "prompts.txt").write_text("ant\nbee bee\ncät ", encoding="utf-8")
    given = {"prompts": tmp_path / "prompts.txt", "max_tokens": 10, "threads": 1}
    texts = [text.text for text in triarch.generate(models["model"], **given).texts]
    expected = "".join(f"{text}\n--- {number} of 3\n" for number, text in enumerate(texts, 1))
    assert "".join(stream(models["model"], **given)) == expected


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "--prompt"),
        ({"prompt": "a", "prompts": "b.txt"}, "--prompt"),
        ({"prompts": "missing.txt"}, "missing.txt"),
        ({"prompt": "a", "max_tokens": 0}, "--max-tokens"),
        ({"prompt": "a", "temperature": -1.0}, "--temperature"),
        ({"prompt": "a", "top_p": 2.0}, "--top-p"),
        ({"prompt": "a", "seed": -1}, "--seed"),
        ({"prompt": "a", "stop": [""]}, "--stop"),
        ({"prompt": "a", "beams": 2, "temperature": 0.5}, "--beams"),
        ({"prompt": "\ud800"}, "Unicode"),
        ({"prompt": "a", "draft": "nowhere"}, "nowhere"),
        ({"prompt": "a", "threads": 0}, "--threads 0"),
        ({"prompt": "a", "threads": -2}, "--threads -2"),
        ({"prompt": 5}, "no text"),
        ({"prompts": ["a"]}, "no path"),
        ({"prompt": "a", "max_tokens": 3.5}, "--max-tokens"),
        ({"prompt": "a", "max_tokens": "3"}, "--max-tokens"),
        ({"prompt": "a", "seed": None}, "--seed"),
        ({"prompt": "a", "top_k": 1.5}, "--top-k"),
        ({"prompt": "a", "temperature": None}, "--temperature"),
        ({"prompt": "a", "stop": [3]}, "--stop"),
    ],
    ids=str,
)
def test_bad_options(models, options, said):
    with pytest.raises(InputError, match=said) as error:
        triarch.generate(models["model"], **options)
    assert len(str(error.value).splitlines()) <= 5


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2"),
        ("3", "line 2"),
        ('{"prompt": "a", "seed": -1}', "seed"),
        ('{"seed": 1}', "line 2 has no prompt"),
        ('{"prompt": "a", "id": 7}', "line 2: nothing is made of id"),
        pytest.param("[" * 100_000, "line 2", id="deep"),
        pytest.param("1" * 5_000, "line 2", id="digits"),
    ],
)
def test_bad_lines(models, tmp_path, line, said):
    (tmp_path / "p.jsonl").write_text(f'"a"\n{line}\n')
    with pytest.raises(InputError, match=said):
        triarch.generate(models["model"], prompts=tmp_path / "p.jsonl")


def test_a_prompt_that_does_not_fit_is_told_before_any_is_written(models, tmp_path, monkeypatch):
    short = tmp_path / "short"
    triarch.pretrain(
        ["ant bee cat dog " * 9] * 3 + ["eel " * 40, "fox " * 40, "gnu " * 40], model="encoder/nano", steps=1,
        context=32, tokenizer="bytes", out=short,
    )  # fmt: skip
    monkeypatch.setattr("triarch.verbs.generate._events", lambda *_: pytest.fail("it wrote"))
    (tmp_path / "p.txt").write_text("a\n" * 39 + "a" * 30)
    with pytest.raises(InputError, match=r"prompt 40 has 31 tokens.*this model has"):
        triarch.generate(short, prompts=tmp_path / "p.txt", max_tokens=8)
    with pytest.raises(InputError, match=r"prompt 40 .*the draft has places"):
        triarch.generate(models["model"], prompts=tmp_path / "p.txt", max_tokens=8, draft=short)


def test_lines_end_where_json_has_it(models, tmp_path):
    (tmp_path / "p.jsonl").write_text('"a\u2028b"\n"c\x85d"\n', encoding="utf-8")
    made = triarch.generate(models["model"], prompts=tmp_path / "p.jsonl", max_tokens=1)
    assert [one.prompt for one in made.texts] == ["a\u2028b", "c\x85d"]


def test_what_is_no_causal_language_model(models):
    with pytest.raises(InputError, match="masked"):
        triarch.generate(models["masked"], prompt="a")
