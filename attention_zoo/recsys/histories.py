"""Many histories in one flat array: cheap to cut, to choose from, and to leave on disk."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from attention_zoo.errors import ZooFileError, ZooValueError
from attention_zoo.files import make_folder, replace_file

ITEMS, OFFSETS = "items.npy", "offset.npy"
LEFT, RIGHT = "left", "right"


class Histories(Sequence):
    """A sequence of histories, each oldest first, of ids or of numbers.

    The history i is `values[starts[i]:stops[i]]`. Cutting and choosing make new bounds and copy no item, so `values`
    may be an array that is mapped from a file.

    Args:
        values: items of all histories, 1-D: whole numbers, or Python objects (str and int).
        starts: int64 [histories], where each begins.
        stops: int64 [histories], where each ends.

    Raises:
        ZooValueError: if bounds and values do not belong together.
    """

    def __init__(self, values: np.ndarray, starts: np.ndarray, stops: np.ndarray):
        starts, stops = _bounds(starts), _bounds(stops)
        if values.ndim != 1 or starts.ndim != 1 or starts.shape != stops.shape:
            raise ZooValueError(
                f"histories must be of flat values with a start and a stop each, got {list(values.shape)}, "
                f"{list(starts.shape)} and {list(stops.shape)}"
            )
        if len(starts) and (starts.min() < 0 or stops.max() > len(values) or (stops < starts).any()):
            raise ZooValueError(f"starts and stops must lie in order within the {len(values):,} values")
        self.values, self.starts, self.stops = values, starts, stops

    @classmethod
    def of(cls, rows: Iterable[Sequence]) -> Self:
        """Join rows of ids, or of numbers; whole numbers alone become int64, anything else stays as it is."""
        rows = [list(row) for row in rows]
        flat = [value for row in rows for value in row]
        if all(type(value) is int and -(2**63) <= value < 2**63 for value in flat):
            values = np.array(flat, np.int64)
        else:
            values = np.empty(len(flat), object)
            values[:] = flat
        return cls.cut(values, np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)]))

    @classmethod
    def cut(cls, values: np.ndarray, offsets: np.ndarray) -> Self:
        """Cut a flat array at offsets, int64 [histories + 1]: the history i is `values[offsets[i]:offsets[i + 1]]`."""
        return cls(values, offsets[:-1], offsets[1:])

    @property
    def lengths(self) -> np.ndarray:
        """Items of each history, int64."""
        return self.stops - self.starts

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, place: int | slice) -> Any:
        """Return one history as a list, or several as Histories."""
        if isinstance(place, slice):
            return type(self)(self.values, self.starts[place], self.stops[place])
        return self.array(place).tolist()

    def __iter__(self) -> Iterator[list]:
        return (self.array(place).tolist() for place in range(len(self)))

    def __repr__(self) -> str:
        return f"Histories({len(self):,} of {int(self.lengths.sum()):,} items)"

    def array(self, place: int) -> np.ndarray:
        """Return one history as a view of the values."""
        return self.values[self.starts[place] : self.stops[place]]

    def rows(self, places: Iterable[int]) -> "Histories":
        """Return the histories at `places`, in that order."""
        places = np.asarray(places if isinstance(places, np.ndarray) else list(places), np.int64)
        return type(self)(self.values, self.starts[places], self.stops[places])

    def without_last(self, count: int | np.ndarray) -> "Histories":
        """Leave the newest items out: so many of each, or of each history its own number; at most all."""
        return type(self)(self.values, self.starts, np.maximum(self.stops - count, self.starts))

    def newest(self, length: int) -> "Histories":
        """Keep the newest `length` items of each."""
        return type(self)(self.values, np.maximum(self.starts, self.stops - length), self.stops)

    def chunks(self, size: int) -> Iterator[np.ndarray]:
        """Yield the items of all histories, one after the other, in arrays of about `size` items."""
        ends = np.cumsum(self.lengths)
        first = 0
        while first < len(self):
            before = ends[first - 1] if first else 0
            last = max(int(np.searchsorted(ends, before + size, "right")), first + 1)
            yield self._joined(slice(first, last))
            first = last

    def flat(self) -> np.ndarray:
        """Return the items of all histories in one array."""
        return self._joined(slice(None))

    def owners(self) -> np.ndarray:
        """Return for each item of `flat()` the place of its history, int64."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def seen(self) -> list[np.ndarray]:
        """Return for each history its different items, sorted; of numbers."""
        return [np.unique(self.array(place)) for place in range(len(self))]

    def padded(self, width: int, side: str = LEFT) -> np.ndarray:
        """Return the newest `width` items of each in a block, oldest first.

        Args:
            width: items of a row.
            side: where shorter ones are filled up with 0: "left" (the newest item is always last) or "right".

        Returns:
            int32 [histories, width]; of numbers only.
        """
        steps = np.arange(width, dtype=np.int64)
        starts = np.maximum(self.starts, self.stops - width)
        places = (self.stops - width if side == LEFT else starts)[:, None] + steps
        real = (places >= starts[:, None]) & (places < self.stops[:, None])
        block = np.zeros(real.shape, np.int32)
        block[real] = self.values[places[real]]
        return block

    def save(self, folder: str | Path) -> None:
        """Write `items.npy` and `offset.npy` into a folder, which is made; of numbers or of ids that are whole numbers.

        Raises:
            ZooFileError: if they cannot be written.
        """
        folder = make_folder(folder)
        values = self.flat()
        if values.dtype.kind not in "iu":
            raise ZooValueError("histories must be of whole numbers to be written; save their numbers (ItemIndex)")
        offsets = np.concatenate([[0], np.cumsum(self.lengths)])
        replace_file(folder / ITEMS, lambda file: np.save(file, values, allow_pickle=False))
        replace_file(folder / OFFSETS, lambda file: np.save(file, offsets, allow_pickle=False))

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Open what `save` wrote; items stay on disk until they are read.

        Raises:
            ZooFileError: if a file is missing or damaged.
        """
        folder = Path(folder)
        try:
            values = np.load(folder / ITEMS, mmap_mode="r", allow_pickle=False)
            return cls.cut(values, np.load(folder / OFFSETS, allow_pickle=False))
        except (OSError, ValueError, EOFError) as error:
            raise ZooFileError(f"{folder} holds no histories: {error}") from error

    def _joined(self, part: slice) -> np.ndarray:
        starts, stops = self.starts[part], self.stops[part]
        if len(starts) and (starts[1:] == stops[:-1]).all():
            return np.asarray(self.values[starts[0] : stops[-1]])
        found = [self.values[start:stop] for start, stop in zip(starts, stops)]
        return np.concatenate(found) if found else self.values[:0]


def _bounds(bounds: np.ndarray) -> np.ndarray:
    found = np.asarray(bounds)
    if len(found) and found.dtype.kind not in "iu":
        raise ZooValueError(f"starts and stops must be whole numbers, got {found.dtype}")
    return found.astype(np.int64, copy=False)
