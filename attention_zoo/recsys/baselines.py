"""What a recommender has to beat: popularity, items chosen by the same users, and what came next the last time."""

from typing import Any, Self

import numpy as np

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooValueError
from attention_zoo.recsys.histories import Histories

SHRINKAGE = 10.0  # choices in common under which a likeness counts for little
BACKOFF = 1e-4  # weight of popularity where nothing else speaks


class Popularity:
    """Score each item by how often it was chosen, whatever the history.

    Args:
        counts: [items + 1], by number.
    """

    def __init__(self, counts: np.ndarray):
        self.counts = np.asarray(counts, np.float32)

    @classmethod
    def learn(cls, numbers: Histories, items: int) -> Self:
        """Count the items of histories of numbers, of a catalogue of so many items."""
        return cls(_counts(numbers, items))

    def scores(self, numbers: Histories) -> np.ndarray:
        """Return float32 [histories, items + 1]."""
        return np.tile(self.counts, (len(numbers), 1))


class ItemKNN:
    """Score each item by how many users chose it together with the items of the history.

        likeness[i, j] = users of both / (sqrt(users of i x users of j) + shrinkage), 0 on the diagonal
        score[j]       = sum over the items i of the history of likeness[i, j]

    Args:
        likeness: sparse float32 [items + 1, items + 1].

    Source: Sarwar et al. 2001, "Item-based collaborative filtering", cosine; shrinkage as Bell, Koren 2007.
    """

    def __init__(self, likeness: Any):
        self.likeness = likeness

    @classmethod
    def learn(cls, numbers: Histories, items: int, shrinkage: float = SHRINKAGE, neighbours: int | None = None) -> Self:
        """Compare items by who chose them.

        Args:
            numbers: histories of numbers; repeats in one count once.
            items: of the catalogue.
            shrinkage: makes rare items less alike, at least 0 (users).
            neighbours: keep only so many of each item; None keeps all.

        Raises:
            ZooValueError: if a number is out of range.

        Cost: time and memory the sum of the squared lengths of the histories.
        """
        if not 0 <= shrinkage < np.inf:
            raise ZooValueError(f"shrinkage must be at least 0 (users), got {shrinkage!r}")
        chosen = _chosen(numbers, items)
        chosen.data[:] = 1.0
        both = (chosen.T @ chosen).tocoo()
        users = np.asarray(chosen.sum(axis=0)).ravel()
        apart = both.row != both.col
        row, column = both.row[apart], both.col[apart]
        values = both.data[apart] / (np.sqrt(users[row] * users[column]) + shrinkage)
        if neighbours is not None:
            kept = _strongest(row, values, whole_number("neighbours", neighbours, unit="items"))
            row, column, values = row[kept], column[kept], values[kept]
        return cls(_sparse(values, row, column, (items + 1, items + 1)))

    def scores(self, numbers: Histories) -> np.ndarray:
        """Return float32 [histories, items + 1]."""
        chosen = _chosen(numbers, self.likeness.shape[0] - 1)
        chosen.data[:] = 1.0
        return (chosen @ self.likeness).toarray().astype(np.float32, copy=False)


class Markov:
    """Score each item by how often it came right after the newest item of the history.

        score[j] = times that j followed i / times that anything followed i + a little of j's share of all choices

    Args:
        following: sparse float32 [items + 1, items + 1]; each row sums to 1, or is empty.
        shares: float32 [items + 1], of each item in all choices.

    Source: Rendle, Freudenthaler, Schmidt-Thieme 2010, the Markov chain of FPMC, by counts.
    """

    def __init__(self, following: Any, shares: np.ndarray):
        self.following, self.shares = following, shares

    @classmethod
    def learn(cls, numbers: Histories, items: int) -> Self:
        """Count what follows what in histories of numbers, of a catalogue of so many items."""
        flat, owners = numbers.flat(), numbers.owners()
        together = owners[1:] == owners[:-1]
        before, after = flat[:-1][together], flat[1:][together]
        times = np.bincount(before, minlength=items + 1)
        following = _sparse(1.0 / times[before], before, after, (items + 1, items + 1))
        counts = _counts(numbers, items)
        return cls(following, (counts / max(counts.sum(), 1)).astype(np.float32))

    def scores(self, numbers: Histories) -> np.ndarray:
        """Return float32 [histories, items + 1]."""
        newest = numbers.padded(1)[:, 0]
        return self.following[newest].toarray() + np.float32(BACKOFF) * self.shares


def _counts(numbers: Histories, items: int) -> np.ndarray:
    return np.bincount(numbers.flat(), minlength=items + 1)


def _chosen(numbers: Histories, items: int) -> Any:
    """Return which history holds which item, sparse [histories, items + 1]."""
    return _sparse(np.ones(int(numbers.lengths.sum())), numbers.owners(), numbers.flat(), (len(numbers), items + 1))


def _sparse(values: np.ndarray, row: np.ndarray, column: np.ndarray, shape: tuple[int, int]) -> Any:
    """Return a sparse matrix; what stands at the same place is summed."""
    from scipy.sparse import csr_matrix

    return csr_matrix((values.astype(np.float32), (row, column)), shape=shape)


def _strongest(row: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """Return the places of the largest values of each row."""
    order = np.lexsort((-values, row))
    sizes = np.bincount(row)
    first = np.cumsum(sizes) - sizes
    return order[np.arange(len(order)) - first[row[order]] < count]
