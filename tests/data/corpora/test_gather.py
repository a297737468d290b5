"""A corpus becomes shards: cleaned, dealt, and never twice."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from triarch.core.errors import InputError
from triarch.data.asked import Modelled
from triarch.data.blocks import Blocks
from triarch.data.corpora import portion_work
from triarch.data.corpora.gather import gather
from triarch.data.known import SPLITS
from triarch.data.open import open_source
from triarch.data.store import offsets
from triarch.data.tokens import END

TEXT = "the ant and bee went over a hill of sand to find much sugar, ünïcode 字\n"
WORDS = np.array(TEXT.split(" "))


def prose(number, words=300):
    return " ".join(np.random.default_rng(number).choice(WORDS, words)) + f" {number}\n"


@pytest.fixture
def small(monkeypatch):
    """Portions of 10 KB, so that there are several."""
    monkeypatch.setattr("triarch.data.corpora.portions.SMALLEST", 10_000)


def fill(folder, count=60):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{number:03}.txt").write_text(prose(number), encoding="utf-8")
    return folder


def texts_of(found):
    """The text of each document, from its tokens."""
    blocks = Blocks(found.shards, offsets(found.shards.lengths), 1 << 20)
    return [found.tokenizer.decode(block[1:-1].tolist(), skip_special_tokens=False) for block in blocks]


@pytest.mark.parametrize("tokenizer", ["bpe", "bytes", "characters"])
def test_tokens_say_what_the_documents_say(place, small, tokenizer):
    fill(place / "texts")
    found = gather(str(place / "texts"), tokenizer=tokenizer)
    assert texts_of(found) == [prose(number) for number in range(60)]
    assert found.shards.bytes.tolist() == [len(prose(number).encode()) for number in range(60)]
    assert found.tokenizer.token_to_id(END) == found.end
    assert not found.shards.inexact.any()
    for part in range(3):
        assert (found.shards.parts == part).any()
    assert (found.shards.parts == SPLITS.index("train")).mean() > 0.6


def test_any_number_of_processes_makes_the_same(place, monkeypatch, small):
    fill(place / "texts")
    made = []
    for processes in (1, 2, 5):
        monkeypatch.setenv("TRIARCH_CACHE", str(place / f"cache-{processes}"))
        found = gather(str(place / "texts"), processes=processes)
        files = sorted(found.folder.glob("tokens-*/*"))
        made.append({str(file.relative_to(found.folder)): file.read_bytes() for file in files} | {"": found.digest})
        assert not list(found.folder.rglob("*.building"))
    assert len([name for name in made[0] if name.endswith(".tokens")]) > 2
    assert made[0] == made[1] == made[2]


def test_what_is_at_fault_is_left_out_and_counted(place):
    texts = fill(place / "texts")
    (texts / "900.txt").write_bytes("größer".encode("latin-1") * 20)
    (texts / "901.txt").write_bytes(b"text\0" * 20)
    (texts / "902.txt").write_text("short")
    (texts / "903.txt").write_text("")
    (texts / "904.txt").write_text(prose(7))
    (texts / "905.txt").write_text(prose(8).replace("ant", "owl", 1))
    found = gather(str(texts))
    assert found.removed == {"not UTF-8": 2, "shorter than 16 bytes": 1, "exact copies": 1, "near copies": 1}
    assert texts_of(found) == [prose(number) for number in range(60)]
    told = "; ".join(found.notes)
    assert "60 of 65 documents or stretches are kept" in told
    assert f"{texts}/900.txt: byte 0xf6 is not UTF-8; {texts}/901.txt: a zero byte" in told
    source = open_source(texts, task="language-model")
    assert source.corpus.removed == found.removed
    assert source.corpus.documents == 60


def test_a_list_of_texts_is_cleaned_and_dealt_as_files_are(place):
    texts = fill(place / "texts")
    (texts / "902.txt").write_text("short")
    (texts / "904.txt").write_text(prose(7))
    (texts / "905.txt").write_text(prose(8).replace("ant", "owl", 1))
    (texts / "906.txt").write_text("".join(prose(number) for number in range(1_000, 1_100)))
    files = open_source(texts, task="language-model")
    listed = [path.read_text() for path in sorted(texts.iterdir())]
    memory = open_source(listed, task="language-model")
    assert memory.fingerprint == files.fingerprint
    assert memory.corpus.removed == files.corpus.removed
    assert memory.corpus.documents == files.corpus.documents > 61
    assert memory.parts.tolist() == files.parts.tolist()
    assert [memory.inputs[row].tolist() for row in range(len(memory))] == [
        files.inputs[row].tolist() for row in range(len(files))
    ]
    broken = open_source([*listed, "half a letter \ud800 and more"], task="language-model")
    assert broken.corpus.removed["not UTF-8"] == 1
    assert "document 64: byte 0xed is not UTF-8" in "; ".join(broken.notes)


@pytest.mark.parametrize("listed", [False, True])
def test_what_is_only_scored_is_scored_whole(place, listed):
    texts = fill(place / "texts")
    (texts / "904.txt").write_text(prose(7))
    trained = gather(str(texts))
    other = place / "other"
    other.mkdir()
    said = ["hi", prose(1), prose(1), prose(2).replace("ant", "owl", 1), prose(2)]
    for number, text in enumerate(said):
        (other / f"{number}.txt").write_text(text)
    (other / "5.txt").write_bytes(b"gr\xf6n")

    def open_as(path, learned):
        given = [one.read_text(errors="surrogateescape") for one in sorted(path.iterdir())] if listed else path
        modelled = Modelled(tokenizer=trained.tokenizer, learned=learned)
        return open_source(given, task="language-model", modelled=modelled)

    scored = open_as(other, trained.digest)
    assert scored.corpus.removed == {"not UTF-8": 1}
    assert scored.corpus.bytes == sum(len(text.encode()) for text in said)
    assert "left out: 1 not UTF-8" in scored.notes
    assert open_as(texts, trained.digest).fingerprint == trained.digest
    assert open_as(texts, trained.digest).corpus.documents == 60
    assert open_as(texts, "of something else").corpus.documents == 61


def test_what_a_tokenizer_does_not_say_is_told(place):
    texts = fill(place / "texts", 40)
    words = {word: number for number, word in enumerate(["[PAD]", "[UNK]", *{one.strip() for one in WORDS[:12]}])}
    poor = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    poor.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    poor.save(str(place / "poor.json"))
    for given in (texts, [prose(number) for number in range(40)]):
        source = open_source(given, task="language-model", modelled=Modelled(kind=str(place / "poor.json")))
        unknown = sum(word not in words for number in range(40) for word in prose(number).split())
        (told,) = [note for note in source.notes if "give back" in note]
        assert "40 of 40 documents" in told
        assert f"it has {unknown:,} tokens for what it does not know" in told
    gather(str(texts)).tokenizer.save(str(place / "rich.json"))
    rich = open_source(texts, task="language-model", modelled=Modelled(kind=str(place / "rich.json")))
    assert not [note for note in rich.notes if "give back" in note]


def test_one_file_is_dealt_by_stretches(place):
    path = place / "book.txt"
    path.write_text("".join(prose(number) for number in range(100)), encoding="utf-8")
    found = gather(str(path))
    assert "".join(texts_of(found)) == path.read_text(encoding="utf-8")
    assert "by stretch" in found.rule
    assert len(set(found.shards.parts.tolist())) == 3


def test_stretches_of_a_document_are_in_one_split(place):
    texts = place / "texts"
    texts.mkdir()
    for number in range(30):
        lines = [f"file{number} {prose(100 * number + part)}".replace("\n", f" file{number}\n") for part in range(10)]
        (texts / f"{number:02}.txt").write_text("".join(lines))
    found = gather(str(texts))
    split = {}
    for text, part in zip(texts_of(found), found.shards.parts.tolist()):
        split.setdefault(text.split()[-1], set()).add(part)
    assert len(found.shards.parts) > 30
    assert len(split) == 30
    assert all(len(parts) == 1 for parts in split.values())


def test_splits_of_the_data_are_kept(place):
    for name, first in (("train", 0), ("val", 100), ("test", 200)):
        for number in range(first, first + 5):
            fill(place / "texts" / name, 0)
            (place / "texts" / name / f"{number}.txt").write_text(prose(number))
    found = gather(str(place / "texts"))
    assert found.rule == "train, select, confirm as the data has them"
    for text, part in zip(texts_of(found), found.shards.parts.tolist()):
        assert int(text.split()[-1]) // 100 == part


def test_a_portion_that_is_finished_is_not_done_again(place, monkeypatch, small):
    fill(place / "texts")
    done = []
    real = portion_work.tokenise

    def breaks(*given):
        if len(done) == 2:
            raise KeyboardInterrupt
        real(*given)
        done.append(given[-1])

    monkeypatch.setattr(portion_work, "tokenise", breaks)
    with pytest.raises(KeyboardInterrupt):
        gather(str(place / "texts"), processes=1)
    monkeypatch.setattr(portion_work, "tokenise", lambda *given: (real(*given), done.append(given[-1])))
    monkeypatch.setattr(portion_work, "record", None)
    found = gather(str(place / "texts"), processes=1)
    assert len(done) == len(set(done)) > 3
    assert texts_of(found) == [prose(number) for number in range(60)]
    before = len(done)
    gather(str(place / "texts"))
    assert len(done) == before
    gather(str(place / "texts"), tokenizer="bytes", processes=1)  # other tokens of the same records
    assert len(done) == 2 * before


CHILD = """
import sys, time
from triarch.data.corpora import gather, portion_crew, portions
portions.SMALLEST = 10_000
alone = portion_crew._alone
def slow(workshop, waiting):
    for number in alone(workshop, waiting):
        time.sleep(0.2)
        yield number
