"""How tests see that a command refuses what is at fault."""

import os
import sys

import pytest

from triarch.cli import main


def triarch(monkeypatch, capsys, *arguments):
    """The command line in this process: exit status, stdout and stderr."""
    monkeypatch.setattr(sys, "argv", ["triarch", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code, *capsys.readouterr()


def check(place, status, out, err, *told):
    assert (status, out) == (2, "")
    assert len(err.strip().splitlines()) <= 5
    assert "Traceback" not in err
    for words in told:
        assert words in err
    assert os.listdir(place / "work") == ["data"]
    assert not (place / "cache").exists() or os.listdir(place / "cache") == []
