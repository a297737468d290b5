import datasets
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from triarch.core.errors import InputError
from triarch.data import tables
from triarch.data.dataset import prepare
from triarch.data.open import open_source

WORDS = pd.DataFrame(
    {
        "id": range(60),
        "text": [f'grüße, "{row}"\nand {row * 7}' for row in range(60)],
        "label": ["a", "b", "c"] * 20,
        "owner": [f"o{row // 4}" for row in range(60)],
    }
)


def write(frame, path):
    if path.name.endswith(".parquet"):
        frame.to_parquet(path)
    elif "jsonl" in path.name:
        frame.to_json(path, orient="records", lines=True, force_ascii=False)
    else:
        frame.to_csv(path, index=False, sep="\t" if "tsv" in path.name else ";" if "semi" in path.name else ",")
    return path


@pytest.mark.parametrize(
    "name", ["a.csv", "a.CSV", "semi.csv", "a.csv.gz", "a.tsv", "a.parquet", "a.jsonl", "a.jsonl.gz"]
)
def test_every_format_says_the_same(tmp_path, name):
    source = open_source(write(WORDS.drop(columns="owner"), tmp_path / name))
    assert list(source.inputs) == WORDS["text"].tolist()
    assert source.class_names == ("a", "b", "c")
    assert np.array_equal(source.labels, np.arange(60) % 3)
    assert source.fingerprint == open_source(WORDS.drop(columns="owner")).fingerprint
    assert source.notes == ["target: column 'label'", "input: column 'text'", "not used: id"]


def test_a_file_is_read_once_and_again_when_it_changes(tmp_path, monkeypatch):
    path = write(WORDS, tmp_path / "a.csv")
    first = open_source(path, "text")
    with monkeypatch.context() as patch:
        patch.setattr(tables, "fill", None)
        assert open_source(path, "text").fingerprint == first.fingerprint
        with pytest.raises(TypeError):
            open_source(path, "text", "owner")
    write(WORDS.head(30), path)
    assert len(open_source(path, "text")) == 30
    assert len(list(first.folder.parent.glob(f"{first.folder.name.partition('-')[0]}*"))) == 1


def test_more_rows_than_one_piece(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "BLOCK", 1 << 10)
    monkeypatch.setattr(tables, "ROWS", 7)
    for name in ("a.csv", "a.parquet", "a.jsonl"):
        assert list(open_source(write(WORDS, tmp_path / name), "text").inputs) == WORDS["text"].tolist()
    path = tmp_path / "a.jsonl"
    path.write_text(path.read_text() + '{"text": "without a label"}\n')
    with pytest.raises(InputError, match="row 61 has no label"):
        open_source(path, "text")
    path.write_text("[" * 100_000)
    with pytest.raises(InputError, match="line 1 is no JSON"):
        open_source(path, "text")


def test_groups_stay_together(tmp_path):
    for data in (WORDS, write(WORDS, tmp_path / "a.csv")):
        source = open_source(data, "text", group="owner")
        dataset = prepare(source)
        owners = [set(WORDS["owner"].to_numpy()[rows]) for rows in dataset.splits.values()]
        assert not owners[0] & owners[1] | owners[0] & owners[2] | owners[1] & owners[2]
        assert "by group" in dataset.spec.split


def test_numbers_are_series(tmp_path):
    values = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    frame = pd.DataFrame(values.astype(str), columns=list("abcdefgh")).assign(y=np.arange(60) % 2)
    named = open_source(write(frame, tmp_path / "named.csv"))
    assert np.allclose(named.inputs[..., 0], values)
    frame.to_csv(tmp_path / "bare.csv", index=False, header=False)
    bare = open_source(tmp_path / "bare.csv")
    assert np.array_equal(bare.inputs, named.inputs)
    assert np.array_equal(bare.labels, named.labels)
    chosen = open_source(tmp_path / "named.csv", ["c", "a"], "y")
    assert np.array_equal(chosen.inputs, named.inputs[:, [2, 0]])


def test_lists_are_series_of_their_own_length(tmp_path):
    series = [np.arange(3.0 + row % 4) + row for row in range(60)]
    frame = pd.DataFrame({"x": series, "y": np.arange(60) % 2})
    two = frame.assign(x=[np.stack((one, -one), axis=1).tolist() for one in series])
    for name in ("a.parquet", "a.jsonl"):
        source = open_source(write(frame, tmp_path / name))
        assert source.inputs[5].tolist() == series[5][:, None].tolist()
        assert prepare(source).spec.ragged
        assert open_source(write(two, tmp_path / f"two-{name}")).inputs[5].shape == (4, 2)


