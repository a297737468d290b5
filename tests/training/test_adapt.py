"""Fine-tuning: what is taken over, what changes, and what comes out."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import triarch
from triarch.core.errors import InputError
from triarch.core.spec import Logits, Spec, Target, reference
from triarch.core.types import Batch
from triarch.model import build
from triarch.tasks.classify import Classify
from triarch.tasks.language_model import LanguageModel
from triarch.tasks.translate import Translate
from triarch.training.adapt import adapt, adapter, matrices, merge, paces, stages, take_over, trained_params
from triarch.training.recipe import Adapt

MODELS = ["encoder", "decoder", "lstm", "gru", "mingru", "mamba2", "tcn", "textcnn", "griffin"]


def network(name="encoder", classes=4, seed=0):
    torch.manual_seed(seed)
    return build(name, "nano", Classify(), reference("text", classes))


def batch():
    return Batch(
        torch.randint(0, 256, (3, 20), generator=torch.Generator().manual_seed(1)), None, torch.tensor([0, 1, 2])
    )


@pytest.mark.parametrize("name", MODELS)
def test_low_ranks_begin_with_nothing_and_merge_to_the_same(name):
    model, one = network(name).eval(), batch()
    plain = model(one)
    adapt(model, Adapt(method="lora", rank=2))
    assert torch.allclose(model(one), plain, atol=1e-6)
    for parameter in model.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.1)
    changed = model(one)
    assert not torch.allclose(changed, plain, atol=1e-3)
    names = set(network(name).state_dict())
    assert torch.allclose(merge(model)(one), changed, atol=1e-6)
    assert set(model.state_dict()) == names


@pytest.mark.parametrize("name", MODELS)
def test_low_ranks_learn_and_nothing_else_of_the_backbone(name):
    model, one = network(name), batch()
    adapt(model, Adapt(method="lora", rank=2))
    Classify().loss(model(one), one).backward()
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert {name for name, parameter in model.named_parameters() if parameter.grad is not None} == trained
    assert all(name.startswith("head.") or name.endswith((".up", ".down")) for name in trained)
    assert set(adapter(model)) == trained
    assert len(trained) > len(list(model.head.parameters()))


def test_a_low_rank_is_the_formula():
    model = network()
    (module, name), *_ = matrices(model.backbone)
    weight = getattr(module, name).detach().clone()
    adapt(model, Adapt(method="lora", rank=3, alpha=6))
    part = module.parametrizations[name][0]
    torch.nn.init.normal_(part.up)
    assert torch.allclose(getattr(module, name), weight + 2 * part.up @ part.down)


def test_head_leaves_the_backbone():
    model = network()
    adapt(model, Adapt(method="head"))
    assert trained_params(model) == sum(parameter.numel() for parameter in model.head.parameters())


def test_a_head_that_shares_the_table_of_tokens_learns_that():
    spec = Spec("x", "text", (16,), Target("token", special=(0, 1)), False, 20, 8, "", "")
    model = build("decoder", "nano", LanguageModel(), spec)
    assert not list(model.head.parameters())
    adapt(model, Adapt(method="head"))
    learned = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert learned == ["backbone.embed.project.weight"]


def test_gradual_goes_from_the_head_down():
    model = network("decoder")
    found = paces(model, Adapt(method="gradual", layer_decay=0.5))
    assert sum(len(group) for group, _ in found) == len(list(model.parameters()))
    assert len(found) == len(stages(model))
    begins, scales = [pace["begins"] for _, pace in found], [pace["scale"] for _, pace in found]
    assert begins == sorted(begins, reverse=True)
    assert begins[-1] == 0
    assert scales == [0.5 ** (len(found) - 1 - place) for place in range(len(found))]


def test_take_over():
    old, new = network(classes=4, seed=0), network(classes=7, seed=1)
    head = copy.deepcopy(new.head.state_dict())
    told = take_over(new, old.state_dict(), "old")
    assert told == ["new: the head"]
    for name, value in new.backbone.state_dict().items():
        assert torch.equal(value, old.backbone.state_dict()[name])
    assert all(torch.equal(value, head[name]) for name, value in new.head.state_dict().items())
    same = network(classes=4, seed=2)
    assert take_over(same, old.state_dict(), "old") == []


def test_a_vocabulary_keeps_its_rows_in_the_head_too():
    def model(vocab_size, seed):
        torch.manual_seed(seed)
        target = Target("token", logits=Logits(tied=False))
        return build("decoder", "nano", LanguageModel(), Spec("t", "text", (8,), target, vocab_size=vocab_size))

    old, new = model(11, 0), model(13, 1)
    told = take_over(new, old.state_dict(), "old")
    assert told == ["new: 2 rows of backbone.embed.project.weight, 2 rows of head.vocabulary.embedding.weight"]
    for name in ("backbone.embed.project.weight", "head.vocabulary.embedding.weight"):
        assert torch.equal(new.state_dict()[name][:11], old.state_dict()[name])


def pair():
    torch.manual_seed(0)
    target = Target("text", vocab_size=9, max_len=7, end=2)
    return build("gru+gru", "nano", Translate(), Spec("t", "text", (8,), target, vocab_size=11))


@pytest.mark.parametrize("method", ["head", "lora"])
def test_what_a_pair_reads_with_stays_too(method):
    model = pair()
    adapt(model, Adapt(method=method))
    names = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    shared = {"backbone.embed.project.weight"} if method == "head" else set()  # by a head that reads it backwards
    assert shared <= names
    assert all(name.startswith("head.") or name.endswith((".up", ".down")) for name in names - shared)
    parts = {name.partition(".")[0] for name in adapter(model)} - {"head"}
    assert parts == ({"source", "backbone"} if method == "lora" else set())


def test_gradual_reaches_all_of_a_pair():
    model = pair()
    found = [parameter for group, _ in paces(model, Adapt(method="gradual")) for parameter in group]
    assert {id(parameter) for parameter in found} == {id(parameter) for parameter in model.parameters()}


def test_another_backbone_is_refused():
    with pytest.raises(InputError, match="another backbone"):
        take_over(network("lstm"), network("gru").state_dict(), "gru/nano")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    out = tmp_path_factory.mktemp("base") / "out"
    texts = [" ".join(np.random.default_rng(number).choice(["ant", "bee", "cat"], 30)) for number in range(90)]
    triarch.pretrain(texts, objective="masked", model="encoder/nano", tokenizer="bytes", steps=3, context=32, out=out)
    return out


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    path = tmp_path_factory.mktemp("labelled") / "labelled.csv"
    random = np.random.default_rng(0)
    rows = [f"{'ant bee' if number % 2 else 'cat'} {random.integers(1e6)},{number % 2}" for number in range(200)]
    path.write_text("\n".join(["text,label", *rows]))
    return path


@pytest.mark.parametrize("way", ["full", "head", "gradual", "lora"])
def test_finetune(way, base, labelled, tmp_path):
    before = load_file(base / "model.safetensors")
    done = triarch.finetune(base, labelled, adapt=way, steps=30, out=tmp_path / "out", target="label")
    after = load_file(tmp_path / "out" / "model.safetensors")
    same = all(torch.equal(after[name], before[name]) for name in after if name.startswith("backbone."))
    assert same == (way == "head")
    assert triarch.verify(tmp_path / "out").ok
    assert triarch.evaluate(tmp_path / "out").n > 0
    assert (tmp_path / "out" / "run" / "adapter.safetensors").exists() == (way == "lora")
    assert (done.trained_params < done.params) == (way in ("head", "lora"))
    assert done.notes == ["new: the head"]
    assert "Fine-tuned from out" in (tmp_path / "out" / "README.md").read_text()
    if way == "full":
        assert done.score > 0.9
        other = triarch.train(recipe=tmp_path / "out" / "run" / "recipe.yaml", out=tmp_path / "again")
        assert other.score == done.score


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"adapt": "half"}, "no such way"),
        ({"adapt": "gradual", "seconds": 5.0}, "its end"),
        ({"adapt": "lora", "set": ["adapt.rank=0"]}, "rank"),
        ({"target": "label", "set": ["tokenizer=characters"]}, "keeps its tokenizer"),
        ({"target": "label", "set": {"context": 64}}, "keeps its context"),
    ],
)
def test_bad_options(base, labelled, tmp_path, options, said):
    with pytest.raises(InputError, match=said):
        triarch.finetune(base, labelled, out=tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_list_of_texts_is_learned_as_the_models_own_was(base, tmp_path):
    texts = [" ".join(np.random.default_rng(number).choice(["ant", "bee", "dog"], 30)) for number in range(90)]
    done = triarch.finetune(base, texts, steps=2, out=tmp_path / "out")
    assert done.metric.name == "loss"


@pytest.mark.parametrize("form", ["folder", "file", "lines"])
def test_text_without_labels_is_learned_as_the_models_own_was(form, base, tmp_path):
    texts = [" ".join(map(str, np.random.default_rng(number).integers(1_000_000, size=30))) for number in range(90)]
    data = tmp_path / {"folder": "texts", "file": "a.py", "lines": "a.jsonl"}[form]
    if form == "folder":
        data.mkdir()
        for number, text in enumerate(texts):
            (data / f"{number}.txt").write_text(text)
    else:
        data.write_text("\n".join(texts if form == "file" else [json.dumps({"text": text}) for text in texts]))
    done = triarch.finetune(base, data, steps=2, out=tmp_path / "out")
    assert done.metric.name == "loss"
    assert triarch.load(tmp_path / "out").task.name == "masked-model"


def test_other_data_is_refused(base):
    with pytest.raises(InputError, match="holds image"):
        triarch.finetune(base, "digits", steps=1)


def test_batches_are_those_of_the_data_not_of_the_model(base, labelled, tmp_path):
    """Else fine-tuning would make other steps of an epoch than training anew does."""
    texts = [f"ant bee cat {number} " * 9 for number in range(90)]
    triarch.train(labelled, model="encoder/nano", steps=1, target="label", out=tmp_path / "anew")
    triarch.finetune(base, labelled, steps=1, target="label", out=tmp_path / "tuned")
    triarch.finetune(base, texts, steps=1, out=tmp_path / "texts")
    recipes = {out.name: (out / "run" / "recipe.yaml").read_text() for out in tmp_path.iterdir()}
    for name, size in {"anew": 64, "tuned": 64, "texts": 16}.items():
        assert f"batch_size: {size}" in recipes[name]
