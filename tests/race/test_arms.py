"""Candidates that do not begin with random weights: artifacts, and twins that learn the inputs first."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import triarch
from race.races import choose, results, wait_for
from triarch.core.choice import Pretrained
from triarch.core.errors import InputError
from triarch.core.machine import computing
from triarch.race import keys
from triarch.race.arms import Arms, inputs_first
from triarch.race.options import Options
from triarch.race.origins import origins, unmoved
from triarch.race.race import Race
from triarch.race.subject import subject
from triarch.race.work import Piece, Workshop
from triarch.training.recipe import Recipe, to_yaml

WORDS = ("ant", "bee", "cat", "dog")
RACE = {"models": "gru/nano", "steps": 12, "threads": 1, "target": "label"}


def phrases(count, seed=0, words=WORDS):
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(words, 9)) for _ in range(count)]


def decided(folder):
    """Its records, without the words in which memory is told where there was time to measure it."""
    found = results(folder)
    found["verdict"].pop("text")
    return found


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A language model."""
    out = tmp_path_factory.mktemp("base") / "base"
    triarch.pretrain(
        phrases(300), objective="masked", model="encoder/nano", tokenizer="bytes", steps=30, context=48, threads=1,
        out=out,
    )  # fmt: skip
    return out


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """Whether there are more ants than bees."""
    path = tmp_path_factory.mktemp("labelled") / "labelled.csv"
    rows = [f"{text},{int(text.count('ant') > text.count('bee'))}" for text in dict.fromkeys(phrases(900, seed=1))]
    path.write_text("\n".join(["text,label", *rows]))
    return path


@pytest.fixture(scope="module")
def whole(base, labelled, tmp_path_factory):
    """Uninterrupted, on one worker."""
    folder = tmp_path_factory.mktemp("whole") / "a"
    return folder, triarch.choose(labelled, from_=str(base), pretrain=True, out=folder, **RACE)


def test_they_race_and_are_marked(whole, base):
    folder, choice = whole
    raced = {one.model: one for one in choice.candidates if one.seeds}
    assert set(raced) == {"gru/nano", "encoder/nano@base", "gru/nano@inputs"}
    spent = raced["encoder/nano@base"].pretrained.seconds
    assert raced["encoder/nano@base"].pretrained == Pretrained(str(base), spent, counted=False)
    assert spent > 0
    assert raced["gru/nano@inputs"].pretrained == Pretrained("inputs", None, counted=True)
    assert raced["gru/nano"].pretrained is None
    assert f"encoder/nano@base begins with the weights of {base}" in choice.verdict.text
    assert "is not counted" in choice.verdict.text
    assert "gru/nano@inputs learns the inputs" in choice.verdict.text
    assert any("learned from items of confirm before" in note for note in choice.notes)
    assert "All networks were trained from scratch" not in choice.verdict.text
    page = (folder / "run" / "report.html").read_text()
    assert f"pretrained: {base}" in page
    assert "inputs first" in page


def test_what_the_inputs_gave_is_told(whole):
    told = [one for one in whole[1].reasons if one.kind == "inputs"]
    (one,) = told
    assert one.model == "gru/nano"
    assert one.statement.startswith("pretraining on the inputs first: ")
    assert one.interval[0] < one.difference < one.interval[1]


def test_a_twin_is_counted_and_told_with_the_settings_that_it_learns_inputs_with(labelled, tmp_path):
    choice = triarch.choose(labelled, pretrain=True, out=tmp_path / "a", **{**RACE, "models": "encoder/nano"})
    raced = {one.model: one for one in choice.candidates if one.seeds}
    assert raced["encoder/nano@inputs"].params < raced["encoder/nano"].params
    assert "encoder/nano@inputs (position rotary) learns the inputs" in choice.verdict.text
    assert "for the inputs (position rotary)" in next(one.statement for one in choice.reasons if one.kind == "inputs")
    assert triarch.verify(choice.artifact).ok


def test_half_of_the_steps_of_a_final_go_to_the_inputs(whole):
    done = results(whole[0])
    for seed in (1, 2, 3):
        final = done[f"final/gru/nano@inputs/seed={seed}"]
        assert (final["steps"], final["recipe"]["inputs_first"], final["recipe"]["steps"]) == (6, 6, 6)
        assert "inputs_first" not in done[f"final/gru/nano/seed={seed}"]["recipe"]


