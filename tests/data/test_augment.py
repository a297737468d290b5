"""What each variation does to a batch, and that a batch is a function of (seed, k) alone."""

import numpy as np
import pytest
import torch

from triarch.core.machine import computing
from triarch.core.types import Batch
from triarch.data.augment.augmenter import Augmenter, Strengths, usual
from triarch.data.augment.images import crop, erase, flip, mix, shares
from triarch.data.augment.mirror import mirror
from triarch.data.augment.series import jitter, magnitude_warp, time_warp
from triarch.data.augment.texts import token_dropout
from triarch.data.dataset import prepare
from triarch.data.open import open_source
from triarch.data.stream import Stream

STRONG = {
    "digits": {"crop": 0.2, "flip": 0.5, "erase": 0.5, "mixup": 0.4, "cutmix": 1.0},
    "japanese-vowels": {"time_warp": 0.5, "magnitude_warp": 0.3, "jitter": 0.1},
    "languages": {"token_dropout": 0.2},
}
K = 5


@pytest.fixture(scope="module", params=list(STRONG))
def dataset(request):
    return prepare(open_source(request.param))


def stream(dataset, seed=3, **strengths):
    return Stream(dataset, 32, seed, augment=Augmenter(Strengths(**strengths), dataset))


def equal(first, second):
    assert torch.equal(first.input, second.input)
    assert torch.equal(first.target, second.target)
    assert torch.equal(first.items, second.items)
    assert (first.mask is None) == (second.mask is None)
    assert first.mask is None or torch.equal(first.mask, second.mask)


def random(number=0):
    return np.random.default_rng(number)


def images(number=64, channels=3, rows=9, columns=13):
    x = torch.arange(number * channels * rows * columns).float().view(number, channels, rows, columns)
    return Batch(x, target=torch.arange(number) % K)


def ragged(channels=2):
    lengths = torch.tensor([1, 2, 3, 17, 40, 40, 8, 25])
    mask = torch.arange(40) < lengths[:, None]
    x = torch.randn(8, 40, channels, generator=torch.Generator().manual_seed(0)) * mask[:, :, None]
    return Batch(x, mask, torch.arange(8) % K), lengths


def test_batch_k_is_a_function_of_seed_and_k(dataset):
    strong = STRONG[dataset.spec.name]
    near = stream(dataset, **strong)
    for number in (0, 1, 57, 300):
        made = near[number]
    equal(made, stream(dataset, **strong)[300])
    plain = stream(dataset)[300]
    assert torch.equal(made.items, plain.items)
    assert not torch.equal(made.input, plain.input)
    other = stream(dataset, seed=4, **strong)
    same_items = Augmenter(Strengths(**strong), dataset)
    assert not torch.equal(same_items(plain, 4, 300).input, same_items(plain, 3, 300).input)
    assert not torch.equal(same_items(plain, 3, 301).input, same_items(plain, 3, 300).input)
    assert not torch.equal(other[300].items, made.items)


def test_neither_workers_nor_threads_change_a_bit(dataset):
    made = stream(dataset, **STRONG[dataset.spec.name])
    alone, several = made.start(2), made.start(2, workers=2)
    for _ in range(6):
        equal(next(alone), next(several))
    with computing(1):
        one = made[5]
    with computing(2):
        equal(one, made[5])


def test_no_other_generator_is_drawn_from_and_no_item_is_changed(dataset):
    before, kept = torch.get_rng_state(), dataset.batch(dataset.rows("all"))
    np.random.seed(1)
    place = np.random.get_state()[2]
    made = stream(dataset, **STRONG[dataset.spec.name])
    for number in range(made.per_epoch):
        made[number]
    assert torch.equal(before, torch.get_rng_state())
    assert np.random.get_state()[2] == place
    equal(dataset.batch(dataset.rows("all")), kept)


