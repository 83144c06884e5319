"""What is known of items beside who chose them: words and numbers of a table, as small whole numbers by field."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from attention_zoo.errors import ZooFileError, ZooValueError
from attention_zoo.files import make_folder, read_json, replace_file, write_json
from attention_zoo.recsys.ids import Id, ItemIndex

FORMAT = 1
FIELDS, TABLE = "features.json", "features.npy"
BINS = 10  # parts of a field of numbers, each of about as many items
MOST_WORDS = 1000  # different words of a field; rarer ones are one word

Field = dict[str, Any]


@dataclass(frozen=True)
class ItemFeatures:
    """Features of each item: one whole number a field; 0 is missing, or unknown.

    Args:
        fields: by name either {"words": [...]}, where the word at place p is the number p + 1 and all words that are
            not there are the number after the last; or {"bounds": [...]}, rising, which cut numbers into parts.
        table: int32 [items + 1, fields], by number of the item.

    Raises:
        ZooValueError: if fields and table do not belong together.
    """

    fields: dict[str, Field]
    table: np.ndarray

    def __post_init__(self) -> None:
        table = self.table
        if table.ndim != 2 or table.shape[1] != len(self.fields) or not self.fields or table.dtype.kind not in "iu":
            raise ZooValueError(
                f"table must be whole numbers [items + 1, {len(self.fields)}], got {list(table.shape)} {table.dtype}"
            )
        if len(table) and (table.min() < 0 or (table.max(axis=0) >= self.sizes).any()):
            raise ZooValueError("table must hold numbers under the size of each field")

    @classmethod
    def learn(cls, index: ItemIndex, ids: Sequence[Id], columns: Mapping[str, Sequence[Any]]) -> Self:
        """Learn fields from the columns of a table of items.

        A column of more than 20 different numbers is cut into ten parts of about as many items; any other is of words.

        Args:
            index: the catalogue; ids that it lacks are left out, items that `ids` lacks have no features.
            ids: of the items of each column.
            columns: values by name of the field: words, numbers, None where nothing is known.

        Raises:
            ZooValueError: if there is no column, or one is of another length than `ids`.
        """
        for name, values in columns.items():
            if len(values) != len(ids):
                raise ZooValueError(f"features {name!r} must be {len(ids):,}, one for each item, got {len(values):,}")
        if not columns:
            raise ZooValueError("columns must hold at least one feature, got none")
        fields = {name: _learned(values) for name, values in columns.items()}
        table = np.zeros((len(index) + 1, len(fields)), np.int32)
        numbers = index.lookup(list(ids))
        known = numbers > 0
        for place, (name, field) in enumerate(fields.items()):
            table[numbers[known], place] = encode(field, columns[name])[known]
        return cls(fields, table)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the fields."""
        return tuple(self.fields)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many numbers each field has, 0 among them."""
        return tuple(
            len(field["words"]) + 2 if "words" in field else len(field["bounds"]) + 2 for field in self.fields.values()
        )

    def save(self, folder: str | Path) -> None:
        """Write `features.json` and `features.npy` into a folder, which is made.

        Raises:
            ZooFileError: if they cannot be written.
        """
        folder = make_folder(folder)
        write_json(folder / FIELDS, {"format": FORMAT, "fields": self.fields})
        replace_file(folder / TABLE, lambda file: np.save(file, self.table, allow_pickle=False))

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ZooFileError: if a file is missing or damaged.
        """
        folder = Path(folder)
        told = read_json(folder / FIELDS, FORMAT)
        try:
            return cls(dict(told["fields"]), np.load(folder / TABLE, allow_pickle=False))
        except (OSError, EOFError, KeyError, TypeError, ValueError) as error:
            raise ZooFileError(f"{folder} is damaged: {error}") from error


def encode(field: Field, values: Sequence[Any]) -> np.ndarray:
    """Return the numbers of values in a field, int32; 0 where a value is missing.

    Args:
        field: as in `ItemFeatures.fields`.
        values: words or numbers, None where nothing is known.
    """
    if "words" in field:
        words = {word: number for number, word in enumerate(field["words"], 1)}
        other = len(words) + 1
        return np.array([0 if _is_missing(one) else words.get(_word(one), other) for one in values], np.int32)
    numbers = np.array([_number(one) for one in values], np.float64)
    parts = np.searchsorted(np.asarray(field["bounds"], np.float64), numbers, "right") + 1
    return np.where(np.isnan(numbers), 0, parts).astype(np.int32)


def _learned(values: Sequence[Any]) -> Field:
    there = [value for value in values if not _is_missing(value)]
    numbers = np.array([_number(value) for value in there], np.float64)
    if len(there) and not np.isnan(numbers).any() and len(np.unique(numbers)) > 2 * BINS:
        return {"bounds": np.unique(np.quantile(numbers, np.arange(1, BINS) / BINS)).tolist()}
    counts = Counter(_word(value) for value in there)
    order = sorted(counts, key=lambda word: (-counts[word], word))
    return {"words": order[:MOST_WORDS]}


def _is_missing(value: Any) -> bool:
    return (
        value is None
        or (isinstance(value, str) and not value.strip())
        or (isinstance(value, float) and math.isnan(value))
    )


def _word(value: Any) -> str:
    return str(value).strip()


def _number(value: Any) -> float:
    """Return a value as a finite number, NaN where it is none."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return math.nan
    return number if math.isfinite(number) else math.nan
