"""The functions on arrays that a search needs, for NumPy, under the names and with the arguments of `keras.ops`."""

from collections.abc import Callable
from typing import Any

import numpy as np


class NumpyArrays:
    """NumPy under the names of `keras.ops`: hand either to a search as `arrays`.

    What is not written here has the same name and meaning in NumPy.
    """

    arange, concatenate, expand_dims = np.arange, np.concatenate, np.expand_dims
    exp, log, maximum, minimum, power = np.exp, np.log, np.maximum, np.minimum, np.power
    logaddexp, matmul, transpose = np.logaddexp, np.matmul, np.transpose
    equal, logical_and, logical_not, logical_or = np.equal, np.logical_and, np.logical_not, np.logical_or
    all, max, sum, reshape, shape, take, where = np.all, np.max, np.sum, np.reshape, np.shape, np.take, np.where
    zeros, zeros_like, full = np.zeros, np.zeros_like, np.full

    @staticmethod
    def cast(array: Any, dtype: str) -> np.ndarray:
        """Return the array in another dtype."""
        return np.asarray(array).astype(dtype, copy=False)

    @staticmethod
    def convert_to_tensor(array: Any, dtype: str | None = None) -> np.ndarray:
        """Return the array itself, in `dtype` if one is given."""
        return np.asarray(array, dtype)

    @staticmethod
    def cumsum(array: np.ndarray, axis: int) -> np.ndarray:
        """Return running sums in the dtype of the array."""
        return np.cumsum(array, axis=axis, dtype=array.dtype)

    @staticmethod
    def logsumexp(array: np.ndarray, axis: int) -> np.ndarray:
        """Return log of the sum of exponentials."""
        most = np.max(array, axis=axis, keepdims=True)
        total = np.log(np.sum(np.exp(array - most), axis=axis, keepdims=True)) + most
        return np.squeeze(total, axis)

    @staticmethod
    def softmax(array: np.ndarray, axis: int) -> np.ndarray:
        """Return exponentials that sum to 1."""
        exponentials = np.exp(array - np.max(array, axis=axis, keepdims=True))
        return exponentials / np.sum(exponentials, axis=axis, keepdims=True)

    @staticmethod
    def top_k(array: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the `k` largest of the last axis, largest first, and their places."""
        if k == 1:
            places = np.argmax(array, axis=-1, keepdims=True)
        elif 4 * k < array.shape[-1]:
            few = np.sort(np.argpartition(array, -k, axis=-1)[..., -k:], axis=-1)
            order = np.argsort(-np.take_along_axis(array, few, -1), axis=-1, kind="stable")
            places = np.take_along_axis(few, order, -1)
        else:
            places = np.argsort(-array, axis=-1, kind="stable")[..., :k]
        return np.take_along_axis(array, places, -1), places.astype("int32")

    @staticmethod
    def while_loop(going: Callable, body: Callable, variables: tuple) -> tuple:
        """Run `body` on the variables as long as `going` says so."""
        while going(*variables):
            variables = body(*variables)
        return variables


def along(arrays: Any, values: Any, places: Any) -> Any:
    """Return from each row of `values` the entries at its `places`.

    Args:
        arrays: namespace of functions.
        values: [row, entry, ...].
        places: int32 [row, chosen].

    Returns:
        [row, chosen, ...].
    """
    return arrays.take(flat(arrays, values), numbered(arrays, places, values.shape[1]), axis=0)


def numbered(arrays: Any, places: Any, count: int) -> Any:
    """Turn places within rows of `count` entries into places within all rows in one: int32 [row, chosen]."""
    first = arrays.arange(arrays.shape(places)[0], dtype="int32") * count
    return places + arrays.expand_dims(first, 1)


def flat(arrays: Any, values: Any) -> Any:
    """Join the first two axes of an array."""
    return arrays.reshape(values, (-1, *arrays.shape(values)[2:]))
