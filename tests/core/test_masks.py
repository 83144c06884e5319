"""Masks: True where one may look."""

import numpy as np
import pytest
from keras import ops

from attention_zoo.core.masks import Masks, as_pairs, both, evenly_spaced, hide_queries, pair_mask


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


def test_a_missing_mask_hides_nothing():
    mask = ops.convert_to_tensor([True, False])
    assert both(None, None) is None
    assert both(mask, None) is mask
    assert both(None, mask) is mask
    assert pair_mask(Masks(), None) is None


def test_two_masks_show_what_both_show():
    first, second = np.array([True, True, False]), np.array([True, False, False])
    assert numbers(both(ops.convert_to_tensor(first), ops.convert_to_tensor(second))).tolist() == [True, False, False]


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (2, 5, 3, 4), (1, 4), (2, 1, 4), (1, 1, 1, 4)])
def test_an_attention_mask_of_any_rank_gets_four_axes(shape):
    mask = np.random.default_rng(0).random(shape) < 0.5
    found = numbers(as_pairs(mask.astype("int32")))
    assert found.dtype == bool
    assert found.ndim == 4
    wide = mask if mask.ndim != 3 else mask[:, None]
    np.testing.assert_array_equal(*np.broadcast_arrays(found, wide, np.empty((2, 5, 3, 4)))[:2])


def test_keys_pairs_and_pattern_join_to_one_mask():
    generator = np.random.default_rng(1)
    keys, pairs, allowed = generator.random((2, 4)) < 0.6, generator.random((2, 1, 3, 4)) < 0.6, np.tri(3, 4) > 0
    found = numbers(pair_mask(Masks(keys=keys, pairs=ops.convert_to_tensor(pairs)), ops.convert_to_tensor(allowed)))
    np.testing.assert_array_equal(found, keys[:, None, None] & pairs & allowed)


def test_padded_queries_are_set_to_zero_and_no_others():
    rows, queries = np.ones((2, 3, 4, 5), "float32"), np.array([[1, 1, 0, 1], [0, 1, 1, 1]], bool)
    found = numbers(hide_queries(ops.convert_to_tensor(rows), Masks(queries=queries)))
    np.testing.assert_array_equal(found, rows * queries[:, None, :, None])
    assert hide_queries(rows, Masks()) is rows


@pytest.mark.parametrize("length", [1, 5, 64, 65, 200, 4096])
def test_evenly_spaced_rows_reach_from_the_first_to_the_last(length):
    chosen, fresh = map(numbers, evenly_spaced(length, 64))
    found = chosen[fresh]
    assert found.tolist() == sorted({round(row * (length - 1) / 63) for row in range(64)})
    assert len(found) == min(length, 64) and found[-1] == length - 1
