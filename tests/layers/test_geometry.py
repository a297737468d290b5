import pytest

from triarch.core.spec import Spec, Target
from triarch.layers.geometry import is_large, strides

CLASSES = Target("class", ("a", "b"))


def image(rows, columns):
    return Spec("image", "image", (1, rows, columns), CLASSES)


def series(steps):
    return Spec("series", "series", (steps, 1), CLASSES)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (image(1, 1), (1, 1, 1, 1, 1, 1)),
        (image(8, 8), (1, 1, 1, 1, 1, 2)),
        (image(9, 200), (1, 1, 1, 1, 2, 2)),
        (image(28, 28), (1, 1, 1, 2, 2, 2)),
        (image(224, 224), (2, 2, 1, 2, 2, 2)),
        (series(3), (1, 1, 1, 1, 1, 1)),
        (series(96), (1, 1, 1, 1, 2, 2)),
        (series(5000), (2, 2, 1, 2, 2, 2)),
    ],
)
def test_the_earliest_strides_are_left_out(spec, expected):
    assert strides(spec, (2, 2, 1, 2, 2, 2)) == expected


def test_what_was_taken_before_counts():
    assert strides(image(64, 64), (2, 2, 2, 2), taken=4) == (1, 1, 2, 2)


def test_large():
    assert not is_large(image(64, 500))
    assert is_large(image(65, 65))
    assert not is_large(series(512))
    assert is_large(series(513))
