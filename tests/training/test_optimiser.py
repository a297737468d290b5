import numpy as np
import pytest
import torch
from torch import nn

from made.spelled import opened, pairs
from triarch.core.errors import InputError
from triarch.data.corpora.corpus import from_documents
from triarch.data.dataset import prepare
from triarch.data.nominal import nominal_source
from triarch.tasks.classify import Classify
from triarch.tasks.language_model import LanguageModel
from triarch.tasks.masked_model import MaskedModel
from triarch.tasks.translate import Translate
from triarch.training.optimiser import Muon
from triarch.training.recipe import make
from triarch.training.start import resolve, start

TEXT = prepare(nominal_source("text"))
PAIRS = prepare(opened(pairs(200)))
DRAWN = np.random.default_rng(0)
WORDS = prepare(
    from_documents("words", [" ".join(DRAWN.choice(["ant", "bee", "cat"], 40)) for _ in range(60)], "bytes", 32)
)


def trainer(changes, model="encoder/nano", settings=None, weights=None):
    recipe = resolve(make({"model": model, "settings": settings or {"dropout": 0.0}, "batch_size": 8}, changes), TEXT)
    torch.manual_seed(0)
    return start(recipe, TEXT, Classify(), weights)


def test_muon_moves_matrices_between_input_and_head_and_adamw_the_rest():
    ours = trainer({"optimiser.name": "muon", "optimiser.momentum": 0.95, "optimiser.lr": 0.01, "steps": 4})
    theirs = trainer({"optimiser.lr": 0.01, "steps": 4})
    inner = [module.weight for module in theirs.model.backbone.modules() if type(module) is nn.Linear]
    others = [p for p in theirs.model.parameters() if all(p is not one for one in inner)]
    assert inner
    assert any(p is theirs.model.head.linear.weight for p in others)
    parts = [
        torch.optim.Muon(inner, lr=0.01, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(
            [
                {"params": [p for p in others if p.ndim >= 2], "weight_decay": 0.01},
                {"params": [p for p in others if p.ndim < 2], "weight_decay": 0.0},
            ],
            lr=0.01,
        ),
    ]

    class Both:
        def __init__(self):
            self.param_groups = [group for part in parts for group in part.param_groups]

        def zero_grad(self):
            for part in parts:
                part.zero_grad()

        def step(self):
            for part in parts:
                part.step()

    theirs.optimiser = Both()
    before = [p.detach().clone() for p in ours.model.parameters()]
    ours.run()
    theirs.run()
    for one, other, was in zip(ours.model.parameters(), theirs.model.parameters(), before):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)  # Muon multiplies in bfloat16
        assert not torch.equal(one, was)


def test_a_step_of_muon_is_as_large_as_one_of_adamw():
    made = trainer(
        {"optimiser.name": "muon", "optimiser.lr": 0.01, "optimiser.weight_decay": 0, "schedule.warmup": 0, "steps": 1}
    )
    before = {name: p.detach().clone() for name, p in made.model.named_parameters()}
    made.run()
    for name, parameter in made.model.named_parameters():
        if name.startswith("backbone.") and name.endswith(".weight") and parameter.ndim == 2 and "embed" not in name:
            moved = (parameter - before[name]).square().mean().sqrt().item()
            assert 0.1 < moved / 0.01 < 0.3, name


@pytest.mark.parametrize("model", ["convnext/nano", "lstm/nano", "encoder/nano"])
def test_muon_takes_any_family(model):
    made = trainer({"optimiser.name": "muon", "steps": 6}, model, {})
    made.run()
    assert isinstance(made.optimiser, Muon)
    assert made.smooth_loss > 0


@pytest.mark.parametrize(
    ("model", "method"), [("tcn/nano", "full"), ("encoder/nano", "head"), ("encoder/nano", "lora")]
)
def test_muon_without_a_matrix_is_refused(model, method):
    weights = trainer({}, model).model.state_dict()
    with pytest.raises(InputError, match="muon moves matrices"):
        trainer({"optimiser.name": "muon", "adapt.method": method}, model, weights=weights)


def test_muon_fine_tunes_stage_by_stage():
    weights = trainer({}).model.state_dict()
    changes = {"optimiser.name": "muon", "adapt.method": "gradual", "steps": 20, "schedule.warmup": 0}
    made = trainer(changes, weights=weights)
    before = {name: value.clone() for name, value in made.model.state_dict().items()}
    moved = []
    for steps in (2, 20):
        made.run(steps=steps)
        moved.append({name for name, value in made.model.named_parameters() if not torch.equal(value, before[name])})
    lowest, top = "backbone.embed.project.weight", "head.linear.weight"
    assert lowest not in moved[0]
    assert top in moved[0]
    assert lowest in moved[1]


@pytest.mark.parametrize(
    ("task", "model"),
    [
        (LanguageModel, "decoder/nano"),
        (LanguageModel, "mingru/nano"),
        (LanguageModel, "lstm/nano"),
        (LanguageModel, "tcn/nano"),
        (MaskedModel, "encoder/nano"),
        (Translate, "gru+gru/nano"),
        (Translate, "encoder+decoder/nano"),
        (Translate, "tcn+tcn/nano"),
    ],
)
def test_language_is_learned_in_bfloat16(task, model):
    dataset = PAIRS if task is Translate else WORDS
    made = task(dataset.spec)
    losses = []
    for precision in ("float32", "bfloat16"):
        recipe = resolve(make({"model": model, "batch_size": 8, "precision": precision}), dataset)
        torch.manual_seed(0)
        trainer = start(recipe, dataset, made)
        first = []
        trainer.run(steps=8, after_step=lambda at, first=first: bool(first.append(at.loss)))
        losses.append(first)
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


def test_bfloat16_learns_about_the_same():
    losses = []
    for precision in ("float32", "bfloat16"):
        made = trainer({"precision": precision, "steps": 20})
        made.run()
        losses.append(made.smooth_loss)
        assert {p.dtype for p in made.model.parameters()} == {torch.float32}
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.1)
