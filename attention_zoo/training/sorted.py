"""Batches of rows of like length, for models that read one thing and write another."""

import abc
from collections.abc import Sequence

import numpy as np

from attention_zoo.training.ordered import OrderedBatches


class SortedBatches(OrderedBatches, abc.ABC):
    """Base of `PairBatches` and `SpeechBatches`: each example has two lengths, of what is read and of what is written.

    Batches hold examples of like length: padded to the longest of each side, rounded up to `multiples`, so that few
    shapes are compiled; sorted by what is read (so rounded), then by what is written. With `batch_size`, examples are
    mixed by (seed, epoch) and sorted within pools; what does not fill a batch is a random rest. With `limit`, all
    examples are sorted, those of one length mixed, and a batch has as many as fit; so there are as many batches in each
    epoch. Either way the batches are mixed. Not shuffled: all sorted.

    TensorFlow takes the first two batches for the shape of all. So the second is one that differs from the first on
    both sides where there is one, and is padded by one multiple more on a side where it does not differ.

    A subclass says `lengths` and calls `bound` once it knows them.

    Args:
        count: examples.
        weights: one number for each, or None.
        batch_size: examples of a batch, where `limit` is None.
        limit: padded places of a batch at most, examples x what `counted` says; an example that is longer is a batch.
        seed: of the order.
        shuffle: False for validation.
        multiples: widths of the two sides are rounded up to these.
        pool: batches that are sorted by length together, see `OrderedBatches.pooled`.

    Raises:
        ZooValueError: if a number is out of its range.
    """

    def __init__(
        self,
        count: int,
        weights,
        *,
        batch_size: int,
        limit: int | None,
        seed: int,
        shuffle: bool,
        multiples: Sequence[int],
        pool: int | None,
    ):
        super().__init__(count, None, weights, batch_size=batch_size, seed=seed, shuffle=shuffle)
        self.multiples, self.pool, self.limit = np.array(multiples), self.pooled(pool), limit
        self._bounds: np.ndarray | None = None

    @abc.abstractmethod
    def lengths(self, epoch: int) -> np.ndarray:
        """Return how long both sides of each example are in `epoch`: int [examples, 2]."""

    def counted(self, lengths: np.ndarray) -> np.ndarray:
        """Return how many padded places each example takes of `limit`, for lengths [examples, 2]."""
        return self.rounded(lengths)[:, 0]

    def bound(self, longest: np.ndarray) -> None:
        """Find where to cut sorted examples, so that no batch has more than `limit` places.

        Args:
            longest: of each example in any epoch, [examples, 2]: whatever an epoch draws, its k-th shortest is no
                longer than the k-th shortest of those.
        """
        if self.limit is None:
            return
        bounds, start, width = [], 0, 0
        for place, places in enumerate(self.counted(longest[self._sorted(np.arange(self.count), longest)])):
            width = max(width, places)
            if place > start and (place - start + 1) * width > self.limit:
                bounds.append(place)
                start, width = place, places
        self._bounds = np.array(bounds, np.int64)

    def __len__(self) -> int:
        return super().__len__() if self._bounds is None else len(self._bounds) + 1

    def rounded(self, lengths: np.ndarray) -> np.ndarray:
        """Round lengths [..., 2] up to the multiples."""
        return -(-lengths // self.multiples) * self.multiples

    def order(self, epoch: int) -> list[np.ndarray]:
        """Return which examples make each batch of `epoch` (their numbers, one array per batch)."""
        lengths = self.lengths(epoch)

        def cut(numbers: np.ndarray, pool: int = self.pool) -> list[np.ndarray]:
            if self._bounds is not None:
                return np.split(self._sorted(numbers, lengths), self._bounds)
            return self.cut(numbers, pool, lambda chunk: self._sorted(chunk, lengths))

        if not self.shuffle:
            return self._apart(cut(np.arange(self.count), self.count), lengths)
        return self._apart(self.mixed(epoch, cut, rest=self._bounds is None), lengths)

    def _sorted(self, numbers: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Sort by the width that is read, then by the length that is written; what is alike keeps its order."""
        return numbers[np.lexsort((lengths[numbers, 1], self.rounded(lengths[numbers])[:, 0]))]

    def _apart(self, batches: list[np.ndarray], lengths: np.ndarray) -> list[np.ndarray]:
        """Exchange the second batch for the first of those that differ most from the one at the front."""
        if len(batches) > 2:
            widths = np.array([self.rounded(lengths[batch].max(axis=0)) for batch in batches])
            other = 1 + int(np.argmax(np.sum(widths[1:] != widths[0], axis=1)))
            batches[1], batches[other] = batches[other], batches[1]
        return batches
