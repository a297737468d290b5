"""A scikit-learn classifier around the race, or around one named network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from triarch.core.errors import InputError
from triarch.core.files import new_folder
from triarch.core.machine import computing, cores
from triarch.data.arrays import read_inputs
from triarch.data.asked import names
from triarch.data.dataset import Dataset, prepare
from triarch.measure.statistics import score_interval
from triarch.ship.artifact import Artifact, load, new_config
from triarch.ship.deliver import Measured, deliver
from triarch.tasks import registry as tasks
from triarch.training.evaluate import evaluate
from triarch.training.loop import Trainer
from triarch.training.recipe import Recipe, make, to_yaml
from triarch.training.start import finished, open_data, resolve, start, useful_threads
from triarch.verbs.choose import choose

AUTO = "auto"
LATE = 1.05


class Classifier(ClassifierMixin, BaseEstimator):
    """A network for texts, pictures, series or tables of numbers, in which a row is a series of its columns.

    `X` is an array (items, features), images or series as `triarch.choose` takes them, a list of texts, a DataFrame of
    numbers or of one column of texts. A named model learns from all of `X`; a race keeps select and confirm apart, and
    its network is the one that the verdict measured.

    Args:
        model: architecture/size, or `auto`: the best network of a race.
        seconds: of the training of a named model, or of the whole race.
        steps: of the training of a named model, instead of seconds; then the same seed gives the same numbers.
        max_params, max_size, models, families, exclude, metric: of the race, see `triarch.choose`.
        input: what `X` is (image, text, series), where not to be inferred.
        seed: of weights and batches.
        threads: inside an operation; None: as many as prove useful.
        out: new folder that keeps artifact and report; None: a temporary one, as long as the estimator lives.

    Attributes:
        classes_: the labels, sorted.
        n_features_in_, feature_names_in_: of tables.
        artifact_: what predicts, see `triarch.load`.
        choice_: of a race, its outcome; None for a named model.
    """

    def __init__(
        self, model: str = AUTO, *, seconds: float = 60.0, steps: int | None = None, max_params: int | None = None,
        max_size: int | None = None, models: str | Sequence[str] = (), families: str | Sequence[str] = (),
        exclude: str | Sequence[str] = (), metric: str | None = None, input: str | Sequence[str] = (), seed: int = 0,
        threads: int | None = None, out: str | Path | None = None,
    ) -> None:  # fmt: skip
        self.model = model
        self.seconds = seconds
        self.steps = steps
        self.max_params = max_params
        self.max_size = max_size
        self.models = models
        self.families = families
        self.exclude = exclude
        self.metric = metric
        self.input = input
        self.seed = seed
        self.threads = threads
        self.out = out

    def fit(self, X: Any, y: Any) -> Classifier:
        """Race, or train, on `X` and the labels `y` (I).

        Raises:
            ValueError: they cannot be learned from.
        """
        inputs, labels = self._checked(X, y)
        self.classes_ = np.unique(labels)
        if len(self.classes_) < 2:
            raise ValueError(f"y has one class only ({self.classes_[0]!r}), two or more are needed")
        told = [str(label) for label in labels.tolist()]
        try:
            if self.model == AUTO:
                self.choice_, self.artifact_ = self._race(inputs, told)
            else:
                self.choice_, self.artifact_ = None, self._train(inputs, told)
        except InputError as error:
            raise ValueError(str(error)) from error
        places = self.artifact_.config.spec.target.names
        self._columns = [places.index(str(label)) for label in self.classes_.tolist()]
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """Probabilities of `classes_` (I K).

        Raises:
            ValueError: `X` is not like what was learned from.
        """
        check_is_fitted(self)
        inputs = self._inputs(X, fitting=False)
        try:
            items = read_inputs(inputs, "X", self.artifact_.config.spec.modality)[0]
            with computing(self.threads or cores()):
                return self.artifact_.answers(items)[:, self._columns]
        except InputError as error:
            raise ValueError(str(error)) from error

    def predict(self, X: Any) -> NDArray[Any]:
        """The label of each item (I).

        Raises:
            ValueError: `X` is not like what was learned from.
        """
        probabilities = self.predict_proba(X)
        best: NDArray[Any] = self.classes_[probabilities.argmax(axis=1)]
        return best

    def __getstate__(self) -> dict[str, Any]:
        """Without the temporary folder, which belongs to one object."""
        state: dict[str, Any] = dict(super().__getstate__())
        state.pop("_folder", None)
        return state

    def _checked(self, X: Any, y: Any) -> tuple[Any, NDArray[Any]]:
        if y is None:
            raise ValueError("Classifier requires y to be passed, but the target y is None")
        for name in ("n_features_in_", "feature_names_in_"):
            self.__dict__.pop(name, None)
        inputs = self._inputs(X, fitting=True)
        labels = column_or_1d(y, warn=True)
        assert_all_finite(labels, input_name="y")
        check_classification_targets(labels)
        check_consistent_length(inputs, labels)
        return inputs, labels

    def _inputs(self, X: Any, fitting: bool) -> Any:
        """Texts as a list, images and series as they are, a table of numbers checked and in 32 bits."""
        texts = _texts(X)
        if texts is not None:
            return texts
        if not hasattr(X, "columns") and not hasattr(X, "toarray"):
            try:
                X = X if hasattr(X, "shape") else np.asarray(X)
            except ValueError:  # series of unequal length
                return X
            if X.ndim > 2:
                return np.asarray(X)
        return validate_data(self, X, reset=fitting, dtype=np.float32)

    def _race(self, inputs: Any, labels: list[str]) -> tuple[Any, Artifact]:
        out = self.out
        if out is None:
            self._folder = TemporaryDirectory(prefix="triarch-")
            out = Path(self._folder.name) / "choice"
        choice = choose(
            (inputs, labels), seconds=self.seconds, max_params=self.max_params, max_size=self.max_size,
            models=self.models, families=self.families, exclude=self.exclude, metric=self.metric, input=self.input,
            seed=self.seed, threads=self.threads, out=Path(out),
        )  # fmt: skip
        if choice.artifact is None:
            raise InputError(choice.verdict.text, "raise the limits")
        return choice, load(choice.artifact)

    def _train(self, inputs: Any, labels: list[str]) -> Artifact:
        given = {"model": self.model, "seed": self.seed, "input": names(self.input), "threads": self.threads or 1}
        asked = make({**given, **({"seconds": self.seconds} if self.steps is None else {"steps": self.steps})})
        dataset = prepare(open_data((inputs, labels), asked), whole=True)
        task, recipe = tasks.scored_by(tasks.infer(dataset.spec), self.metric), resolve(asked, dataset)
        if self.threads is None:
            recipe = recipe.model_copy(update={"threads": useful_threads([recipe], dataset, task, cores())})
        with computing(recipe.threads, recipe.seed, flush_denormals=True):
            trainer = start(recipe, dataset, task)
            trainer.run(deadline=None if recipe.seconds is None else LATE * recipe.seconds)
            if self.out is not None:
                _keep(Path(self.out), trainer, recipe, dataset)
        name, _, size = recipe.model.partition("/")
        return Artifact(new_config(name, size, {}, task, dataset.spec), trainer.result, task, dataset.preprocessor)


def _texts(X: Any) -> list[str] | None:
    """A list, array, Series or single column of texts; None: it is something else."""
    if hasattr(X, "iloc") and hasattr(X, "columns"):
        X = X.iloc[:, 0] if len(X.columns) == 1 else None
    if hasattr(X, "tolist") and getattr(X.dtype, "kind", "O") in "UOT":
        X = X.tolist()
    if not isinstance(X, list | tuple):
        return None
    flat = [item[0] if isinstance(item, list) and len(item) == 1 else item for item in X]
    return flat if any(isinstance(item, str) for item in flat) else None


def _keep(out: Path, trainer: Trainer, recipe: Recipe, dataset: Dataset) -> None:
    """The artifact of a named model, with its score on what it was trained on."""
    text = to_yaml(finished(trainer))
    folder = new_folder(out, "", {"run/recipe.yaml": text}, "triarch train")
    scores, metric = (
        evaluate(trainer.result, trainer.task, dataset.batches(dataset.rows("train"))),
        trainer.task.primary,
    )
    values = scores.metrics[metric.name]
    measured = Measured(scores.score(metric), score_interval(values, scores.strata(metric)), len(values), "train")
    deliver(folder, recipe.model, trainer.result, recipe.settings, trainer.task, dataset, measured, text)
