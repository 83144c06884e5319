"""Ids of items as a user wrote them, and the numbers 1..n that a network knows them by; 0 is padding."""

from collections.abc import Iterable, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, Self

import numpy as np

from attention_zoo.errors import ZooError, ZooFileError, ZooTypeError, ZooValueError, unknown
from attention_zoo.files import read_json, write_json
from attention_zoo.recsys.histories import Histories

FORMAT = 1
CHUNK = 1 << 20  # ids looked up at a time

Id = str | int


def as_id(value: Any, name: str) -> Id:
    """Return an id as a plain str or int.

    Args:
        value: what the user gave.
        name: where it stands, for the sentence ("history[0][2]").

    Raises:
        ZooTypeError: if it is neither text nor a whole number; a float is refused, whatever its value.
        ZooValueError: if it is a blank text.
    """
    if isinstance(value, str):
        if not value.strip():
            raise ZooValueError(f"{name} must be the id of an item, got a blank text")
        return str(value)
    if isinstance(value, Integral) and not isinstance(value, bool | np.bool_):
        return int(value)
    kind = type(value).__name__
    hint = "; read the ids of a table as text" if isinstance(value, float | np.floating) else ""
    raise ZooTypeError(f"{name} must be the id of an item, text or a whole number, got {value!r:.60} ({kind}){hint}")


class ItemIndex:
    """The catalogue: each item's id, its number, and how often it was chosen.

    Numbers count from 1 in the order of `ids`; 0 is padding. A text that is the decimal writing of a known whole number
    is found where all ids are whole numbers ("12" finds 12), and the other way round where all are texts.

    Args:
        ids: of the items, each once.
        counts: how often each was chosen in the training data; None is 0 for each.

    Attributes:
        ids: str or int, as the user wrote them; the item with the number n is `ids[n - 1]`.
        counts: int64 [items + 1], by number; 0 of the padding.

    Raises:
        ZooTypeError, ZooValueError: if an id or a count cannot work, an id is there twice, or there is none.
    """

    def __init__(self, ids: Sequence[Id], counts: Sequence[int] | np.ndarray | None = None):
        self.ids = tuple(as_id(value, f"ids[{place}]") for place, value in enumerate(ids))
        self._numbers = {value: number for number, value in enumerate(self.ids, 1)}
        if not self.ids or len(self._numbers) < len(self.ids):
            raise ZooValueError(f"ids must be of at least one item, each once, got {len(self.ids):,} ids")
        counts = np.zeros(len(self.ids), np.int64) if counts is None else np.asarray(counts)
        if counts.shape != (len(self.ids),) or counts.dtype.kind not in "iu" or (counts < 0).any():
            raise ZooValueError(f"counts must be {len(self.ids):,} whole numbers of at least 0, got {counts!r:.60}")
        self.counts = np.concatenate([[0], counts]).astype(np.int64)
        kinds = {type(value) for value in self.ids}
        self._kind = kinds.pop() if len(kinds) == 1 else None

    @classmethod
    def learn(cls, histories: Histories, catalogue: Iterable[Id] = ()) -> Self:
        """Number the items of histories, and count how often each is there.

        Args:
            histories: of ids, as `attention_zoo.recsys.as_histories` makes them.
            catalogue: ids of all items there are, chosen or not; they get the first numbers, in this order. Items of
                the histories that it lacks follow as they first occur.

        Raises:
            ZooValueError: if there is no item.
        """
        counts = dict.fromkeys((as_id(value, f"catalogue[{place}]") for place, value in enumerate(catalogue)), 0)
        for chunk in histories.chunks(CHUNK):
            for value in chunk.tolist():
                counts[value] = counts.get(value, 0) + 1
        if not counts:
            raise ZooValueError("histories must hold at least one item, got none")
        return cls(tuple(counts), np.fromiter(counts.values(), np.int64, len(counts)))

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, value: object) -> bool:
        return self._found(value) > 0

    def __repr__(self) -> str:
        return f"ItemIndex({len(self):,} items, chosen {int(self.counts.sum()):,} times)"

    @property
    def popular(self) -> np.ndarray:
        """Numbers of all items, int32, the most chosen first; of equals the lower number first."""
        return (np.argsort(-self.counts[1:], kind="stable") + 1).astype(np.int32)

    def number(self, value: Id, name: str = "item") -> int:
        """Return the number of an item.

        Args:
            value: its id.
            name: of the argument, for the sentence.

        Raises:
            ZooTypeError: if it is no id.
            ZooValueError: if there is no such item; names the nearest three.
        """
        found = self._found(as_id(value, name))
        if not found:
            raise unknown(name, value, [str(each) for each in self.ids[:20_000]])
        return found

    def id(self, number: int) -> Id:
        """Return the id of the item with a number, 1 to the number of items.

        Raises:
            ZooValueError: if there is no such number.
        """
        if not 1 <= number <= len(self):
            raise ZooValueError(f"number must be from 1 to {len(self):,}, got {number!r}")
        return self.ids[int(number) - 1]

    def lookup(self, values: Iterable[Id]) -> np.ndarray:
        """Return the numbers of ids, int32, 0 where there is no such item.

        Args:
            values: str and int, checked before (`as_id`, `as_histories`).
        """
        values = values if isinstance(values, list) else list(values)
        return np.fromiter((self._found(value) for value in values), np.int32, len(values))

    def numbers(self, histories: Histories) -> tuple[Histories, np.ndarray]:
        """Return histories of ids as histories of numbers; unknown ids are left out and counted.

        Args:
            histories: of ids, as `as_histories` makes them.

        Returns:
            histories of int32 numbers, and how many unknown ids each had, int64 [histories].
        """
        found = [self.lookup(chunk.tolist()) for chunk in histories.chunks(CHUNK)]
        flat = np.concatenate(found) if found else np.zeros(0, np.int32)
        known = np.concatenate([[0], np.cumsum(flat > 0)])
        ends = np.cumsum(histories.lengths)
        starts = ends - histories.lengths
        numbers = Histories(flat[flat > 0], known[starts], known[ends])
        return numbers, histories.lengths - numbers.lengths

    def save(self, path: str | Path) -> None:
        """Write ids and counts as JSON.

        Raises:
            ZooFileError: if it cannot be written.
        """
        write_json(path, {"format": FORMAT, "ids": list(self.ids), "counts": self.counts[1:].tolist()})

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ZooFileError: if the file is missing or damaged.
        """
        told = read_json(path, FORMAT)
        try:
            return cls(told["ids"], np.asarray(told["counts"], np.int64))
        except (ZooError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise ZooFileError(f"{path} is damaged: {error}") from error

    def _found(self, value: object) -> int:
        # A float or a bool equals a whole number and would be found in its place.
        found = self._numbers.get(value, 0) if type(value) in (str, int) else 0
        if found or self._kind is None or type(value) is self._kind:
            return found
        if self._kind is str:
            return self._numbers.get(str(value), 0)
        is_written = isinstance(value, str) and value.removeprefix("-").isdecimal() and value.isascii()
        return self._numbers.get(int(value), 0) if is_written and str(int(value)) == value else 0
