"""What holds for all tests."""

import pytest


@pytest.fixture(autouse=True, scope="session")
def cache(tmp_path_factory):
    """A cache of its own, in the processes that tests start too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIARCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