def test_the_others_do_what_they_do_without_them(whole, labelled, tmp_path):
    triarch.choose(labelled, out=tmp_path / "a", **RACE)
    alone, beside = results(tmp_path / "a"), results(whole[0])
    trainings = [key for key in alone if key.startswith(("trial/", "final/", "baseline/"))]
    assert trainings
    assert {key: beside[key] for key in trainings} == {key: alone[key] for key in trainings}


@pytest.mark.slow
@pytest.mark.parametrize("last", ["trial/pretrained/encoder/nano@base", "final/gru/nano@inputs"])
def test_gone_on_with_from_anywhere(whole, last, tmp_path):
    """As if it had been killed in the middle of the record after that one."""
    folder = tmp_path / "a"
    shutil.copytree(whole[0], folder)
    ledger = folder / "run" / "records.jsonl"
    lines = ledger.read_text().splitlines(keepends=True)
    stop = next(place for place, line in enumerate(lines) if json.loads(line)["key"].startswith(last)) + 1
    ledger.write_text("".join(lines[:stop]) + lines[stop][:40])
    for path in [*folder.glob("*.*"), folder / "run" / "choice.json"]:
        path.unlink()
    triarch.choose(resume=folder)
    assert decided(folder) == decided(whole[0])
    assert (folder / "model.safetensors").read_bytes() == (whole[0] / "model.safetensors").read_bytes()


@pytest.mark.slow
def test_killed_and_gone_on_with_by_two_workers(whole, labelled, base, tmp_path):
    folder = tmp_path / "a"
    options = ("--from", base, "--pretrain", "--models", "gru/nano", "--target", "label", "--steps", 12, "--workers", 2)
    process = choose(labelled, *options, "--out", folder)
    for kind in ("trial/", "final/"):
        wait_for(process, folder, lambda known, kind=kind: any(key.startswith(kind) for key in known))
        process.kill()
        process.communicate()
        process = choose("--resume", folder)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert decided(folder) == decided(whole[0])
    assert (folder / "model.safetensors").read_bytes() == (whole[0] / "model.safetensors").read_bytes()


def test_another_artifact_in_its_place_is_refused(whole, base, tmp_path):
    folder = tmp_path / "a"
    shutil.copytree(whole[0], folder)
    weights = load_file(base / "model.safetensors")
    kept = (base / "model.safetensors").read_bytes()
    try:
        save_file({name: value + 1 for name, value in weights.items()}, base / "model.safetensors")
        with pytest.raises(InputError, match="not the artifact that this race began with"):
            triarch.choose(resume=folder)
    finally:
        (base / "model.safetensors").write_bytes(kept)


def repeated(model, options, folder):
    """Whether a final, and a training by the recipe that it leaves, give the same weights."""
    recipe = options.recipe()
    dataset, task = subject(options.data, options, recipe)
    begun = origins(options.from_, dataset, task)
    dataset = unmoved(dataset, begun)
    fold = 1 if dataset.folds or dataset.movable else None
    piece = Piece("", "", model, 0.01, 1, fold, 50, final=True, steps=6, seconds=None, leaves="one.safetensors")
    with computing(1, 0, flush_denormals=True):
        done = Workshop(folder, dataset, task, recipe, lambda _: None, begun).do(piece)
    (folder / "recipe.yaml").write_text(to_yaml(Recipe(**done["recipe"])))
    again = triarch.train(recipe=folder / "recipe.yaml", out=folder / "out")
    same = (folder / "out" / "model.safetensors").read_bytes() == (folder / "one.safetensors").read_bytes()
    return same and again.steps == done["steps"]


@pytest.mark.parametrize("model", ["encoder/nano@base", "gru/nano@inputs"])
def test_the_recipe_repeats_a_final(model, base, labelled, tmp_path):
    assert repeated(model, Options(data=str(labelled), target="label", from_=(str(base),), steps=6), tmp_path)


def test_language_models_go_on_with_the_same_tokens(base, tmp_path):
    (tmp_path / "texts.txt").write_text("\n".join(phrases(900, seed=2)))
    options = {"data": str(tmp_path / "texts.txt"), "task": "masked-model", "from_": (str(base),), "steps": 6}
    options |= {"tokenizer": str(base / "tokenizer.json")}
    assert repeated("encoder/nano@base", Options(**options, context=48), tmp_path)
    options = Options(**options, context=32)
    with pytest.raises(InputError, match="--context 48"):
        origins(options.from_, *subject(options.data, options, options.recipe()))


