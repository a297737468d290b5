import numpy as np
import pandas as pd
import pytest

from triarch.core.errors import InputError
from triarch.data.arrays import from_arrays
from triarch.data.asked import Asked
from triarch.data.builtin import BUILT_IN, CORPORA
from triarch.data.dataset import prepare
from triarch.data.open import open_source
from triarch.data.tables import from_frame

Y = np.arange(30) % 3


def test_built_in_sets():
    known = {
        "digits": (1797, 10, "image"), "languages": (12025, 25, "text"), "japanese-vowels": (640, 9, "series"),
        "sunspots": (218, 0, "series"), "co2": (1420, 0, "series"), "verses": (7926, 0, "text"),
    }  # fmt: skip
    assert set(known) == set(BUILT_IN)
    for name, (items, classes, modality) in known.items():
        source = open_source(name)
        assert (len(source), len(source.class_names), source.modality) == (items, classes, modality)


def test_built_in_data_never_changes():
    """Splits hang on the fingerprint: another one would move items between train and confirm."""
    assert {name: open_source(name).fingerprint for name in BUILT_IN} == {
        "digits": "4f02af3cf36e4b8770d42233f1037c39",
        "languages": "27ac0feb28344866a9599124fbe5cdb7",
        "japanese-vowels": "37d1006bacdd8006146fd0005cb075dc",
        "sunspots": "2da5df77975f91a44a1b6bf4b6d09af5",
        "co2": "f00377bfb55c1944fe79349e0618af9b",
        "verses": "5aee40ab7830f1b84af59e0fb625b01b",
    }
    assert {name: open_source(name).fingerprint for name in CORPORA} == {"web": "6b3974990b82fb33b7e5f4fc8f448ce6"}


def test_the_built_in_pairs():
    source = open_source("verses")
    assert source.parallel is not None
    assert source.inputs[0].startswith("The book of the genealogy of Jesus Christ")
    assert source.parallel.texts[0].startswith("LIBRO de la generación de Jesucristo")
    rows = prepare(source).splits
    chapters = {name: set(source.groups[part].tolist()) for name, part in rows.items()}
    assert not chapters["train"] & chapters["confirm"]
    assert sum(map(len, rows.values())) > 7_900


def test_the_built_in_corpus():
    source = open_source("web", task="language-model")
    assert source.corpus is not None
    assert (source.corpus.documents, source.corpus.bytes) == (628, 2_013_303)
    assert source.inputs.context == 256
    dataset = prepare(open_source("web"), None)
    assert dataset.spec.target.kind == "token"


@pytest.mark.parametrize(
    ("x", "modality", "shape"),
    [
        (np.zeros((30, 8, 9), np.uint8), "image", (1, 8, 9)),
        (np.zeros((30, 8, 8)), "image", (1, 8, 8)),
        (np.zeros((30, 8, 9, 3), np.uint8), "image", (3, 8, 9)),
        (np.zeros((30, 3, 8, 9), np.float32), "image", (3, 8, 9)),
        (np.zeros((30, 12)), "series", (12, 1)),
        (np.zeros((30, 12, 4)), "series", (12, 4)),
    ],
)
def test_what_arrays_are(x, modality, shape):
    source = from_arrays(x, Y)
    assert source.modality == modality
    assert source.inputs.shape[1:] == shape
    assert source.notes


def test_the_inference_can_be_overruled():
    source = open_source((np.zeros((30, 8, 8)), Y), ["series"])
    assert source.modality == "series"
    assert source.inputs.shape == (30, 8, 8)


def test_unequal_series_and_texts():
    ragged = from_arrays([np.zeros(5 + number) for number in range(30)], Y)
    assert ragged.modality == "series"
    assert ragged.inputs[3].shape == (8, 1)
    texts = from_arrays([f"text {number}" for number in range(30)], [f"class {label}" for label in Y])
    assert texts.modality == "text"
    assert texts.class_names == ("class 0", "class 1", "class 2")


def test_frames():
    frame = pd.DataFrame({"words": [f"w{number}" for number in range(30)], "label": [f"c{label}" for label in Y]})
    source = from_frame(frame, Asked())
    assert source.modality == "text"
    assert source.class_names == ("c0", "c1", "c2")
    numbers = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 6)))
    numbers["last"] = Y
    assert from_frame(numbers, Asked()).inputs.shape == (30, 6, 1)


def bad(**arrays):
    def write(folder):
        np.savez(folder / "bad.npz", **arrays)
        return folder / "bad.npz"

    return write


def write(path):
    path.write_text("?")
    return path


def text(content):
    def write(folder):
        (folder / "bad.npz").write_bytes(content)
        return folder / "bad.npz"

    return write


