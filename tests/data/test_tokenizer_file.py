"""Anyone's tokenizer.json."""

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from triarch.core.errors import InputError
from triarch.data.corpora.fitted import fit
from triarch.data.tokenizer_file import read_tokenizer
from triarch.data.tokens import end_of


def words(*special):
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, "and": 1, "bytes": 2}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(list(special))
    return tokenizer


@pytest.mark.parametrize("end", ["[END]", "<|endoftext|>", "</s>"])
def test_the_end_is_found_whatever_it_is_called(tmp_path, end):
    words(end).save(str(tmp_path / "tokenizer.json"))
    tokenizer, notes = read_tokenizer(tmp_path / "tokenizer.json")
    assert end_of(tokenizer) == 3
    assert f"{end} between documents" in notes[0]
    assert notes[1:] == ["[MASK] is added to it as number 4"]


@pytest.mark.parametrize("end", ["<|eot|>", "<｜end▁of▁sentence｜>", "<EOS>", "<end>"])
def test_an_end_that_nobody_listed_is_known_by_its_name(end):
    assert end_of(words("<begin>", end)) == 4
    assert end_of(words(end, "</s>")) == 4


def test_what_only_sounds_like_an_end_is_none():
    assert end_of(words("<|start_header_id|>", "<|end_header_id|>", "<legend>", "<sender>")) is None


def test_a_missing_end_is_added_after_the_last(tmp_path):
    words().save(str(tmp_path / "tokenizer.json"))
    tokenizer, notes = read_tokenizer(tmp_path / "tokenizer.json")
    assert end_of(tokenizer) == 3
    assert notes[1:] == ["[END] is added to it as number 3", "[MASK] is added to it as number 4"]


def test_cutting_and_filling_up_are_left_out(tmp_path):
    tokenizer = words("</s>")
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding(length=9)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 3)])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    read, _ = read_tokenizer(tmp_path / "tokenizer.json")
    assert read.encode("and bytes and", add_special_tokens=False).ids == [1, 2, 1]


def test_ours_comes_back_as_it_was(tmp_path):
    made = fit("bpe", ["some text to learn from"])
    made.save(str(tmp_path / "a.json"))
    assert read_tokenizer(tmp_path / "a.json")[0].to_str() == made.to_str()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        ("{}", "no tokenizer.json"),
        ('{"a": 1, "the": 2}', "not a vocabulary"),
        ("a b", "no tok"),
    ],
)
def test_what_is_none_is_told(tmp_path, content, said):
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=said) as told:
        read_tokenizer(path)
    assert str(path) in str(told.value)
    assert len(str(told.value).splitlines()) <= 5
