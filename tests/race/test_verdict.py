"""Ties, costs and words of a verdict."""

from dataclasses import replace

import pytest

from triarch.core.budget import Costs
from triarch.core.choice import Candidate
from triarch.core.results import Latency, Metric
from triarch.core.verdict import BestBaseline, Limit, Settling, Undecided, Verdict
from triarch.measure.comparison import Difference
from triarch.race.candidates import mark_front
from triarch.race.costs import Standing
from triarch.race.telling import Story, text
from triarch.race.verdict import cheaper, held, is_tie, ranking

ACCURACY, ERROR = Metric("accuracy", "max"), Metric("MASE", "min")
COSTS = Costs(1_000, 40_000, 90_000, Latency(0.4, 0.5))
VERDICT = Verdict(
    "network", "a/nano", "b/nano", 0.02, (0.01, 0.03), False, 0.9, (0.88, 0.92), 500, "confirm",
    BestBaseline("1-NN", 0.85, 0.05, (0.02, 0.08), ""), "",
)  # fmt: skip
STORY = Story(ACCURACY, Standing("a/nano", COSTS), [], "", False, 0.0, [0.90, 0.91, 0.89])


def finals(**scores):
    return {model: [{"score": score, "loss": 1.0} for score in values] for model, values in scores.items()}


def test_the_better_mean_ranks_first_and_what_diverged_not_at_all():
    found = finals(a=[0.8, 0.9], b=[0.7, None], c=[None])
    assert ranking(ACCURACY, found) == ["a", "b"]
    assert ranking(ERROR, found) == ["b", "a"]


def test_ties():
    assert is_tie(Difference(0.01, (-0.01, 0.03)), 0.0)
    assert not is_tie(Difference(0.02, (0.01, 0.03)), 0.0)
    assert is_tie(Difference(0.02, (0.01, 0.03)), 0.02)
    assert is_tie(Difference(-0.02, (-0.03, -0.01)), 0.02)


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ((1.0, 500), (2.0, 100), "1 against 2 ms"),
        ((2.0, 100), (1.0, 500), ""),
        ((1.0, 500), (1.1, 100), ""),  # latencies alike: the size decides
        ((1.1, 100), (1.0, 500), "100 against 500 bytes"),
        ((None, 100), (1.0, 500), "100 against 500 bytes"),
        ((1.0, None), (1.0, 500), ""),
        ((1.0, 500), (1.0, 500), ""),
    ],
)
def test_the_cheaper(one, other, why):
    def costs(ms, size):
        return Costs(artifact_bytes=size, latency_ms=Latency(ms / 2, ms) if ms else None)

    assert cheaper(costs(*one), costs(*other)) == why


def test_the_front():
    def candidate(model, score, ms, memory=10, size=10):
        return Candidate(model, "cnn", 1, 1, Latency(ms / 2, ms) if ms else None, memory, size, score=score)

    def found(metric):
        marked = made()
        mark_front(marked, metric)
        return [one.model for one in marked if one.on_front]

    made = lambda: [  # noqa: E731
        candidate("best", 0.9, 3.0), candidate("quick", 0.8, 1.0), candidate("beaten", 0.7, 2.0),
        candidate("small", 0.6, 2.0, size=5), candidate("not measured", 0.95, None), candidate("not run", None, 0.1),
    ]  # fmt: skip
    assert found(ACCURACY) == ["best", "quick", "small", "not measured"]
    assert found(ERROR) == ["quick", "small"]


def test_limits_beside_what_was_measured():
    limits = {"max_size": 50_000, "max_memory": 80_000, "max_latency": 0.52}
    standing = Standing("a/nano", COSTS, "", ("max_memory",))
    assert held(limits, standing) == [
        Limit("max_size", 50_000, 40_000, True),
        Limit("max_memory", 80_000, None, None),
        Limit("max_latency", 0.52, 0.5, False),  # too near to be sure
    ]


def test_words_of_a_win():
    told = text(VERDICT, STORY)
    assert told.startswith("Use a/nano: it beats 1-NN, the best baseline, by +5.0 points (+2.0 to +8.0).")
    assert "a clear lead" in told
    assert "It takes 0.5 ms (p95), 90,000 bytes of memory and 40,000 bytes on disk." in told
    assert "Its 3 seeds range from 0.890 to 0.910 on select." in told


