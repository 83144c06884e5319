"""Pairs of rows of different lengths in batches, for a model that reads the one and writes the other."""

from collections.abc import Callable, Sequence

import numpy as np

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.training.data import pad
from attention_zoo.training.sorted import SortedBatches

Rows = list[np.ndarray]


class PairBatches(SortedBatches):
    """Cut pairs of rows into padded batches for `fit` and `evaluate`.

    A batch is ({"source_ids", "target_ids"}, truth, weights): a target row `[BOS] y1 ... yn [EOS]` is read without its
    last id and is the truth without its first; weights are 0 where the truth is padding. Which pairs are together:
    see `SortedBatches`. The same (seed, epoch, batch) gives the same numbers in any process.

    Args:
        sources: ids of what is read, [source] each, without padding.
        targets: ids of what is written, [target] each, begun and ended; one for each source.
        batch_size: pairs of a batch, where `tokens` is None.
        tokens: padded positions of the longer side of a batch at most, pairs x width; a pair that is longer is a batch.
        seed: of the order and of `augment`.
        shuffle: False for validation.
        weights: one number for each pair, or None.
        multiple: widths are rounded up to this many tokens.
        pool: batches that are sorted by length together, see `OrderedBatches.pooled`.
        augment: `augment(sources, targets, generator) -> (sources, targets)`, called with the rows of one batch and a
            NumPy generator of its own for (seed, epoch, batch); rows may become longer (where all pairs are one
            batch, up to its width: a row that outgrows it stays as it was).
        padding: id that fills rows up.

    Attributes:
        epoch: which order is given out; `fit` sets it, plain Keras counts it up.

    Raises:
        ZooValueError: if rows and weights do not fit together or a number is out of its range.
        ZooTypeError: if `augment` cannot be called.
    """

    def __init__(
        self,
        sources: Sequence,
        targets: Sequence,
        *,
        batch_size: int = 64,
        tokens: int | None = None,
        seed: int = 0,
        shuffle: bool = True,
        weights=None,
        multiple: int = 8,
        pool: int | None = None,
        augment: Callable | None = None,
        padding: int = 0,
    ):
        super().__init__(
            len(sources),
            weights,
            batch_size=batch_size,
            limit=None if tokens is None else whole_number("tokens", tokens, 1, "padded positions"),
            seed=seed,
            shuffle=shuffle,
            multiples=[whole_number("multiple", multiple, 1, "tokens")] * 2,
            pool=pool,
        )
        if len(targets) != len(sources):
            raise ZooValueError(f"targets must be one row for each source ({len(sources)}), got {len(targets)}")
        if augment is not None and not callable(augment):
            raise ZooTypeError(f"augment must be a function of (sources, targets, generator), got {augment!r:.40}")
        self.augment, self.padding = augment, padding
        self.sources, self.target_rows = _rows("sources", sources, 1), _rows("targets", targets, 2)
        self._lengths = np.array(
            [[len(source), len(target) - 1] for source, target in zip(self.sources, self.target_rows)]
        )
        self.bound(self._lengths)

    def lengths(self, epoch: int) -> np.ndarray:
        """Return how long both sides of each pair are, the target without its beginning: [pairs, 2]."""
        return self._lengths

    def counted(self, lengths: np.ndarray) -> np.ndarray:
        """Return the rounded length of each pair's longer side."""
        return self.rounded(lengths).max(axis=1)

    def _drawn(self, epoch: int, index: int) -> tuple[Rows, Rows]:
        """Return the rows of one batch, augmented."""
        numbers = self.numbers(epoch, index)
        sources, targets = ([rows[number] for number in numbers] for rows in (self.sources, self.target_rows))
        if self.augment is None:
            return sources, targets
        changed = self.augment(sources, targets, self.generator(epoch, index))
        changed = [_rows("augmented", rows, least) for rows, least in zip(changed, (1, 2))]
        if {len(rows) for rows in changed} != {len(numbers)}:
            raise ZooValueError(f"augment must return as many rows as it was given ({len(numbers)}) of both sides")
        if len(self) > 1:
            return changed[0], changed[1]
        source_room, target_room = self.rounded(self._lengths.max(axis=0))  # of the one batch there is, in every epoch
        fitting = zip((sources, targets), changed, (source_room, target_room + 1))
        return tuple([new if len(new) <= most else old for old, new in zip(*both)] for *both, most in fitting)

    def _widths(self, epoch: int, index: int, drawn: tuple[Rows, Rows]) -> np.ndarray:
        """Return how wide the two sides of a batch are; the second batch differs from the first."""
        if len(self) == 1:
            return self.rounded(self._lengths.max(axis=0))
        widths = self.rounded(np.array([max(map(len, drawn[0])), max(map(len, drawn[1])) - 1]))
        if index != 1:
            return widths
        same = widths == self._widths(epoch, 0, self._drawn(epoch, 0))
        return widths + same * self.multiples

    def __getitem__(self, index: int) -> tuple:
        epoch = self.epoch
        sources, targets = self._drawn(epoch, index)
        source_width, target_width = self._widths(epoch, index, (sources, targets))
        whole = pad(targets, (target_width + 1,), self.padding)
        written, truth = np.where(whole[:, 1:] == self.padding, self.padding, whole[:, :-1]), whole[:, 1:]
        weights = (truth != self.padding).astype("float32")
        if self.weights is not None:
            weights *= self.weights[self.numbers(epoch, index)][:, None]
        return {"source_ids": pad(sources, (source_width,), self.padding), "target_ids": written}, truth, weights


def _rows(name: str, rows: Sequence, least: int) -> Rows:
    """Check rows of ids, and return them as int32."""
    found = [np.asarray(row) for row in rows]
    for number, row in enumerate(found):
        if row.ndim != 1 or len(row) < least or row.dtype.kind not in "iu":
            raise ZooValueError(
                f"{name}[{number}] must be a row of at least {least} ids, got {row.dtype} of shape {list(row.shape)}"
            )
    return [row.astype("int32", copy=False) for row in found]
