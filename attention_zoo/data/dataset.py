"""What a data set is: named splits of named columns, with its licence and source."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from attention_zoo.errors import ZooTypeError, ZooValueError, unknown

_BETWEEN_VALUES = "\x1f"
_BETWEEN_LABELS = "\x1e"


class Split:
    """Rows of a data set, held by column.

    `split["text"]` is a list of strings, `split["label"]` a list of strings, or of lists of strings where a row
    may have several labels. Columns are not copied: do not change them.

    Args:
        columns: values of each column by its name; all of one length.

    Raises:
        ZooValueError: if there is no column, or columns differ in length.
    """

    def __init__(self, columns: Mapping[str, Sequence]):
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) != 1:
            raise ZooValueError(f"columns must be at least one, and all of one length (rows), got {lengths}")
        self._columns = {name: list(values) for name, values in columns.items()}

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self._columns)

    def __getitem__(self, name: str) -> list:
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
        return Split({name: [values[row] for row in positions] for name, values in self._columns.items()})

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


@dataclass(frozen=True)
class Dataset:
    """A data set: its splits, its labels, and where it comes from.

    Args:
        name: short name ("clinc150"), or the file's name for a table of the user's.
        splits: rows by split ("train", "val", "test", ...).
        labels: every label, in the order of a model's outputs.
        multi_label: True where a row may have several labels, or none.
        licence: words of the licence ("CC BY 3.0"); "unknown" where nobody stated one.
        permissive: True where data and weights made of it may be used for anything (with attribution).
        source: public address of the data.
        citation: the paper to cite.
        sample: True for the small bundled sample.
    """

    name: str
    splits: dict[str, Split] = field(repr=False)
    labels: tuple[str, ...] = field(repr=False)
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

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the columns, the same in each split."""
        return next(iter(self.splits.values())).columns

    @property
    def sha256(self) -> str:
        """Fingerprint of texts and labels of all splits, in order; whatever way they are compressed on disk."""
        digest = hashlib.sha256()
        for name, split in self.splits.items():
            labels = [label if isinstance(label, str) else _BETWEEN_LABELS.join(label) for label in split["label"]]
            for values in ([name], split["text"], labels):
                digest.update(_BETWEEN_VALUES.join(values).encode("utf-8", "surrogatepass"))
                digest.update(b"\n")
        return digest.hexdigest()
