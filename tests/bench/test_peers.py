"""The comparisons of bench/: each peer is the network that ours is, and rounds are counted as they should."""

import pytest
import torch
from torch import nn

import sides
from infer import inputs
from peers import PEERS, TOLERANCE, data_for, difference, hand_over, pair
from train import COMPARISONS
from triarch.models import registry

SAME = [name for name, peer in PEERS.items() if peer.names and name in registry.names()]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", SAME)
def test_same_network(name, training):
    torch.manual_seed(0)
    spec = data_for(name)
    ours, theirs = pair(name, "nano", spec)
    assert difference(ours.train(training), theirs.train(training), inputs(spec, 3)) <= TOLERANCE


def test_another_network_is_refused():
    torch.manual_seed(0)
    spec = data_for("lstm")
    ours, theirs = pair("lstm", "nano", spec)
    with torch.no_grad():
        theirs.recurrence.weight_hh_l0[3, 5] += 1
    with pytest.raises(SystemExit, match="not the same network"):
        difference(ours, theirs, inputs(spec, 3))


def test_a_weight_that_is_not_there():
    with pytest.raises(KeyError, match=r"their bias is our b"):
        hand_over(nn.Linear(2, 2, bias=False), nn.Linear(2, 2), {"bias": "b"})


def test_every_comparison_has_a_bar():
    for comparison in COMPARISONS.values():
        assert comparison.bar >= 1
        assert comparison.what
        assert comparison.unit in ("tokens", "pictures")


def test_rounds_are_in_turn():
    called = []
    made = list(sides.rounds({name: lambda name=name: called.append(name) for name in "ab"}, 3, seconds=0.0))
    assert len(made) == 3
    assert called[-6:] == list("ababab")
    assert {"load", "a", "b"} == set(made[0])


def test_summary_takes_ratios_within_rounds():
    def one(ours, theirs):
        return {"load": 1.0, "ours": {"wall": ours, "cpu": ours}, "theirs": {"wall": theirs, "cpu": 2 * theirs}}

    found = sides.summary([one(1, 2), one(10, 30), one(1, 4)], threads=2)
    assert found["ratio"] == 3
    assert found["ratio_range"] == [2, 4]
    assert found["cpu_ratio"] == 6
    assert found["threads_at_work"] == 0.5
    assert "ratio" not in sides.summary([{"load": 1.0, "ours": {"wall": 1, "cpu": 1}}], threads=1)


def test_bars():
    assert sides.against(1.2, 1.15) == "1.20 ≥ 1.15 PASS"
    assert sides.against(1.1, 1.15).endswith("miss")
    assert sides.against(None, None) == "–"


def test_results_are_kept_beside_each_other(tmp_path):
    for name in ("one", "two"):
        sides.save(tmp_path / "r.json", name, {"ratio": 1})
    assert set(sides.load(tmp_path / "r.json")) == {"machine", "one", "two"}
