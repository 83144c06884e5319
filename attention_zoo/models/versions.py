"""Versions of one input, run in batches of one size, so that few shapes are compiled."""

from collections.abc import Callable

import numpy as np

ROWS, MULTIPLE = 64, 8  # versions that are run at once: at most, and a multiple of


def in_rows(
    run: Callable[[np.ndarray], np.ndarray], count: int, rows: int = ROWS, multiple: int = MULTIPLE
) -> np.ndarray:
    """Run versions, some at a time.

    Args:
        run: gets numbers of versions [size] and returns what the model says of each [size, ...].
        count: versions.
        rows: run at once, at most.
        multiple: of versions that are run at once; the first of a batch fills it up.

    Returns:
        [count, ...].
    """
    size, found = min(rows, -(-count // multiple) * multiple), []
    for start in range(0, count, size):
        chosen = np.arange(start, start + size)
        found.append(run(np.where(chosen < count, chosen, start)))
    return np.concatenate(found)[:count]
