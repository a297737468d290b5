import pytest

from triarch.core.errors import InputError
from triarch.training.recipe import make, read, to_yaml


def test_changes(tmp_path):
    recipe = make(
        {"model": "lstm/nano"}, ["optimiser.lr=1e-3", "settings.depth=2", "schedule.name=cosine", "clip=null"]
    )
    assert recipe.optimiser.lr == 1e-3
    assert recipe.settings == {"depth": 2}
    assert recipe.schedule.name == "cosine"
    assert recipe.clip is None
    path = tmp_path / "recipe.yaml"
    path.write_text(to_yaml(recipe))
    assert make(read(path)) == recipe
    assert make({"model": "a"}, {"optimiser.name": "sgd"}).optimiser.name == "sgd"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("optimizer.lr=1", "did you mean optimiser"),
        ("optimiser.lrr=1", "did you mean lr"),
        ("batchsize=3", "did you mean batch_size"),
        ("batch_size=0", "batch_size"),
        ("optimiser.lr=fast", "optimiser.lr"),
        ("seed", "key=value"),
        ("seed.a=1", "seed"),
        ("model.size=1", "model"),
    ],
)
def test_faults_are_told_in_two_lines(change, told):
    with pytest.raises(InputError, match=told) as error:
        make({"model": "lstm/nano", "seed": 1}, [change])
    assert len(str(error.value).splitlines()) <= 3


def test_not_a_recipe(tmp_path):
    for content in ("- a\n", "a: [", "\x00"):
        (tmp_path / "r.yaml").write_text(content)
        with pytest.raises(InputError, match=r"r.yaml"):
            read(tmp_path / "r.yaml")
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "absent.yaml")


def test_a_recipe_runs_no_code(tmp_path):
    (tmp_path / "r.yaml").write_text(f"model: !!python/object/apply:os.mkdir ['{tmp_path}/made']\n")
    with pytest.raises(InputError):
        read(tmp_path / "r.yaml")
    assert not (tmp_path / "made").exists()
