"""Prices of work, and how good they are where they were not found."""

import numpy as np
import pytest

from triarch.measure.foretell import Timed, calibrate, mean_error

PRICES = {"calls": 3e-6, "product macs": 2e-11, "views": 1e-6, "lstm steps": 4e-6}


def timed(group, noise=0.0, seed=0, **amounts):
    random = np.random.default_rng(seed)
    seconds = sum(PRICES[kind.replace("_", " ")] * amount for kind, amount in amounts.items())
    work = {kind.replace("_", " "): amount for kind, amount in amounts.items()}
    return Timed(group, "", work, seconds * np.exp(noise * random.normal()))


def networks(noise=0.0):
    random = np.random.default_rng(1)
    return [
        timed(
            group, noise, seed, calls=random.integers(20, 200), views=random.integers(9, 90),
            product_macs=10 ** random.uniform(5, 8),
        )
        for group in "abcd"
        for seed in range(9)
    ]  # fmt: skip


def test_prices_are_found():
    found = calibrate(networks())
    assert found.error < 0.01
    assert found.prices == pytest.approx({kind: PRICES[kind] for kind in ("calls", "product macs", "views")}, rel=0.05)
    assert found.foretell({"calls": 100}).p50 == pytest.approx(0.3, rel=0.05)
    assert found.foretell({"calls": 100}).error == found.error


def test_the_error_is_that_of_groups_left_out():
    """One group does what no other does: it cannot be foretold, and the error says so."""
    alone = [timed("lstm", calls=30, lstm_steps=steps) for steps in (10, 40, 160)]
    found = calibrate([*networks(), *alone])
    assert found.errors["lstm"] > 0.25
    assert mean_error(found, alone) < 0.01
    by_itself = [timed("", lstm_steps=steps) for steps in (5, 50, 500)]
    assert calibrate([*networks(), *alone, *by_itself]).errors["lstm"] < 0.02


def test_noise_is_told():
    assert 0.05 < calibrate(networks(noise=0.1)).error < 0.15


def test_what_a_start_costs_in_a_loop_is_not_what_it_costs_in_a_network():
    loops = [Timed("", "", {"calls": calls}, 1e-6 * calls) for calls in (8, 64)]
    assert calibrate([*networks(), *loops]).prices["calls"] == pytest.approx(PRICES["calls"], rel=0.05)


def test_the_error_may_be_told_of_other_calls():
    dear = [Timed(one.group, "", one.work, 2 * one.seconds) for one in networks()]
    assert calibrate(networks(), dear).errors == pytest.approx(dict.fromkeys("abcd", 0.5), abs=0.02)
