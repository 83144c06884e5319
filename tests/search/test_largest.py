"""The few largest of many, found by blocks."""

import numpy as np
import pytest

from attention_zoo.search import NumpyArrays
from attention_zoo.search.largest import largest

pytestmark = pytest.mark.once


@pytest.mark.parametrize("count", [1, 2, 6, 20, 700])
@pytest.mark.parametrize("width", [1000, 1025, 4096, 10_000, 10_007])
def test_the_largest_are_found_wherever_they_lie(width, count):
    random = np.random.default_rng(width + count)
    values = random.normal(size=(7, width)).astype("float32")
    values[1] = np.sort(values[1])
    values[2, 700:] -= 100
    values[3, -3:] += 100
    values[4] = -np.inf
    values[4, [5, 900]] = [-1e9, 2.0]
    values[5] = random.integers(0, 9, width)
    found, places = largest(NumpyArrays, values, count)
    assert places.dtype == np.int32 and places.min() >= 0 and places.max() < width
    np.testing.assert_array_equal(found, -np.sort(-values, axis=1)[:, :count])
    real = np.isfinite(found)
    np.testing.assert_array_equal(np.take_along_axis(values, places, axis=1)[real], found[real])
    assert all(len(set(row[good])) == good.sum() for row, good in zip(places, real))
