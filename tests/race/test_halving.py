"""Who stays in a heat, from made-up results."""

import pytest

from triarch.core.results import Metric
from triarch.race.halving import Halving
from triarch.race.plan import SHORTEST_TRIAL, Heat, _first_slot, _screened

ACCURACY = Metric("accuracy", "max")
RATES = [0.1, 0.2, 0.3]
MODELS = ["a/nano", "b/nano", "c/nano", "d/nano"]


def heat(models, kept):
    rungs, _ = _screened(len(models), 3) if kept else ([12, 4, 2], 0)
    return Heat("cnn", models, {model: list(RATES) for model in models}, rungs, 30.0, kept=kept)


def result(score, loss=1.0, steps=500, half=0.0):
    interval = None if score is None else [score - half, score + half]
    return {"score": score, "loss": loss, "steps": steps, "interval": interval}


def test_screening_keeps_a_model_and_tries_it_at_every_rate():
    assert _screened(4, 3) == ([4, 3], 1)
    halving = Halving(heat(MODELS, 1), ACCURACY, on_folds=False)
    assert halving.alive == [(model, 0.3) for model in MODELS]
    out = halving.cut(0, {(model, 0.3): result(score) for model, score in zip(MODELS, (0.1, 0.7, None, 0.9))})
    assert {model for model, _ in out} == {"a/nano", "b/nano", "c/nano"}
    assert halving.alive == [("d/nano", rate) for rate in RATES]
    out = halving.cut(1, {trial: result(score) for trial, score in zip(halving.alive, (0.5, 0.6, None))})
    assert out == [("d/nano", 0.1), ("d/nano", 0.3)]
    assert (halving.finalist.model, halving.finalist.lr) == ("d/nano", 0.2)


def test_who_diverges_at_the_highest_rate_may_do_better_at_another():
    halving = Halving(heat(MODELS[:3], 1), ACCURACY, on_folds=False)
    halving.cut(0, {trial: result(None) for trial in halving.alive})
    assert len(halving.alive) == 3


def test_on_folds_screening_does_not_count_for_those_it_kept():
    halving = Halving(heat(MODELS, 2), ACCURACY, on_folds=True)
    halving.cut(0, {(model, 0.3): result(score) for model, score in zip(MODELS, (0.99, 0.7, 0.0, 0.0))})
    halving.cut(1, {trial: result(0.5 if trial[0] == "a/nano" else 0.6) for trial in halving.alive})
    assert {model for model, _ in halving.alive} == {"b/nano"}


def test_one_model_or_one_rate_is_not_screened():
    assert _screened(1, 3) == ([3], 0)
    assert _screened(4, 1) == ([4, 2], 0)
    halving = Halving(heat(MODELS, 0), ACCURACY, on_folds=False)
    assert len(halving.alive) == 12


def test_slots_fill_the_time_and_none_is_too_short():
    for models in (1, 2, 3, 8):
        rungs, kept = _screened(models, 3)
        made = Heat("cnn", [], {}, rungs, 30.0, kept=kept, screening=12.0 if kept else 0.0)
        assert sum(count * made.slot(rung, count) for rung, count in enumerate(rungs)) - 30.0 < 1e-9
    assert _first_slot(4.0, 3, 4) == 0.0
    assert _first_slot(30.0, 3, 4) >= SHORTEST_TRIAL


def raced(halving, number, score, steps=500, half=0.0):
    """A rung, widened as far as it goes: the trials that were added."""
    added = []
    while new := halving.wider(number, {one: result(score(*one), steps=steps, half=half) for one in halving.alive}):
        added += new
    return added


def one_model(rates=(0.001, 0.003, 0.009)):
    return Halving(Heat("cnn", ["a/nano"], {"a/nano": list(rates)}, [3], 30.0), ACCURACY, on_folds=False)


def test_a_best_rate_at_the_end_goes_on_beyond_it():
    halving = one_model()
    assert [rate for _, rate in raced(halving, 0, lambda _, rate: rate)] == pytest.approx([0.027, 0.081])
    halving.cut(0, {trial: result(trial[1]) for trial in halving.alive})
    assert halving.finalist.lr == pytest.approx(0.081)
    assert halving.heat.rates["a/nano"] == pytest.approx([0.001, 0.003, 0.009, 0.027, 0.081])


def test_it_stops_where_the_best_is_no_longer_at_the_end():
    assert raced(one_model(), 0, lambda _, rate: -abs(rate - 0.01)) == [("a/nano", pytest.approx(0.027))]
    assert raced(one_model(), 0, lambda _, rate: -abs(rate - 0.003)) == []
    assert [rate for _, rate in raced(one_model(), 0, lambda _, rate: -rate)] == pytest.approx([0.001 / 3, 0.001 / 9])


def test_rates_are_not_widened_later_nor_where_there_is_one_nor_beyond_what_can_be():
    assert raced(one_model(), 1, lambda _, rate: rate) == []
    assert raced(one_model((0.003,)), 0, lambda _, rate: rate) == []
    assert raced(one_model((0.01, 0.1, 1.0)), 0, lambda _, rate: rate) == []
    assert raced(one_model(), 0, lambda _, rate: rate, steps=499) == []
    assert raced(one_model(), 0, lambda _, rate: rate, half=0.004) == []
    assert raced(one_model(), 0, lambda *_: None) == []


def test_after_screening_the_second_rung_is_widened():
    halving = Halving(heat(MODELS, 2), ACCURACY, on_folds=False)
    assert raced(halving, 0, lambda _, rate: rate) == []
    halving.cut(0, {(model, 0.3): result(score) for model, score in zip(MODELS, (0.1, 0.7, 0.2, 0.9))})
    added = raced(halving, 1, lambda model, rate: rate if model == "b/nano" else -rate)
    assert {model for model, _ in added} == {"b/nano", "d/nano"}


def test_rates_of_which_none_has_learned_anything_are_not_chosen_by_noise():
    models = ["a/nano", "b/nano"]
    made = Heat("rnn", models, {model: list(RATES) for model in models}, [6, 2], 30.0)
    halving = Halving(made, ACCURACY, on_folds=False, chance=0.5)
    scores = (0.51, 0.49, 0.5, 0.5, 0.52, None)
    out = halving.cut(0, {trial: result(score, half=0.03) for trial, score in zip(halving.alive, scores)})
    assert out == [("b/nano", 0.3)]
    out = halving.cut(1, {trial: result(0.5 + trial[1] / 50, half=0.03) for trial in halving.alive})
    assert halving.finalist.lr == 0.2
    assert len(out) == 4


def test_rates_of_which_one_has_learned_are_chosen():
    made = Heat("rnn", ["a/nano"], {"a/nano": list(RATES)}, [3], 30.0)
    halving = Halving(made, ACCURACY, on_folds=False, chance=0.5)
    halving.cut(0, {trial: result(score, half=0.03) for trial, score in zip(halving.alive, (0.5, 0.51, 0.6))})
    assert halving.finalist.lr == 0.3


def test_where_answers_are_written_the_loss_decides():
    """What has learned nothing writes long nonsense, of which some letters are right."""
    seen = [result(0.16, loss=9.0), result(0.03, loss=7.1), result(0.005, loss=6.4)]
    ranks = {}
    for by_loss in (False, True):
        halving = Halving(heat(MODELS[:1], 0), Metric("chrF", "max"), on_folds=False, by_loss=by_loss)
        halving.cut(0, dict(zip(halving.alive, seen)))
        ranks[by_loss] = halving.finalist.lr
    assert ranks == {False: 0.1, True: 0.3}
