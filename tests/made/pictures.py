"""Pictures that tests make."""

import numpy as np
from PIL import Image

from triarch.data.picture import quiet, read_header, read_picture

RANDOM = np.random.default_rng(0)


def colours(rows=8, columns=10):
    """Noise in colour, (Y X 3)."""
    return RANDOM.integers(0, 256, (rows, columns, 3), dtype=np.uint8)


def greys(rows=8, columns=10):
    return RANDOM.integers(0, 256, (rows, columns), dtype=np.uint8)


def fill(root, count=4, classes=("cat", "dog"), make=colours, ending=".png"):
    """`count` pictures for each class."""
    for name in classes:
        (root / name).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(make()).save(root / name / f"{number:03}{ending}")
    return root


def only(path, channels=3, white=255, shape=None):
    """The one picture as it is read, (Y X C)."""
    with quiet():
        header = read_header(path)
        rows, columns = shape or (header.rows, header.columns)
        return read_picture(path, (channels, rows, columns), white).transpose(1, 2, 0)


def save(image, path, **options):
    image.save(path, **options)
    return path
