"""The report of a choice: what it says, that it is safe to open, and that a browser draws it."""

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from math import exp

import numpy as np
import pytest

from triarch.core.results import BaselineScore, BestBaseline, Candidate, Choice, Latency, Metric, Verdict
from triarch.race.report import MISTAKES, Curve, Mistake, digits, fact, report, score, short

ATTACK = "<script>alert(1)</script>"
CODE = "from sklearn.svm import SVC\nmodel = SVC(C=10).fit(*data.table('train'))"
LIMIT = "4,800,000 parameters, limit 500,000"
COSTS = {"latency_ms": Latency(0.412, 0.655), "peak_memory_bytes": 1_240_000, "artifact_bytes": 412_345}


def candidates() -> list[Candidate]:
    def raced(model, family, params, macs, value, half, **more):
        return Candidate(
            model, family, params, macs, **COSTS, score=value, interval=(value - half, value + half), **more
        )

    final = {"trials": 3, "seeds": 3, "reason": "the best of its family"}
    out = {"status": "eliminated", "trials": 3, "reason": "out after 1 of 2 rungs"}
    return [
        raced("plain/micro", "cnn", 205_322, 8_400_000, 0.978, 0.012, status="winner", **final),
        raced("gru/micro", "rnn", 198_410, 1_620_000, 0.957, 0.016, status="runner-up", **final),
        raced("encoder/nano", "transformer", 41_098, 2_900_000, 0.938, 0.018, status="finalist", **final),
        raced("plain/nano", "cnn", 24_010, 910_000, 0.951, 0.021, **out),
        raced("lstm/nano", "rnn", 30_730, 240_000, 0.921, 0.026, **out),
        raced("encoder/micro", "transformer", 212_554, 14_700_000, 0.929, 0.025, **out),
        raced("rnn/nano", "rnn", 11_402, 88_000, 0.412, 0.05, **out),
        Candidate("lstm/micro", "rnn", 201_994, 1_600_000, **out | {"status": "diverged"}),
        Candidate("mixer/nano", "hybrid", 52_000, 3_300_000, **COSTS, reason="too slow: a step takes 2 s"),
        Candidate("encoder/tiny", "transformer", 4_800_000, 310_000_000, status="over budget", reason=LIMIT),
    ]  # fmt: skip


def verdict(kind="network") -> Verdict:
    rival, lead, interval = {
        "network": (0.951, 0.021, (0.004, 0.04)),
        "baseline": (0.994, -0.023, (-0.043, -0.008)),
        "undecided": (0.969, 0.003, (-0.014, 0.02)),
    }[kind]
    return Verdict(
        kind, "plain/micro", "gru/micro", 0.018, (-0.002, 0.038), True, 0.9722, (0.949, 0.985), 360, "confirm",
        BestBaseline("RBF-SVM", rival, lead, interval, CODE), f"A sentence about {kind}. All trained from scratch.",
    )  # fmt: skip


def choice(kind="network") -> Choice:
    return Choice(
        task="classification",
        metric=Metric("accuracy", "max"),
        budget={"seconds": 60.0, "max_params": 500_000, "max_size": None},
        spent={"seconds": 58.4},
        baselines=[
            BaselineScore("majority", 0.104, 0.001), BaselineScore("1-NN", 0.944, 0.02),
            BaselineScore("RBF-SVM", 0.955, 0.21),
            BaselineScore("logistic regression", None, 0.0, "not ready in its time"),
        ],
        candidates=candidates(),
        verdict=verdict(kind),
        artifact="runs/digits-1", report="runs/digits-1/run/report.html", run="runs/digits-1/run", seed=0, threads=2,
        machine={"processor": "AMD EPYC 7B13", "cores": 2, "memory_bytes": 8_400_000_000, "torch": "2.13.0"},
        data="digits", notes=["the split is stratified"],
    )  # fmt: skip


def bare() -> Choice:
    """A choice with nothing in it that may be absent."""
    lone = replace(verdict(), runner_up=None, difference=None, interval=None, tie=False, baseline=None)
    only = [Candidate("plain/nano", "cnn", 10, 100), Candidate("plain/micro", "cnn", 20, 0, status="diverged")]
    return replace(
        choice(), baselines=[], candidates=only, verdict=lone, budget={}, spent={}, machine={}, data="", notes=[]
    )


def curves() -> list[Curve]:
    seconds = [float(t) for t in np.linspace(0.5, 6, 12)]
    finalists = [("gru/micro", "rnn", 0.957, 2.0), ("plain/micro", "cnn", 0.978, 0.8)]
    finalists.append(("encoder/nano", "transformer", 0.938, 1.6))
    return [
        Curve(model, family, seed, [(t, top - (0.6 + 0.05 * seed) * exp(-t / pace)) for t in seconds])
        for model, family, top, pace in finalists
        for seed in (1, 2, 3)
    ]


