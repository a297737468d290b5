"""Limits as people write them, and what breaks them."""

import pytest

from triarch.core.budget import Budget, Costs, milliseconds, whole
from triarch.core.errors import InputError
from triarch.core.results import Latency


@pytest.mark.parametrize(
    ("written", "number"),
    [
        (500_000, 500_000), ("500000", 500_000), ("500k", 500_000), ("2M", 2_000_000), ("1.5GB", 1_500_000_000),
        ("3 kb", 3_000), (".5m", 500_000), ("1T", 10**12), (None, None),
    ],
)  # fmt: skip
def test_sizes(written, number):
    assert whole("max_size", written) == number


@pytest.mark.parametrize("written", ["", "k", "5x", "-3", "0", 0, "1e6", "2 M B", "nan", "0.2"])
def test_no_sizes(written):
    with pytest.raises(InputError, match=r"--max-size .*that is no limit"):
        whole("max_size", written)


def test_milliseconds():
    assert milliseconds("max_latency", 2.5) == 2.5
    for value in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(InputError, match="--max-latency"):
            milliseconds("max_latency", value)


def test_each_limit_is_held():
    costs = Costs(params=1_000, artifact_bytes=5_000, peak_memory_bytes=9_000, latency_ms=Latency(1.0, 2.0))
    assert Budget(60).broken_by(costs) == ""
    assert Budget(60, 1_000, 5_000, 9_000, 2.0).broken_by(costs) == ""
    assert Budget(60, max_params=999).broken_by(costs) == "1,000 parameters, limit 999"
    assert Budget(60, max_size=4_999).broken_by(costs) == "5,000 bytes on disk, limit 4,999"
    assert Budget(60, max_memory=8_999).broken_by(costs) == "9,000 bytes of memory, limit 8,999"
    assert Budget(60, max_latency=1.9).broken_by(costs) == "2 ms (p95), limit 1.9"


def test_a_reading_too_near_the_limit_is_not_trusted():
    costs = Costs(latency_ms=Latency(1.0, 1.9))
    assert Budget(60, max_latency=2.0).broken_by(costs, 1.1) == "1.9 ms (p95), too near the limit 2"
    assert Budget(60, max_latency=2.1).broken_by(costs, 1.1) == ""


def test_what_is_not_known_breaks_nothing_and_is_told():
    budget = Budget(60, max_params=10, max_latency=1.0)
    assert budget.broken_by(Costs(params=5)) == ""
    assert budget.unknown_in(Costs(params=5)) == ["max_latency"]
