import os
import signal

import pytest

from triarch.core.errors import InputError, near
from triarch.core.files import folder_bytes, new_folder, only_one, write_bytes, write_text
from triarch.core.interrupt import deferred


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_text(path, "old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_bytes(path, b"new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_folder_is_born_with_its_files(tmp_path):
    folder = new_folder(tmp_path / "out", "x", {"run/recipe.yaml": "a: 1\n"}, "triarch train")
    assert (folder / "run" / "recipe.yaml").read_text() == "a: 1\n"
    assert os.listdir(tmp_path) == ["out"]


def test_a_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(InputError, match=r"--resume"):
        new_folder(tmp_path, "x", {}, "triarch train")
    with pytest.raises(InputError):
        new_folder(tmp_path / "mine.txt", "x", {}, "triarch train")
    assert os.listdir(tmp_path) == ["mine.txt"]


def test_default_folders_are_numbered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [str(new_folder(None, "digits", {"a": ""}, "")) for _ in range(3)]
    assert names == ["runs/digits-1", "runs/digits-2", "runs/digits-3"]


def test_only_one_works_in_a_folder(tmp_path):
    with only_one(tmp_path), pytest.raises(InputError, match="another process"), only_one(tmp_path):
        pass
    with only_one(tmp_path):
        pass


def test_artifact_size_leaves_run_out(tmp_path):
    write_bytes(tmp_path / "a", b"123")
    write_bytes(tmp_path / "run" / "b", b"12345")
    assert folder_bytes(tmp_path) == 3


def test_near_names():
    assert near("lstn", ["lstm", "plain"]) == "did you mean lstm?"
    assert near("zzz", ["lstm", "tcn"]) == "known: lstm, tcn"


def test_the_first_interrupt_waits_and_the_second_does_not():
    with deferred() as stop:
        assert not stop.asked
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.asked
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_folder_that_cannot_be_written_in_is_told(tmp_path):
    (tmp_path / ".lock").mkdir()
    with pytest.raises(InputError, match="cannot write in"), only_one(tmp_path):
        pytest.fail("it was held")