portion_crew._alone = slow
gather.gather(sys.argv[1], processes=1)
"""


def test_kill_9_costs_no_finished_shard(place, small):
    texts = fill(place / "texts", 120)
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(texts)], env={**os.environ})
    cache = place / "cache"
    deadline = time.monotonic() + 120
    while len(list(cache.glob("*/tokens-*/0*.npy"))) < 2 and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    then = {file: file.stat().st_mtime_ns for file in cache.glob("*/tokens-*/0*.npy")}
    assert len(then) >= 2
    found = gather(str(texts))
    assert {file: file.stat().st_mtime_ns for file in then} == then
    assert texts_of(found) == [prose(number) for number in range(120)]


def test_a_change_of_a_file_is_seen(place):
    texts = fill(place / "texts")
    first = gather(str(texts))
    (texts / "003.txt").write_text(prose(999))
    second = gather(str(texts))
    assert texts_of(second)[3] == prose(999)
    assert first.digest != second.digest
    assert not first.folder.exists()


def test_rows_with_a_named_column(place):
    path = place / "a.jsonl"
    path.write_text("".join(json.dumps({"id": "x", "words": prose(number)}) + "\n" for number in range(30)))
    with pytest.raises(InputError, match="which of id, words is the text"):
        gather(str(path))
    assert texts_of(gather(str(path), "words")) == [prose(number) for number in range(30)]


def test_anyone_s_tokenizer(place):
    texts = fill(place / "texts")
    ours = gather(str(texts)).tokenizer
    ours.save(str(place / "tokenizer.json"))
    found = gather(str(texts), tokenizer=str(place / "tokenizer.json"))
    assert texts_of(found) == [prose(number) for number in range(60)]


def test_a_corpus_is_the_same_from_every_folder(place, monkeypatch):
    """Another file of the same name lies where it is asked for the second time."""
    for folder, first in (("here", 0), ("there", 100)):
        (place / folder).mkdir()
        (place / folder / "x.txt").write_text("".join(map(prose, range(first, first + 60))), encoding="utf-8")
    monkeypatch.chdir(place / "here")
    written = texts_of(gather("x.txt", tokenizer="bytes"))
    monkeypatch.chdir(place / "there")
    again = gather("../here/x.txt", tokenizer="characters")
    assert texts_of(again) == written
    assert texts_of(gather("x.txt", tokenizer="bytes")) != written
