"""What a terminal or a shell can do to the command line."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import triarch


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    folder = tmp_path_factory.mktemp("terminal") / "a"
    labels = np.array(["größe", "[b]"])[np.arange(60) % 2]
    triarch.train(
        ([f"text {number}" for number in range(60)], labels), model="tcn/nano", steps=2, threads=1, out=folder
    )
    return folder


def run(*arguments, **environment):
    command = [sys.executable, "-m", "triarch", *arguments]
    return subprocess.run(command, capture_output=True, check=False, env={**os.environ, **environment})


def test_arguments_that_are_not_utf8(artifact):
    done = run("predict", str(artifact), b"\xff")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"is not UTF-8" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_terminal_that_knows_ascii_only(artifact):
    done = run("predict", str(artifact), "größe", "--json", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    (answer,) = json.loads(done.stdout)["predictions"]
    assert answer["input"] == "größe"
    assert set(answer["top"]) == {"größe", "[b]"}
    assert run("predict", str(artifact), "größe", PYTHONIOENCODING="ascii").returncode == 0


def test_brackets_are_printed_as_they_are(artifact):
    done = run("predict", str(artifact), "[bold]x[/bold]", "a\\[b]")
    assert b"[bold]x[/bold]" in done.stdout
    assert b"a\\[b]" in done.stdout


def test_verify_exits_2_where_the_answers_differ(artifact, tmp_path):
    (tmp_path / "a").mkdir()
    for path in artifact.iterdir():
        if path.is_file():
            (tmp_path / "a" / path.name).write_bytes(path.read_bytes())
    weights = load_file(artifact / "model.safetensors")
    save_file({name: torch.zeros_like(value) for name, value in weights.items()}, tmp_path / "a" / "model.safetensors")
    done = run("verify", str(tmp_path / "a"), "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["ok"] is False
    assert b"other answers" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(("content", "told"), [(b"sch\xf6n", b"is not UTF-8: byte 0xf6 at 3"), (b"", b"is empty")])
def test_a_file_that_is_no_text_is_not_answered(artifact, tmp_path, content, told):
    (tmp_path / "x.txt").write_bytes(content)
    done = run("predict", str(artifact), str(tmp_path / "x.txt"))
    assert done.returncode == 2
    assert told in done.stderr


def test_an_interrupt_while_the_command_line_is_imported(tmp_path):
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt")
    done = run("list", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stderr) == (130, b"interrupted\n")
