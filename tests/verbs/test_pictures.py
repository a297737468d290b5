"""Pictures and texts in folders, through the verbs."""

import numpy as np
import pytest
from PIL import Image

import triarch

RANDOM = np.random.default_rng(0)


def stripes(root, count, size=(20, 24), dtype=np.uint8):
    """Pictures of two kinds: lines that lie and lines that stand."""
    for kind, pattern in (("lie", np.arange(size[0])[:, None]), ("stand", np.arange(size[1])[None, :])):
        (root / kind).mkdir(parents=True)
        for number in range(count):
            noise = RANDOM.integers(0, 60, size)
            image = noise + 190 * np.broadcast_to(pattern // 2 % 2 == number % 2, size)
            image = image.astype(dtype) * (257 if dtype == np.uint16 else 1)
            Image.fromarray(image.astype(dtype)).save(root / kind / f"{number:02}.png")
    return root


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_train_evaluate_and_predict(tmp_path, dtype):
    root = stripes(tmp_path / "stripes", 20, dtype=dtype)
    made = triarch.train(root, model="plain/nano", steps=60, threads=1, out=tmp_path / "a")
    assert made.score > 0.9
    assert triarch.evaluate(tmp_path / "a").n == 12
    other = stripes(tmp_path / "other", 3, size=(40, 48))
    assert triarch.evaluate(tmp_path / "a", other).n == 6
    eight = stripes(tmp_path / "eight", 10)
    sixteen = stripes(tmp_path / "sixteen", 10, dtype=np.uint16)
    for data in (eight, sixteen):
        assert triarch.evaluate(tmp_path / "a", data).score > 0.9
    files = sorted(root.glob("*/*.png"))
    answers = triarch.predict(tmp_path / "a", [str(path) for path in files]).predictions
    dataset = triarch.prepare(triarch.open_source(root))
    trained = triarch.load(tmp_path / "a").answers(dataset.source.take(np.arange(len(files))))
    assert np.array_equal([answer.probability for answer in answers], trained.max(axis=1))


def test_a_folder_of_texts(tmp_path):
    for kind, word in (("glad", "good"), ("sad", "bad")):
        (tmp_path / "texts" / kind).mkdir(parents=True)
        for number in range(30):
            (tmp_path / "texts" / kind / f"{number}.txt").write_text(f"{word} {RANDOM.integers(1000)}")
    made = triarch.train(tmp_path / "texts", model="tcn/nano", steps=40, threads=1, out=tmp_path / "a")
    assert made.score > 0.9
    assert triarch.evaluate(tmp_path / "a").n > 10


def test_inspect(tmp_path):
    told = triarch.inspect(stripes(tmp_path / "stripes", 10), image_size=16)
    assert (told.modality, told.shape, told.classes) == ("image", (1, 16, 19), {"lie": 10, "stand": 10})
    assert any("19x16" in note for note in told.notes)
