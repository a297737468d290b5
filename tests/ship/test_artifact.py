import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from safetensors.torch import save as save_tensors

import triarch
from triarch.core.errors import InputError
from triarch.core.results import Metric
from triarch.core.spec import Target, reference
from triarch.data.open import open_source
from triarch.ship.artifact import golden, save
from triarch.ship.card import card


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("artifacts")
    for data, model in (("digits", "plain/nano"), ("languages", "encoder/nano"), ("japanese-vowels", "lstm/nano")):
        triarch.train(data, model=model, steps=60, threads=1, out=folder / data)
    return folder


@pytest.fixture
def copy(artifacts, tmp_path):
    def make(name):
        return shutil.copytree(artifacts / name, tmp_path / name)

    return make


def test_digits_from_every_kind_of_input(artifacts, tmp_path):
    model = triarch.load(artifacts / "digits")
    images = open_source("digits").inputs
    many = model.predict(images[:5])
    assert len(many) == 5
    assert many[0].label == model.predict(images[0])[0].label == model.predict(images[0, 0])[0].label
    np.save(tmp_path / "x.npy", images[:5, 0])
    np.savez(tmp_path / "x.npz", x=images[0])
    Image.fromarray((images[0, 0] * 255 / 16).round().astype(np.uint8)).save(tmp_path / "x.png")
    answers = triarch.predict(artifacts / "digits", [str(tmp_path / name) for name in ("x.npy", "x.npz", "x.png")])
    told = answers.predictions
    assert [one.label for one in told[:5]] == [one.label for one in many]
    assert told[5].label == told[6].label == many[0].label
    assert told[6].probability == pytest.approx(many[0].probability, abs=0.02)
    assert told[0].input.endswith("x.npy[0]")


def test_texts_and_series(artifacts, tmp_path):
    languages = triarch.load(artifacts / "languages")
    one, two = languages.predict(["grinning face", "grinsendes gesicht"])
    assert languages.predict("grinning face")[0].probability == pytest.approx(one.probability, abs=1e-5)
    assert two.input == "grinsendes gesicht"
    assert languages.predict([]) == []
    assert languages.predict([""])[0].label
    (tmp_path / "t.txt").write_text("grinning face\n\ngrinsendes gesicht\n")
    answers = triarch.predict(artifacts / "languages", [str(tmp_path / "t.txt"), "x" * 5000]).predictions
    assert [one.label, two.label] == [answer.label for answer in answers[:2]]
    vowels = triarch.load(artifacts / "japanese-vowels")
    series = open_source("japanese-vowels").inputs[:3]
    np.savetxt(tmp_path / "s.csv", series[1], delimiter=",")
    answer = triarch.predict(artifacts / "japanese-vowels", [str(tmp_path / "s.csv")]).predictions[0]
    assert answer.probability == pytest.approx(vowels.predict(series)[1].probability, abs=1e-5)


def test_evaluate(artifacts):
    result = triarch.evaluate(artifacts / "digits")
    assert (result.split, result.n) == ("confirm", 539)
    assert result.interval[0] < result.score < result.interval[1]
    source = open_source("digits")
    everything = triarch.evaluate(artifacts / "digits", (source.inputs[:100, 0], source.labels[:100]))
    assert (everything.split, everything.n) == ("all", 100)
    labels = triarch.load(artifacts / "digits").predict(source.inputs[:100])
    assert everything.score == pytest.approx(np.mean([int(one.label) for one in labels] == source.labels[:100]))
    with pytest.raises(InputError, match="no split"):
        triarch.evaluate(artifacts / "digits", split="test")
    with pytest.raises(InputError, match="trained on image"):
        triarch.evaluate(artifacts / "digits", "languages")
    with pytest.raises(InputError, match="class '11'"):
        triarch.evaluate(artifacts / "digits", (source.inputs[:40, 0], np.r_[source.labels[:30], [11] * 10]))


def test_verify(artifacts, copy):
    for name in ("digits", "languages", "japanese-vowels"):
        assert triarch.verify(artifacts / name).difference <= 1e-6
    folder = copy("digits")
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1500:-1000] = bytes(500)
    weights.write_bytes(content)
    result = triarch.verify(folder)
    assert not result.ok
    assert result.difference > 1e-4
    assert "other answers" in result.fault


def test_weights_that_are_no_numbers_are_not_ok(copy):
    folder = copy("digits")
    weights = {name: torch.full_like(value, torch.nan) for name, value in triarch.load(folder).weights().items()}
    (folder / "model.safetensors").write_bytes(save_tensors(weights))
    assert (triarch.verify(folder).ok, triarch.verify(folder).difference) == (False, 1.0)


def test_an_empty_text_is_packed_as_it_is(artifacts, copy):
    model, folder = triarch.load(artifacts / "languages"), copy("languages")
    save(model, folder, "", ["", " ", "ü"])
    assert golden(folder)[0] == ["", " ", "ü"]
    assert triarch.verify(folder).ok


def test_a_config_that_asks_for_gigabytes_gets_none(copy):
    folder = copy("digits")
    config = json.loads((folder / "config.json").read_text())
    config["settings"] = {"hidden_dim": 2_000_000_000}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="does not fit"):
        triarch.load(folder)


def test_a_loaded_model_is_whole(artifacts):
    for name in ("digits", "languages", "japanese-vowels"):
        model = triarch.load(artifacts / name).model
        stored = load_file(artifacts / name / "model.safetensors")
        assert all(torch.equal(value, stored[key]) for key, value in model.state_dict().items())
        assert all(value.requires_grad and value.device.type == "cpu" for value in model.parameters())
        assert not model.training


