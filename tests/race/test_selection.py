"""Which models the user's patterns leave in the race."""

import pytest

from triarch.core.errors import InputError
from triarch.models import registry
from triarch.race.selection import selected


def families(models):
    return {registry.parse(model)[0].family for model in models}


def test_all_that_serve_the_data_where_nothing_is_said():
    found = selected("text")
    assert found == [
        f"{name}/{size}"
        for name in registry.names()
        if "text" not in registry.find(name).lacks
        for size in registry.find(name).sizes
    ]


def test_a_name_means_all_its_sizes():
    assert selected("image", models=["resnet"]) == [f"resnet/{size}" for size in registry.find("resnet").sizes]
    assert selected("image", models=["resnet"]) == selected("image", models=["resnet/*"])


def test_names_patterns_and_sizes_together():
    found = selected("image", models=["resnet/nano", "lstm/[mn]*", "v?t/micro"])
    assert found == ["lstm/nano", "lstm/micro", "resnet/nano", "vit/micro"]


def test_families_and_exclusions():
    assert families(selected("series", families=["cnn", "rnn"])) == {"cnn", "rnn"}
    assert families(selected("series", exclude=["cnn", "hybrid"])) == {"rnn", "transformer"}
    assert "lstm/nano" not in selected("series", exclude=["lstm"])
    assert set(selected("series")) - set(selected("series", exclude=["*/nano"])) == {
        model for model in selected("series") if model.endswith("/nano")
    }


def test_rnn_is_the_architecture_among_models_and_the_family_among_the_excluded():
    assert {model.partition("/")[0] for model in selected("series", models=["rnn"])} == {"rnn"}
    assert families(selected("series", exclude=["rnn"])) == {"cnn", "transformer", "hybrid"}
    assert "gru/nano" in selected("series", exclude=["rnn/*"])


def test_what_serves_other_data_may_be_excluded():
    assert selected("text", exclude=["vit"]) == selected("text")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"models": ["resnte"]}, "did you mean resnet"),
        ({"models": ["resnet", "lstm/huge"]}, "sizes of lstm: nano, micro"),
        ({"models": ["zzz/*"]}, "no such model"),
        ({"models": ["cnn"]}, "--families cnn"),
        ({"models": ["vit"]}, "vit serves no series"),
        ({"families": ["transformers"]}, "did you mean transformer"),
        ({"exclude": ["convnxt"]}, "did you mean convnext"),
        ({"models": ["lstm"], "families": ["cnn"]}, "together leave no model"),
        ({"exclude": ["*"]}, "together leave no model"),
    ],
)
def test_what_finds_nothing_is_told(asked, told):
    with pytest.raises(InputError) as error:
        selected("series", **asked)
    assert told in str(error.value)
    assert len(str(error.value).splitlines()) == 2