def padded(base, folder):
    """Its model with two rows that no token has, as Transformers pads vocabularies."""
    shutil.copytree(base, folder)
    config = json.loads((folder / "config.json").read_text())
    rows = config["spec"]["vocab_size"]
    config["spec"]["vocab_size"] += 2
    (folder / "config.json").write_text(json.dumps(config))
    weights = load_file(folder / "model.safetensors")
    wider = {name: torch.cat((one, one[:2])) if len(one) == rows else one for name, one in weights.items()}
    save_file(wider, folder / "model.safetensors")
    return folder


def test_rows_that_no_token_has_stay_as_they_do_in_fine_tuning(base, tmp_path):
    (tmp_path / "texts.txt").write_text("\n".join(phrases(900, seed=2)))
    place = padded(base, tmp_path / "padded")
    options = {"data": str(tmp_path / "texts.txt"), "task": "masked-model", "from_": (str(place),), "steps": 6}
    options |= {"tokenizer": str(base / "tokenizer.json"), "context": 48}
    assert repeated("encoder/nano@padded", Options(**options), tmp_path)


def test_pictures_begin_with_an_artifact_too(tmp_path):
    triarch.train("digits", model="resnet/nano", steps=2, threads=1, out=tmp_path / "base")
    assert repeated("resnet/nano@base", Options(data="digits", from_=(str(tmp_path / "base"),), steps=6), tmp_path)


@pytest.mark.slow
def test_the_artifact_serves_every_verb(labelled, tmp_path):
    """One that knows the task already wins, and is handed over with its own tokenizer."""
    triarch.train(labelled, model="textcnn/nano", steps=60, threads=1, target="label", out=tmp_path / "known")
    choice = triarch.choose(
        labelled, from_=[str(tmp_path / "known")], models="gru/nano", steps=6, threads=1, target="label",
        out=tmp_path / "out",
    )  # fmt: skip
    assert choice.verdict.model == "textcnn/nano@known"
    assert not any("before" in note for note in choice.notes)  # it was trained on this data, without confirm
    assert "Fine-tuned from known" in (tmp_path / "out" / "README.md").read_text()
    assert triarch.verify(tmp_path / "out").ok
    assert triarch.load(tmp_path / "out").config.model == "textcnn/nano"
    assert triarch.evaluate(tmp_path / "out").score == choice.verdict.score
    assert triarch.predict(tmp_path / "out", ["ant ant ant bee"]).predictions[0].label == "1"
    assert triarch.finetune(tmp_path / "out", labelled, steps=2, threads=1, target="label", out=tmp_path / "on").steps


def grouped(folder):
    """Items of two classes, and a group for each two of them."""
    rows = [f"{text},{number % 2},{number // 2}" for number, text in enumerate(dict.fromkeys(phrases(900, seed=3)))]
    (folder / "grouped.csv").write_text("\n".join(["text,label,group", *rows]))
    return folder / "grouped.csv"


def trained(data, folder, **given):
    triarch.train(data, model="textcnn/nano", steps=1, threads=1, target="label", input="text", out=folder, **given)
    return folder


def raced(data, *places, **given):
    """The data as it races, and what begins with artifacts."""
    options = Options(data=str(data), target="label", input=("text",), **given)
    dataset, task = subject(str(data), options, options.recipe())
    begun = origins(list(map(str, places)), dataset, task)
    return unmoved(dataset, begun), begun


def test_nobody_is_compared_by_what_an_artifact_learned_from(base, tmp_path):
    data = grouped(tmp_path)
    known = trained(data, tmp_path / "known")
    dataset, begun = raced(data, known, base)
    learned = dataset.rows("train")
    for one in (dataset, *(arm.dataset for arm in begun)):
        assert not np.intersect1d(one.folded(1).rows("select"), learned).size
    assert [arm.kept_apart for arm in begun] == [True, False]
    assert np.intersect1d(raced(data, base)[0].folded(1).rows("select"), learned).size  # else they are parted anew


def test_an_artifact_that_knows_select_is_refused(tmp_path):
    data = grouped(tmp_path)
    with pytest.raises(InputError, match=r"has learned from items of .*select"):
        raced(data, trained(data, tmp_path / "winner", set={"fold": 1}))


