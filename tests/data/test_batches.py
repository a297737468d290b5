import numpy as np
import pytest
import torch

from triarch.data.dataset import prepare
from triarch.data.open import open_source
from triarch.data.stream import Stream
from triarch.data.tokens import encode, fit_tokenizer


@pytest.fixture(scope="module", params=["digits", "japanese-vowels", "languages"])
def dataset(request):
    return prepare(open_source(request.param))


def test_batch_k_is_a_function_of_seed_and_k(dataset):
    far = Stream(dataset, 64, seed=3)[57]
    stream = Stream(dataset, 64, seed=3)
    for number in range(58):
        near = stream[number]
    assert torch.equal(near.items, far.items)
    assert torch.equal(near.input, far.input)
    assert not torch.equal(Stream(dataset, 64, seed=4)[57].items, far.items)


def test_an_epoch_takes_each_item_once(dataset):
    stream = Stream(dataset, 32, seed=0)
    for epoch in (0, 1):
        numbers = range(epoch * stream.per_epoch, (epoch + 1) * stream.per_epoch)
        items = torch.cat([stream[number].items for number in numbers])
        assert len(items) == len(items.unique())
        assert set(items.tolist()) <= set(dataset.splits["train"].tolist())


def test_padding_is_small(dataset):
    stream = Stream(dataset, 32, seed=0)
    batches = [stream[number] for number in range(stream.per_epoch)]
    real = sum(float(batch.mask.sum()) if batch.mask is not None else batch.input[..., 0].numel() for batch in batches)
    if dataset.spec.modality != "image":
        padded = sum(batch.input.shape[0] * batch.input.shape[1] for batch in batches)
        assert real / padded > 0.7


def test_small_data_make_small_batches():
    x = np.random.default_rng(0).normal(size=(20, 9))
    stream = Stream(prepare(open_source((x, np.arange(20) % 2))), 64, seed=0)
    assert len(stream[0]) == len(stream.items)
    assert stream.per_epoch == 1


@pytest.mark.parametrize("kind", ["characters", "bytes", "bpe"])
def test_tokenizers_give_the_text_back(kind):
    texts = ["Grüße, 世界!", "naïve café", " two  spaces\nand a line", "👩‍👩‍👧"]
    tokenizer = fit_tokenizer(kind, texts)
    for text, ids in zip(texts, encode(tokenizer, texts)):
        assert tokenizer.decode(ids.tolist()) == text
        if kind != "bpe":
            assert len(ids) == len(text if kind == "characters" else text.encode())


def test_unknown_characters_and_empty_texts():
    tokenizer = fit_tokenizer("characters", ["abc"])
    unknown = tokenizer.token_to_id("[UNK]")
    assert encode(tokenizer, [""])[0].tolist() == [unknown]
    assert encode(tokenizer, ["xb"])[0].tolist() == [unknown, tokenizer.token_to_id("b")]
    assert len(encode(tokenizer, ["a" * 100], max_len=7)[0]) == 7
