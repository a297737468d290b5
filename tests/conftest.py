"""What holds for all tests."""

import pytest


@pytest.fixture(autouse=True, scope="session")
def cache(tmp_path_factory):
    """A cache of its own, in the processes that tests start too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIARCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder `data`, beside it nothing, and a cache of its own."""
    monkeypatch.setenv("TRIARCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "work" / "data").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path
