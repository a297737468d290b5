"""Classical methods that make one text of another, the bar for pairs of networks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

LONGEST = 2_000
"""Characters of an answer: networks write no longer ones either."""
AT_ONCE = 256
MOST_LINKS, ROUNDS = 10_000_000, 5
WORDY = 2.0  # words of a text on average, from which on words are its parts, else characters

Texts = Sequence[str]


class Translator:
    """A method that is made without any settings."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Copy(Translator):
    """The text as it is."""

    def fit(self, x: Texts, y: Texts) -> Self:
        """Nothing is learned."""
        return self

    def predict(self, x: Texts) -> list[str]:
        """`x`."""
        return [text[:LONGEST] for text in x]


class MostFrequent(Translator):
    """The answer that is there most often."""

    def fit(self, x: Texts, y: Texts) -> Self:
        """Count `y`."""
        ((self._answer, _),) = Counter(y).most_common(1)
        return self

    def predict(self, x: Texts) -> list[str]:
        """The same for all."""
        return [self._answer[:LONGEST]] * len(x)


class Nearest(Translator):
    """The answer of the text that is most alike: a translation memory.

    Texts are alike by the cosine of their TF-IDF, of words, or of pieces of two and three characters where they are
    words themselves.
    """

    def fit(self, x: Texts, y: Texts) -> Self:
        """Keep both."""
        by_words = wordy(x)
        self._vectors = (
            TfidfVectorizer(token_pattern=r"\w+", sublinear_tf=True)
            if by_words
            else TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 3), sublinear_tf=True)
        )
        self._known, self._answers = self._vectors.fit_transform(x), y
        return self

    def predict(self, x: Texts) -> list[str]:
        """Of several that are as alike, the first."""
        wanted, found = self._vectors.transform(x), []
        for start in range(0, len(x), AT_ONCE):
            alike = (wanted[start : start + AT_ONCE] @ self._known.T).toarray()
            found += [self._answers[place][:LONGEST] for place in alike.argmax(axis=1).tolist()]
        return found


class Dictionary(Translator):
    """Each word, or letter, becomes the one that it most probably stands for; what is not known stays.

    Model 1 of Brown et al. 1993, "The mathematics of statistical machine translation": any word of a text, or none,
    may have made each word of its answer; how probably, expectation–maximisation tells.
    """

    def fit(self, x: Texts, y: Texts) -> Self:
        """Learn the dictionary, from evenly spread pairs where there are too many."""
        self._words = wordy(x), wordy(y)
        pairs = [(self._parts(text, 0), self._parts(answer, 1)) for text, answer in zip(x, y)]
        step = -(-sum((len(one) + 1) * len(other) for one, other in pairs) // MOST_LINKS)
        pairs = pairs[:: max(1, step)]
        ours, theirs = ({part: place for place, part in enumerate(sorted(set().union(*side)))} for side in zip(*pairs))
        nothing = len(ours)
        links, places, begin = [], [], 0
        for one, other in pairs:
            left = np.array([nothing, *(ours[part] for part in one)], dtype=np.int64)
            right = np.array([theirs[part] for part in other], dtype=np.int64)
            links.append((left[:, None] * len(theirs) + right).ravel())
            places.append(np.tile(np.arange(begin, begin + len(right)), len(left)))
            begin += len(right)
        known, each = np.unique(np.concatenate(links), return_inverse=True)
        chance = _maximised(known // len(theirs), each, np.concatenate(places))
        names = list(theirs)
        self._becomes = {part: names[found] for part, found in _best(known, chance, ours, len(theirs)).items()}
        return self

    def predict(self, x: Texts) -> list[str]:
        """Part by part."""
        made = []
        for text in x:
            parts = [self._becomes.get(part, part) for part in self._parts(text, 0)]
            joined = " ".join(parts) if self._words[1] else "".join(parts)
            made.append(re.sub(r" (?=[^\w\s])", "", joined)[:LONGEST])
        return made

    def _parts(self, text: str, side: int) -> list[str]:
        text = text[:LONGEST]
        return re.findall(r"\w+|[^\w\s]", text) if self._words[side] else list(text)


def wordy(texts: Texts) -> bool:
    """Whether they have words: else they are words, or are written without blanks."""
    some = texts[:: max(1, len(texts) // 1_000)]
    return sum(len(text.split()) for text in some) >= WORDY * len(some)


def _maximised(origin: NDArray[np.int64], each: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.float64]:
    """How probably what a link comes from makes what it goes to, of each kind of link.

    Args:
        origin: what each kind comes from.
        each: the kind of every link that there may be.
        places: the word of an answer that it makes.
    """
    chance = np.ones(len(origin))
    for _ in range(ROUNDS):
        share = chance[each]
        share /= np.bincount(places, share)[places]
        count = np.bincount(each, share, len(origin))
        chance = count / np.bincount(origin, count)[origin]
    return chance


def _best(known: NDArray[np.int64], chance: NDArray[np.float64], ours: dict[str, int], width: int) -> dict[str, int]:
    """What each part most probably makes; of several as probable, the first in the order of their kind."""
    order = np.lexsort((-chance, known // width))
    first = order[np.flatnonzero(np.diff(known[order] // width, prepend=-1))]
    made = dict(zip((known[first] // width).tolist(), (known[first] % width).tolist()))
    return {part: made[number] for part, number in ours.items() if number in made}
