"""Rows with instructions or messages → dialogues of which the answers are sought."""

import gzip
import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional as F

from triarch.core.errors import InputError
from triarch.core.types import NOTHING
from triarch.data.asked import Modelled
from triarch.data.dataset import prepare
from triarch.data.instructions import FEWEST
from triarch.data.open import open_source, unlabelled
from triarch.data.template import PLAIN
from triarch.model import build
from triarch.tasks.language_model import LanguageModel
from triarch.training.evaluate import evaluate

ROWS = [
    {"instruction": f"count to {number % 50}", "input": "aloud" if number % 2 else "", "output": f"1 to {number}"}
    for number in range(120)
]


def opened(data, context=64, **asked):
    return open_source(data, task="language-model", modelled=Modelled(context, "bytes"), **asked)


def as_messages(row):
    asked = row["instruction"] + (f"\n\n{row['input']}" if row["input"] else "")
    return {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": row["output"]}]}


def written(folder):
    """The same dialogues in every form."""
    frame = pd.DataFrame(ROWS)
    frame.to_csv(folder / "a.csv", index=False)
    frame.to_csv(folder / "a.tsv", index=False, sep="\t")
    frame.to_parquet(folder / "a.parquet")
    lines = [{name: cell for name, cell in row.items() if cell} for row in ROWS]  # the first has no input
    (folder / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (folder / "m.jsonl").write_text("\n".join(json.dumps(as_messages(row)) for row in ROWS))
    pd.DataFrame([as_messages(row) for row in ROWS]).to_parquet(folder / "m.parquet")
    files = [folder / name for name in ("a.csv", "a.tsv", "a.parquet", "a.jsonl", "m.jsonl", "m.parquet")]
    return [*files, frame, ROWS, [as_messages(row) for row in ROWS]]


def test_the_same_in_every_form(tmp_path):
    sources = [opened(data) for data in written(tmp_path)]
    for source in sources:
        assert source.fingerprint == sources[0].fingerprint
        assert [piece.tolist() for piece in source.inputs] == [piece.tolist() for piece in sources[0].inputs]
    assert all(unlabelled(data) for data in written(tmp_path))


def test_what_is_seen_and_what_is_sought():
    source = opened(ROWS)
    text = source.corpus.tokenizer.decode(source.inputs[1].tolist(), skip_special_tokens=False)
    assert text == "[END]### user\ncount to 1\n\naloud\n\n### assistant\n1 to 1[END]"
    sought = source.inputs[1][source.inputs.sought(1)]
    assert source.corpus.tokenizer.decode(sought.tolist(), skip_special_tokens=False) == "1 to 1[END]"
    assert source.labels[1] == len("1 to 1")
    assert source.corpus.template.jinja == PLAIN
    dataset = prepare(source)
    assert dataset.preprocessor.settings.template == source.corpus.template
    batch = LanguageModel().prepare(dataset.batch(np.arange(3)))
    for row in range(3):
        told = batch.target[row][batch.target[row] != NOTHING].tolist()
        assert told == source.inputs[row][source.inputs.sought(row)].tolist()


def test_bits_per_byte_are_those_of_the_answers():
    """A model that knows nothing takes log2 V bits for each token of an answer and for its end."""
    dataset = prepare(opened(ROWS))
    task = LanguageModel()
    model = build("decoder", "nano", task, dataset.spec).eval()
    with torch.no_grad():
        model.backbone.embed.project.weight.zero_()
    for split in ("train", "confirm"):
        rows = dataset.rows(split)
        answers = [ROWS[int(row)]["output"] for row in rows]
        wanted = (sum(map(len, answers)) + len(rows)) * math.log2(dataset.spec.vocab_size) / sum(map(len, answers))
        scores = evaluate(model, task, dataset.batches(rows, 7))
        assert scores.score(task.primary) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("name", ["decoder", "gru"])
def test_the_loss_is_that_of_the_answers(name):
    dataset, task = prepare(opened(ROWS)), LanguageModel()
    torch.manual_seed(0)
    model = build(name, "nano", task, dataset.spec, {"dropout": 0.0}).train()
    batch = task.prepare(dataset.batch(np.arange(5)))
    logits = model(replace(batch, target=None))
    expected = F.cross_entropy(logits.transpose(1, 2), batch.target, ignore_index=NOTHING)
    assert task.loss(model(batch), batch).item() == pytest.approx(expected.item(), rel=1e-5)
    assert batch.target.ne(NOTHING).sum() == sum(len(ROWS[row]["output"]) + 1 for row in range(5))


def test_what_begins_alike_is_in_one_split():
    source = opened(ROWS)
    asked = np.array([(row["instruction"], row["input"]) for row in ROWS])
    splits = {}
    for one, part in zip(map(tuple, asked), source.parts):
        splits.setdefault(one, set()).add(str(part))
    assert all(len(parts) == 1 for parts in splits.values())
    assert set(source.parts) == {"train", "select", "confirm"}
    again = opened(list(reversed(ROWS)))
    assert dict(zip((row["output"] for row in ROWS), source.parts)) == dict(
        zip((row["output"] for row in reversed(ROWS)), again.parts)
    )


def test_what_is_cut_and_left_out_is_counted():
    long = {"instruction": "say much", "input": "", "output": "word " * 40}
    deaf = {"instruction": "hear " * 40, "input": "", "output": "yes"}
    source = opened([*ROWS, long, deaf, ROWS[0]])
    assert len(source) == len(ROWS) + 1
    assert source.inputs.lengths.max() == 65
    assert source.inputs.sought(len(ROWS)).sum() == source.labels[-1] < len(long["output"])
    assert source.corpus.removed == {"equal to another": 1, "without an answer in 64 tokens": 1}
    told = " ".join(source.notes)
    for words in ("dialogues: 121, of", "longer than 64 tokens, cut: 1", "left out, equal to another: 1"):
        assert words in told


def test_few_are_enough_for_a_model_that_is_only_scored():
    known = Modelled(64, tokenizer=opened(ROWS).corpus.tokenizer, learned="something else")
    assert len(open_source(ROWS[:1], task="language-model", modelled=known)) == 1 < FEWEST
    with pytest.raises(InputError, match="1 different dialogue"):
        open_source(ROWS[:1], task="language-model", modelled=replace(known, learned=None))


def test_each_split_needs_a_beginning_of_its_own():
    alike = [{"instruction": "say ant", "output": f"{number}"} for number in range(9)]
    with pytest.raises(InputError, match=r"9 different dialogue.*1 begin differently"):
        opened(alike)


def test_a_split_whose_answers_all_begin_too_late_is_told():
    for number in range(50):
        long = {"instruction": f"{number} " * 5_000, "output": "yes"}
        lone = [*ROWS[:9], long]
        if opened(lone, 30_000).parts[-1] == "select":
            break
    with pytest.raises(
        InputError, match=r"of 10 dialogues 9 begin their answer within 64 tokens, and none .* in select"
    ):
        opened(lone)


def test_a_file_that_breaks_off_is_told(tmp_path):
    packed = gzip.compress("\n".join(json.dumps(row) for row in ROWS).encode())
    (tmp_path / "a.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(InputError, match=r"a\.jsonl\.gz: cannot be read as JSON lines"):
        opened(tmp_path / "a.jsonl.gz")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", "text", True),
        ("a.py", "text = 1", True),
        ("a.jsonl", '{"text": "one"}', True),
        ("a.jsonl", '{"text": "one", "label": 1}', False),
        ("a.csv", "text,label\na,b\n", False),
        ("a.csv", "text\na\n", True),
        ("a.parquet", "nonsense", False),
        ("texts/a.txt", "text", True),
        ("texts/ant/a.txt", "text", False),
        ("texts/a.png", "x", False),
    ],
)
def test_what_has_no_labels(tmp_path, name, content, expected):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(content)
    assert unlabelled(tmp_path / name.split("/")[0]) is expected
