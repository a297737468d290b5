"""Equal logits both ways: their folder opened here, our folder opened there, for every layout; tokenizers too."""

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer, PreTrainedTokenizerFast

import triarch
from parity.compare import perturb
from ship.foreign import CASES, save
from triarch.core.spec import Logits, Spec, Target
from triarch.data.preprocess import Preprocessor, Settings
from triarch.data.tokens import encode, fit_tokenizer, marked
from triarch.model import build
from triarch.ship import artifact as artifacts
from triarch.ship.artifact import Artifact, new_config
from triarch.ship.transformers import write
from triarch.tasks import registry as tasks

TEXTS = ["The same weights give the same numbers.", "Los mismos pesos dan los mismos números.", "123 – 456"] * 40
GPT2 = {"position": "learned", "norm": "layer", "feed": "gelu", "bias": "all"}
BERT = {"position": "learned", "norm_first": False, "embed_norm": True}
OURS = [
    ("decoder", "nano", {}, "LlamaForCausalLM"),
    ("decoder", "nano", {"bias": "all", "num_kv_heads": 1, "head_dim": 10, "eps": 1e-4}, "LlamaForCausalLM"),
    ("decoder", "nano", {"rotary": {"base": 1e5, "factor": 8.0, "trained": 16}}, "LlamaForCausalLM"),
    ("decoder", "nano", {"rotary": {"factor": 2.0}}, "LlamaForCausalLM"),
    ("decoder", "micro", {"bias": "qkv"}, "Qwen2ForCausalLM"),
    ("decoder", "nano", {"bias": "qkv", "window": 6}, "Qwen2ForCausalLM"),
    ("decoder", "nano", {"window": 6}, "MistralForCausalLM"),
    ("decoder", "nano", GPT2, "GPT2LMHeadModel"),
    ("mamba2", "nano", {"num_groups": 2, "dt_limits": (0.01, 0.5)}, "Mamba2ForCausalLM"),
    ("griffin", "nano", {"window": 5}, "RecurrentGemmaForCausalLM"),
    ("encoder", "nano", BERT, "BertForMaskedLM"),
    ("encoder", "micro", {**BERT, "kinds": 3, "eps": 1e-6}, "BertForMaskedLM"),
]


def ours(architecture, size="nano", settings=(), logits=None, task=None):
    """An artifact of a language model whose every parameter matters."""
    torch.manual_seed(0)
    settings = dict(settings)
    tokenizer = marked(fit_tokenizer("bpe", TEXTS))
    logits = logits or Logits(eps=settings.get("eps", 1e-5) if architecture == "encoder" else 1e-5)
    mask = tokenizer.token_to_id("[MASK]")
    size_of = tokenizer.get_vocab_size()
    spec = Spec("texts", "text", (48,), Target("token", mask=mask, logits=logits), ragged=True, vocab_size=size_of)
    task = tasks.find(task or ("masked-model" if architecture == "encoder" else "language-model"), spec)
    model = build(architecture, size, task, spec, settings)
    perturb(model)
    config = new_config(architecture, size, settings, task, spec)
    return Artifact(config, model.eval(), task, Preprocessor(Settings("text", (48,)), tokenizer))


def difference(made, expected):
    """The greatest, where numbers are about 1; both must say something."""
    assert made.shape == expected.shape
    assert expected.std() > 0.3
    return (made - expected).abs().max().item() / max(1.0, expected.abs().max().item())


def reopened(folder):
    """The folder as Transformers opens it; nothing may be missing, or left over."""
    kind = AutoModelForMaskedLM if "Bert" in (folder / "config.json").read_text() else AutoModelForCausalLM
    model, said = kind.from_pretrained(folder, output_loading_info=True)
    for name, found in said.items():
        assert not found, (name, found)
    return model.eval()


@pytest.mark.parametrize("case", CASES)
def test_theirs_opened_here_and_written_again(case, tmp_path):
    theirs = save(case, tmp_path / "theirs")
    ids = torch.randint(29, (3, 64), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = theirs(ids).logits
    opened = triarch.load(tmp_path / "theirs")
    assert difference(opened.logits(ids), expected) <= 1e-5
    again = reopened(write(opened, tmp_path / "again"))
    assert type(again) is type(theirs)
    with torch.no_grad():
        assert difference(again(ids).logits, expected) <= 1e-5


@pytest.mark.parametrize(("architecture", "size", "settings", "kind"), OURS, ids=str)
def test_ours_written_and_opened_there(architecture, size, settings, kind, tmp_path):
    artifact = ours(architecture, size, settings)
    ids = torch.randint(artifact.config.spec.vocab_size, (3, 48), generator=torch.Generator().manual_seed(1))
    expected = artifact.logits(ids)
    theirs = reopened(write(artifact, tmp_path / "out"))
    assert type(theirs).__name__ == kind
    with torch.no_grad():
        assert difference(theirs(ids).logits, expected) <= 1e-5
    assert difference(triarch.load(tmp_path / "out").logits(ids), expected) <= 1e-5


@pytest.mark.parametrize("architecture", ["decoder", "mamba2", "griffin"])
def test_logits_of_their_own_and_capped(architecture, tmp_path):
    artifact = ours(architecture, logits=Logits(tied=False) if architecture != "griffin" else Logits(soft_cap=2.0))
    ids = torch.randint(artifact.config.spec.vocab_size, (2, 20))
    theirs = reopened(write(artifact, tmp_path / "out"))
    with torch.no_grad():
        assert difference(theirs(ids).logits, artifact.logits(ids)) <= 1e-5


@pytest.mark.parametrize("architecture", ["decoder", "encoder"])
def test_the_tokenizer_goes_along(architecture, tmp_path):
    artifact = ours(architecture, settings=BERT if architecture == "encoder" else {})
    write(artifact, tmp_path / "out")
    expected = [ids.tolist() for ids in encode(artifact.preprocessor.tokenizer, TEXTS[:3])]
    back = triarch.load(tmp_path / "out").preprocessor.tokenizer
    assert [ids.tolist() for ids in encode(back, TEXTS[:3])] == expected
    for kind in (AutoTokenizer, PreTrainedTokenizerFast):
        theirs = kind.from_pretrained(tmp_path / "out")
        assert theirs(TEXTS[:3])["input_ids"] == expected
        assert theirs.decode(expected[1], skip_special_tokens=True) == TEXTS[1]
        assert (theirs.pad_token_id, theirs.eos_token, theirs.mask_token) == (0, "[END]", "[MASK]")


def test_what_was_opened_can_be_kept_as_an_artifact(tmp_path):
    theirs = write(ours("griffin", logits=Logits(soft_cap=2.0)), tmp_path / "theirs")
    opened = triarch.load(theirs)
    artifacts.save(opened, tmp_path / "kept", "", TEXTS[:2])
    kept = triarch.load(tmp_path / "kept")
    ids = torch.arange(12).reshape(1, -1)
    assert torch.equal(kept.logits(ids), opened.logits(ids))
    assert triarch.verify(tmp_path / "kept").ok
