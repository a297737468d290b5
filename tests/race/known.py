"""Tasks of which it is known who wins them, made from a seed: (inputs, labels) as `choose` takes them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from sklearn.datasets import load_digits

Series = tuple[NDArray[np.float32], NDArray[np.int64]]
Texts = tuple[list[str], list[str]]

# A digit in twelve heights, as it is drawn from top to bottom.
TEMPLATES = np.array([
    [5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5], [5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5],
    [5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5], [5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5],
    [5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5], [5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5],
    [5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5], [5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5],
    [5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5], [5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5],
])  # fmt: skip
KEYS = [chr(0x41 + number) for number in range(26)] + [chr(0x61 + number) for number in range(6)]
VALUES = [chr(0x3B1 + number) for number in range(32)]


def mnist1d(seed: int, items: int = 4_000, shuffled: bool = False) -> Series:
    """MNIST-1D: ten digits as curves of 40 points, padded, scaled, moved, sheared and in noise; (I 40).

    Greydanus, Kobak 2020, "Scaling down deep learning with MNIST-1D" (arXiv 2011.14439).

    Args:
        shuffled: the points of all items in one other order, so that neighbours mean nothing.
    """
    random = np.random.default_rng(seed)
    labels = random.integers(10, size=items)
    x = np.stack([_drawn(TEMPLATES[label] - 5, random) for label in labels])
    if shuffled:
        x = x[:, random.permutation(x.shape[1])]
    return x.astype(np.float32), labels


def _drawn(template: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    x = np.concatenate((template / 6, np.zeros(random.integers(36, 61))))
    x = x * (1 - 0.4 * (random.random() - 0.5))
    x = np.roll(x, random.integers(48))
    x = x - 0.75 * (random.random() - 0.5) * np.linspace(-0.5, 0.5, len(x))
    x = x + gaussian_filter1d(0.25 * random.normal(size=len(x)), 2) + 0.02 * random.normal(size=len(x))
    return np.interp(np.linspace(0, 1, 40), np.linspace(0, 1, len(x)), x)


def parity(seed: int, items: int = 4_000, longest: int = 24, shortest: int = 1) -> Texts:
    """Zeros and ones of `shortest` to `longest` steps, and whether their sum is odd."""
    random = np.random.default_rng(seed)
    bits = [random.integers(2, size=length) for length in random.integers(shortest, longest + 1, size=items)]
    return ["".join("ab"[bit] for bit in item) for item in bits], [["even", "odd"][item.sum() % 2] for item in bits]


def recall(seed: int, items: int = 12_000, pairs: int = 8) -> Texts:
    """Associative recall: pairs of one of 32 keys and one of 32 values, then a key, and the value that came with it."""
    random = np.random.default_rng(seed)
    texts, labels = [], []
    for _ in range(items):
        keys = random.permutation(len(KEYS))[:pairs]
        values = random.integers(len(VALUES), size=pairs)
        asked = random.integers(pairs)
        texts.append("".join(KEYS[key] + VALUES[value] for key, value in zip(keys, values)) + KEYS[keys[asked]])
        labels.append(VALUES[values[asked]])
    return texts, labels


def adding(seed: int, items: int = 4_000, steps: int = 200) -> Series:
    """The adding problem: 200 numbers, two of them marked, and whether these sum to more than is usual; (I 200 2).

    Hochreiter, Schmidhuber 1997, "Long short-term memory"; there the sum itself is foretold.
    """
    random = np.random.default_rng(seed)
    numbers, marks = random.random((items, steps)), np.zeros((items, steps))
    places = np.stack([random.integers(steps // 2, size=items), random.integers(steps // 2, steps, size=items)], axis=1)
    np.put_along_axis(marks, places, 1.0, axis=1)
    sums = np.take_along_axis(numbers, places, axis=1).sum(axis=1)
    return np.stack((numbers, marks), axis=2).astype(np.float32), (sums > 1).astype(np.int64)


def copy(seed: int, items: int = 4_000, steps: int = 100, symbols: int = 8) -> Texts:
    """The first of ten symbols is to be known after 100 steps of others, which mean nothing."""
    random = np.random.default_rng(seed)
    drawn = random.integers(symbols, size=(items, steps))
    return ["".join("abcdefgh"[one] for one in row) for row in drawn], ["abcdefgh"[row[0]] for row in drawn]


def sequential_digits() -> Series:
    """The built-in pictures of digits, a pixel a step; (I 64)."""
    x, y = load_digits(return_X_y=True)
    return (x / 16).astype(np.float32), y


def motif(seed: int, items: int = 2_000, steps: int = 96) -> Series:
    """One of three short motifs at a random place of a noisy series; (I 96)."""
    random = np.random.default_rng(seed)
    shapes = np.array([[1, 2, 3, 3, 2, 1, -1, -2], [-2, -1, 1, 2, 3, 3, 2, 1], [3, -2, 3, -2, 1, 1, -2, 2]])
    labels = random.integers(len(shapes), size=items)
    x = random.normal(size=(items, steps))
    for row, label, place in zip(x, labels, random.integers(steps - shapes.shape[1], size=items)):
        row[place : place + shapes.shape[1]] += shapes[label]
    return x.astype(np.float32), labels


def relabelled(data: Series, seed: int) -> Series:
    """The same inputs, their labels shuffled."""
    x, y = data
    return x, np.random.default_rng(seed).permutation(y)
