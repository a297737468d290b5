"""The report of a choice: what it says, and that it is safe to open."""

import re
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from made.choices import (
    ATTACK,
    LIMIT,
    bare,
    candidates,
    charts,
    choice,
    curves,
    data,
    full,
    mistakes,
    words,
)
from triarch.core.choice import BaselineScore, Candidate
from triarch.core.results import Latency, Metric
from triarch.race.charts import Curve
from triarch.race.figures import digits, fact, score, short
from triarch.race.report import MISTAKES, Mistake, report


@pytest.mark.parametrize("modality", ["image", "text", "series"])
def test_says_everything(modality):
    page = report(choice(), curves(), mistakes(modality))
    said = words(page)
    for expected in (
        "Use plain/micro", "A sentence about network", "Trained from scratch", "0.972", "0.949–0.985", "360 items",
        "+1.8", "−0.2 to +3.8", "a tie", "+2.1", "clear lead", "205 k", "0.655", "412 kB", "58.4 s", "of 60 s allowed",
        "gru/micro", "over budget", LIMIT, "too slow", "diverged", "not ready in its time",
        "Outside the frame: rnn/nano 0.412, majority 0.104", "9 of the 360 items", "what chance in the items",
        "95%", "runs/digits-1/run", "AMD EPYC 7B13", "8.40 GB", "the split is stratified", "max params 500,000",
    ):  # fmt: skip
        assert expected in said, expected
    assert "sklearn" not in said
    assert len(re.findall("<h1", page)) == 1
    assert page[:15] == "<!doctype html>"


@pytest.mark.parametrize("modality", ["image", "text", "series"])
def test_says_what_the_data_is(modality):
    page = report(choice(), curves(), [], data(modality))
    said = words(page)
    for expected in (
        "1,797",
        "4 are exact copies",
        "900 items",
        "train 50%",
        "class 2",
        "197",
        "the split is stratified",
    ):
        assert expected in said, expected
    assert ("median 20" in said) == (modality != "image")
    assert len(re.findall('<li class="card">', page)) == 9
    assert "The data" not in words(report(choice(), curves(), []))


def test_says_how_the_limits_stand():
    said = words(report(full(), [], []))
    for expected in (
        "Time 58.4 s 60 s", "Parameters 205,322 500,000", "Memory of one answer 1.24 MB 2.00 MB",
        "Artifact broken 412 kB 400 kB", "Latency of one answer, p95 not measurable – 2.00 ms",
        "No network keeps the limits: use RBF-SVM", "No artifact is saved",
        "none is better than plain/micro, lstm/nano",
    ):  # fmt: skip
        assert expected in said, expected
    assert "No network keeps" not in words(report(choice(), [], []))


def test_says_how_classes_are_answered():
    page = report(full(), [], [])
    said = words(page)
    for expected in ("0.912", "0.877", "expected calibration error is 0.031", "arXiv 1706.04599", "Most often taken"):
        assert expected in said, expected
    assert len(re.findall('<circle cx="', page)) == 2
    assert 'class="matrix"' in page
    assert "<script>alert" not in page
    assert 'class="matrix"' not in report(full(classes=13), [], [])
    assert "Answers, class by class" not in words(report(choice(), [], []))


def test_says_why_and_how_robust():
    page = report(full(), [], [])
    said = words(page)
    for expected in (
        "plain/micro uses where the pixels stand.", "gru/micro: far back.",
        "1 more costs nothing that could be measured gru/micro: gray costs nothing.", "0.913 −5.9 −8.1 to −4.1",
        "blur of 0.5 pixels gru/micro 0.958 +0.1 −0.4 to +0.6", "0.024",
    ):  # fmt: skip
        assert expected in said, expected
    assert "<script>alert" not in page
    assert "how robust" not in words(report(choice(), [], []))


def test_numbers_name_their_records():
    page = report(full(), curves(), mistakes(), data())
    named = {key.rstrip("/…") for key in re.findall(r"<code>([a-z]+(?:/…)?)</code>", page)}
    assert named == {"trial", "final", "baseline", "costs", "finished", "verdict", "reasons", "data"}


def test_the_front_on_each_axis():
    cheap, dear, beaten = candidates()[0], candidates()[1], candidates()[2]
    speeds = {"plain/micro": 3.0, "gru/micro": 1.0, "encoder/nano": 2.0}
    found = [replace(one, latency_ms=Latency(0.1, speeds[one.model])) for one in (cheap, dear, beaten)]
    chart = charts(report(replace(choice(), candidates=found), [], []))[0]
    fronts = {axis["key"]: axis["front"] for axis in chart["axes"]}
    assert fronts["latency"] == [[1.0, 0.957], [3.0, 0.978]]
    assert fronts["macs"] == [[1_620_000, 0.957], [8_400_000, 0.978]]
    lone = replace(choice(), candidates=[replace(found[0], latency_ms=None), *found[1:2]])
    assert "latency" not in [axis["key"] for axis in charts(report(lone, [], []))[0]["axes"]]


@pytest.mark.parametrize(
    ("kind", "title"),
    [("baseline", "Use RBF-SVM, no network needed"), ("undecided", "Undecided: plain/micro or RBF-SVM")],
)
def test_a_baseline_comes_with_its_code(kind, title):
    said = words(report(choice(kind), [], []))
    assert title in said
    assert "model = SVC(C=10).fit(*data.table('train'))" in said


