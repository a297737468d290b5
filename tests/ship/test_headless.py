"""Backbones without a head, of Transformers and of sentence-transformers: features, and what is made of them."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from transformers import AutoModel

import triarch
from ship import foreign
from triarch.core.errors import InputError
from triarch.ship import artifact as artifacts

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "ant", "bee", "cat", "dog"]
TEXTS = ["ant bee", "cat", "dog dog ant bee cat"]
CASES = {"BERT": "BertModel", "Llama": "LlamaModel", "Mistral": "MistralModel", "Mamba-2": "Mamba2Model"}


def bare(case, folder):
    """Saved as the model without its head is, with a tokenizer of nine words."""
    model = foreign.make(case)
    backbone = getattr(model, model.base_model_prefix)
    backbone.save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(WORDS[:5])
    if case == "BERT":
        around = [("[CLS]", 2), ("[SEP]", 3)]
        tokenizer.post_processor = TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", around)
    (folder / "tokenizer.json").write_text(tokenizer.to_str())
    return backbone


def steps(backbone, folder, text):
    """Theirs of each token (T D)."""
    ids = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text).ids
    with torch.no_grad():
        return backbone(torch.tensor([ids])).last_hidden_state[0]


@pytest.mark.parametrize("case", CASES)
def test_features_are_theirs(case, tmp_path):
    backbone = bare(case, tmp_path / "theirs")
    assert type(backbone).__name__ == CASES[case]
    opened = triarch.load(tmp_path / "theirs")
    assert opened.config.task == "features"
    expected = [steps(backbone, tmp_path / "theirs", text) for text in TEXTS]
    expected = [values.mean(dim=0) if case == "BERT" else values[-1] for values in expected]
    made = torch.from_numpy(opened.features(TEXTS))
    assert (made - torch.stack(expected)).abs().max() <= 1e-5
    assert made.std() > 0.1
    assert opened.features([]).shape == (0, made.shape[1])
    if case != "Mamba-2":
        artifacts.save(opened, tmp_path / "kept", "", TEXTS)
        assert np.allclose(triarch.load(tmp_path / "kept").features(TEXTS), made, atol=1e-6)
        assert triarch.verify(tmp_path / "kept").ok


@pytest.mark.parametrize("case", ["BERT", "Llama", "Mistral", "Mamba-2"])
def test_they_are_written_as_theirs(case, tmp_path):
    backbone = bare(case, tmp_path / "theirs")
    triarch.export(tmp_path / "theirs", out=tmp_path / "out")
    model, said = AutoModel.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert type(model) is type(backbone)
    assert not said["unexpected_keys"]
    assert all(name.startswith("pooler.") for name in said["missing_keys"])
    ids = torch.tensor([[5, 6, 7, 8, 6]])
    with torch.no_grad():
        made, expected = (one.eval()(ids).last_hidden_state for one in (model, backbone))
    assert (made - expected).abs().max() <= 1e-5


def test_a_head_that_is_its_embedding_is_there(tmp_path):
    """Tied, so nothing is missing: it goes on with a text."""
    bare("GPT-2", tmp_path / "theirs")
    assert triarch.load(tmp_path / "theirs").config.task == "language-model"
    assert triarch.generate(tmp_path / "theirs", prompt="ant", max_tokens=2).texts


def test_what_needs_a_head_is_refused(tmp_path):
    bare("Llama", tmp_path / "theirs")
    refused = {
        "does not go on with a text": lambda folder: triarch.generate(folder, prompt="ant"),
        "no head and gives features": lambda folder: triarch.predict(folder, TEXTS),
        "none are right or wrong": lambda folder: triarch.evaluate(folder, [*TEXTS] * 3),
        "no scores for tokens": lambda folder: triarch.load(folder).logits([[5, 6]]),
    }
    for words, call in refused.items():
        with pytest.raises(InputError, match=words) as fault:
            call(tmp_path / "theirs")
        assert len(str(fault.value).splitlines()) == 2


@pytest.mark.parametrize("case", ["BERT", "Llama"])
def test_it_learns_a_task(case, tmp_path):
    bare(case, tmp_path / "theirs")
    random = np.random.default_rng(0)
    rows = [f"{' '.join(random.choice(WORDS[5:], 5))} {'ant' if row % 2 else 'bee'},{row % 2}" for row in range(160)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,label", *rows]))
    done = triarch.finetune(
        tmp_path / "theirs", tmp_path / "rows.csv", adapt="head", steps=2, threads=1, out=tmp_path / "tuned"
    )
    assert done.notes == ["new: the head"]
    tuned = load_file(tmp_path / "tuned" / "model.safetensors")
    for name, value in triarch.load(tmp_path / "theirs").weights().items():
        assert torch.equal(value, tuned[name]), name


@pytest.mark.slow
def test_describe(tmp_path):
    bare("BERT", tmp_path / "theirs")
    told = triarch.describe(str(tmp_path / "theirs"))
    assert told.params == sum(value.numel() for value in triarch.load(tmp_path / "theirs").weights().values())
    assert told.training_macs > 2 * told.macs > 0


def sentences(folder, modules=("Transformer", "Pooling"), pooling=None, cut=None):
    backbone = bare("BERT", folder)
    places = {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize"}
    told = [{"idx": number, "name": str(number), "path": places.get(name, "3_Other"),
             "type": f"sentence_transformers.models.{name}"} for number, name in enumerate(modules)]  # fmt: skip
    (folder / "modules.json").write_text(json.dumps(told))
    (folder / "1_Pooling").mkdir()
    pooling = {"pooling_mode_mean_tokens": True} if pooling is None else pooling
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 32, **pooling}))
    if cut:
        (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": cut, "do_lower_case": False}))
    return backbone


def test_sentence_vectors(tmp_path):
    backbone = sentences(tmp_path / "theirs", ("Transformer", "Pooling", "Normalize"), cut=4)
    made = triarch.load(tmp_path / "theirs").features(["ant bee"])[0]
    expected = steps(backbone, tmp_path / "theirs", "ant bee").mean(dim=0)
    assert np.allclose(made, (expected / expected.norm()).numpy(), atol=1e-5)
    opened = triarch.load(tmp_path / "theirs")
    assert opened.config.spec.max_len == 80
    assert np.array_equal(opened.features(["ant bee cat dog"]), opened.features(["ant bee cat ant ant"]))
    backbone = sentences(tmp_path / "first", pooling={"pooling_mode_cls_token": True})
    first = triarch.load(tmp_path / "first").features(["ant bee", "cat"])
    assert np.allclose(first[0], steps(backbone, tmp_path / "first", "ant bee")[0].numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("modules", "pooling", "words"),
    [
        (("Transformer", "Pooling", "Dense"), None, "modules.json: there is a part 'Dense'"),
        (("Transformer", "Pooling"), {"pooling_mode_max_tokens": True}, "made by max_tokens"),
        (("Transformer", "Pooling"), {"pooling_mode_lasttoken": True}, "made of the last"),
        (("Transformer", "Pooling"), {"pooling_mode_mean_tokens": True, "new": 1}, "field 'new' is 1"),
        (("Transformer", "Pooling"), {"pooling_mode": ["mean"]}, "field 'pooling_mode' is"),
    ],
)
def test_vectors_made_otherwise_are_refused(modules, pooling, words, tmp_path):
    sentences(tmp_path / "theirs", modules, pooling)
    with pytest.raises(InputError, match=words):
        triarch.load(tmp_path / "theirs")


def test_paths_lead_nowhere_else(tmp_path):
    sentences(tmp_path / "theirs")
    told = [{"type": "sentence_transformers.models.Transformer", "path": "../other"}]
    (tmp_path / "theirs" / "modules.json").write_text(json.dumps(told))
    with pytest.raises(InputError, match="leads out of the folder"):
        triarch.load(tmp_path / "theirs")
    told[0]["path"] = "x" * 5_000
    (tmp_path / "theirs" / "modules.json").write_text(json.dumps(told))
    with pytest.raises(InputError, match="cannot be read"):
        triarch.load(tmp_path / "theirs")


def test_a_tensor_too_many_is_refused(tmp_path):
    """Also without a head: the backbone would compute otherwise."""
    bare("Llama", tmp_path / "theirs")
    path = tmp_path / "theirs" / "model.safetensors"
    save_file({**load_file(path), "layers.0.adapter.weight": torch.ones(2, 2)}, path)
    with pytest.raises(InputError, match=r"no place for the tensor model\.layers\.0\.adapter"):
        triarch.load(tmp_path / "theirs")