def test_off_is_the_identity_and_leaves_the_others_as_they_were(dataset):
    plain, strong = Stream(dataset, 32, 3)[7], STRONG[dataset.spec.name]
    equal(stream(dataset)[7], plain)
    equal(stream(dataset, **strong, after=8)[7], plain)
    for name, strength in strong.items():
        assert not torch.equal(stream(dataset, **{name: strength})[7].input, plain.input)
    if dataset.spec.modality == "series":  # jitter comes last and is added
        without = stream(dataset, **strong | {"jitter": 0.0})[7]
        noise = stream(dataset, **strong)[7].input - without.input
        assert noise.abs().max() < 0.6
    if dataset.spec.modality == "image":
        blotted = stream(dataset, crop=0.2, erase=0.5)[7].input
        whole = stream(dataset, crop=0.2)[7].input
        assert torch.equal(blotted[blotted != 0], whole[blotted != 0])


def test_crop_shifts_and_mirrors_at_the_border():
    batch = images(200)
    moved = crop(batch, random(), 0.15)  # 1 row, 2 columns
    padded = torch.nn.functional.pad(batch.input, (2, 2, 1, 1), mode="reflect")
    found = set()
    for item, image in enumerate(moved.input):
        for y in range(3):
            for x in range(5):
                if torch.equal(image, padded[item, :, y : y + 9, x : x + 13]):
                    found.add((y, x))
                    break
            else:
                continue
            break
        else:
            raise AssertionError(item)
    assert len(found) == 15
    assert crop(batch, random(), 0.03) is batch
    assert crop(images(4, rows=1, columns=1), random(), 0.5).input.shape == (4, 3, 1, 1)


def test_flip_mirrors_about_that_many():
    batch = images(400)
    turned = flip(batch, random(), 0.25).input
    changed = ~(turned == batch.input).all(dim=3).all(dim=2).all(dim=1)
    assert torch.equal(turned[changed], batch.input[changed].flip(3))
    assert 60 < changed.sum() < 140


def test_erase_blots_out_one_rectangle():
    batch = Batch(torch.ones(300, 2, 20, 30))
    erased = erase(batch, random(), 0.5).input
    for image in erased:
        assert torch.equal(image[0], image[1])
        gone = image[0] == 0
        rows, columns = gone.any(dim=1), gone.any(dim=0)
        assert torch.equal(gone, rows[:, None] & columns)
        assert gone.float().mean() < 0.4
        for line in (rows, columns):
            assert (line.int().diff() == 1).sum() + int(line[0]) <= 1
    assert 100 < (erased == 0).flatten(1).any(dim=1).sum() < 200


@pytest.mark.parametrize("shape", [(8, 8), (9, 13), (1, 1), (32, 32)])
def test_a_share_of_cutmix_is_the_area_pasted(shape):
    rows, columns = shape
    own = torch.arange(40.0).view(40, 1, 1, 1).expand(40, 2, rows, columns)
    target = torch.arange(40)
    mixed = mix(Batch(own, target=target), random(), 0.0, 1.0, 40)
    assert mixed.target.shape == (40, 40)
    area = torch.stack([(mixed.input[:, 0] == number).flatten(1).float().mean(dim=1) for number in range(40)], dim=1)
    assert torch.equal(mixed.target, area) or (mixed.target - area).abs().max() < 1e-6
    assert (mixed.target.sum(dim=1) - 1).abs().max() < 1e-6
    if shape == (32, 32):
        assert 0.2 < (mixed.target.max(dim=1).values < 0.9).float().mean() <= 1


def test_mixup_mixes_targets_as_it_mixes_images():
    own = torch.arange(40.0).view(40, 1, 1, 1).expand(40, 2, 4, 4)
    mixed = mix(Batch(own, target=torch.arange(40)), random(), 0.5, 0.0, 40)
    value = mixed.target @ torch.arange(40.0)
    assert (mixed.input - value.view(40, 1, 1, 1)).abs().max() < 1e-4
    assert (mixed.target.sum(dim=1) - 1).abs().max() < 1e-6
    twice = mix(mixed, random(1), 0.5, 0.0, 40)
    assert (twice.target.sum(dim=1) - 1).abs().max() < 1e-6


def test_a_batch_gets_mixup_or_cutmix():
    own = torch.arange(40.0).view(40, 1, 1, 1).expand(40, 1, 8, 8)
    batch = Batch(own, target=torch.arange(40))
    whole = [bool((mix(batch, random(k), 0.5, 0.5, 40).input % 1 == 0).all()) for k in range(40)]
    assert 8 < sum(whole) < 32


