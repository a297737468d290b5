"""The options of a race: from names and files, and back."""

import pytest
import yaml

import triarch
from triarch.core.errors import InputError
from triarch.core.spec import reference
from triarch.race.options import Options


def test_patterns_come_with_commas_or_as_a_list():
    for models in ("resnet, lstm/*", ["resnet", "lstm/*"], ("resnet,lstm/*",)):
        assert Options.of({"models": models}).models == ("resnet", "lstm/*")
    assert Options.of({"input": "a, b"}).input == ("a, b",)


def test_a_recipe_of_a_race_makes_the_same_options():
    options = Options.of(
        {"data": "digits", "seconds": 60, "models": "resnet", "exclude": "*/base", "metric": "loss", "margin": 0.01,
         "input": ["größe"], "target": "y", "seed": 3}
    )  # fmt: skip
    assert Options.of(yaml.safe_load(options.to_yaml())) == options
    assert yaml.safe_load(Options(fingerprint="f").to_yaml()) == {"margin": 0.0, "seed": 0, "workers": 1}


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ({"model": "lstm"}, "did you mean models"),
        ({"fingerprint": "f"}, "unknown key"),
        ({"seconds": "long"}, "--seconds"),
        ({"max_params": 1.5}, "--max-params"),
        ({"models": [1]}, "--models"),
        ({"models": {"a": 1}}, "--models"),
        ({"margin": -0.1}, "--margin"),
        ({"margin": float("inf")}, "--margin"),
    ],
)
def test_faults(entries, told):
    with pytest.raises(InputError, match=told):
        Options.of(entries)


def test_the_metric_is_one_of_the_tasks():
    spec = reference("image")
    assert Options().learned(spec).primary.name == "accuracy"
    assert Options(metric="balanced-accuracy").learned(spec).primary.by_class
    assert Options(metric="loss", task="classify").learned(spec).primary.direction == "min"
    with pytest.raises(InputError, match="did you mean accuracy"):
        Options(metric="acuracy").learned(spec)


def test_the_command_line_wins_over_the_recipe(tmp_path):
    path = tmp_path / "race.yaml"
    path.write_text("data: absent\nseconds: 60\n")
    with pytest.raises(InputError, match="a race takes"):
        triarch.choose(recipe=path, seconds=1)
    with pytest.raises(InputError, match="'absent'"):
        triarch.choose(recipe=path)
    with pytest.raises(InputError, match="did you mean digits"):
        triarch.choose("digitz", recipe=path)
    path.write_text("- data\n")
    with pytest.raises(InputError, match="mapping"):
        triarch.choose(recipe=path)
    with pytest.raises(InputError, match="knows its options"):
        triarch.choose(resume=tmp_path, recipe=path)
