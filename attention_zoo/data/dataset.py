"""What a data set is: named splits of named columns, with its licence and source."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from attention_zoo.data.fingerprint import fingerprint, ids_as_words, images_as_words, sounds_as_words
from attention_zoo.errors import ZooTypeError, ZooValueError, unknown
from attention_zoo.recsys.histories import Histories

RAW = ("sound", "image", "text", "history")


class Split:
    """Rows of a data set, held by column.

    `split["text"]` is a list of strings. `split["image"]` is one uint8 array [rows, height, width] or [rows, height,
    width, 3], or a list of arrays, of the paths or of the bytes of image files. `split["sound"]` is a list of the paths
    or of the bytes of sound files, or of pairs (array, rate); `split["text"]` is then what is said. `split["label"]` is
    a list of strings, or of lists of strings where a row may have several labels. `split["history"]` is `Histories` of
    the ids of items. Columns are not copied: do not change them.

    Args:
        columns: values of each column by its name; all of one length. Arrays of two or more axes, and `Histories`, stay
            as they are.

    Raises:
        ZooValueError: if there is no column, or columns differ in length.
    """

    def __init__(self, columns: Mapping[str, Sequence]):
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) != 1:
            raise ZooValueError(f"columns must be at least one, and all of one length (rows), got {lengths}")
        self._columns = {name: values if _is_block(values) else list(values) for name, values in columns.items()}

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self._columns)

    def __getitem__(self, name: str) -> list | np.ndarray | Histories:
        """Return one column.

        Raises:
            ZooValueError: if there is no such column; names the nearest three.
        """
        if name not in self._columns:
            raise unknown("column", name, self._columns)
        return self._columns[name]

    def __len__(self) -> int:
        return len(next(iter(self._columns.values())))

    def __repr__(self) -> str:
        return f"Split({len(self):,} rows: {', '.join(self._columns)})"

    def rows(self, positions: Iterable[int]) -> "Split":
        """Return the rows at `positions` (0-based), in that order."""
        positions = list(positions)
        return Split({name: _chosen(values, positions) for name, values in self._columns.items()})

    def take(self, count: int, seed: int = 0) -> "Split":
        """Return `count` rows drawn without replacement, in their own order; all rows where there are no more.

        Args:
            count: rows to draw, at least 0.
            seed: of the draw; the same seed gives the same rows.

        Raises:
            ZooValueError: if `count` is negative or no whole number.
        """
        if not isinstance(count, int | np.integer) or count < 0:
            raise ZooValueError(f"count must be a whole number of rows, at least 0, got {count!r}")
        drawn = np.random.default_rng(seed).permutation(len(self))[:count]
        return self.rows(sorted(drawn.tolist()))


def _is_block(values: Sequence) -> bool:
    return isinstance(values, Histories) or (isinstance(values, np.ndarray) and values.ndim > 1)


def _chosen(values: list | np.ndarray | Histories, positions: list[int]) -> list | np.ndarray | Histories:
    """Return some values: a view of an array where they follow one another, else a copy of these rows alone."""
    if isinstance(values, Histories):
        return values.rows(positions)
    if not isinstance(values, np.ndarray):
        return [values[row] for row in positions]
    start, stop = (positions[0], positions[0] + len(positions)) if positions else (0, 0)
    if 0 <= start <= stop <= len(values) and positions == list(range(start, stop)):
        return values[start:stop]
    return values[np.asarray(positions, np.int64)]


@dataclass(frozen=True)
class Dataset:
    """A data set: its splits, its labels, and where it comes from.

    Args:
        name: short name ("clinc150"), or the file's name for a table of the user's.
        splits: rows by split ("train", "val", "test", ...).
        labels: every label, in the order of a model's outputs; none where rows have no column "label", as of texts
            that stand side by side in several languages.
        multi_label: True where a row may have several labels, or none.
        licence: words of the licence ("CC BY 3.0"); "unknown" where nobody stated one.
        permissive: True where data and weights made of it may be used for anything (with attribution).
        source: public address of the data.
        citation: the paper to cite.
        sample: True for the small bundled sample.
    """

    name: str
    splits: dict[str, Split] = field(repr=False)
    labels: tuple[str, ...] = field(default=(), repr=False)
    multi_label: bool = False
    licence: str = "unknown"
    permissive: bool = False
    source: str = ""
    citation: str = field(default="", repr=False)
    sample: bool = False

    def __getitem__(self, split: str) -> Split:
        """Return one split.

        Raises:
            ZooValueError: if there is no such split; names the nearest three.
        """
        if not isinstance(split, str):
            raise ZooTypeError(f"split must be a name, got {split!r}; splits are {', '.join(self.splits)}")
        if split not in self.splits:
            raise unknown("split", split, self.splits)
        return self.splits[split]

    def part(self, split: str) -> Split:
        """Return one split; of a set that has only one, that one.

        Raises:
            ZooValueError: if there are several, and none of this name.
        """
        return next(iter(self.splits.values())) if len(self.splits) == 1 else self[split]

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the columns, the same in each split."""
        return next(iter(self.splits.values())).columns

    @property
    def raw(self) -> str:
        """Name of the column that a model reads: "sound", "image", "text" or "history".

        Raises:
            ZooValueError: if there is neither.
        """
        found = next((name for name in RAW if name in self.fields), None)
        if found is None:
            raise ZooValueError(
                f"{self.name} must have a column 'sound', 'image', 'text' or 'history', got {', '.join(self.fields)}"
            )
        return found

    @property
    def sha256(self) -> str:
        """Fingerprint of all splits, in order, whatever way they lie on disk: of inputs and labels.

        Where there are no labels, it is of the names and values of all columns, which then are texts, sounds or ids.
        """
        if "label" not in self.fields:
            return fingerprint(_all_columns(self.splits))
        raw = self.raw
        words = {"image": images_as_words, "sound": sounds_as_words}.get(raw, list)
        return fingerprint((name, words(split[raw]), split["label"]) for name, split in self.splits.items())


def has_split(data: object, split: str) -> bool:
    """Tell whether something is a Dataset with this split."""
    return isinstance(data, Dataset) and split in data.splits


def _all_columns(splits: Mapping[str, Split]) -> Iterator[tuple]:
    """Yield (split, [column], values, [column], values ...) of each split."""
    for name, split in splits.items():
        columns = {column: split[column] for column in split.columns}
        if "sound" in columns:
            columns["sound"] = sounds_as_words(columns["sound"])
        if "history" in columns or "item" in columns:
            columns = {column: ids_as_words(values) for column, values in columns.items()}
        yield name, *(part for column, values in columns.items() for part in ([column], values))
