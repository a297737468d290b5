"""Near copies."""

import numpy as np

from triarch.data.corpora import minhash
from triarch.data.corpora.minhash import Signer, alike


def text(random, words=400):
    return [f"w{number}" for number in random.integers(0, 5_000, words)]


def signed(texts):
    signer = Signer()
    return np.stack([signer.sign(one.encode()) for one in texts])


def changed(words, share, random):
    """With a share of its words replaced, which changes up to five runs each."""
    places = random.choice(len(words), round(share * len(words)), replace=False)
    return [f"new{place}" if place in set(places.tolist()) else word for place, word in enumerate(words)]


def test_near_copies_are_found_and_others_are_not():
    random = np.random.default_rng(0)
    originals = [text(random) for _ in range(60)]
    near = [changed(words, 0.01, random) for words in originals]  # 0.9 alike or so
    far = [changed(words, 0.12, random) for words in originals]  # 0.36 alike or so
    found = alike(signed([" ".join(words) for words in (*originals, *near, *far)]), np.ones(180, dtype=bool))
    assert not found[:60].any()
    assert found[60:120].mean() > 0.95
    assert not found[120:].any()


def test_scripts_without_spaces_are_compared_by_characters():
    random = np.random.default_rng(0)
    one = "".join(chr(0x4E00 + number) for number in random.integers(0, 3_000, 600))
    other = "".join(chr(0x4E00 + number) for number in random.integers(0, 3_000, 600))
    assert alike(signed([one, one[:300] + "字" + one[300:], other]), np.ones(3, dtype=bool)).tolist() == [
        False,
        True,
        False,
    ]


def test_only_those_that_are_sought_are_looked_at():
    same = signed(["the same words in all of these documents"] * 4)
    assert alike(same, np.array([False, True, True, False])).tolist() == [False, False, True, False]


def test_slices_of_values_find_the_same(monkeypatch):
    random = np.random.default_rng(1)
    words = text(random)
    texts = [" ".join(changed(words, share, random)) for share in np.linspace(0, 0.1, 40)]
    signatures, sought = signed(texts), np.ones(40, dtype=bool)
    whole = alike(signatures, sought)
    assert whole.any()
    monkeypatch.setattr(minhash, "SLICE", 7)
    monkeypatch.setattr(minhash, "ROWS", 8)
    assert np.array_equal(alike(signatures, sought), whole)


def test_short_texts_have_signatures_too():
    made = signed(["one two", "one two", "two one", "字"])
    assert (made[0] == made[1]).all()
    assert (made[0] != made[2]).any()
