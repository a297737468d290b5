"""Classical methods of scikit-learn, the bar that a network has to clear.

They run in a process of their own, which can be ended when their time is over: `python -m triarch.race.baselines
FOLDER`. It is given no labels but those of training splits.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC, LinearSVC

from triarch.core.files import write_bytes, write_text
from triarch.core.interrupt import Stop, end_with_parent
from triarch.core.spec import Modality
from triarch.race.forecasters import FORECASTERS, Frame
from triarch.race.ngrams import ORDER, ByteNGrams
from triarch.race.translators import Copy, Dictionary, MostFrequent, Nearest
from triarch.race.warping import NearestWarped

if TYPE_CHECKING:  # the process does without torch, which would cost it its first seconds
    from triarch.data.dataset import Dataset
    from triarch.tasks.task import Task

SVM_ITEMS, SHORT = 10_000, 64
WARPED, WARPED_ITEMS = "1-NN with DTW", 2_000
POLL = 0.05


@dataclass(frozen=True)
class Baseline:
    """A classical method.

    Attributes:
        imports, expression: the lines of Python that make it.
        make: what they make.
    """

    name: str
    imports: str
    expression: str
    make: Callable[[], Any]

    def code(self, data: str, metric: str = "accuracy") -> str:
        """A program that reproduces its score on the confirm split, of a forecast its mean absolute error.

        Args:
            data: Python for the data.
        """
        more, last = FORESEEING if self.name in FORECASTERS else SCORING[metric]
        return (
            f"import triarch\n{self.imports}\n{more}\n"
            f"data = triarch.prepare(triarch.open_source({data}))\n"
            f"model = {self.expression}.fit(*data.table('train'))\n{last}"
        )

    @property
    def tells_probabilities(self) -> bool:
        """Whether it can say how probable each class is."""
        return hasattr(self.make(), "predict_proba")


SCORING = {
    "accuracy": ("", "print(model.score(*data.table('confirm')))"),
    "balanced accuracy": (
        "from sklearn.metrics import balanced_accuracy_score\n",
        "x, y = data.table('confirm')\nprint(balanced_accuracy_score(y, model.predict(x)))",
    ),
    "loss": (
        "from sklearn.metrics import log_loss\n",
        "x, y = data.table('confirm')\nprint(log_loss(y, model.predict_proba(x), labels=model.classes_))",
    ),
    "bits per byte": ("", "x, y = data.table('confirm')\nprint(model.predict(x).sum() / y.sum())"),
    "chrF": (
        "from triarch.measure.translation import chrf\n",
        "x, y = data.table('confirm')\nprint(sum(map(chrf, model.predict(x), y)) / len(y))",
    ),
    "exact match": (
        "",
        "x, y = data.table('confirm')\nprint(sum(one == other for one, other in zip(model.predict(x), y)) / len(y))",
    ),
}
"""Metric → the imports, and the lines that print it."""
FORESEEING = ("", "x, y = data.table('confirm')\nprint(abs(model.predict(x) - y).mean())")


TFIDF = "TfidfVectorizer(analyzer='char', ngram_range=(1, 4), sublinear_tf=True)"
TFIDF_WORDS = "TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)"
TFIDF_IMPORTS = (
    "from sklearn.feature_extraction.text import TfidfVectorizer\nfrom sklearn.pipeline import make_pipeline"
)


def _tfidf() -> TfidfVectorizer:
    return TfidfVectorizer(analyzer="char", ngram_range=(1, 4), sublinear_tf=True)


def _tfidf_words() -> TfidfVectorizer:
    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)


MAJORITY = Baseline(
    "majority", "from sklearn.dummy import DummyClassifier", "DummyClassifier(strategy='prior')",
    lambda: DummyClassifier(strategy="prior"),
)  # fmt: skip
LOGISTIC = Baseline(
    "logistic regression", "from sklearn.linear_model import LogisticRegression", "LogisticRegression(max_iter=300)",
    lambda: LogisticRegression(max_iter=300),
)  # fmt: skip
NEAREST = Baseline(
    "1-NN", "from sklearn.neighbors import KNeighborsClassifier", "KNeighborsClassifier(n_neighbors=1)",
    lambda: KNeighborsClassifier(n_neighbors=1),
)  # fmt: skip
SVM = Baseline("RBF-SVM", "from sklearn.svm import SVC", "SVC(C=10)", lambda: SVC(C=10))
TFIDF_SVM = Baseline(
    "TF-IDF + linear SVM", f"{TFIDF_IMPORTS}\nfrom sklearn.svm import LinearSVC",
    f"make_pipeline({TFIDF}, LinearSVC(random_state=0))", lambda: make_pipeline(_tfidf(), LinearSVC(random_state=0)),
)  # fmt: skip
TFIDF_LOGISTIC = Baseline(
    "TF-IDF + logistic regression", f"{TFIDF_IMPORTS}\nfrom sklearn.linear_model import LogisticRegression",
    f"make_pipeline({TFIDF}, LogisticRegression(max_iter=300))",
    lambda: make_pipeline(_tfidf(), LogisticRegression(max_iter=300)),
)  # fmt: skip
WORDS_SVM = Baseline(
    "TF-IDF of words + linear SVM", f"{TFIDF_IMPORTS}\nfrom sklearn.svm import LinearSVC",
    f"make_pipeline({TFIDF_WORDS}, LinearSVC(random_state=0))",
    lambda: make_pipeline(_tfidf_words(), LinearSVC(random_state=0)),
)  # fmt: skip
WORDS_LOGISTIC = Baseline(
    "TF-IDF of words + logistic regression",
    f"{TFIDF_IMPORTS}\nfrom sklearn.linear_model import LogisticRegression",
    f"make_pipeline({TFIDF_WORDS}, LogisticRegression(max_iter=300))",
    lambda: make_pipeline(_tfidf_words(), LogisticRegression(max_iter=300)),
)  # fmt: skip
NGRAMS = Baseline(
    f"{ORDER}-grams of bytes", "from triarch.race.ngrams import ByteNGrams", "ByteNGrams()", lambda: ByteNGrams()
)
TRANSLATORS = tuple(
    Baseline(name, f"from triarch.race.translators import {kind.__name__}", f"{kind.__name__}()", kind)
    for name, kind in (
        ("the source, copied", Copy), ("most frequent answer", MostFrequent), ("dictionary", Dictionary),
        ("answer of the nearest text", Nearest),
    )
)  # fmt: skip
BASELINES = {
    baseline.name: baseline
    for baseline in (
        MAJORITY, NEAREST, LOGISTIC, SVM, TFIDF_SVM, TFIDF_LOGISTIC, WORDS_SVM, WORDS_LOGISTIC, NGRAMS, *TRANSLATORS,
    )
}  # fmt: skip


def _forecaster(name: str, frame: Frame) -> Baseline:
    kind = FORECASTERS[name]
    return Baseline(
        name, f"from triarch.race.forecasters import Frame, {kind.__name__}", f"{kind.__name__}({frame})",
        lambda: kind(frame),
    )  # fmt: skip


def find(name: str, frame: Frame | None, channels: int = 1) -> Baseline:
    """The method `name`.

    Args:
        frame: of the windows, where series are continued.
        channels: of series.
    """
    if name == WARPED:
        return Baseline(
            WARPED, "from triarch.race.warping import NearestWarped", f"NearestWarped({channels})",
            lambda: NearestWarped(channels),
        )  # fmt: skip
    return BASELINES[name] if frame is None else _forecaster(name, frame)


def channels_of(dataset: Dataset) -> int:
    """C of series, else 1."""
    return dataset.spec.in_channels if dataset.spec.modality == "series" else 1


def frame_of(dataset: Dataset) -> Frame | None:
    """What a forecaster must know of the windows; None where no series are continued."""
    continued = dataset.source.continued
    if continued is None:
        return None
    future = continued.future
    lags = tuple(sorted({*continued.lags, future.season}))
    channels = dataset.spec.in_channels
    dated = channels - len(future.channels)
    return Frame(future.lookback, future.horizon, lags, future.season, channels, dated)


def suited_to(dataset: Dataset, task: Task, probabilities: bool = False) -> list[str]:
    """The names of the methods to run on the data, quick ones first; none tells hidden tokens,
    or answers alone.

    Args:
        probabilities: only those that can tell them.
    """
    if dataset.source.continued is not None:
        return list(FORECASTERS)
    if dataset.source.corpus is not None:
        return [NGRAMS.name] if task.causal and dataset.source.corpus.template is None else []
    if dataset.source.parallel is not None:
        return [one.name for one in TRANSLATORS] if task.primary.direction == "max" else []
    found = suited(dataset.spec.modality, len(dataset.splits["train"]), int(dataset.lengths.max()))
    found = [name for name in found if not probabilities or BASELINES[name].tells_probabilities]
    small = len(dataset.splits["train"]) <= WARPED_ITEMS
    if dataset.spec.modality == "series" and small and not probabilities:
        found.append(WARPED)
    return found


def suited(modality: Modality, train_items: int, steps: int = 0) -> list[str]:
    """The names of the methods to run, quick ones first.

    Args:
        steps: of the longest text; above 64 tokens words are tried too, and first.
    """
    if modality == "text" and steps > SHORT:
        return [MAJORITY.name, WORDS_SVM.name, TFIDF_SVM.name, WORDS_LOGISTIC.name]
    if modality == "text":
        return [MAJORITY.name, TFIDF_SVM.name, TFIDF_LOGISTIC.name]
    quick = [MAJORITY.name, NEAREST.name]
    return [*quick, SVM.name, LOGISTIC.name] if train_items < SVM_ITEMS else [*quick, LOGISTIC.name]


@dataclass(frozen=True)
class Fitted:
    """What a method predicts for the items of `Dataset.judged` and of confirm: class numbers (I), their probabilities
    (I K) where these were asked for, values (I H), or texts (I).
    """

    name: str
    seconds: float
    select: NDArray[Any]
    confirm: NDArray[Any]


def run(
    names: Sequence[str], dataset: Dataset, folder: Path, seconds: float, threads: int, stop: Stop,
    probabilities: bool = False,
) -> Iterator[Fitted]:  # fmt: skip
    """Fit the methods in a fresh process and yield each as it is ready, until `seconds` are over or `stop` is asked."""
    end = time.perf_counter() + seconds
    x, y = dataset.table("train")
    inputs = folder / "inputs"
    inputs.mkdir(parents=True, exist_ok=True)
    _write(inputs / "confirm", dataset.table("confirm")[0])
    _write(inputs / "train", x)
    _write(inputs / "train-labels", y)
    for number, fold in enumerate(dataset.folds or (dataset.splits,)):
        _write(inputs / f"select-{number}", dataset.tabulate(fold["select"]))
        if number:
            _write(inputs / f"train-{number}", dataset.tabulate(fold["train"]))
            _write(inputs / f"train-{number}-labels", dataset.truth(fold["train"]))
    facts = {
        "names": list(names),
        "classes": dataset.spec.num_classes if probabilities else None,
        "channels": channels_of(dataset),
        "frame": asdict(frame) if (frame := frame_of(dataset)) else None,
    }
    write_text(folder / "names.json", json.dumps(facts))
    command = [sys.executable, "-m", "triarch.race.baselines", str(folder)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    # A session of its own: Ctrl-C is for this process, which then ends that one.
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, start_new_session=True
    )
    waiting = list(names)
    try:
        while waiting:
            running = process.poll() is None
            for name in [name for name in waiting if result_path(folder, name).exists()]:
                waiting.remove(name)
                yield read(folder, name)
            if not running or stop.asked or time.perf_counter() > end:
                break
            time.sleep(POLL)
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(inputs)


def result_path(folder: Path, name: str) -> Path:
    """Where the predictions of a method lie."""
    return folder / f"{name.replace(' ', '-')}.npz"


def fault(folder: Path, name: str) -> str | None:
    """Why a method could not be fitted, in its own words; None: nothing is known of that."""
    path = result_path(folder, name).with_suffix(".fault")
    return path.read_text(encoding="utf-8") if path.exists() else None


def read(folder: Path, name: str) -> Fitted:
    """The predictions of a method that was run."""
    with np.load(result_path(folder, name), allow_pickle=False) as stored:
        return Fitted(name, float(stored["seconds"]), stored["select"], stored["confirm"])


def _write(stem: Path, table: NDArray[Any] | list[str]) -> None:
    if isinstance(table, list):
        write_text(stem.with_suffix(".json"), json.dumps(table))
    else:
        np.save(stem.with_suffix(".npy"), table)


def _read(stem: Path) -> Any:
    if stem.with_suffix(".json").exists():
        return json.loads(stem.with_suffix(".json").read_text())
    return np.load(stem.with_suffix(".npy"), allow_pickle=False)


def main(folder: Path) -> None:
    """Fit every method in `names.json`, write its predictions as soon as they are there."""
    end_with_parent()
    inputs = folder / "inputs"
    folds = len(list(inputs.glob("select-*")))
    select = [_read(inputs / f"select-{number}") for number in range(folds)]
    trains = [_training(inputs / "train"), *(_training(inputs / f"train-{number}") for number in range(1, folds))]
    confirm = _read(inputs / "confirm")
    asked = json.loads((folder / "names.json").read_text())
    frame = Frame(**asked["frame"] | {"lags": tuple(asked["frame"]["lags"])}) if asked["frame"] else None
    for name in asked["names"]:
        begin = time.perf_counter()
        try:
            models = [find(name, frame, asked["channels"]).make().fit(*train) for train in trains]
            made = np.concatenate([_answers(model, table, asked["classes"]) for model, table in zip(models, select)])
            last = _answers(models[0], confirm, asked["classes"])
        except Exception as error:  # other people's methods, on any data; those after it are to be fitted
            told = " ".join(str(error).split())[:200] or type(error).__name__
            write_text(result_path(folder, name).with_suffix(".fault"), told)
            continue
        buffer = io.BytesIO()
        np.savez(buffer, seconds=time.perf_counter() - begin, select=made, confirm=last)
        write_bytes(result_path(folder, name), buffer.getvalue())


def _answers(model: Any, table: Any, classes: int | None) -> NDArray[Any]:
    """What it predicts (I …), or probabilities of so many classes (I K)."""
    if classes is None:
        return np.asarray(model.predict(table))
    made = np.zeros((len(table), classes))
    made[:, model.classes_] = model.predict_proba(table)
    return made


def _training(stem: Path) -> tuple[Any, Any]:
    return _read(stem), _read(stem.with_name(f"{stem.name}-labels"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
