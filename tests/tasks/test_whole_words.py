"""Words that are hidden whole."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from triarch.core.errors import InputError
from triarch.core.spec import Spec, Target
from triarch.core.types import NOTHING, Batch
from triarch.data.corpora.fitted import fit
from triarch.data.words import words
from triarch.tasks.masked_model import MaskedModel, most

# 0 to 3 stand for no text, 4 and 5 begin a word that may go on, 6 and 7 go on, 8 is a point.
SPEC = Spec("t", "text", (64,), Target("token", special=(0, 1, 2, 3), mask=3, words="000022330"), vocab_size=9)


def drawn(words_of: list[list[int]], rows: int, seed: int = 0, spec: Spec = SPEC) -> tuple[torch.Tensor, Batch]:
    """The words' tokens after [END], row after row the same, and what is made of them."""
    ids = torch.tensor([[2, *(token for word in words_of for token in word), 2]] * rows)
    return ids[:, 1:], MaskedModel(spec).prepare(Batch(ids), torch.Generator().manual_seed(seed))


def test_words_are_sought_whole_and_no_more_than_fifteen_percent() -> None:
    lengths = [1 + number % 4 for number in range(80)]
    said = [[4 + number % 2, *[6 + number % 2] * (length - 1)] for number, length in enumerate(lengths)]
    ids, batch = drawn(said, 50)
    assert batch.target is not None
    sought = batch.target.ne(NOTHING)
    assert (batch.target == ids)[sought].all()
    number = torch.repeat_interleave(torch.arange(len(said)), torch.tensor(lengths))
    for row in sought[:, :-1]:
        assert len({bool(one) for one in row[number == 0]}) == 1
        of_words = torch.zeros(len(said)).scatter_add(0, number, row.float())
        assert set((of_words / torch.tensor(lengths)).tolist()) <= {0.0, 1.0}
    counts, limit = sought.sum(dim=1), round(0.15 * sum(lengths))
    assert counts.max() <= limit <= most(ids.shape[1])
    assert counts.min() > limit - 4
    assert not sought[:, -1].any()


def test_one_draw_decides_how_a_word_is_shown() -> None:
    said = [[4 + number % 2, 6, 7] for number in range(60)]
    ids, batch = drawn(said, 400, seed=1)
    assert batch.target is not None
    sought = batch.target.ne(NOTHING)[:, :-1].view(400, 60, 3)[:, :, 0]
    shown = batch.input[:, :-1].view(400, 60, 3)[sought]
    were = ids[:, :-1].view(400, 60, 3)[sought]
    masked = shown.eq(3)
    assert (masked.all(dim=1) == masked.any(dim=1)).all()
    kept = shown.eq(were).all(dim=1)
    hidden = masked.all(dim=1).float().mean()
    assert len(shown) == 400 * 9
    assert abs(hidden - 0.8) < 0.02
    # Of the 10% that are swapped 1 in 125 comes out as it was: three tokens, each one of five.
    assert abs(kept.float().mean() - 0.1) < 0.02
    assert not shown[~masked.all(dim=1)].lt(4).any()


def test_what_is_not_hidden_ends_words_and_padding_is_never_sought() -> None:
    ids = torch.tensor([[2, 4, 6, 2, 6, 6, 8, 0, 0, 0]])
    task = MaskedModel(SPEC)
    free = torch.tensor([[True, True, False, True, True, True, False, False, False]])
    assert task._first(ids[:, 1:], free).tolist() == [[0, 0, 2, 3, 3, 5, 6, 7, 8]]
    mask = torch.tensor([[True] * 7 + [False] * 3])
    for seed in range(40):
        batch = task.prepare(Batch(ids, mask), torch.Generator().manual_seed(seed))
        assert batch.target is not None
        sought = batch.target[0].ne(NOTHING).nonzero().flatten().tolist()
        assert len(sought) == 1  # a word longer than all that is sought is sought in part
        assert sought[0] in (0, 3, 5)


def test_without_words_it_is_as_it_was() -> None:
    plain = replace(SPEC, target=replace(SPEC.target, words=""))
    alone = replace(SPEC, target=replace(SPEC.target, words="0" * 9))
    made = [drawn([[4, 6, 6, 8]] * 15, 4, seed=3, spec=spec)[1] for spec in (plain, alone)]
    for one, other in zip(*(batch.tensors().values() for batch in made)):
        assert torch.equal(one, other)


def parted(tokenizer: Tokenizer, text: str) -> list[str]:
    """The text in words, by the digits of its tokens."""
    kinds = words(tokenizer, "t")
    found, is_open = list[tuple[int, int]](), False
    encoding = tokenizer.encode(text, add_special_tokens=False)
    for number, (start, stop) in zip(encoding.ids, encoding.offsets):
        if found and is_open and int(kinds[number]) & 1:
            found[-1] = found[-1][0], stop
        else:
            found.append((start, stop))
        is_open = bool(int(kinds[number]) & 2)
    return [said for start, stop in found if (said := text[start:stop].strip(" "))]


def test_words_of_bytes_that_were_joined() -> None:
    text = "the gardener's unbelievable größe, x_1 = f(12)\n"
    tokenizer = fit("bpe", ["the the theme then"] * 9)
    assert len(tokenizer.encode(text).ids) > 30
    wanted = ["the", "gardener", "'", "s", "unbelievable", "größe", ",", "x", "_", "1", "=", "f", "(", "12", ")", "\n"]
    assert parted(tokenizer, text) == wanted


def test_words_of_wordpiece_and_sentencepiece() -> None:
    known = ["[UNK]", "un", "##believ", "##able", ",", "yes"]
    pieces = Tokenizer(models.WordPiece({one: number for number, one in enumerate(known)}, unk_token="[UNK]"))
    pieces.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    assert parted(pieces, "unbelievable, yes") == ["unbelievable", ",", "yes"]
    units = ["▁", "▁un", "believ", "able", ",", "▁yes", "y"]
    sentence = Tokenizer(models.Unigram([("<unk>", 0.0), *((one, -1.0) for one in units)], 0))
    sentence.normalizer = normalizers.Replace(" ", "▁")
    sentence.decoder = decoders.Metaspace()
    assert parted(sentence, " unbelievable, y yes") == ["unbelievable", ",", "y", "yes"]


@pytest.mark.parametrize("kind", ["bytes", "characters"])
def test_where_there_are_no_words_it_is_told(kind: str) -> None:
    with pytest.raises(InputError, match="no words"):
        words(fit(kind, ["some text of words"] * 3), "t")
