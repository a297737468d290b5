"""Low ranks as `peft` writes and reads them: its names and shapes, its formula, and what triarch does not compute."""

import json
from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForCausalLM

import triarch
from ship import foreign
from ship.test_headless import WORDS, bare
from triarch.core.errors import InputError

IDS = torch.tensor([[5, 6, 7, 8, 5, 5, 6, 8, 7]])
QUICK = {"steps": 4, "threads": 1, "adapt": "lora"}
HOW = ["optimiser.lr=0.02", "adapt.rank=6", "adapt.alpha=9"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A GPT-2 and a Llama with heads, and a BERT without, each tuned, with its adapters."""
    place = tmp_path_factory.mktemp("adapters")
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(WORDS[5:], 40)) for _ in range(90)]
    for case in ("GPT-2", "Llama"):
        bare(case, place / case)
        foreign.save(case, place / case)
        triarch.finetune(place / case, texts, task="language-model", set=HOW, out=place / f"{case} tuned", **QUICK)
    bare("BERT", place / "BERT")
    rows = [f"{' '.join(random.choice(WORDS[5:], 5))} {'ant' if row % 2 else 'bee'},{row % 2}" for row in range(160)]
    (place / "rows.csv").write_text("\n".join(["text,label", *rows]))
    triarch.finetune(place / "BERT", place / "rows.csv", set=HOW, out=place / "BERT tuned", **QUICK)
    for case in ("GPT-2", "Llama", "BERT"):
        told = triarch.export(place / f"{case} tuned", to="peft", out=place / f"{case} adapters")
        assert (told.layout, set(told.files)) == ("LoRA", {"adapter_config.json", "adapter_model.safetensors"})
    return place


def stored(folder):
    return json.loads((folder / "adapter_config.json").read_text()), load_file(folder / "adapter_model.safetensors")


def copy(folder, to, config=(), tensors=None):
    to.mkdir()
    told, found = stored(folder)
    (to / "adapter_config.json").write_text(json.dumps({**told, **dict(config)}))
    save_file(found if tensors is None else tensors(found), to / "adapter_model.safetensors")
    return to


def difference(made, expected):
    assert made.shape == expected.shape
    return (made - expected).abs().max().item() / max(1.0, expected.abs().max().item())


def test_names_and_shapes(place):
    config, tensors = stored(place / "Llama adapters")
    assert (config["peft_type"], config["task_type"], config["bias"]) == ("LORA", "CAUSAL_LM", "none")
    assert (config["r"], config["lora_alpha"], config["fan_in_fan_out"]) == (6, 9, False)
    assert config["modules_to_save"] == ["lm_head"]
    assert config["base_model_name_or_path"] == str(place / "Llama")
    first = "base_model.model.model.layers.0."
    assert tensors[f"{first}self_attn.k_proj.lora_A.weight"].shape == (6, 32)
    assert tensors[f"{first}self_attn.k_proj.lora_B.weight"].shape == (16, 6)
    assert tensors[f"{first}mlp.down_proj.lora_A.weight"].shape == (6, 48)
    assert tensors["base_model.model.lm_head.weight"].shape == (29, 32)
    assert len(tensors) == 3 * 7 * 2 + 1
    assert sorted(config["target_modules"]) == sorted(
        f"model.layers.{layer}.{part}_proj"
        for layer in range(3)
        for part in ("self_attn.q", "self_attn.k", "self_attn.v", "self_attn.o", "mlp.gate", "mlp.up", "mlp.down")
    )
    config, tensors = stored(place / "GPT-2 adapters")
    assert (config["fan_in_fan_out"], config["modules_to_save"]) == (True, None)
    assert tensors["base_model.model.transformer.h.0.attn.c_attn.lora_B.weight"].shape == (96, 6)
    config, tensors = stored(place / "BERT adapters")
    assert config["task_type"] == "FEATURE_EXTRACTION"
    assert tensors["base_model.model.encoder.layer.2.intermediate.dense.lora_B.weight"].shape == (48, 6)


def by_formula(model, folder):
    """Their model with what peft would add in its weights."""
    config, tensors = stored(folder)
    weights = dict(model.named_parameters())
    with torch.no_grad():
        for name, down in tensors.items():
            module = name.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
            if name.endswith(".lora_A.weight"):
                added = config["lora_alpha"] / len(down) * tensors[name.replace("lora_A", "lora_B")] @ down
                weights[f"{module}.weight"] += added.T if config["fan_in_fan_out"] else added
            elif not name.endswith(".lora_B.weight"):
                weights[module].copy_(down)
    return model.eval()


@pytest.mark.parametrize("case", ["GPT-2", "Llama"])
def test_what_is_added_makes_of_the_base_what_was_tuned(case, place):
    tuned = triarch.load(place / f"{case} tuned").logits(IDS)
    plain = triarch.load(place / case).logits(IDS)
    assert (tuned - plain).abs().max() > 0.1
    with torch.no_grad():
        theirs = by_formula(AutoModelForCausalLM.from_pretrained(place / case), place / f"{case} adapters")(IDS).logits
    assert difference(theirs, tuned) <= 1e-5
    assert difference(triarch.load(place / f"{case} adapters").logits(IDS), tuned) <= 1e-5
    assert difference(triarch.load(place / f"{case} adapters", base=place / case).logits(IDS), tuned) <= 1e-5


def test_a_chat_template_goes_along(place, tmp_path):
    asked = [" ".join(words) for words in product(WORDS[5:], repeat=3)]
    chats = [[{"role": "user", "content": one}, {"role": "assistant", "content": WORDS[5]}] for one in asked]
    frame = pd.DataFrame({"messages": chats})
    triarch.finetune(place / "GPT-2", frame, set=HOW, out=tmp_path / "tuned", **QUICK)
    told = triarch.export(tmp_path / "tuned", to="peft", out=tmp_path / "adapters")
    assert "chat_template.jinja" in told.files
    tuned, adapted = (triarch.load(tmp_path / name).preprocessor.settings.template for name in ("tuned", "adapters"))
    assert adapted == tuned
    assert triarch.load(place / "GPT-2").preprocessor.settings.template is None


def test_of_another_task_the_backbone(place):
    tuned = triarch.load(place / "BERT tuned").model.backbone(IDS)[0].values
    with torch.no_grad():
        theirs = by_formula(AutoModel.from_pretrained(place / "BERT"), place / "BERT adapters")(IDS).last_hidden_state
    assert difference(theirs, tuned) <= 1e-5
    assert difference(triarch.load(place / "BERT adapters").model.backbone(IDS)[0].values, tuned) <= 1e-5


@pytest.mark.parametrize("case", ["GPT-2", "Llama"])
def test_peft_itself(case, place, tmp_path):
    """Where it is installed, which it need not be."""
    peft = pytest.importorskip("peft")
    base = AutoModelForCausalLM.from_pretrained(place / case)
    with torch.no_grad():
        made = peft.PeftModel.from_pretrained(base, place / f"{case} adapters").eval()(IDS).logits
    assert difference(made, triarch.load(place / f"{case} tuned").logits(IDS)) <= 1e-5
    config = peft.LoraConfig(r=3, target_modules=["c_attn", "c_fc"] if case == "GPT-2" else ["q_proj", "up_proj"])
    theirs = peft.get_peft_model(AutoModelForCausalLM.from_pretrained(place / case), config).eval()
    for name, parameter in theirs.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    theirs.save_pretrained(tmp_path / "theirs")
    with torch.no_grad():
        assert difference(triarch.load(tmp_path / "theirs").logits(IDS), theirs(IDS).logits) <= 1e-5


def test_verbs_take_adapters_for_an_artifact(place, tmp_path):
    how = {"prompt": "ant bee", "max_tokens": 4, "temperature": 0.0}
    adapted, tuned = (triarch.generate(place / f"GPT-2 {kind}", **how).texts[0] for kind in ("adapters", "tuned"))
    assert adapted.text == tuned.text
    triarch.finetune(
        place / "BERT adapters", place / "rows.csv", adapt="head", steps=1, threads=1, out=tmp_path / "again"
    )
    again = triarch.load(tmp_path / "again").model.backbone(IDS)[0].values
    assert difference(again, triarch.load(place / "BERT tuned").model.backbone(IDS)[0].values) <= 1e-5


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("peft_type", "IA3"), ("bias", "all"), ("use_dora", True), ("use_rslora", True), ("alpha_pattern", {"q": 2}),
        ("init_lora_weights", "pissa"), ("lora_alpha", 0), ("brand_new", 1),
    ],
)  # fmt: skip
def test_what_it_does_not_compute_is_refused_by_name(field, value, place, tmp_path):
    folder = copy(place / "GPT-2 adapters", tmp_path / "odd", {field: value})
    with pytest.raises(InputError, match=f"adapter_config.json: field '{field}' is"):
        triarch.load(folder)


def first_of(found):
    return next(name for name in found if name.endswith("c_attn.lora_A.weight"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda found: {**found, "base_model.model.score.weight": torch.ones(2, 32)}, "no place for .*score.weight"),
        (lambda found: {name: value for name, value in found.items() if name != first_of(found)}, "no place for"),
        (lambda found: {**found, first_of(found): torch.ones(6, 31)}, r"shape \(96, 31\), the base's is \(96, 32\)"),
        (lambda found: {**found, first_of(found): torch.ones(6, 32, dtype=torch.int8)}, "not floats"),
        (lambda found: {**found, first_of(found): torch.ones(6, 32, 1)}, "no place for"),
        (lambda found: {**found, first_of(found): torch.ones(5, 32)}, "give the base"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(change, words, place, tmp_path):
    with pytest.raises(InputError, match=words):
        triarch.load(copy(place / "GPT-2 adapters", tmp_path / "odd", (), change))


def test_a_base_that_is_not_there(place, tmp_path):
    folder = copy(place / "GPT-2 adapters", tmp_path / "far", {"base_model_name_or_path": "org/name"})
    with pytest.raises(InputError, match="'org/name', which is no folder here"):
        triarch.load(folder)
    assert triarch.load(folder, base=place / "GPT-2").config.task == "language-model"
    with pytest.raises(InputError, match="which is no folder here"):
        triarch.load(copy(place / "GPT-2 adapters", tmp_path / "long", {"base_model_name_or_path": "x" * 5_000}))
    with pytest.raises(InputError, match="holds no adapters"):
        triarch.load(place / "GPT-2", base=place / "GPT-2")


def test_what_computes_otherwise_than_its_base_exports_none(place, tmp_path):
    """Positions for a longer context are settings, not weights: on the base the adapters would see others."""
    texts = [f"ant bee cat {number} " * 60 for number in range(90)]
    triarch.finetune(place / "Llama", texts, task="language-model", context=160, out=tmp_path / "tuned", **QUICK)
    with pytest.raises(InputError, match=r"rotary is .*, in the base .*: adapters would not"):
        triarch.export(tmp_path / "tuned", to="peft", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_has_no_adapters_exports_none(place, tmp_path):
    with pytest.raises(InputError, match="no low ranks"):
        triarch.export(place / "GPT-2", to="peft", out=tmp_path / "out")
    texts = [f"ant bee {number} " * 9 for number in range(90)]
    triarch.pretrain(texts, model="griffin/nano", steps=1, context=32, tokenizer="bytes", out=tmp_path / "base")
    triarch.finetune(tmp_path / "base", texts, task="language-model", out=tmp_path / "tuned", **QUICK)
    with pytest.raises(InputError, match=r"backbone\..* has no counterpart in RecurrentGemma that peft adds"):
        triarch.export(tmp_path / "tuned", to="peft", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
