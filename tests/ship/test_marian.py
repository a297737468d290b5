"""Marian both ways: equal logits and texts, tokenizers carried along, what triarch does not compute refused."""

import json
import re

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, MarianConfig, MarianMTModel

import triarch
from made.spelled import opened, pairs
from parity.compare import perturb
from ship.test_transformers_parity import difference
from triarch.core.errors import InputError
from triarch.core.types import Batch
from triarch.data.dataset import prepare
from triarch.model import build
from triarch.ship import artifact as artifacts
from triarch.ship.artifact import Artifact, new_config
from triarch.ship.transformers import write
from triarch.tasks.translate import Translate

WORDS = ["</s>", "<unk>", *"abcdefghijklmnopqrstuvwxyz", "<pad>"]
LIKE = {
    "vocab_size": len(WORDS), "d_model": 32, "encoder_layers": 2, "decoder_layers": 3, "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 40, "encoder_attention_heads": 4, "decoder_attention_heads": 2, "max_position_embeddings": 40,
    "pad_token_id": 28, "decoder_start_token_id": 28, "eos_token_id": 0, "forced_eos_token_id": 0,
    "activation_function": "swish",
}  # fmt: skip
CASES = {
    "one vocabulary": {"scale_embedding": True, "bad_words_ids": [[28]]},
    "a vocabulary each": {
        "share_encoder_decoder_embeddings": False, "decoder_vocab_size": 31, "decoder_start_token_id": 30,
        "activation_function": "relu",
    },
}  # fmt: skip
MARIAN = {"position": "sinusoidal-halves", "norm_first": False, "feed": "silu"}
OURS = {"source": MARIAN, "target": {**MARIAN, "norm": "layer", "bias": "all"}}
TEXTS = ["a bee", "some ants do", "q"]


def theirs(case, folder):
    """Saved as `save_pretrained` does, every parameter of weight, with a tokenizer.json where one serves both."""
    torch.manual_seed(0)
    model = MarianMTModel(MarianConfig(**{**LIKE, **CASES[case]})).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                std = 0.3 if parameter.ndim == 1 else parameter[0].numel() ** -0.5
                parameter.add_(torch.randn_like(parameter), alpha=std)
        model.final_logits_bias.normal_()
    model.save_pretrained(folder)
    if case == "one vocabulary":
        tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="<unk>"))
        tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
        tokenizer.decoder = decoders.Fuse()
        tokenizer.add_special_tokens(["</s>", "<unk>", "<pad>"])
        tokenizer.post_processor = TemplateProcessing("$A </s>", "$A $B </s>", [("</s>", 0)])
        (folder / "tokenizer.json").write_text(tokenizer.to_str())
    return model


def asked(sources=29, answers=28, steps=20):
    """Source ids, their mask, and what is given of the answers."""
    generator = torch.Generator().manual_seed(1)
    real = torch.arange(steps) < torch.tensor([[steps], [3], [7]])
    source, given = (torch.randint(most, (3, steps), generator=generator) for most in (sources, answers))
    return source, real, given


def logits(model, ids, real, given):
    with torch.no_grad():
        if isinstance(model, Artifact):
            return model.model(Batch(ids, real, given=given))
        return model(input_ids=ids, attention_mask=real.long(), decoder_input_ids=given).logits


def reopened(folder):
    model, said = AutoModelForSeq2SeqLM.from_pretrained(folder, output_loading_info=True)
    assert not any(said.values()), said
    assert type(model) is MarianMTModel
    return model.eval()


@pytest.mark.parametrize("case", CASES)
def test_theirs_opened_here_and_written_again(case, tmp_path):
    expected = logits(theirs(case, tmp_path / "theirs"), *asked())
    opened_here = triarch.load(tmp_path / "theirs")
    assert opened_here.config.model == "encoder+decoder/nano"
    assert difference(logits(opened_here, *asked()), expected) <= 1e-5
    again = write(opened_here, tmp_path / "again")
    assert difference(logits(reopened(again), *asked()), expected) <= 1e-5
    assert difference(logits(triarch.load(again), *asked()), expected) <= 1e-5


def test_it_translates_as_theirs_does(tmp_path):
    model = theirs("one vocabulary", tmp_path / "theirs")
    opened_here = triarch.load(tmp_path / "theirs")
    reader = opened_here.preprocessor.reader
    expected = []
    for text in TEXTS:
        ids = torch.tensor([reader.encode(text).ids])
        assert ids[0, -1] == 0
        row = model.generate(ids, num_beams=1, do_sample=False, max_length=41, forced_eos_token_id=None)[0]
        expected.append(reader.decode(row.tolist()))
    assert opened_here.translate(TEXTS) == expected
    told = triarch.predict(write(opened_here, tmp_path / "again"), TEXTS, threads=1)
    assert [one.text for one in told.predictions] == expected
    artifacts.save(opened_here, tmp_path / "kept", "", TEXTS)
    assert triarch.load(tmp_path / "kept").translate(TEXTS) == expected


