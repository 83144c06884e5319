"""Rows of several modalities, any of them missing, in padded batches that keep what belongs together."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.training.ordered import OrderedBatches

Arrays = Callable[[Sequence[Mapping[str, Any]], Mapping[str, int]], dict[str, np.ndarray]]
Augment = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


class RowBatches(OrderedBatches):
    """Cut encoded rows into padded batches for `fit`, `evaluate` and `predict`.

    Shuffled: rows are mixed by (seed, epoch), sorted by length within pools, cut, and the batches are mixed; what does
    not fill a batch is a random rest. Not shuffled: sorted by length. Where rows have groups, those of a group are in
    one batch and in their order: there are as many batches as `batch_size` asks for, but not more than groups, and all
    have about as many groups. The same (seed, epoch, batch) gives the same numbers in any process.

    TensorFlow takes the first two batches for the shape of all. So the second is padded by one multiple more in each
    modality of which there are different lengths, where it would be as wide as the first.

    Args:
        rows: of each row its steps by modality, [steps, ...]; one that is missing is left out.
        arrays: `arrays(rows, widths)` makes the inputs of a batch, with at least so many steps of each modality; beside
            those of a modality m there is "m_steps".
        targets: one for each row, or None for `predict`.
        others: targets of other outputs by their name; then a batch's are {main: ..., name: ...}.
        main: the name of the output that `targets` are of.
        multiples: by modality, to which the number of steps is rounded up; a modality of which no row has more than
            one step is left at one. `arrays` may round up further only to what these are multiples of.
        groups: of each row, None for one that is alone; None is that all are.
        augment: by modality `augment(array, steps, generator) -> array`, called with that modality of one batch and a
            NumPy generator of its own for (seed, epoch, batch); it must keep the shape.
        batch_size: rows of a batch.
        seed: of the order and of `augment`.
        shuffle: False for validation and prediction.
        pool: batches that are sorted by length together, see `OrderedBatches.pooled`.

    Attributes:
        epoch: which order is given out; `fit` sets it, plain Keras counts it up.

    Raises:
        ZooValueError: if rows, targets and groups do not fit together or a number is out of its range.
        ZooTypeError: if `augment` cannot be called.
    """

    def __init__(
        self,
        rows: Sequence[Mapping[str, Any]],
        arrays: Arrays,
        targets: Any = None,
        others: Mapping[str, Any] | None = None,
        *,
        main: str = "logits",
        multiples: Mapping[str, int],
        groups: Sequence[Hashable | None] | None = None,
        augment: Mapping[str, Augment] | None = None,
        batch_size: int = 32,
        seed: int = 0,
        shuffle: bool = True,
        pool: int | None = None,
    ):
        super().__init__(len(rows), targets, None, batch_size=batch_size, seed=seed, shuffle=shuffle)
        self.rows, self.arrays, self.main, self.pool = rows, arrays, main, self.pooled(pool)
        self.others = {name: np.asarray(column) for name, column in (others or {}).items()}
        self.augment = dict(augment or {})
        for name, column in {**self.others, **({} if groups is None else {"groups": groups})}.items():
            if len(column) != self.count:
                raise ZooValueError(f"{name} must have one entry per row ({self.count}), got {len(column)}")
        for name, change in self.augment.items():
            if not callable(change):
                raise ZooTypeError(
                    f"augment must be functions of (array, steps, generator), got {change!r:.40} of {name}"
                )
        lengths = np.array([[max(len(row.get(name, ())), 1) for name in multiples] for row in rows])
        self.multiples = {
            name: whole_number("multiples", multiple) if longest > 1 else 1
            for (name, multiple), longest in zip(multiples.items(), lengths.max(axis=0))
        }
        steps = np.array(list(self.multiples.values()))
        self._rounded = -(-lengths // steps) * steps
        self._units = None if groups is None else _together(groups)
        if self._units is not None and len(self._units) == self.count:
            self._units = None
        # The modality that varies most decides which rows are alike.
        self._keys = np.argsort(np.ptp(self._rounded, axis=0), kind="stable")

    def __len__(self) -> int:
        count = super().__len__()
        return count if self._units is None else min(count, len(self._units))

    def order(self, epoch: int) -> list[np.ndarray]:
        """Return which rows make each batch of `epoch` (numbers of rows, one array per batch)."""
        if self._units is not None:
            units = len(self._units)
            places = self._random(epoch).permutation(units) if self.shuffle else np.arange(units)
            parts = np.array_split(places, len(self))
            return [np.concatenate([self._units[place] for place in part]) for part in parts]
        if not self.shuffle:
            return self.cut(np.arange(self.count), len(self), self._alike)
        return self.mixed(epoch, lambda numbers: self.cut(numbers, self.pool, self._alike))

    def _alike(self, numbers: np.ndarray) -> np.ndarray:
        """Sort by what varies most; what is alike keeps its order."""
        return numbers[np.lexsort(self._rounded[numbers][:, self._keys].T)]

    def _widths(self, epoch: int, index: int) -> np.ndarray:
        """Return the steps of each modality of a batch; the second differs from the first where any two rows do."""
        if len(self) == 1:
            return self._rounded.max(axis=0)
        widths = self._rounded[self.numbers(epoch, index)].max(axis=0)
        if index != 1:
            return widths
        varies = np.ptp(self._rounded, axis=0) > 0
        return widths + (varies & (widths == self._widths(epoch, 0))) * np.array(list(self.multiples.values()))

    def __getitem__(self, index: int) -> tuple:
        epoch = self.epoch
        numbers = self.numbers(epoch, index)
        widths = dict(zip(self.multiples, self._widths(epoch, index).tolist()))
        inputs = self.arrays([self.rows[number] for number in numbers], widths)
        generator = self.generator(epoch, index)
        for name, change in self.augment.items():
            changed = np.asarray(change(inputs[name], inputs[f"{name}_steps"], generator), inputs[name].dtype)
            if changed.shape != inputs[name].shape:
                raise ZooValueError(
                    f"augment must keep the shape {list(inputs[name].shape)}, got {list(changed.shape)}"
                )
            inputs[name] = changed
        if self.targets is None:
            return (inputs,)
        truth = self.targets[numbers]
        if not self.others:
            return inputs, truth
        return inputs, {self.main: truth, **{name: column[numbers] for name, column in self.others.items()}}


def _together(groups: Sequence[Hashable | None]) -> list[np.ndarray]:
    """Return the numbers of the rows of each group, groups in the order of their first rows."""
    found: dict[Any, list[int]] = {}
    for number, group in enumerate(groups):
        found.setdefault(("alone", number) if group is None else ("group", group), []).append(number)
    return [np.array(numbers) for numbers in found.values()]