def test_evaluate_small_sets(artifacts):
    source = open_source("digits")
    x, y = source.inputs[:, 0], source.labels
    assert triarch.evaluate(str(artifacts / "digits"), (x[:5], y[:5])).n == 5
    assert triarch.evaluate(artifacts / "digits", (x[y == 3][:2], y[y == 3][:2])).n == 2
    with pytest.raises(InputError, match="no item is in split train"):
        triarch.evaluate(artifacts / "digits", (x[:2], y[:2]), split="train")


def test_evaluate_notices_that_the_data_was_changed(tmp_path):
    x, y = np.random.default_rng(0).normal(size=(60, 9)), np.arange(60) % 2
    np.savez(tmp_path / "d.npz", x=x, y=y)
    triarch.train(tmp_path / "d.npz", model="tcn/nano", steps=3, threads=1, out=tmp_path / "a")
    assert triarch.evaluate(tmp_path / "a").split == "confirm"
    np.savez(tmp_path / "d.npz", x=x + 1, y=y)
    with pytest.raises(InputError, match="was changed"):
        triarch.evaluate(tmp_path / "a")
    assert triarch.evaluate(tmp_path / "a", tmp_path / "d.npz").split == "all"


def test_one_input_needs_no_list(artifacts):
    for folder in (artifacts / "languages", str(artifacts / "languages")):
        (answer,) = triarch.predict(folder, "grinning face").predictions
        assert answer.input == "grinning face"


def test_names_cannot_break_the_card():
    names = ("a\n# b", "<script>", "x|y", "`c`", "n" * 99)
    spec = replace(reference("text"), name="d\n|", target=Target("class", names))
    text = card("m/nano", spec, Metric("accuracy", "max"), 0.5, (0.4, 0.6), 9, "confirm", 7, "")
    assert "# m/nano on d &#124;\n" in text
    (line,) = [line for line in text.splitlines() if line.startswith("| classes")]
    assert line == f"| classes | a # b, &#60;script&#62;, x&#124;y, &#96;c&#96;, {'n' * 59}… |"


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", "{"), ("config.json", "{}"), ("preprocessor.json", "[]"), ("model.safetensors", "x" * 100),
        ("model.safetensors", None), ("preprocessor.json", None), ("config.json", None),
    ],
)  # fmt: skip
def test_a_damaged_artifact_is_refused_by_name(copy, file, content):
    folder = copy("digits")
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(content)
    with pytest.raises(InputError, match="digits"):
        triarch.load(folder)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"spec": {}}, "field 'spec.name': Field required"),
        ({"format": "one"}, "field 'format': Input should be a valid integer"),
        ({"size": "huge"}, "has no size 'huge'"),
        ({"settings": {"channels": "wide"}}, "setting channels"),
        ({"format": 99}, "newer than this triarch"),
    ],
)
def test_a_config_that_was_changed_is_told_by_its_field(copy, change, told):
    folder = copy("digits")
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError) as fault:
        triarch.load(folder)
    what, remedy = str(fault.value).splitlines()
    assert what.startswith(f"{path}: ")
    assert told in what
    assert "pydantic" not in what
    assert remedy


def test_a_broken_tokenizer_is_refused(copy):
    folder = copy("languages")
    (folder / "tokenizer.json").write_text('{"version": ')
    with pytest.raises(InputError, match="tokenizer"):
        triarch.load(folder)


def test_a_config_runs_no_code(copy):
    folder = copy("digits")
    config = json.loads((folder / "config.json").read_text())
    for architecture in ("os", "../evil", "triarch.cli", "__init__"):
        (folder / "config.json").write_text(json.dumps({**config, "architecture": architecture}))
        with pytest.raises(InputError, match="no architecture"):
            triarch.load(folder)


def test_inputs_that_do_not_fit(artifacts, tmp_path):
    np.save(tmp_path / "wrong.npy", np.zeros((3, 5)))
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n")
    (tmp_path / "words.csv").write_text("a,b\nc,d\n")
    (tmp_path / "narrow.csv").write_text("1,2\n3,4\n")
    for artifact, one, told in (
        ("digits", "absent.png", "no file"), ("digits", "wrong.npy", "shape"), ("digits", "broken.png", "picture"),
        ("japanese-vowels", "words.csv", "series"), ("japanese-vowels", "narrow.csv", "12 channel"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=told):
            triarch.predict(artifacts / artifact, [str(tmp_path / one)])
    with pytest.raises(InputError, match="is not an artifact"):
        triarch.load(tmp_path)


def test_everything_is_in_the_folder(artifacts):
    for name in ("digits", "languages"):
        files = {path.name for path in (artifacts / name).iterdir()}
        expected = {"config.json", "model.safetensors", "preprocessor.json", "README.md", "golden.safetensors", "run"}
        assert files == expected | ({"tokenizer.json"} if name == "languages" else set())
        card = (artifacts / name / "README.md").read_text()
        assert "accuracy" in card
        assert "from scratch" in card


def test_evaluate_never_scores_on_other_splits_than_those_of_the_training(tmp_path):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(90, 6))).assign(
        owner=np.arange(90) // 3, y=np.arange(90) % 2
    )
    frame.to_csv(tmp_path / "d.csv", index=False)
    triarch.train(
        tmp_path / "d.csv", model="tcn/nano", group="owner", target="y", steps=3, threads=1, out=tmp_path / "a"
    )
    told = triarch.evaluate(tmp_path / "a")
    assert triarch.evaluate(tmp_path / "a", tmp_path / "d.csv", group="owner", target="y") == told
    wanted = [str(number) for number in range(6)]
    with pytest.raises(InputError, match="was split otherwise"):
        triarch.evaluate(tmp_path / "a", tmp_path / "d.csv", input=wanted, target="y")
