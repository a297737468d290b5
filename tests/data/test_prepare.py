import numpy as np
import pytest
from PIL import Image

from triarch.core.errors import InputError
from triarch.data import preprocess
from triarch.data.arrays import from_arrays
from triarch.data.dataset import prepare
from triarch.data.open import open_source
from triarch.data.preprocess import Preprocessor
from triarch.data.source import Source
from triarch.data.store import Ragged

Y = np.arange(30) % 3


def source(inputs, modality="series"):
    return Source("made", modality, inputs, np.zeros(len(inputs), np.int64), ("a",))


def test_moments_of_many_rows_are_exact():
    x = np.full((3_000_000, 1), 1000.0, np.float32)
    x[::2] += 1
    settings = Preprocessor.fit(source(Ragged.of([x])), np.array([0])).settings
    assert settings.mean[0] == pytest.approx(1000.5, abs=1e-6)
    assert settings.std[0] == pytest.approx(0.5, abs=1e-6)


def test_tiny_amplitudes_are_scaled_and_constant_channels_are_not():
    x = np.random.default_rng(0).normal(size=(30, 40, 3)).astype(np.float32) * np.float32(1e-9)
    x[..., 1], x[..., 2] = 0.1, 0
    dataset = prepare(open_source((x, Y)))
    assert dataset.batch(np.arange(30)).input[..., 0].std() == pytest.approx(1, abs=0.1)
    assert dataset.preprocessor.settings.std[1:] == (1.0, 1.0)


def test_numbers_beyond_32_bits_are_told():
    images = np.ones((30, 1, 8, 8), np.float32)
    images[3, 0, 2, 2] = np.inf
    with pytest.raises(InputError, match="channel 0"):
        Preprocessor.fit(source(images, "image"), np.arange(30))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("shape", [(8, 8), (12, 2)])
def test_a_missing_value_is_no_input(shape, value):
    x = np.random.default_rng(0).random((30, *shape))
    preprocessor = prepare(open_source((x, Y))).preprocessor
    x = x[:, None] if shape == (8, 8) else x
    x[2].flat[5] = value
    with pytest.raises(InputError, match="input 2 has a missing"):
        preprocessor.encode(x[:4])


def test_half_a_character_is_no_input():
    preprocessor = prepare(open_source(([f"t{number}" for number in range(30)], Y))).preprocessor
    with pytest.raises(InputError, match="input 1"):
        preprocessor.encode(["t", "\udcff"])


def test_what_is_cut_is_noted():
    texts = [f"{number:02}" + "a" * 600 for number in range(30)]
    source = open_source((texts, Y))
    for _ in range(2):
        dataset = prepare(source, "characters")
        assert dataset.source.notes[2:] == ["30 items are longer than 512 steps and are cut"]
        assert set(dataset.lengths) == {512}
        assert dataset.batch(np.arange(3)).input.shape == (3, 512)
        assert dataset.spec.max_len == 512
    assert len(prepare(open_source(([text[:9] for text in texts], Y))).source.notes) == 2


def test_long_texts_are_cut_at_the_95th_percentile():
    texts = [chr(97 + number % 26) * (100 if number else 300) + str(number) for number in range(60)]
    dataset = prepare(open_source((texts, np.arange(60) % 3)), "characters")
    assert dataset.spec.max_len in (102, 103)
    assert dataset.source.notes[-1] == "1 items are longer than 102 steps and are cut"
    assert dataset.lengths.max() == 102


def test_labels_of_a_split():
    dataset = prepare(open_source("digits"))
    assert np.array_equal(dataset.labels("select"), dataset.table("select")[1])


def test_tables_of_long_unequal_series_are_resampled():
    lengths = [20] * 15 + [300] * 15
    series = [
        np.stack([np.linspace(0, 1 + row / 1e5, steps), np.linspace(4, 2, steps)], axis=1)
        for row, steps in enumerate(lengths)
    ]
    dataset = prepare(open_source((series, Y)))
    table = dataset.table("all")[0].reshape(30, 64, 2)
    assert np.allclose(table[0], table[-1], atol=1e-2)
    short = prepare(open_source(([item[:200] for item in series], Y)))
    assert short.table("all")[0].shape == (30, 400)
    assert (short.table("all")[0][0, 40:] == 0).all()


def test_moments_are_kept_in_the_cache(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(10):
            image = np.random.default_rng(number).integers(0, 256, (8, 8), dtype=np.uint8)
            Image.fromarray(image).save(tmp_path / name / f"{number}.png")
    first = prepare(open_source(tmp_path)).preprocessor.settings
    monkeypatch.setattr(Preprocessor, "fit", None)
    assert prepare(open_source(tmp_path)).preprocessor.settings == first


def test_moments_of_large_images_take_little_memory(monkeypatch):
    """A few at a time, the same numbers."""
    images = np.random.default_rng(0).integers(0, 256, (50, 3, 20, 20), dtype=np.uint8)
    made = from_arrays(images, np.arange(50) % 2)
    whole = Preprocessor.fit(made, np.arange(50)).settings
    monkeypatch.setattr(preprocess, "CHUNK_VALUES", 3 * 20 * 20 * 7)
    parts = Preprocessor.fit(made, np.arange(50)).settings
    assert np.allclose(whole.mean, parts.mean, rtol=1e-12)
    assert np.allclose(whole.std, parts.std, rtol=1e-12)
