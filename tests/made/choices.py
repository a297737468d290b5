"""Choices that tests make, with curves, mistakes and data, and how they read a report."""

import html
import json
import re
from dataclasses import replace
from math import exp

import numpy as np

from triarch.core.choice import BaselineScore, Candidate, Choice
from triarch.core.findings import CalibrationBin, ClassScore, Effect, Quality, Reason
from triarch.core.results import Latency, Metric
from triarch.core.verdict import BestBaseline, Limit, Verdict
from triarch.race.charts import Curve
from triarch.race.datacard import DataCard, DataCounts, Sample
from triarch.race.report import Mistake

ATTACK = "<script>alert(1)</script>"
CODE = "from sklearn.svm import SVC\nmodel = SVC(C=10).fit(*data.table('train'))"
LIMIT = "4,800,000 parameters, limit 500,000"
COSTS = {"latency_ms": Latency(0.412, 0.655), "peak_memory_bytes": 1_240_000, "artifact_bytes": 412_345}


def candidates() -> list[Candidate]:
    def raced(model, family, params, macs, value, half, **more):
        return Candidate(
            model, family, params, macs, **COSTS, score=value, interval=(value - half, value + half), **more
        )

    final = {"trials": 3, "seeds": 3, "reason": "the best of its family", "calibration_error": 0.0243}
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


def quality(classes=3) -> Quality:
    names = ["0", ATTACK, "a class with a very long name of many words", *map(str, range(3, classes))]
    table = [[50 if one == other else (one + other) % 3 for other in range(classes)] for one in range(classes)]
    bins = [CalibrationBin(0.6, 0.67, 4, 0.64, 0.5), CalibrationBin(0.93, 1, 90, 0.99, 1)]
    scores = [ClassScore(name, sum(row), 0.9123, None, 0.8771) for name, row in zip(names, table)]
    return Quality(scores, table, 0.0312, bins)


LIMITS = [
    Limit("max_params", 500_000, 205_322, True), Limit("max_memory", 2_000_000, 1_240_000, True),
    Limit("max_size", 400_000, 412_345, False), Limit("max_latency", 2.0, None, None),
]  # fmt: skip


REASONS = [
    Reason(
        "plain/micro", "order", "pixels shuffled", "plain/micro uses where the pixels stand.", -0.31, (-0.35, -0.27)
    ),
    Reason("gru/micro", "channel", "in gray", "gru/micro: gray costs nothing.", 0.0, (-0.01, 0.01)),
    Reason("gru/micro", "gradient", "gradient", f"gru/micro: far back. {ATTACK}", 1.5e-5, (1e-5, 2e-5)),
]
ROBUSTNESS = [
    Effect("plain/micro", f"noise {ATTACK}", 0.913, -0.059, (-0.081, -0.041)),
    Effect("gru/micro", "blur of 0.5 pixels", 0.958, 0.001, (-0.004, 0.006)),
]


def full(kind="network", classes=3) -> Choice:
    """A choice with limits and with answers class by class."""
    told = replace(verdict(kind), limits=LIMITS, front=["plain/micro", "lstm/nano"], quality=quality(classes))
    return replace(choice(kind), verdict=told, reasons=REASONS, robustness=ROBUSTNESS)


def data(modality="image", classes=3) -> DataCard:
    lengths = {} if modality == "image" else {"shortest": 3, "median": 20, "longest": 128}
    counts = DataCounts(
        modality, [1, 8, 8], 1_797, 4, {"train": 900, "select": 300, "confirm": 597},
        {f"class {number}": [300, 100, 199 - number] for number in range(classes)}, lengths, "train 50%",
    )  # fmt: skip
    return DataCard(counts, [Sample(one.item, one.content, one.truth) for one in mistakes(modality)])


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
