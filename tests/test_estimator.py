"""The classifier among scikit-learn's own: what holds for theirs holds for it."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import triarch

QUICK = triarch.Classifier("plain/nano", steps=80, threads=1)


@parametrize_with_checks([QUICK])
def test_as_scikit_learn_asks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def tables():
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 6)).astype(np.float32)
    return x, np.array(["no", "yes"])[(x[:, 2] + x[:, 3] > 0).astype(int)]


def test_clones_pipelines_and_folds(tables):
    assert clone(QUICK).get_params() == QUICK.get_params()
    scores = cross_val_score(make_pipeline(StandardScaler(), QUICK), *tables, cv=3)
    assert scores.mean() > 0.7


def test_it_learns_from_all_items_and_repeats(tables):
    x, y = tables
    fitted = clone(QUICK).fit(x, y)
    assert len(fitted.artifact_.config.spec.split) > 0
    assert fitted.artifact_.preprocessor.settings.mean[0] == pytest.approx(x.mean(), abs=1e-6)
    assert np.array_equal(fitted.predict_proba(x), clone(QUICK).fit(x, y).predict_proba(x))
    assert not np.array_equal(fitted.predict_proba(x), clone(QUICK).set_params(seed=1).fit(x, y).predict_proba(x))


def test_pickled_it_gives_the_same_answers(tables):
    fitted = clone(QUICK).fit(*tables)
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.predict_proba(tables[0]), fitted.predict_proba(tables[0]))


@pytest.mark.parametrize(
    "labels",
    [np.array([10, 9, -1]), np.array(["10", "9", "x"]), np.array([True, False, True]), np.array([2.0, 1.0, 3.0])],
)
def test_columns_follow_the_classes(labels):
    x = np.repeat(np.eye(3, dtype=np.float32), 20, axis=0) * 3
    y = np.repeat(labels, 20)
    fitted = triarch.Classifier("plain/nano", steps=120, threads=1).fit(x, y)
    assert np.array_equal(fitted.classes_, np.unique(y))
    assert fitted.predict_proba(x).shape == (60, len(np.unique(y)))
    assert fitted.score(x, y) == 1.0


def test_texts_in_every_form():
    texts, y = ["good film", "bad film", "good plot", "bad plot"] * 10, [1, 0, 1, 0] * 10
    frame = pd.DataFrame({"text": texts})
    fitted = triarch.Classifier("textcnn/nano", steps=40, threads=1).fit(texts, y)
    assert fitted.score(texts, y) == 1.0
    assert not hasattr(fitted, "n_features_in_")
    first = fitted.predict_proba(texts)
    for form in (frame, frame["text"], np.array(texts), np.array(texts, dtype=object)[:, None], tuple(texts)):
        assert np.array_equal(fitted.predict_proba(form), first)
    with pytest.raises(ValueError, match="not text"):
        fitted.predict(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="row 1 is nan"):
        fitted.fit(["good film", float("nan")] * 3, [0, 1] * 3)


def test_images_and_series():
    digits = load_digits()
    x, y = digits.images[:300].astype(np.uint8), digits.target[:300]
    fitted = triarch.Classifier("plain/nano", steps=150, threads=1).fit(x, y)
    assert fitted.artifact_.config.spec.modality == "image"
    assert fitted.score(x, y) > 0.9
    ragged = [row[: 4 + number % 3] for number, row in enumerate(x.reshape(300, 64, 1).astype(float))]
    fitted.set_params(model="lstm/nano", steps=3).fit(ragged, y)
    assert fitted.artifact_.config.spec.ragged
    assert fitted.predict(ragged[:2]).shape == (2,)


def test_frames_have_names(tables):
    x, y = tables
    frame = pd.DataFrame(x, columns=list("abcdef"))
    fitted = clone(QUICK).fit(frame, y)
    assert fitted.feature_names_in_.tolist() == list("abcdef")
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(frame[list("fedcba")])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model": "lstn"}, "did you mean lstm"),
        ({"model": "vit"}, "does not serve series"),
        ({"model": "auto", "seconds": 1}, "a race takes"),
        ({"metric": "f1"}, "no metric"),
        ({"steps": 0}, "steps"),
        ({"threads": -1}, "threads"),
    ],
)
def test_faults_are_value_errors(tables, changes, told):
    with pytest.raises(ValueError, match=told):
        clone(QUICK).set_params(**changes).fit(*tables)


def test_a_named_model_is_kept_where_it_is_asked_for(tables, tmp_path):
    x, y = tables
    fitted = clone(QUICK).set_params(out=tmp_path / "a").fit(x, y)
    assert triarch.verify(tmp_path / "a").ok
    assert [answer.label for answer in triarch.load(tmp_path / "a").predict(x[:9])] == fitted.predict(x[:9]).tolist()
    assert "200 items of train" in (tmp_path / "a" / "README.md").read_text()
    with pytest.raises(ValueError, match="not an empty folder"):
        fitted.fit(x, y)


def test_the_best_of_a_race(tables):
    x, y = tables
    chosen = triarch.Classifier(seconds=12, models="plain/nano,lstm/nano", threads=1).fit(x, y)
    assert chosen.choice_.verdict.model in ("plain/nano", "lstm/nano")
    assert {one.model for one in chosen.choice_.candidates} == {"plain/nano", "lstm/nano"}
    assert chosen.choice_.best.status == "winner"
    assert chosen.score(x, y) > 0.6
    again = pickle.loads(pickle.dumps(chosen))
    assert np.array_equal(again.predict(x), chosen.predict(x))
