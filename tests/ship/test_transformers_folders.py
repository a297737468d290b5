"""Folders of Transformers that are odd, broken or not to be written are refused by name; nothing is left half done."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

import triarch
from ship import foreign
from ship.test_transformers_parity import BERT, GPT2, difference, ours, reopened
from triarch.core.errors import InputError
from triarch.ship import transformers
from triarch.ship.transformers import read_backbone, write

IDS = torch.arange(24).reshape(2, 12)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """case → its folder; not to be changed."""
    folders = {}

    def get(case):
        if case not in folders:
            folders[case] = tmp_path_factory.mktemp("theirs") / "model"
            foreign.save(case, folders[case])
        return folders[case]

    return get


def copy(folder, to, config=(), weights=None, files=()):
    """A copy with some fields changed (None takes one out), other tensors, or other files."""
    to.mkdir()
    fields = {**json.loads((folder / "config.json").read_text()), **dict(config)}
    (to / "config.json").write_text(json.dumps({name: value for name, value in fields.items() if value is not ...}))
    tensors = load_file(folder / "model.safetensors")
    save_file(tensors if weights is None else weights(tensors), to / "model.safetensors")
    for name, content in dict(files).items():
        (to / name).write_text(content)
    return to


def refused(folder, *words):
    with pytest.raises(InputError) as fault:
        triarch.load(folder)
    told = str(fault.value)
    assert len(told.splitlines()) == 2, told
    for word in words:
        assert word in told, told


ODD = [
    ("GPT-2", "activation_function", "relu"),
    ("GPT-2", "scale_attn_by_inverse_layer_idx", True),
    ("GPT-2", "scale_attn_weights", False),
    ("GPT-2", "add_cross_attention", True),
    ("GPT-2", "n_embd", "32"),
    ("GPT-2", "n_layer", -3),
    ("GPT-2", "n_head", 5),
    ("Llama", "num_attention_heads", 5),
    ("Llama", "num_key_value_heads", 3),
    ("BERT", "num_attention_heads", 5),
    ("RecurrentGemma", "num_attention_heads", 5),
    ("GPT-2", "layer_norm_epsilon", float("nan")),
    ("GPT-2", "tie_word_embeddings", "yes"),
    ("GPT-2", "brand_new", 1),
    ("GPT-2", "auto_map", {"AutoModel": "code.Model"}),
    ("GPT-2", "quantization_config", {"bits": 4}),
    ("GPT-2", "architectures", ["GPT2ForSequenceClassification"]),
    ("GPT-2", "model_type", "gpt_neo"),
    ("Llama", "hidden_act", "gelu"),
    ("Llama", "mlp_bias", True),
    ("Llama", "rope_parameters", {"rope_type": "yarn", "factor": 2.0, "rope_theta": 1e4}),
    ("Llama", "rope_parameters", "default"),
    ("Llama", "rope_scaling", {"rope_type": "linear", "factor": 2.0}),
    ("Llama", "sliding_window", 8),
    ("Mistral", "layer_types", ["full_attention"] * 3),
    ("Qwen2 with a window", "max_window_layers", 2),
    ("BERT", "position_embedding_type", "relative_key"),
    ("BERT", "hidden_act", "relu"),
    ("BERT", "is_decoder", True),
    ("Mamba-2", "use_bias", True),
    ("Mamba-2", "layer_norm_epsilon", 1e-3),
    ("Mamba-2", "num_heads", 5),
    ("Mamba-2", "time_step_limit", [2.0, 1.0]),
    ("RecurrentGemma", "num_key_value_heads", 2),
    ("RecurrentGemma", "block_types", ["recurrent", "attention"]),
    ("RecurrentGemma", "lru_width", 64),
]


@pytest.mark.parametrize(("case", "field", "value"), ODD, ids=str)
def test_fields_that_change_answers_are_refused_by_name(case, field, value, saved, tmp_path):
    refused(copy(saved(case), tmp_path / "odd", {field: value}), field, repr(value)[:20])


def test_fields_that_do_not_fit_together(saved, tmp_path):
    refused(copy(saved("Llama"), tmp_path / "odd", {"head_dim": 7}), "config.json", "even width", "bring back the file")


def test_harmless_fields_are_passed_over(saved, tmp_path):
    harmless = {"use_cache": False, "transformers_version": "4.1", "torch_dtype": "float16", "top_k": 3, "n_ctx": 80}
    folder = copy(saved("GPT-2"), tmp_path / "same", {**harmless, "resid_pdrop": 0.9})
    assert torch.equal(triarch.load(folder).logits(IDS), triarch.load(saved("GPT-2")).logits(IDS))


def test_fields_as_older_files_have_them(saved, tmp_path):
    """Rotary positions were two fields; the class was not always named."""
    told = json.loads((saved("Llama 3") / "config.json").read_text())["rope_parameters"]
    scaling = {("type" if name == "rope_type" else name): value for name, value in told.items() if name != "rope_theta"}
    older = {"rope_parameters": ..., "rope_theta": told["rope_theta"], "rope_scaling": scaling, "architectures": ...}
    folder = copy(saved("Llama 3"), tmp_path / "older", older)
    assert torch.equal(triarch.load(folder).logits(IDS), triarch.load(saved("Llama 3")).logits(IDS))


def renamed(old, new):
    return lambda tensors: {name.replace(old, new): value for name, value in tensors.items()}


def test_tensors_as_older_files_have_them(saved, tmp_path):
    """Norms had a gamma and a beta; the pooler, the mask of attention and numbers of places are passed over."""
    older = {"bert.pooler.dense.weight": torch.ones(32, 32), "bert.embeddings.position_ids": torch.arange(80)[None]}
    names = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}

    def change(tensors):
        for new, old in names.items():
            tensors = renamed(new, old)(tensors)
        return {**tensors, **older}

    folder = copy(saved("BERT"), tmp_path / "bert", weights=change)
    assert torch.equal(triarch.load(folder).logits(IDS), triarch.load(saved("BERT")).logits(IDS))
    mask = {f"h.{layer}.attn.bias": torch.ones(1, 1, 80, 80) for layer in range(3)}
    folder = copy(
        saved("GPT-2"), tmp_path / "gpt2", {"architectures": ["GPT2Model"]},
        weights=lambda tensors: {**renamed("transformer.", "")(tensors), **mask},
    )  # fmt: skip
    assert torch.equal(triarch.load(folder).logits(IDS), triarch.load(saved("GPT-2")).logits(IDS))


def test_weights_of_16_bits_are_read_in_32(saved, tmp_path):
    half = copy(saved("Llama"), tmp_path / "half", weights=lambda t: {k: v.bfloat16() for k, v in t.items()})
    full = copy(saved("Llama"), tmp_path / "full", weights=lambda t: {k: v.bfloat16().float() for k, v in t.items()})
    made = triarch.load(half).logits(IDS)
    assert made.dtype == torch.float32
    assert torch.equal(made, triarch.load(full).logits(IDS))


def test_shards_are_read_and_written(tmp_path):
    theirs = foreign.save("Qwen2", tmp_path / "theirs", "20KB")
    assert len(list((tmp_path / "theirs").glob("model-*.safetensors"))) > 2
    opened = triarch.load(tmp_path / "theirs")
    with torch.no_grad():
        assert difference(opened.logits(IDS), theirs(IDS).logits) <= 1e-5
    write(opened, tmp_path / "out", most=20_000)
    files = sorted((tmp_path / "out").glob("model-*.safetensors"))
    assert len(files) > 2
    assert all(file.stat().st_size < 24_000 for file in files)
    with torch.no_grad():
        assert difference(reopened(tmp_path / "out")(IDS).logits, opened.logits(IDS)) <= 1e-5
    assert torch.equal(triarch.load(tmp_path / "out").logits(IDS), opened.logits(IDS))
    files[1].unlink()
    refused(tmp_path / "out", files[1].name, "missing")


@pytest.mark.parametrize("place", ["../model.safetensors", "/etc/passwd", "model.bin", 3])
def test_an_index_leads_nowhere_else(place, saved, tmp_path):
    folder = copy(saved("GPT-2"), tmp_path / "inside")
    (folder / "model.safetensors").rename(tmp_path / "model.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"wte.weight": place}}))
    with pytest.raises(InputError, match=r"wte.weight is said to lie in"):
        triarch.load(folder)


def test_pickles_are_not_opened(saved, tmp_path):
    folder = copy(saved("GPT-2"), tmp_path / "old", files={"pytorch_model.bin": "cos\nsystem\n(S'false'\ntR."})
    (folder / "model.safetensors").unlink()
    refused(folder, "pytorch_model.bin", "save_pretrained")
    (folder / "pytorch_model.bin").unlink()
    refused(folder, "model.safetensors")


def test_files_that_do_not_fit_are_refused_before_they_are_read(saved, tmp_path, monkeypatch):
    monkeypatch.setattr(transformers.Tensors, "read", lambda *_: pytest.fail("was read"))
    refused(copy(saved("GPT-2"), tmp_path / "wide", {"n_embd": 1 << 20}), "wte.weight", "(29, 32)", "1048576")
    refused(copy(saved("GPT-2"), tmp_path / "deep", {"n_layer": 1 << 30}), "1,073,741,824 layers")
    folder = copy(saved("GPT-2"), tmp_path / "less", weights=lambda t: {k: v for k, v in t.items() if "ln_f" not in k})
    refused(folder, "transformer.ln_f.weight")
    folder = copy(saved("GPT-2"), tmp_path / "more", weights=lambda t: {**t, "transformer.h.0.adapter": torch.ones(2)})
    refused(folder, "transformer.h.0.adapter")


def test_broken_files_are_refused(saved, tmp_path):
    folder = copy(saved("GPT-2"), tmp_path / "cut")
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])
    refused(folder, "model.safetensors", "fetch it again")
    whole = copy(saved("GPT-2"), tmp_path / "ints", weights=lambda t: {k: v.to(torch.int8) for k, v in t.items()})
    refused(whole, "I8", "quantised")
    refused(copy(saved("GPT-2"), tmp_path / "words", files={"tokenizer.json": "{}"}), "tokenizer.json")


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(saved, tmp_path):
    words = ours("decoder").preprocessor.tokenizer.to_str()
    refused(copy(saved("GPT-2"), tmp_path / "words", files={"tokenizer.json": words}), "tokens", "29")


def test_a_backbone_alone_is_opened_as_one(saved, tmp_path):
    bare = {"architectures": ["BertModel"]}
    folder = copy(
        saved("BERT"), tmp_path / "bert", bare,
        weights=lambda t: {k.removeprefix("bert."): v for k, v in t.items() if k.startswith("bert.")},
    )  # fmt: skip
    backbone, spec = read_backbone(folder)
    assert (spec.max_len, spec.vocab_size) == (80, 29)
    whole = triarch.load(saved("BERT")).model.backbone
    assert torch.equal(backbone(IDS)[0].values, whole(IDS)[0].values)


def test_without_a_tokenizer_there_are_logits_but_no_text(saved):
    folder = saved("GPT-2")
    assert triarch.load(folder).logits(IDS).shape == (2, 12, 29)
    with pytest.raises(InputError, match="places that were learned"):
        triarch.load(folder).logits(torch.ones(1, 500, dtype=torch.long))
    with pytest.raises(InputError, match=r"tokenizer\.json"):
        triarch.evaluate(folder, ["a text\n" * 9] * 5)
    with pytest.raises(InputError, match=r"tokenizer\.json"):
        triarch.generate(folder, prompt="a text")


@pytest.mark.parametrize(
    ("architecture", "settings", "words"),
    [
        ("lstm", {}, ["lstm/nano", "language-model", "decoder for language-model", "encoder for masked-model"]),
        (
            "encoder",
            {},
            ["BERT: it would be trained with", "--set settings.norm_first=false --set settings.embed_norm=true"],
        ),
        ("encoder", {**BERT, "position": "alibi"}, ["--set settings.position=learned"]),
        ("decoder", {**GPT2, "window": 4}, ["--set settings.window=null", "Llama"]),
        ("decoder", {"position": "sinusoidal"}, ["GPT-2", "position=learned", "Llama", "position=rotary"]),
    ],
)
def test_what_has_no_counterpart_is_refused_by_name(architecture, settings, words, tmp_path):
    with pytest.raises(InputError) as fault:
        write(ours(architecture, settings=settings), tmp_path / "out")
    assert all(word in str(fault.value) for word in words), fault.value
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(InputError, match="not an empty folder"):
        write(ours("decoder"), tmp_path / "mine")
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "thesis.txt"]


def test_an_interrupted_export_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(folder, *_):
        (folder / "model.safetensors").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(transformers, "write_shards", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(ours("decoder"), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_transformers_itself_is_not_needed(saved, tmp_path):
    code = (
        "import sys; sys.modules['transformers'] = sys.modules['huggingface_hub'] = None\n"
        f"import triarch; triarch.export({str(saved('Llama'))!r}, out={str(tmp_path / 'out')!r})"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (tmp_path / "out" / "model.safetensors").is_file()
