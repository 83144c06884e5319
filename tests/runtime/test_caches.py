"""The caches of the runtime's loop hold what a list of each row would hold."""

import numpy as np
import pytest

from attention_zoo.runtime.caches import START, Caches

pytestmark = pytest.mark.once


def test_rows_keep_what_their_parents_kept_however_long_it_gets():
    generator, rows = np.random.default_rng(0), 6
    caches = Caches({"key": (2, 3)}, {"key": "float32"}, {"total": np.zeros((rows, 4), "float32")}, rows)
    lists = [[] for _ in range(rows)]
    totals = np.zeros((rows, 4))
    for step in range(2 * START + 3):
        given = caches.arrays
        assert given["key"].flags.c_contiguous and given["key"].shape[1] > step
        new = generator.normal(size=(rows, 1, 2, 3)).astype("float32")
        totals = totals + step
        caches.write({"key": new, "total": totals})
        lists = [[*row, new[number, 0]] for number, row in enumerate(lists)]
        parents = np.arange(rows) if step % 3 == 0 else generator.integers(0, rows, rows)
        caches.follow(parents)
        lists, totals = [lists[parent] for parent in parents], totals[parents]
        if step == START:
            kept = np.array([True, False] * (rows // 2))
            caches.keep(kept)
            rows, totals = rows // 2, totals[kept]
            lists = [row for row, stays in zip(lists, kept) if stays]
    np.testing.assert_array_equal(caches.arrays["key"][:, : caches.filled], np.array(lists))
    np.testing.assert_array_equal(caches.arrays["total"], totals)
    assert caches.arrays["key"].shape[1] == 4 * START


def test_rows_that_are_their_own_parents_are_not_copied():
    caches = Caches({"key": (2,)}, {"key": "float32"}, {}, 3)
    before = caches.arrays["key"]
    caches.write({"key": np.ones((3, 1, 2), "float32")})
    caches.follow(np.arange(3))
    assert caches.arrays["key"] is before
