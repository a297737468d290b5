import math

import pytest
import torch

from triarch.core.machine import computing
from triarch.data.dataset import prepare
from triarch.data.nominal import nominal_source
from triarch.tasks.classify import Classify
from triarch.training.checkpoint import load_checkpoint, save_checkpoint
from triarch.training.loop import Diverged
from triarch.training.recipe import make
from triarch.training.start import finished, resolve, start

DATA = {modality: prepare(nominal_source(modality)) for modality in ("image", "text", "series")}


def trainer(changes=(), modality="series", model="tcn/nano"):
    dataset = DATA[modality]
    entries = {"model": model, "batch_size": 16, "settings": {"dropout": 0.2}}
    recipe = resolve(make(entries, changes), dataset)
    return start(recipe, dataset, Classify())


def weights(trained):
    return torch.cat([value.flatten() for value in trained.result.state_dict().values()])


def trained(changes, **run):
    with computing(1, 0, flush_denormals=True):
        made = trainer(changes)
        made.run(**run)
    return made


def test_same_seed_same_bits():
    first, second = (trained({"steps": 8}) for _ in range(2))
    assert torch.equal(weights(first), weights(second))
    assert first.step == 8


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"average": 0.9},
        {"optimiser.name": "sgd"},
        {"optimiser.name": "sgd", "optimiser.momentum": 0},
        {"optimiser.name": "muon", "model": "mingru/nano"},
        {"precision": "bfloat16"},
    ],
    ids=["adamw", "average", "sgd", "plain sgd", "muon", "bfloat16"],
)
@pytest.mark.parametrize("stop", [1, 5])
def test_a_checkpoint_goes_on_bit_for_bit(tmp_path, changes, stop):
    whole = trained({**changes, "steps": 12})
    with computing(1, 0, flush_denormals=True):
        part = trainer({**changes, "steps": 12})
        part.run(steps=stop)
        save_checkpoint(part, tmp_path / "c")
    with computing(1, 7, flush_denormals=True):  # another place of the generator
        again = trainer({**changes, "steps": 12})
        load_checkpoint(again, tmp_path / "c")
        again.run()
    assert again.step == 12
    assert torch.equal(weights(whole), weights(again))


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_a_checkpoint_of_kernels_laid_out_channels_last(tmp_path, name):
    def new():
        return trainer({"steps": 6, "optimiser.name": name}, "image", "resnet/nano")

    with computing(1, 0, flush_denormals=True):
        whole = new()
        whole.run()
    with computing(1, 0, flush_denormals=True):
        part = new()
        part.run(steps=3)
        save_checkpoint(part, tmp_path / "c")
        again = new()
        load_checkpoint(again, tmp_path / "c")
        again.run()
    assert not whole.model.backbone.stages[1][0].last.conv.weight.is_contiguous()
    assert torch.equal(weights(whole), weights(again))


def test_workers_change_no_bit():
    none, two = trained({"steps": 12}), trained({"steps": 12, "workers": 2})
    assert torch.equal(weights(none), weights(two))


def test_steps_repeat_what_seconds_did():
    timed = trained({"seconds": 1.0})
    recipe = finished(timed)
    repeated = trained({"steps": recipe.steps, "schedule": recipe.schedule.model_dump()})
    assert repeated.step == timed.step
    assert torch.equal(weights(timed), weights(repeated))


def test_steps_repeat_what_a_deadline_cut_short():
    cut = trained({"seconds": 1.0, "schedule.decay": 0.6}, seconds=1.0, deadline=0.7)
    assert cut.total is not None
    assert cut.step < cut.total
    recipe = finished(cut)
    assert recipe.schedule.steps == cut.total
    repeated = trained({"steps": recipe.steps, "schedule": recipe.schedule.model_dump()}, steps=recipe.steps)
    assert torch.equal(weights(cut), weights(repeated))


def test_time_is_kept():
    timed = trained({"seconds": 1.5}, seconds=1.5)
    assert timed.total == timed.step
    assert 1.0 < timed.elapsed < 5.0


@pytest.mark.parametrize("rate", [10.0])
def test_divergence_ends_the_training(rate):
    with computing(1, 0), pytest.raises(Diverged) as error:
        trainer({"steps": 500, "optimiser.name": "sgd", "optimiser.lr": rate, "clip": None, "schedule.warmup": 0}).run()
    assert error.value.step < 500
    assert error.value.lr == pytest.approx(rate)


def test_not_a_number_ends_the_training():
    with computing(1, 0):
        made = trainer({"steps": 5})
        with torch.no_grad():
            next(made.model.parameters()).fill_(math.nan)
        with pytest.raises(Diverged, match="nan"):
            made.run()


def test_average_is_what_is_kept():
    made = trained({"steps": 10, "average": 0.9})
    assert not torch.equal(weights(made), torch.cat([value.flatten() for value in made.model.state_dict().values()]))


def test_torch_is_left_as_it_was():
    torch.manual_seed(3)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    trained({"steps": 2})
    assert torch.equal(before, torch.get_rng_state())
    assert torch.get_num_threads() == threads
    assert (torch.tensor(1e-40) * 1.0).item() != 0