def test_a_network_that_does_not_win_is_said_first():
    behind = replace(VERDICT, kind="baseline", baseline=replace(VERDICT.baseline, difference=-0.05))
    assert text(behind, STORY).startswith("Use 1-NN: no network beats it")
    unclear = replace(VERDICT, kind="undecided")
    assert text(unclear, STORY).startswith("Undecided: no network is shown to beat 1-NN.")


def test_words_of_a_tie():
    tie = replace(VERDICT, difference=-0.004, interval=(-0.01, 0.002), tie=True)
    told = text(tie, replace(STORY, cheaper="0.5 against 1.2 ms", moved=True))
    assert "ties with b/nano, which ranked first, at −0.4 points (−1.0 to +0.2)" in told
    assert "is taken because it is the cheaper: 0.5 against 1.2 ms." in told
    told = text(tie, replace(STORY, cheaper="0.5 against 1.2 ms", moved=True, margin=0.01))
    assert "ties within the margin of 1.0 points with b/nano" in told
    assert "it stands at −0.4 points (−1.0 to +0.2): a tie." in text(tie, STORY)
    told = text(tie, replace(STORY, cheaper="0.5 against 1.2 ms"))
    assert "a tie, in which it is the cheaper: 0.5 against 1.2 ms." in told


def test_an_error_made_smaller_is_a_lead():
    told = text(replace(VERDICT, difference=-0.1, interval=(-0.2, -0.05)), replace(STORY, metric=ERROR))
    assert "it stands at −0.100 (−0.200 to −0.050): a clear lead." in told


def test_limits_come_before_all():
    out = Standing("c/nano", COSTS, "9 ms (p95), limit 1")
    told = text(VERDICT, replace(STORY, broken=[out]))
    assert "Left out for a limit: c/nano, 9 ms (p95), limit 1." in told
    broken = replace(STORY, standing=replace(out, model="a/nano"), broken=[replace(out, model="a/nano"), out])
    told = text(replace(VERDICT, kind="baseline"), broken)
    assert told.startswith("No network of this race keeps the limits, and none is saved: a/nano, the best, takes 9 ms")
    assert "Use 1-NN, whose cost was not measured" in told
    unknown = Standing("a/nano", COSTS, "", ("max_latency",))
    limits = [Limit("max_latency", 2.0, None, None)]
    told = text(replace(VERDICT, limits=limits), replace(STORY, standing=unknown))
    assert told.startswith("Not shown to keep every limit")
    assert "0.5 ms" not in told


def test_how_probable_it_is_and_what_would_settle_it():
    told = text(replace(VERDICT, probability=0.972, optimism=0.013), STORY)
    assert "+2.0 points (+1.0 to +3.0), better with 97% probability: a clear lead." in told
    assert "On select, by which it was chosen, it scored 1.3 points better." in told
    tie = replace(VERDICT, difference=0.004, interval=(-0.01, 0.02), tie=True, probability=0.999)
    more = text(replace(tie, settling=Settling(4, 12.3, 2_000)), STORY)
    assert "better with >99% probability: a tie." in more
    assert "4 more seeds of each, about 12 minutes more, would settle it" in more
    assert "1 more seed of each would settle it" in text(replace(tie, settling=Settling(1, None, 2_000)), STORY)
    assert "4 more seeds of each would settle it" in text(replace(tie, settling=Settling(4, None, 2_000)), STORY)
    items = text(replace(tie, settling=Settling(None, None, 2_000)), STORY)
    assert "More time would not settle it; about 2,000 items of confirm would" in items
    assert "Neither more seeds alone nor" in text(replace(tie, settling=Settling(None, None, None)), STORY)


def test_families_that_had_not_come_to_their_end_are_named():
    verdict = replace(VERDICT, undecided=[Undecided("transformer", "c/nano", "its training loss stood still at 2.08")])
    told = text(verdict, STORY)
    assert "Undecided about transformer: of c/nano its training loss stood still at 2.08." in told