@pytest.fixture(scope="module")
def ours():
    """A pair of ours with a tokenizer for each side, every parameter of weight."""
    dataset = prepare(opened(pairs(200)))
    task = Translate(dataset.spec)
    torch.manual_seed(0)
    model = build("encoder+decoder", "nano", task, dataset.spec, OURS)
    perturb(model)
    return Artifact(
        new_config("encoder+decoder", "nano", OURS, task, dataset.spec), model.eval(), task, dataset.preprocessor
    )


def test_ours_written_and_opened_there(ours, tmp_path):
    folder = write(ours, tmp_path / "out")
    given = asked(ours.config.spec.vocab_size, ours.config.spec.target.vocab_size, 10)
    expected = logits(ours, *given)
    model, back = reopened(folder), triarch.load(folder)
    assert difference(logits(model, *given), expected) <= 1e-5
    assert difference(logits(back, *given), expected) <= 1e-5
    words = ["abc", "fedcba"]
    assert back.translate(words) == ours.translate(words)
    reader, writer = AutoTokenizer.from_pretrained(folder), Tokenizer.from_file(str(folder / "answers.tokenizer.json"))
    for word, answer in zip(words, ours.translate(words)):
        ids = torch.tensor([reader(word)["input_ids"]])
        row = model.generate(ids, num_beams=1, do_sample=False, max_new_tokens=ours.config.spec.target.max_len)[0]
        assert writer.decode(row.tolist()) == answer


def test_it_learns_on(tmp_path):
    """From the token that begins answers, which is not the one that ends them."""
    theirs("one vocabulary", tmp_path / "theirs")
    table = tmp_path / "pairs.csv"
    pairs(60).assign(letters=lambda frame: frame["word"].str[::-1]).to_csv(table, index=False)
    columns = {"input": "word", "target": "letters"}
    triarch.finetune(tmp_path / "theirs", table, steps=2, threads=1, out=tmp_path / "tuned", **columns)
    tuned = triarch.load(tmp_path / "tuned")
    assert (tuned.config.spec.target.first, tuned.config.spec.target.end) == (28, 0)
    assert triarch.export(tmp_path / "tuned", out=tmp_path / "again").layout == "marian"
    dataset = prepare(opened(pairs(60).assign(letters="ab")), preprocessor=tuned.preprocessor, learned=True)
    batch = tuned.task.prepare(dataset.batch(dataset.rows("train")[:1]))
    assert (batch.given.tolist(), batch.target.tolist()) == ([[28, 2, 3]], [[2, 3, 0]])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("activation_function", "gelu"),
        ("activation_function", ["swish"]),
        ("normalize_before", True),
        ("add_final_layer_norm", True),
        ("decoder_vocab_size", 30),
        ("decoder_attention_heads", 5),
        ("eos_token_id", -1),
        ("decoder_start_token_id", 29),
        ("tie_word_embeddings", False),
        ("is_encoder_decoder", False),
        ("brand_new", 1),
    ],
)
def test_fields_that_change_answers_are_refused_by_name(field, value, tmp_path):
    theirs("one vocabulary", tmp_path / "theirs")
    path = tmp_path / "theirs" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    with pytest.raises(InputError, match=re.escape(f"config.json: field '{field}' is {value!r}")):
        triarch.load(tmp_path / "theirs")


def test_tokenizers_that_are_missing(tmp_path):
    theirs("a vocabulary each", tmp_path / "theirs")
    with pytest.raises(InputError, match=r"without a tokenizer\.json"):
        triarch.predict(tmp_path / "theirs", ["ab"])
    (tmp_path / "theirs" / "source.spm").write_bytes(b"")
    with pytest.raises(InputError, match=r"source\.spm, of sentencepiece.*\n.*tokenizer\.json"):
        triarch.load(tmp_path / "theirs")
    theirs("one vocabulary", tmp_path / "other")
    (tmp_path / "theirs" / "tokenizer.json").write_text((tmp_path / "other" / "tokenizer.json").read_text())
    with pytest.raises(InputError, match=r"there is no answers\.tokenizer\.json"):
        triarch.load(tmp_path / "theirs")


def test_a_pair_that_is_made_otherwise_is_refused(ours, tmp_path):
    settings = {"source": MARIAN, "target": {**OURS["target"], "norm_first": True}}
    config = new_config("encoder+decoder", "nano", settings, ours.task, ours.config.spec)
    with pytest.raises(InputError, match=r"Marian: it would be trained with --set settings\.target\.norm_first=false"):
        write(Artifact(config, ours.model, ours.task, ours.preprocessor), tmp_path / "out")