WITH_GAP = np.ones((30, 5))
WITH_GAP[7, 2] = np.nan
FAULTS = {
    "no such set": (lambda _: "digitz", "did you mean digits"),
    "no such file": (lambda folder: folder / "absent.npz", "absent.npz"),
    "an unknown format": (lambda folder: write(folder / "x.weird"), "an unknown format"),
    "not an archive": (text(b"hello"), "cannot be read"),
    "an empty file": (text(b""), "cannot be read"),
    "a torn archive": (text(b"PK\x03\x04broken"), "cannot be read"),
    "no y": (bad(x=WITH_GAP), "no array 'y'"),
    "pickled objects": (bad(x=np.array([{}] * 30, dtype=object), y=Y), "cannot be read"),
    "a missing value": (bad(x=WITH_GAP, y=Y), "row 7 "),
    "too few labels": (bad(x=np.ones((30, 5)), y=Y[:20]), "30 inputs but 20 labels"),
    "one class": (bad(x=np.ones((30, 5)), y=np.zeros(30)), "only 1 class"),
    "a rare class": (bad(x=np.ones((30, 5)), y=np.r_[Y[:29], 9]), "class '9' has 1 item"),
    "continuous labels": (
        bad(x=np.ones((30, 5)), y=np.linspace(0, 1, 30)),
        "row 1 has label 0.0344828: the labels are continuous",
    ),
    "infinite labels": (bad(x=np.ones((30, 5)), y=np.r_[Y[:29], np.inf]), "row 29 has label inf"),
    "a missing label": (bad(x=np.ones((30, 5)), y=np.r_[Y[:29], np.nan]), "row 29 has no label"),
    "several labels": (bad(x=np.ones((30, 5)), y=np.ones((30, 2))), "shape (30, 2)"),
    "no items": (bad(x=np.ones((0, 5)), y=np.ones(0)), "no items"),
    "five dimensions": (bad(x=np.ones((30, 2, 2, 2, 2)), y=Y), "(30, 2, 2, 2, 2)"),
    "two channels": (bad(x=np.ones((30, 8, 8, 2)), y=Y), "(30, 8, 8, 2)"),
    "complex numbers": (bad(x=np.ones((30, 5), complex), y=Y), "complex128"),
    "one value": (bad(x=np.array(3.0), y=Y), "single value"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_told_with_their_place(tmp_path, fault):
    make, told = FAULTS[fault]
    with pytest.raises(InputError) as error:
        prepare(open_source(make(tmp_path)))
    assert told in str(error.value)
    assert len(str(error.value).splitlines()) <= 4


def test_faults_of_frames():
    frame = pd.DataFrame({"text": ["a", None] * 15, "number": range(30), "label": Y})
    for options, told in (
        ({"target": "lable"}, "did you mean label"),
        ({"inputs": ("texd",)}, "did you mean text"),
        ({"inputs": ("text",)}, "row 1 has no 'text'"),
    ):
        with pytest.raises(InputError, match=told):
            from_frame(frame, Asked(**options))


def objects(items):
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def test_object_arrays_are_what_their_items_are():
    ragged = [np.zeros((5 + number, 2)) for number in range(30)]
    source = from_arrays(objects(ragged), Y)
    assert source.modality == "series"
    assert source.inputs[3].shape == (8, 2)
    assert from_arrays(objects([f"t{number}" for number in range(30)]), Y).modality == "text"
    assert from_arrays(objects([str(number) for number in range(30)])[:, None], Y).inputs[7] == "7"


def test_a_filtered_series_of_pandas_is_read_in_its_order():
    column = pd.Series([f"t{number}" for number in range(60)])
    source = from_arrays(column[column.index >= 30], pd.Series(Y))
    assert source.inputs[0] == "t30"


def test_one_long_text_costs_its_own_memory():
    texts = ["a"] * 30_000
    texts[3] = "b" * 1_000_000  # as one array of strings: 120 GB
    assert len(from_arrays(texts, np.arange(30_000) % 2).inputs[3]) == 1_000_000


@pytest.mark.parametrize("dtype", [">u2", ">f4", ">f8"])
def test_foreign_byte_order(dtype):
    x = np.random.default_rng(0).integers(0, 9, (30, 8, 8)).astype(dtype)
    dataset = prepare(from_arrays(x, Y.astype(">i8")))
    assert dataset.source.inputs.dtype.isnative
    assert np.array_equal(dataset.source.inputs[:, 0], x)
    assert dataset.batch(np.arange(3)).input.shape == (3, 1, 8, 8)


@pytest.mark.parametrize(
    ("x", "told"),
    [
        (["a"] * 7 + [None] + ["a"] * 22, "row 7 is None"),
        (objects(["a"] * 7 + [pd.NA] + ["a"] * 22), "row 7 is <NA>"),
        (np.array([["a", "b"]] * 30), "row 0 is ['a', 'b']"),
        ([1.0] * 30, "not (30,)"),
        ([{}] * 30, "row 0 is {}"),
        ([[[1, 2], [3]]] * 30, "row 0 cannot be read"),
        ([np.zeros((9 + number % 2, 2 + number % 2)) for number in range(30)], "row 1 has 3 channels"),
        (["\udcff"] * 30, "row 0 is not valid Unicode"),
    ],
    ids=str,
)
def test_faulty_items_are_told_with_their_row(x, told):
    with pytest.raises(InputError) as error:
        from_arrays(x, Y)
    assert told in str(error.value)


@pytest.mark.parametrize("missing", [None, pd.NA, np.nan, pd.NaT])
def test_missing_labels(missing):
    labels = ["a", "b", "c"] * 10
    labels[5] = missing
    for given in (labels, pd.Series(labels), objects(labels)):
        with pytest.raises(InputError, match="row 5 has no label"):
            from_arrays(np.zeros((30, 4)), given)


def test_a_damaged_deflate_stream_is_told(tmp_path):
    np.savez_compressed(tmp_path / "bad.npz", x=np.arange(3000).reshape(30, 100) % 7, y=Y)
    content = bytearray((tmp_path / "bad.npz").read_bytes())
    content[60:90] = b"\xff" * 30
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(InputError, match="cannot be read"):
        open_source(tmp_path / "bad.npz")