def test_contents():
    image, text, series = (report(choice(), [], mistakes(modality)) for modality in ("image", "text", "series"))
    assert len(re.findall('<img alt="Item .*?" src="data:image/png;base64,', image)) == 9
    assert len(re.findall('<blockquote dir="auto">', text)) == 9
    assert "אני לא יודע" in words(text)
    assert len(re.findall("<polyline", series)) == 27
    assert "3 of 5 channels" in words(series)


@pytest.mark.parametrize(
    "content",
    [
        np.zeros((3, 40, 300)), np.full((2, 5, 5), np.nan), np.ones((4, 1, 1)),
        np.full((7, 2), np.nan), np.zeros((1, 1)), "",
    ],
)  # fmt: skip
def test_odd_contents(content):
    page = report(choice(), [], [Mistake(0, content, "a", "b", 1.0)])
    assert "nan" not in page[page.index('<ul class="mistakes') : page.index('id="measured"')].lower()


def test_many_mistakes_are_counted():
    page = report(choice(), [], mistakes(count=40))
    assert len(re.findall('<li class="card">', page)) == MISTAKES
    assert "40 of the 360 items" in words(page)
    assert "Here are 24 of them" in words(page)


def test_nothing_that_may_be_absent_is_needed():
    page = report(bare(), [], [])
    said = words(page)
    for expected in (
        "No network has a score",
        "No learning curve",
        "No baseline was run",
        "None: every one of the 360",
    ):
        assert expected in said
    assert "None" not in said.replace("None: every", "")
    assert charts(page) == []
    for kind in ("baseline", "undecided"):
        lone = bare()
        assert "a baseline" in words(report(replace(lone, verdict=replace(lone.verdict, kind=kind)), [], []))


def test_what_the_data_says_does_not_run():
    evil = choice("baseline")
    evil = replace(
        evil,
        data=ATTACK, run=ATTACK, artifact=ATTACK, task=ATTACK, notes=[ATTACK], machine={ATTACK: ATTACK},
        metric=Metric(ATTACK, "max"),
        baselines=[BaselineScore(ATTACK, 0.95, 0.1, ATTACK)],
        candidates=[Candidate(ATTACK, ATTACK, 1, 1, score=0.9, status=ATTACK, reason=ATTACK, seeds=1)],
        verdict=replace(evil.verdict, model=ATTACK, runner_up=ATTACK, split=ATTACK, text=ATTACK,
                        baseline=replace(evil.verdict.baseline, name=ATTACK, code=ATTACK)),
    )  # fmt: skip
    page = report(evil, [Curve(ATTACK, ATTACK, 0, [(0.0, 0.5)])], [Mistake(0, ATTACK, ATTACK, ATTACK, 0.5)])
    usual = report(choice(), curves(), [])
    opened, closed = (len(re.findall(tag, page)) for tag in ("<script", "</script"))
    assert "<script>alert" not in page
    assert opened == closed == len(re.findall("<script", usual))
    assert "&lt;script" in charts(page)[0]["points"][0]["model"]


@pytest.mark.parametrize("kind", ["network", "baseline"])
def test_loads_nothing(kind):
    page = report(choice(kind), curves(), mistakes())
    shell = re.sub(r"<script>.*?</script>", "", page, flags=re.S)
    assert not re.search(r"""\b(?:src|href|action|data|srcset)\s*=\s*["']?\s*(?:https?:)?//""", shell)
    assert "@import" not in shell
    assert "url(" not in shell
    assert "default-src 'none'" in shell
    assert not re.search(r"<script[^>]+src", page)


def test_same_input_same_page():
    first, second = (sha256(report(choice(), curves(), mistakes()).encode()) for _ in range(2))
    assert first.digest() == second.digest()


def test_frame_shows_the_networks():
    cost, learning = charts(report(choice(), curves(), []))
    low, high = cost["y"]
    assert 0.85 < low < 0.9
    assert 0.98 < high < 1.0
    assert {point["model"] for point in cost["points"]} >= {"plain/micro", "lstm/nano"}
    assert [line["name"] for line in cost["lines"]] == ["1-NN 0.944", "RBF-SVM 0.955"]
    assert len(learning["curves"]) == 9
    alone = replace(choice(), candidates=candidates()[:1], baselines=[BaselineScore("majority", 0.2, 0.0)])
    assert charts(report(alone, [], []))[0]["lines"] == []


def test_what_is_not_finite_is_left_out():
    unsound = [replace(candidates()[3], score=float("nan")), *candidates()]
    page = report(replace(choice(), candidates=unsound), [Curve("plain/micro", "cnn", 1, [(1.0, float("nan"))])], [])
    assert [chart["id"] for chart in charts(page)] == ["cost"]
    assert len(charts(page)[0]["points"]) == 6


def test_a_metric_to_minimise():
    loss = replace(choice(), metric=Metric("perplexity", "min"))
    said = words(report(loss, curves(), []))
    assert "lower is better" in said
    assert "+0.018" in said


def test_numbers():
    assert [short(value) for value in (None, 0, 950, 12_345, 4_560_000)] == [
        "–",
        "0",
        "950",
        "12.3\u00a0k",
        "4.56\u00a0M",
    ]
    assert [digits(value) for value in (0.0123, 1.234, 12.34, 1234.0)] == ["0.0123", "1.23", "12.3", "1234"]
    assert [score(value) for value in (None, float("nan"), 0.97219, -0.5, 1234.5)] == [
        "–",
        "–",
        "0.972",
        "−0.500",
        "1,234",
    ]
    assert [fact("seconds", 60.0), fact("max_size", 1_000_000), fact("cores", 2)] == ["60\u00a0s", "1.00\u00a0MB", "2"]
