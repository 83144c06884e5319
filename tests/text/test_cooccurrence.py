"""Vectors from co-occurrence: what keeps the same company is alike."""

import numpy as np
import pytest

from attention_zoo.errors import ZooValueError
from attention_zoo.text.cooccurrence import cooccurrence_vectors

pytestmark = pytest.mark.once


def likeness(one, other):
    """Return the cosine."""
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def test_tokens_that_keep_the_same_company_are_alike():
    # 3 and 4 stand beside 5 and 6, 7 and 8 beside 9 and 10.
    random = np.random.default_rng(0)
    groups = [((3, 4), (5, 6)), ((7, 8), (9, 10))]
    rows = []
    for number in range(400):
        left, right = groups[number % 2]
        rows.append(np.array([random.choice(left), random.choice(right), random.choice(right)]))
    vectors = cooccurrence_vectors(rows, 12, 4)
    assert vectors.shape == (12, 4)
    assert vectors.dtype == np.float32
    assert likeness(vectors[3], vectors[4]) > 0.9
    assert abs(likeness(vectors[3], vectors[7])) < 0.3


def test_the_same_rows_give_the_same_vectors_and_unseen_tokens_none():
    rows = [np.arange(1, 9), np.arange(8, 0, -1), np.array([2, 4, 6, 8])]
    first, second = (cooccurrence_vectors(rows, 20, 3) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert not first[9:].any()
    assert not first[0].any()
    assert first[1:9].any(axis=1).all()


def test_tokens_that_cannot_be_told_apart_get_the_same_vectors_each_time():
    # Eight tokens of the same use have equal singular values, whose vectors any rotation may mix.
    rows = [np.array([1, thing, 2]) for thing in range(3, 11) for _ in range(2)]
    first, *others = (cooccurrence_vectors(rows, 200, 32) for _ in range(4))
    for other in others:
        np.testing.assert_array_equal(first, other)


def test_many_tokens_get_the_vectors_of_the_largest_values():
    random = np.random.default_rng(0)
    rows = [random.integers(1, 700, size=12) for _ in range(800)]
    first, second = cooccurrence_vectors(rows, 700, 8), cooccurrence_vectors(rows, 700, 8)
    np.testing.assert_array_equal(first, second)
    assert first[1:].any(axis=1).all()


def test_rows_do_not_touch_each_other():
    apart = cooccurrence_vectors([np.array([1, 2])] * 5 + [np.array([3, 4])] * 5, 6, 4)
    assert abs(float(apart[1] @ apart[3])) < 1e-5


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (([[1, 2]], 0, 4), "vocabulary_size"),
        (([[1, 2]], 5, 0), "width"),
        (([[1, 2]], 5, 2, 0), "reach"),
        (([[1, 2]], 5, 2, 1, 2.0), "power"),
        (([[1], [2]], 5, 2), "stand together"),
        (([], 5, 2), "stand together"),
    ],
)
def test_what_cannot_work_is_said(arguments, word):
    with pytest.raises(ZooValueError, match=word):
        cooccurrence_vectors(*arguments)
