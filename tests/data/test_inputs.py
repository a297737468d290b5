import numpy as np
import pytest
from PIL import Image

from triarch.core.errors import InputError
from triarch.core.spec import Spec, Target, reference
from triarch.data.inputs import read_for

GREY = Spec("grey", "image", (1, 8, 8), Target("class", ("a", "b")))


def test_pictures_of_16_bits_keep_their_greys(tmp_path):
    grey = np.linspace(0, 65535, 64).reshape(8, 8)
    Image.fromarray(grey.astype(np.uint16)).save(tmp_path / "x.png")
    Image.fromarray(grey.astype(np.int32)).save(tmp_path / "x.tif")
    _, items = read_for(GREY, 1.0, [str(tmp_path / "x.png"), str(tmp_path / "x.tif")])
    for item in items:
        assert np.allclose(item[0], grey / 65535, atol=1 / 255)


def test_a_picture_without_a_white_is_refused(tmp_path):
    Image.fromarray(np.ones((8, 8), np.float32)).save(tmp_path / "x.tif")
    with pytest.raises(InputError, match="white"):
        read_for(GREY, 1.0, [str(tmp_path / "x.tif")])


def test_a_text_ends_where_its_line_does(tmp_path):
    (tmp_path / "x.txt").write_bytes("one\u2028still one\r\ntwo\x0cstill two\n\nthree\n".encode())
    _, items = read_for(reference("text"), 1.0, [str(tmp_path / "x.txt"), "four"])
    assert items == ["one\u2028still one", "two\x0cstill two", "three", "four"]


def test_damaged_arrays_are_told(tmp_path):
    np.savez_compressed(tmp_path / "whole.npz", x=np.arange(6400) % 7)
    whole = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "torn.npz").write_bytes(whole[:-30])
    (tmp_path / "deflate.npz").write_bytes(whole[:60] + b"\xff" * 30 + whole[90:])
    np.save(tmp_path / "words.npy", np.array(["a", "b"]))
    np.save(tmp_path / "single.npy", np.array(3.0))
    (tmp_path / "empty.npz").write_bytes(b"")
    for name in ("torn.npz", "deflate.npz", "words.npy", "single.npy", "empty.npz"):
        for spec in (GREY, reference("series")):
            with pytest.raises(InputError, match=name):
                read_for(spec, 1.0, [str(tmp_path / name)])


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_a_table_is_no_list_of_texts(tmp_path, suffix):
    (tmp_path / f"x{suffix}").write_text("id,en\n0,ant\n")
    with pytest.raises(InputError, match="of a table"):
        read_for(reference("text"), 1.0, [str(tmp_path / f"x{suffix}")])


def test_a_missing_file_is_no_text(tmp_path):
    with pytest.raises(InputError, match=r"there is no file 'sentnces\.txt'"):
        read_for(reference("text"), 1.0, ["sentnces.txt"])
    assert read_for(reference("text"), 1.0, ["read it in x.txt", "e.g."])[1] == ["read it in x.txt", "e.g."]
