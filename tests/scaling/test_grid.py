"""What is run fits into the time; what cannot be is refused before anything is trained."""

import re

import pytest

from triarch.core.errors import InputError
from triarch.scaling.grid import amounts_of, calibrated_at, fitting, ladders
from triarch.scaling.runs import Sized


def ladder(name, *params):
    return [Sized(f"{name}/{number}", size, size, (0.1,)) for number, size in enumerate(params)]


SIZES = {"a": ladder("a", 1_000, 10_000, 100_000), "b": ladder("b", 2_000, 20_000)}
AMOUNTS = [125, 250, 500, 1_000, 2_000, 4_000, 8_000]


def fit(seconds, sizes=SIZES, amounts=AMOUNTS, fixed=False):
    return fitting(sizes, amounts, fixed, lambda size: size.params * 1e-6, seconds, 64)


def test_everything_where_there_is_time():
    grid = fit(1e9)
    assert grid.models == ["a/0", "a/1", "a/2", "b/0", "b/1"]
    assert grid.amounts == AMOUNTS[-6:]


def test_large_sizes_go_first_then_large_amounts_then_second_sizes():
    before = fit(1e9)
    seen = [(tuple(before.models), tuple(before.amounts))]
    seconds, least = before.seconds, fit(1e9, {"a": SIZES["a"][:1], "b": SIZES["b"][:1]}, AMOUNTS[:4]).seconds
    while seconds > least:
        grid = fit(seconds)
        assert grid.seconds <= seconds
        seconds *= 0.99
        if seen[-1] != (now := (tuple(grid.models), tuple(grid.amounts))):
            seen.append(now)
    models = [set(step[0]) for step in seen]
    assert models[1] == {"a/0", "a/1", "b/0", "b/1"}
    assert seen[1][1] == seen[0][1]
    assert models[-1] == {"a/0", "b/0"}
    shorter = [step[1] for step in seen]
    assert min(map(max, shorter)) == 1_000
    assert min(map(len, shorter)) == 4
    both = [step for step, kept in zip(seen, models) if len(kept) == 4]
    assert max(both[-1][1]) == 1_000  # second sizes stay as long as amounts can go


def test_too_little_time_is_told_with_what_would_do():
    with pytest.raises(InputError, match="--seconds is too little") as fault:
        fit(0.001)
    (asked,) = re.findall(r"--seconds (\d+)", str(fault.value).splitlines()[-1])
    assert fit(float(asked))


def test_asked_amounts_stay():
    grid = fit(fit(1e9, amounts=AMOUNTS[:4], fixed=True).seconds / 20, amounts=AMOUNTS[:4], fixed=True)
    assert grid.amounts == AMOUNTS[:4]
    assert len(grid.models) < 5


def test_a_giant_is_not_timed():
    asked = []

    def pace(size):
        asked.append(size.model)
        return 1e-3

    fitting({"a": ladder("a", 1_000, 10_000_000_000)}, AMOUNTS, False, pace, 1_000.0, 64)
    assert set(asked) == {"a/0"}


def test_amounts_are_halves():
    found = amounts_of(1_000, ())
    assert found[-1] == 1_000
    assert all(later // 2 == earlier for earlier, later in zip(found, found[1:]))
    assert found[calibrated_at(found)] in found


@pytest.mark.parametrize(
    ("train", "asked", "told"),
    [
        (300, (), "too few to forecast from"),
        (5_000, (1_000,), "4 amounts"),
        (5_000, (100, 200, 400, 9_000), "--items 9000"),
        (5_000, (10, 200, 400, 800), "--items 10"),
    ],
)
def test_amounts_that_do_not_do(train, asked, told):
    with pytest.raises(InputError, match=told) as fault:
        amounts_of(train, asked)
    assert len(str(fault.value).splitlines()) <= 5


def test_a_name_means_its_smallest_sizes():
    found = ladders(["plain", "lstm/micro"], "image")
    assert found == {"plain": ["plain/nano", "plain/micro", "plain/tiny", "plain/small"], "lstm": ["lstm/micro"]}
    assert ladders(["plain/classic"], "image") == {"plain": ["plain/classic"]}


@pytest.mark.parametrize(
    ("models", "told"), [([], "no model"), (["resnt"], "resnet"), (["textcnn"], "serves no image")]
)
def test_unknown_models(models, told):
    with pytest.raises(InputError, match=told):
        ladders(models, "image")
