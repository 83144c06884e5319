"""Rows of different lengths in batches whose order depends on (seed, epoch) and on nothing else."""

from collections.abc import Callable, Sequence

import numpy as np

from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.training.ordered import OrderedBatches


def pad(rows: Sequence[np.ndarray], shape: Sequence[int], padding: float = 0) -> np.ndarray:
    """Put rows of one rank into one array [rows, *shape], filled up with `padding`.

    Args:
        rows: arrays, none larger than `shape`.
        shape: size of a row in the result.
        padding: what fills the rest.
    """
    batch = np.full((len(rows), *shape), padding, dtype=np.asarray(rows[0]).dtype)
    for place, row in zip(batch, rows):
        place[tuple(slice(size) for size in np.shape(row))] = row
    return batch


class Batches(OrderedBatches):
    """Cut encoded rows into padded batches for `fit`, `evaluate` and `predict`.

    Shuffled: rows are mixed by (seed, epoch), sorted by length within pools, cut, and the batches are mixed; what does
    not fill a batch is a random rest. Not shuffled: sorted by length, and `restore` puts outputs back in the rows'
    order. Each batch is padded to its longest row rounded up to `multiple`, so that only a few shapes are compiled;
    axes before the last are padded to the longest of all rows. The same (seed, epoch, batch) gives the same numbers in
    any process, so a training can go on after a kill as if nothing had happened.

    TensorFlow takes the first two batches for the shape of all. So these differ wherever any batches of any epoch do:
    fewer than two batches' worth of shorter rows are padded like the rest, and one of the first two is exchanged.

    Args:
        rows: arrays of numbers without padding, [length] each (or [sentences, words]).
        targets: one per row (label numbers, or a row of numbers per label), or None for `predict`.
        batch_size: rows per batch.
        seed: of the order and of `augment`.
        shuffle: False for validation and prediction.
        weights: one weight per row, or None.
        multiple: lengths are rounded up to this many tokens.
        longest: cap of that rounding (tokens), the longest the model takes; None for no cap.
        pool: batches that are sorted by length together, see `OrderedBatches.pooled`.
        augment: `augment(rows, generator) -> rows`, called with the rows of one batch and a NumPy generator of its own
            for (seed, epoch, batch); it must not lengthen a row, nor change a row in place.
        padding: id that fills rows up.

    Attributes:
        epoch: which order is given out; `fit` sets it, plain Keras counts it up.

    Raises:
        ZooValueError: if rows, targets and weights do not fit together or a number is out of its range.
        ZooTypeError: if `augment` cannot be called.
    """

    def __init__(
        self,
        rows: Sequence,
        targets=None,
        *,
        batch_size: int = 32,
        seed: int = 0,
        shuffle: bool = True,
        weights=None,
        multiple: int = 8,
        longest: int | None = None,
        pool: int | None = None,
        augment: Callable | None = None,
        padding: int = 0,
    ):
        super().__init__(len(rows), targets, weights, batch_size=batch_size, seed=seed, shuffle=shuffle)
        if multiple < 1:
            raise ZooValueError(f"multiple must be at least 1, got {multiple}")
        if augment is not None and not callable(augment):
            raise ZooTypeError(f"augment must be a function of (rows, generator), got {type(augment).__name__}")
        self.rows = [np.asarray(row) for row in rows]
        if len({row.ndim for row in self.rows}) != 1 or self.rows[0].ndim < 1:
            raise ZooValueError("rows must be arrays of one and the same rank, at least 1")
        self.pool, self.padding, self.augment = self.pooled(pool), padding, augment
        self._plan_shapes(multiple, longest)

    def _plan_shapes(self, multiple: int, longest: int | None) -> None:
        lengths = np.array([row.shape[-1] for row in self.rows])
        if longest is not None and lengths.max() > longest:
            raise ZooValueError(f"rows must have at most {longest} entries (longest), got one of {lengths.max()}")
        rounded = np.maximum(-(-lengths // multiple), 1) * multiple
        if longest is not None:
            rounded = np.minimum(rounded, longest)
        if np.sum(rounded < rounded.max()) < 2 * self.batch_size:
            rounded[:] = rounded.max()
        self.lengths, self._rounded = lengths, rounded
        self._front = tuple(np.max([row.shape[:-1] for row in self.rows], axis=0)) if self.rows[0].ndim > 1 else ()

    def _by_length(self, numbers: np.ndarray) -> np.ndarray:
        """Sort by length; what is alike keeps its order."""
        return numbers[np.argsort(self.lengths[numbers], kind="stable")]

    def _width(self, numbers: np.ndarray) -> int:
        return int(self._rounded[numbers].max())

    def _shuffled(self, epoch: int) -> list[np.ndarray]:
        for pool in (self.pool, len(self)):
            batches = self.mixed(epoch, lambda numbers, pool=pool: self.cut(numbers, pool, self._by_length))
            if len({self._width(batch) for batch in batches}) > 1:
                break
        return batches

    def order(self, epoch: int) -> list[np.ndarray]:
        """Return which rows make each batch of `epoch` (numbers of rows, one array per batch)."""
        everything = np.arange(len(self.rows))
        batches = self._shuffled(epoch) if self.shuffle else self.cut(everything, len(self), self._by_length)
        widths = [self._width(batch) for batch in batches]
        other = next((place for place, width in enumerate(widths) if width != widths[0]), 1)
        if other > 1:
            batches[1], batches[other] = batches[other], batches[1]
        return batches

    def __getitem__(self, index: int) -> tuple:
        epoch = self.epoch
        numbers = self.numbers(epoch, index)
        rows = [self.rows[number] for number in numbers]
        shape = (*self._front, self._width(numbers))
        if self.augment is not None:
            rows = self._augmented(rows, self.generator(epoch, index))
        inputs = pad(rows, shape, self.padding)
        columns = [column[numbers] for column in (self.targets, self.weights) if column is not None]
        return (inputs, *columns)

    def _augmented(self, rows: list[np.ndarray], random: np.random.Generator) -> list[np.ndarray]:
        changed = [np.asarray(row, dtype=rows[0].dtype) for row in self.augment(rows, random)]
        fits = (new.ndim == old.ndim and np.all(np.less_equal(new.shape, old.shape)) for new, old in zip(changed, rows))
        if len(changed) != len(rows) or not all(fits):
            raise ZooValueError("augment must return as many rows as it was given, none of them longer")
        return changed
