"""The few largest of many numbers, in one pass over them."""

from typing import Any

from attention_zoo.search.arrays import along

# So few numbers are sorted at once; with more, those of the best blocks alone.
SMALL = 1024
SIZES = range(64, 257)


def largest(arrays: Any, values: Any, count: int) -> tuple[Any, Any]:
    """Return the `count` largest numbers of each row, largest first, and their places.

    The row is cut into blocks of about 100. The `count` largest lie in the `count` blocks with the largest maxima, so
    one pass finds the maxima, and a few hundred numbers are left to sort. Measured for 6 of 10,000 in 160 rows, that
    takes 0.4 to 0.7 of the time of the libraries' own partial sort, on a processor.

    Args:
        arrays: namespace of functions.
        values: float32 [rows, numbers]; how many numbers must be known while tracing.
        count: at most as many as there are numbers.

    Returns:
        float32 [rows, count], int32 [rows, count].
    """
    width = values.shape[1]
    size = _size(width)
    blocks = -(-width // size)
    if width <= SMALL or 2 * count > blocks:
        found, places = arrays.top_k(values, count)
        return found, arrays.cast(places, "int32")
    if blocks * size > width:
        missing = arrays.zeros_like(values[:, : blocks * size - width]) - float("inf")
        values = arrays.concatenate([values, missing], axis=1)
    values = arrays.reshape(values, (-1, blocks, size))
    _, chosen = arrays.top_k(arrays.max(values, axis=2), count)
    chosen = arrays.cast(chosen, "int32")
    found, places = arrays.top_k(arrays.reshape(along(arrays, values, chosen), (-1, count * size)), count)
    places = arrays.cast(places, "int32")
    places = along(arrays, chosen, places // size) * size + places % size
    # Where nearly all is minus infinity, what the last block is filled up with may be among the largest.
    return found, arrays.minimum(places, width - 1)


def _size(width: int) -> int:
    """Return how many numbers a block holds: what divides the width, if anything near its root does."""
    wanted = sorted(SIZES, key=lambda size: abs(size - width**0.5))
    return next((size for size in wanted if width % size == 0), wanted[0])