def test_labels_in_the_order_of_numbers(tmp_path):
    frame = pd.DataFrame({"text": [f"t{row}" for row in range(33)], "label": [row % 11 for row in range(33)]})
    source = open_source(write(frame, tmp_path / "a.csv"))
    assert source.class_names == tuple(map(str, range(11)))
    assert source.fingerprint == open_source(frame).fingerprint


def test_the_frame_of_a_user_with_two_texts():
    frame = WORDS.assign(title="t")
    assert open_source(frame, target="label").inputs[1] == WORDS["text"][1]  # a column that is called text
    with pytest.raises(InputError, match="neither one text nor all numbers"):
        open_source(frame.rename(columns={"text": "one"}), target="label")


TS = "@problemName p\n#\n@univariate false\n@classLabel true x y\n\n@data\n"


def items(count, start=0):
    return "".join(f"{start + n},2,3{',4' * (n % 2)}:0,{n},1{',1' * (n % 2)}:{'xy'[n % 2]}\n" for n in range(count))


def test_ts_files(tmp_path):
    (tmp_path / "P_TRAIN.ts").write_text(TS + items(40))
    alone = open_source(tmp_path / "P_TRAIN.ts")
    assert alone.parts is None
    assert alone.inputs[3].tolist() == [[3, 0], [2, 3], [3, 1], [4, 1]]
    assert alone.class_names == ("x", "y")
    (tmp_path / "P_TEST.ts").write_text(TS.replace("@data", "@DATA") + items(10, start=100))
    for place in (tmp_path, tmp_path / "P_TRAIN.ts"):
        both = open_source(place)
        assert both.parts.tolist() == ["train"] * 40 + ["confirm"] * 10
        assert {name: len(rows) for name, rows in prepare(both).splits.items()} == {
            "train": 32, "select": 8, "confirm": 10,
        }  # fmt: skip


@pytest.fixture
def saved(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    classes = datasets.ClassLabel(names=["bad", "good"])
    features = datasets.Features({"sentence": datasets.Value("string"), "verdict": classes})

    def part(count, start, labels):
        rows = {"sentence": [f"s{start + row}" for row in range(count)], "verdict": labels}
        return datasets.Dataset.from_dict(rows, features)

    parts = {"train": part(60, 0, [0, 1] * 30), "validation": part(20, 60, [0, 1] * 10), "test": part(9, 80, [-1] * 9)}
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "saved")
    return f"hf:{tmp_path / 'saved'}"


def test_saved_data_sets_of_the_hub(saved):
    source = open_source(saved)
    assert source.class_names == ("bad", "good")
    assert list(source.inputs[:2]) == ["s0", "s1"]
    assert source.notes[-1] == "9 items without a class are left out"
    dataset = prepare(source)
    assert len(dataset.splits["select"]) == 20
    assert len(dataset.splits["confirm"]) == 18  # of the sixty that train is left with


def test_saved_pictures_of_the_hub(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 9, 3), dtype=np.uint8)
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    rows = {"image": [Image.fromarray(one) for one in pixels], "label": [0, 1] * 20}
    datasets.Dataset.from_dict(rows, features).save_to_disk(tmp_path / "saved")
    source = open_source(f"hf:{tmp_path / 'saved'}")
    assert source.modality == "image"
    assert source.class_names == ("cat", "dog")
    assert np.array_equal(source.inputs, pixels.transpose(0, 3, 1, 2))
    smaller = open_source(f"hf:{tmp_path / 'saved'}", image_size=4)
    assert smaller.inputs.shape == (40, 3, 4, 4)


def test_an_interrupt_while_tokens_are_made_leaves_nothing_behind(tmp_path, monkeypatch):
    source = open_source(write(WORDS, tmp_path / "a.csv"), "text")
    before = {path.name for path in source.folder.parent.rglob("*")}

    def stop(fraction, note):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(source, "bytes", report=stop)
    left = {path.name for path in source.folder.parent.rglob("*")} - before
    assert left == {"tokenizer-bytes.json"}
    assert len(prepare(source, "bytes").tokens) == 60
