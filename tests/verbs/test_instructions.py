"""Language models that learn to answer: pretrain, fine-tune, evaluate, generate, export."""

import json
import math
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

import triarch
from triarch.cli import main
from triarch.core.errors import InputError

WORDS = ("ant", "bee", "cat", "dog")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A model of plain text."""
    out = tmp_path_factory.mktemp("base") / "out"
    texts = [" ".join(np.random.default_rng(number).choice(WORDS, 40)) for number in range(70)]
    triarch.pretrain(texts, model="decoder/nano", steps=20, context=64, tokenizer="bytes", out=out, threads=1)
    return out


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Say a word again; each line of another length."""
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    words = [WORDS[number % 4] for number in range(160)]
    made = [{"instruction": f"say {word}", "input": f"{number}", "output": word} for number, word in enumerate(words)]
    path.write_text("\n".join(map(json.dumps, made)))
    return path


@pytest.fixture(scope="module")
def answers(base, rows, tmp_path_factory):
    out = tmp_path_factory.mktemp("answers") / "out"
    return out, triarch.finetune(base, rows, steps=250, out=out, threads=1, set=["optimiser.lr=0.01"])


def test_it_learns_to_answer_and_to_end(answers):
    out, done = answers
    assert done.metric.name == "bits per byte"
    assert done.score < 1
    assert "dialogues: 160" in done.notes[0]
    assert "plain" in done.notes[1]
    assert triarch.verify(out).ok
    written = triarch.generate(out, prompt="say bee\n\n7", chat=True, temperature=0.0, max_tokens=20, threads=1).texts[
        0
    ]
    assert (written.text, written.reason, written.prompt) == ("bee", "end", "say bee\n\n7")


def test_evaluate_says_the_bits_of_the_answers_alone(answers, rows, tmp_path):
    """One answer's bits, told from the logits themselves."""
    out, _ = answers
    assert triarch.evaluate(out).split == "confirm"
    one = tmp_path / "one.jsonl"
    one.write_text(json.dumps({"instruction": "say cat", "input": "5", "output": "cat"}))
    model = triarch.load(out)
    tokenizer = model.preprocessor.tokenizer
    ids = [tokenizer.token_to_id("[END]"), *tokenizer.encode("### user\nsay cat\n\n5\n\n### assistant\ncat").ids]
    nats = -model.logits([ids])[0].log_softmax(dim=-1)
    sought = [*ids[-3:], ids[0]]
    bits = sum(nats[len(ids) - 4 + step, token].item() for step, token in enumerate(sought)) / math.log(2)
    told = triarch.evaluate(out, one)
    assert told.n == 1
    assert told.score == pytest.approx(bits / 3, rel=1e-4)
    assert "dialogues: 1," in told.notes[0]


def test_messages_and_prompts_of_a_file(answers, tmp_path):
    out, _ = answers
    prompts = tmp_path / "p.jsonl"
    said = [{"role": "user", "content": "say dog\n\n3"}]
    prompts.write_text("\n".join(map(json.dumps, ["say dog\n\n3", {"messages": said}, {"prompt": "say ant\n\n4"}])))
    made = triarch.generate(out, prompts=prompts, chat=True, temperature=0.0, max_tokens=9, threads=1).texts
    assert [text.text for text in made] == ["dog", "dog", "ant"]
    assert made[1].prompt == "say dog\n\n3"
    with pytest.raises(InputError, match=r"line 2 has messages.*\n.*--chat"):
        triarch.generate(out, prompts=prompts)


def test_a_language_model_that_becomes_a_classifier_says_so(base, tmp_path):
    rows = [f'{{"question": "is {number} even", "answer": "{"no" if number % 2 else "yes"}"}}' for number in range(90)]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows))
    done = triarch.finetune(base, tmp_path / "rows.jsonl", target="answer", steps=1, threads=1, out=tmp_path / "out")
    assert "a language model learns to classify" in done.notes[0]


def test_what_was_not_taught_to_answer(base, answers):
    with pytest.raises(InputError, match="--chat"):
        triarch.generate(base, prompt="say ant", chat=True)
    with pytest.raises(InputError, match=r"\[END\]"):
        triarch.generate(answers[0], prompt="say [END]", chat=True)
    with pytest.raises(InputError, match="not valid Unicode"):
        triarch.generate(answers[0], prompt="say \ud800", chat=True)


def test_transformers_asks_it_as_we_do(answers, tmp_path):
    out, _ = answers
    folder = tmp_path / "hf"
    triarch.export(out, to="hf", out=folder)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder).eval()
    said = [{"role": "user", "content": "say cat\n\n11"}]
    ids = tokenizer.apply_chat_template(said, add_generation_prompt=True, return_tensors="pt", return_dict=False)
    made = model.generate(ids, max_new_tokens=9, do_sample=False)[0, ids.shape[1] :]
    ours = triarch.generate(folder, prompt="say cat\n\n11", chat=True, temperature=0.0, max_tokens=9, threads=1).texts[
        0
    ]
    assert ours.token_ids == made[made != tokenizer.eos_token_id].tolist()
    assert ours.text == "cat"
    assert made[-1] == tokenizer.eos_token_id