def mistakes(modality="image", count=9) -> list[Mistake]:
    random = np.random.default_rng(0)
    if modality == "image":
        contents = list(random.random((count, 1, 8, 8)) ** 2)
    elif modality == "series":
        contents = list(random.normal(size=(count, 128, 5)).cumsum(axis=1))
    else:
        texts = [
            "The plot is thin, but the two leads carry it with grace.",
            "אני לא יודע מה לומר על הסרט הזה",
            "word " * 200,
        ]
        contents = [texts[i % 3] for i in range(count)]
    return [Mistake(i, content, str(i % 5), str(i % 3 + 5), 0.99 - 0.02 * i) for i, content in enumerate(contents)]


def words(page: str) -> str:
    """What a reader sees: no scripts, no tags."""
    page = re.sub(r"<(script|style).*?</\1>", " ", page, flags=re.S).replace("<wbr>", "")
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


def charts(page: str) -> list[dict]:
    found = re.search(r'<script type="application/json" id="charts">(.*?)</script>', page, re.S)
    return json.loads(found[1]) if found else []


@pytest.mark.parametrize("modality", ["image", "text", "series"])
def test_says_everything(modality):
    page = report(choice(), curves(), mistakes(modality))
    said = words(page)
    for expected in (
        "Use plain/micro", "A sentence about network", "Trained from scratch", "0.972", "0.949–0.985", "360 items",
        "+1.8", "−0.2 to +3.8", "a tie", "+2.1", "clear lead", "205 k", "0.655", "412 kB", "58.4 s", "of 60 s allowed",
        "gru/micro", "over budget", LIMIT, "too slow", "diverged", "not ready in its time",
        "Outside the frame: rnn/nano 0.412, majority 0.104", "9 of the 360 items", "hierarchical bootstrap over seeds",
        "95%", "runs/digits-1/run", "AMD EPYC 7B13", "8.40 GB", "the split is stratified", "max params 500,000",
    ):  # fmt: skip
        assert expected in said, expected
    assert "sklearn" not in said
    assert len(re.findall("<h1", page)) == 1
    assert page[:15] == "<!doctype html>"


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


@pytest.fixture(scope="module")
def browse(tmp_path_factory) -> Callable[[str, int], str]:
    """Opens a page in Chromium and returns the document as it is then."""
    browser = shutil.which("chromium")
    assert browser, "no browser: apt-get install chromium"
    folder = tmp_path_factory.mktemp("browser")

    def dom(page: str, width: int) -> str:
        path = folder / "page.html"
        path.write_text(page)
        command = [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={folder / 'profile'}", f"--window-size={width},1200", "--virtual-time-budget=10000",
            "--dump-dom", path.as_uri(),
        ]  # fmt: skip
        shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
        shutil.rmtree(folder / "profile", ignore_errors=True)
        return shown

    return dom


@pytest.mark.slow
def test_a_browser_draws_the_charts(browse):
    shown = browse(report(choice(), curves(), mistakes()), 1440)
    assert re.search(r'<html[^>]* data-errors=""', shown)
    for name, traces in (("cost", 4), ("learning", 9)):
        chart = shown[shown.index(f'id="{name}"') : shown.index("<figcaption", shown.index(f'id="{name}"'))]
        assert 'class="main-svg"' in chart
        assert len(re.findall(r'class="trace scatter', chart)) == traces
        assert len(re.findall(r'class="(?:point|js-line)', chart)) >= traces


@pytest.mark.slow
def test_a_browser_runs_nothing_from_the_data(browse):
    evil = [Mistake(0, "<img src=x onerror=\"document.title='hacked'\">", ATTACK, ATTACK, 0.5)]
    named = [replace(one, model="<img src=x onerror=alert(1)>" if one.seeds else ATTACK) for one in candidates()]
    shown = browse(report(replace(choice(), candidates=named), curves(), evil), 1440)
    assert re.search(r'<html[^>]* data-errors=""', shown)
    assert "<title>hacked" not in shown
    assert '<img src="x"' not in shown


@pytest.mark.slow
@pytest.mark.parametrize("modality", ["image", "text", "series"])
@pytest.mark.parametrize("kind", ["network", "baseline", "undecided"])
def test_a_phone_scrolls_down_only(browse, modality, kind):
    page = html.escape(report(choice(kind), curves(), mistakes(modality)))
    frame = f'<iframe style="width:360px;height:640px;border:0" srcdoc="{page}"></iframe>'
    measure = """<script>onload = () => { const root = document.querySelector("iframe").contentDocument.documentElement;
        document.documentElement.dataset.seen = JSON.stringify([root.clientWidth, root.scrollWidth, root.dataset.errors,
        root.querySelectorAll(".chart .main-svg .trace").length]) }</script>"""
    shown = browse(f"<!doctype html><html><body style='margin:0'>{frame}{measure}</body></html>", 800)
    seen = re.search(r'data-seen="([^"]*)"', shown)
    assert seen, shown[:200]
    width, needed, errors, traces = json.loads(html.unescape(seen[1]))
    assert width <= needed <= 360
    assert errors == ""
    assert traces >= 12
