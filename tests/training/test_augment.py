"""From a recipe to varied batches: defaults, what switches them off, recipes from before, races."""

import pytest
import torch

from triarch.core.errors import InputError
from triarch.core.machine import computing
from triarch.core.types import Batch
from triarch.data.augment.augmenter import Strengths, usual
from triarch.data.dataset import prepare
from triarch.data.nominal import nominal_source
from triarch.data.open import open_source
from triarch.race.options import Options
from triarch.race.trial import Trial
from triarch.tasks.classify import Classify
from triarch.training.checkpoint import load_checkpoint, save_checkpoint
from triarch.training.recipe import Augment, make, to_yaml
from triarch.training.start import finished, resolve, start

DATA = {modality: prepare(nominal_source(modality)) for modality in ("image", "text", "series")}
FIELDS = {
    "image": {"crop", "flip", "erase", "mixup", "cutmix"},
    "text": {"token_dropout"},
    "series": {"time_warp", "magnitude_warp", "jitter"},
}
STRONG = {
    "image": {"crop": 0.2, "flip": 0.5, "erase": 0.3, "mixup": 0.4, "cutmix": 1.0},
    "text": {"token_dropout": 0.2},
    "series": {"time_warp": 0.5, "magnitude_warp": 0.3, "jitter": 0.1},
}
OFF = Augment.model_validate(False)


def recipe(modality, *changes, **entries):
    return resolve(make({"model": "rnn/nano", "batch_size": 16, **entries}, changes), DATA[modality])


def weights(trainer):
    return torch.cat([value.flatten() for value in trainer.result.state_dict().values()])


def trained(modality, steps=8, **entries):
    with computing(1, 0, flush_denormals=True):
        trainer = start(recipe(modality, steps=steps, **entries), DATA[modality], Classify())
        trainer.run()
    return trainer


def test_every_strength_is_in_the_recipe():
    assert list(Augment.model_fields) == list(Strengths.__dataclass_fields__)
    assert {name for names in FIELDS.values() for name in names} | {"after"} == set(Augment.model_fields)


@pytest.mark.parametrize("modality", list(DATA))
def test_a_resolved_recipe_says_what_is_done(modality):
    resolved = recipe(modality)
    given = {name for name, value in resolved.augment if value is not None}
    assert given == FIELDS[modality] | {"after"}
    assert {name: getattr(resolved.augment, name) for name in given} == usual(DATA[modality], 4)
    assert resolved.augment.after == 300
    assert resolve(resolved, DATA[modality]) == resolved


def test_the_first_passes_are_plain():
    assert usual(DATA["text"], 1000)["after"] == 2000
    assert recipe("text", batch_size=1).augment.after == 300
    assert recipe("text", "augment.after=0").augment.after == 0


def test_one_is_switched_off_and_all_are():
    resolved = recipe("image", "augment.crop=0", "augment.mixup=0.3")
    assert resolved.augment.crop == 0
    assert resolved.augment.mixup == 0.3
    assert recipe("image", "augment=false").augment == OFF
    assert recipe("text", augment=False).augment == OFF
    assert recipe("image", "augment.flip=0.5").augment.flip == 0.5  # what a user asks for is not tried out


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("augment.mixupp=1", "did you mean mixup"),
        ("augment.crop=3", "augment.crop"),
        ("augment.token_dropout=0.1", "serves no image"),
    ],
)
def test_faults_are_told(change, told):
    with pytest.raises(InputError, match=told) as error:
        recipe("image", change)
    assert len(str(error.value).splitlines()) <= 3


def test_a_training_from_before_goes_on_without():
    fingerprint = DATA["text"].spec.fingerprint
    assert recipe("text", fingerprint=fingerprint).augment == OFF
    assert recipe("text", fingerprint=None).augment != OFF
    assert recipe("text", fingerprint=fingerprint, augment={"token_dropout": 0.1}).augment.token_dropout == 0.1


@pytest.mark.parametrize("modality", list(DATA))
def test_off_is_as_if_there_were_none(modality):
    nothing = dict.fromkeys([*FIELDS[modality], "after"], 0)
    assert torch.equal(weights(trained(modality, augment=nothing)), weights(trained(modality, augment=False)))
    assert torch.equal(weights(trained(modality, augment=STRONG[modality] | {"after": 8})),
                       weights(trained(modality, augment=False)))  # fmt: skip


@pytest.mark.parametrize("modality", list(DATA))
def test_a_checkpoint_goes_on_bit_for_bit(tmp_path, modality):
    strong = {"augment": STRONG[modality] | {"after": 2}}
    whole = trained(modality, **strong)
    assert not torch.equal(weights(whole), weights(trained(modality, augment=False)))
    with computing(1, 0, flush_denormals=True):
        part = start(recipe(modality, steps=8, **strong), DATA[modality], Classify())
        part.run(steps=5)
        save_checkpoint(part, tmp_path / "c")
    with computing(1, 7, flush_denormals=True):
        again = start(recipe(modality, steps=8, workers=2, **strong), DATA[modality], Classify())
        load_checkpoint(again, tmp_path / "c")
        again.run()
    assert torch.equal(weights(whole), weights(again))
    repeated = make({}, finished(whole).model_dump())
    assert repeated.augment == whole.recipe.augment


def test_a_loss_takes_class_numbers_and_shares():
    logits, task = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), Classify()
    numbers = torch.tensor([0, 2, 1, 1])
    sure = torch.nn.functional.one_hot(numbers, 3).float()
    other = sure[torch.tensor([1, 2, 3, 0])]
    loss = {
        name: task.loss(logits, Batch(logits, target=target))
        for name, target in (
            ("numbers", numbers),
            ("sure", sure),
            ("other", other),
            ("mixed", 0.3 * sure + 0.7 * other),
        )
    }
    assert loss["numbers"] == pytest.approx(loss["sure"])
    assert loss["mixed"] == pytest.approx(0.3 * loss["sure"] + 0.7 * loss["other"])


@pytest.mark.parametrize("modality", list(DATA))
def test_a_race_trains_with_the_default_and_scores_items_as_they_are(modality):
    dataset = DATA[modality]
    base = Options().recipe().model_copy(update={"model": "rnn/nano"})
    trial = Trial(base, dataset, Classify())
    assert {name: value for name, value in trial.recipe.augment if value is not None} == usual(dataset, 1)
    rows = dataset.rows("select")
    before = trial.scores(rows).metrics["loss"]
    trial.run(0.2, finish=False)
    assert (trial.scores(rows).metrics["loss"] != before).any()
    plain = next(iter(dataset.batches(rows)))
    assert not plain.target.is_floating_point()


def test_digits_are_resolved_without_flips():
    resolved = resolve(make({"model": "plain"}), prepare(open_source("digits")))
    assert resolved.augment.flip == 0
    assert "flip: 0.0" in to_yaml(resolved)