def test_a_folder_with_a_template_of_its_own(answers, rows, tmp_path):
    out, _ = answers
    folder = tmp_path / "hf"
    triarch.export(out, to="hf", out=folder)
    jinja = "{{ bos_token }}{% for m in messages %}{{ m['role'][0] + ':' + m['content'] + eos_token }}{% endfor %}"
    (folder / "chat_template.jinja").write_text(jinja + "{% if add_generation_prompt %}a:{% endif %}")
    done = triarch.finetune(folder, rows, steps=2, out=tmp_path / "own", threads=1)
    assert "the model's own" in done.notes[1]
    model = triarch.load(tmp_path / "own")
    assert model.preprocessor.settings.template.jinja.startswith(jinja)
    triarch.export(tmp_path / "own", to="hf", out=tmp_path / "again")
    assert (tmp_path / "again" / "chat_template.jinja").read_text().startswith(jinja)


def test_prompts_matter(answers):
    """Another prompt, another answer: what is not sought is seen."""
    out, _ = answers
    written = {
        word: triarch.generate(out, prompt=f"say {word}\n\n1", chat=True, temperature=0.0, threads=1).texts[0].text
        for word in WORDS
    }
    assert written == {word: word for word in WORDS}


def test_low_rank(base, rows, tmp_path):
    triarch.finetune(base, rows, adapt="lora", steps=2, out=tmp_path / "lora", threads=1)
    assert (tmp_path / "lora" / "run" / "adapter.safetensors").exists()
    before, after = (load_file(folder / "model.safetensors") for folder in (base, tmp_path / "lora"))
    name = "backbone.embed.project.weight"
    assert torch.equal(before[name], after[name])


GOOD = {"instruction": "say ant", "input": "", "output": "ant"}
TURN = {"role": "user", "content": "say ant"}
ANSWER = {"role": "assistant", "content": "ant"}
FAULTS = {
    "no answer": ({"instruction": "say ant", "output": ""}, ["line 3, 'output', is missing or empty", "leave the row"]),
    "no instruction": ({"output": "ant"}, ["line 3, 'instruction', is missing"]),
    "a number": ({"instruction": "say 1", "output": 1}, ["line 3, 'output', is no text: 1"]),
    "half a character": ({"instruction": "say \ud800", "output": "a"}, ["line 3, 'instruction', is not valid Unicode"]),
    "a mark": ({"instruction": "say [END]", "output": "a"}, ["line 3: [END] is written in it", "take it out"]),
    "no object": ([1], ["line 3 is no JSON object", "instruction"]),
    "no list": ({"messages": "say ant"}, ["line 3: 'messages' is no list"]),
    "no turn": ({"messages": ["say ant"]}, ["line 3, message 1 has no role and content"]),
    "a strange role": ({"messages": [TURN, {"role": "asistant", "content": "a"}]}, ["message 2", "'asistant'"]),
    "no content": ({"messages": [TURN, {"role": "assistant", "content": None}]}, ["message 2, 'content', is missing"]),
    "nobody answers": ({"messages": [TURN]}, ["line 3: no message is the assistant's", "take it out"]),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_row_is_told_before_anything_is_trained(fault, place, monkeypatch, capsys):
    row, words = FAULTS[fault]
    chat = isinstance(row, dict) and "messages" in row
    good = [{"messages": [{**TURN, "content": f"say {number}"}, ANSWER]} if chat else
            {**GOOD, "input": f"{number}"} for number in range(9)]  # fmt: skip
    lines = [*map(json.dumps, good[:2]), json.dumps(row), *map(json.dumps, good[2:])]
    (place / "work" / "data" / "a.jsonl").write_text("\n".join(lines))
    command = ["triarch", "pretrain", "data/a.jsonl", "--model", "gru/nano", "--steps", "1", "--tokenizer", "bytes"]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as done:
        main()
    told = capsys.readouterr().err
    assert done.value.code == 2, told
    for word in ["data/a.jsonl", *words]:
        assert word in told
    assert len([line for line in told.splitlines() if line.strip()]) <= 5, told
    assert not (place / "work" / "runs").exists()


def test_dialogues_are_for_no_masked_model(rows):
    with pytest.raises(InputError, match="not texts with hidden words"):
        triarch.pretrain(rows, objective="masked", model="encoder/nano", steps=1)
    with pytest.raises(InputError, match="no answer begins within 8 tokens"):
        triarch.pretrain(rows, context=8, tokenizer="bytes", steps=1)
    with pytest.raises(InputError, match="2 different dialogue"):
        triarch.pretrain([GOOD, {**GOOD, "input": "x"}, GOOD], steps=1)