def test_shares_of_class_numbers():
    assert shares(Batch(torch.zeros(2), target=torch.tensor([2, 0])), 3).tolist() == [[0, 0, 1], [1, 0, 0]]


def test_time_warp_bends_time_and_keeps_both_ends():
    batch, lengths = ragged()
    ramp = Batch((torch.arange(40.0) * batch.mask)[:, :, None], batch.mask)
    warped = time_warp(ramp, random(), 1.0)
    assert warped.mask is batch.mask
    for row, length in zip(warped.input[:, :, 0], lengths):
        assert row[0] == 0
        assert row[length - 1] == length - 1
        assert (row[:length].diff() > 0).all()
        assert (row[length:] == 0).all()
    longest = warped.input[5, :, 0]
    assert (longest.diff() - 1).abs().max() > 0.2
    flat = Batch(torch.ones(3, 20, 2))
    assert (time_warp(flat, random(), 1.0).input - 1).abs().max() < 1e-6


@pytest.mark.parametrize("vary", [magnitude_warp, jitter])
def test_padding_stays_zero(vary):
    batch, _ = ragged()
    varied = vary(batch, random(), 0.2)
    assert varied.mask is batch.mask
    assert (varied.input[~batch.mask] == 0).all()
    assert (varied.input[batch.mask] != batch.input[batch.mask]).all()
    assert (varied.input - batch.input).abs().max() < 2.0


def test_magnitude_warp_is_smooth_and_of_that_size():
    factor = magnitude_warp(Batch(torch.ones(500, 60, 2)), random(), 0.1).input
    assert factor.diff(dim=1).abs().max() < 0.06
    assert 0.07 < factor.std() < 0.11
    assert not torch.equal(factor[:, :, 0], factor[:, :, 1])


def test_token_dropout_replaces_real_tokens_only():
    mask = torch.arange(30) < torch.arange(1, 31)[:, None]
    batch = Batch(torch.full((30, 30), 7) * mask, mask)
    varied = token_dropout(batch, random(), 0.3, 1).input
    assert set(varied[mask].tolist()) == {1, 7}
    assert (varied[~mask] == 0).all()
    assert 0.2 < (varied[mask] == 1).float().mean() < 0.4


def test_unknown_is_the_tokenizers_own():
    dataset = prepare(open_source("languages"))
    varied, plain = stream(dataset, token_dropout=0.5)[0], stream(dataset)[0]
    assert set(varied.input[varied.input != plain.input].tolist()) == {
        dataset.preprocessor.tokenizer.token_to_id("[UNK]")
    }


def shapes(kind, items=600):
    """Noisy pictures of 4 classes: `alike` on both sides, `turned` as they come, or `sides`, which differ by side."""
    noise = random()
    labels = noise.integers(0, 4, items)
    x = noise.normal(0, 0.3, (items, 1, 12, 12)).astype(np.float32)
    for image, label in zip(x[:, 0], labels):
        row, column = (2, 2) if label % 2 else (7, 2)
        if kind == "sides" and label >= 2:
            column = 7
        image[row : row + 3, column : column + 3] += 2
        if kind == "alike":
            image[5, 3 + label :] += 2
            image += image[:, ::-1].copy()
        if kind == "turned":
            image[5 if label < 2 else 10, :4] += 2
            if noise.random() < 0.5:
                image[:] = image[:, ::-1].copy()
    return torch.from_numpy(x), labels


@pytest.mark.parametrize(("kind", "keeps"), [("alike", True), ("turned", True), ("sides", False)])
def test_mirror_tells_from_the_data(kind, keeps):
    found = mirror(*shapes(kind))
    assert found.keeps_label == keeps, found.note
    assert found == mirror(*shapes(kind))
    assert ("not mirrored" in found.note) != keeps


def test_mirror_wants_enough_images_and_labels_that_images_tell():
    x, labels = shapes("alike")
    assert not mirror(x[:150], labels[:150]).keeps_label
    assert not mirror(x, random().permutation(labels)).keeps_label


def test_digits_are_not_mirrored_and_what_is_symmetric_is():
    digits = prepare(open_source("digits"))
    assert not digits.mirror.keeps_label
    assert usual(digits, 1)["flip"] == 0
    x, labels = shapes("turned")
    assert usual(prepare(open_source((x.numpy(), labels), "image")), 1)["flip"] > 0