def test_the_same_data_parted_otherwise_is_not_kept_apart(tmp_path):
    data = grouped(tmp_path)
    known = trained(data, tmp_path / "known")
    ((arm,), (other,)) = (raced(data, known, **given)[1] for given in ({}, {"group": "group"}))
    assert arm.kept_apart
    assert not other.kept_apart


def test_a_folder_of_transformers_is_taken_as_an_artifact_is(labelled, tmp_path):
    base = tmp_path / "ours"
    triarch.pretrain(phrases(90), model="decoder/nano", tokenizer="bytes", steps=2, context=48, threads=1, out=base)
    triarch.export(base, to="hf", out=tmp_path / "theirs")
    options = Options(data=str(labelled), target="label")
    dataset, task = subject(str(labelled), options, options.recipe())
    ours, theirs = origins([str(base), str(tmp_path / "theirs")], dataset, task)
    assert theirs.name == "decoder/nano@theirs"
    assert theirs.spent is None
    with torch.device("meta"):
        shapes = [{name: value.shape for name, value in arm.build(task).state_dict().items()} for arm in (ours, theirs)]
    assert shapes[0] == shapes[1]
    assert all(np.array_equal(ours.dataset.tokens[row], theirs.dataset.tokens[row]) for row in range(20))


def test_names_are_their_own(base, labelled, tmp_path):
    copies = [tmp_path / name for name in ("base", "inputs")]
    for copy in copies:
        shutil.copytree(base, copy)
    options = Options(data=str(labelled), target="label")
    dataset, task = subject(str(labelled), options, options.recipe())
    named = [arm.name for arm in origins([str(base), *map(str, copies)], dataset, task)]
    assert named == ["encoder/nano@base", "encoder/nano@base-2", "encoder/nano@inputs-2"]
    assert Arms(dataset)[inputs_first("gru/nano")].model == "gru/nano"


def test_what_one_leaves_is_removed_alone_however_folders_are_called(tmp_path):
    (tmp_path / "trials").mkdir()
    names = [keys.checkpoint(f"gru/nano@{name}", 0.01, 1) for name in ("a", "ab", "a*", "a[b]")]
    for name in names:
        (tmp_path / name).touch()
    race = Race.__new__(Race)
    race.run = tmp_path
    for name in ("a*", "a[b]"):
        race._drop(f"gru/nano@{name}", 0.01)
    assert [name for name in names if (tmp_path / name).exists()] == names[:2]


@pytest.mark.parametrize(
    ("data", "options", "told"),
    [
        ("digits", {}, "trained on text, digits holds image"),
        (None, {"task": "language-model", "tokenizer": "characters"}, "--tokenizer .*tokenizer.json"),
        ("languages", {"from_": "absent"}, "absent is not an artifact"),
        ("digits", {"from_": (), "pretrain": True}, "--pretrain: digits: only"),
    ],
)
def test_what_does_not_suit_is_refused_before_anything_is_trained(data, options, told, base, tmp_path):
    with pytest.raises(InputError, match=f"(?s){told}"):
        triarch.choose(data or phrases(60), **{"from_": str(base), "steps": 1, "out": tmp_path / "a", **options})
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(("shape", "told"), [((1, 6, 6), "--image-size 6"), ((3, 8, 8), "leave it out")])
def test_pictures_of_another_shape_are_refused(shape, told, tmp_path):
    random = np.random.default_rng(0)
    pictures = random.random((60, *shape)), np.arange(60) % 2
    triarch.train(pictures, model="plain/nano", steps=1, threads=1, out=tmp_path / "base")
    with pytest.raises(InputError, match=f"(?s)it takes pictures of .*here they have 8×8 pixels and 1.*{told}"):
        triarch.choose("digits", from_=str(tmp_path / "base"), steps=1, out=tmp_path / "a")


def test_a_forecaster_of_other_steps_is_refused(tmp_path):
    triarch.train("sunspots", model="gru/nano", steps=1, horizon=3, lookback=24, threads=1, out=tmp_path / "base")
    with pytest.raises(InputError, match=r"(?s)other steps of a series.*--lookback 24 --horizon 3"):
        triarch.choose("sunspots", from_=str(tmp_path / "base"), horizon=4, steps=1, out=tmp_path / "a")
