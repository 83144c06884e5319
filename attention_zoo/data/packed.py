"""The packed form in which the store keeps every set: compressed TSV with a header, no quoting."""

import gzip
import lzma
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from attention_zoo.data.dataset import Split
from attention_zoo.data.real_set import Form
from attention_zoo.errors import ZooFileError

_BLANKS = re.compile(r"[ \t\r\n]+")


def _as_read(columns: dict[str, list]) -> dict[str, list]:
    return columns


@dataclass(frozen=True)
class Tables(Form):
    """One packed table for each split.

    Args:
        files: file (without its ending) of each split, by the split's name.
        columns: columns of those files, in order.
        convert: makes the rows of each file (in the order of `columns`) out of the published files.
        arrange: makes the columns of a `Split` out of those of a file.
    """

    files: Mapping[str, str]
    columns: tuple[str, ...]
    convert: Callable[[Mapping[str, Path]], Mapping[str, Iterable[tuple[str, ...]]]] = field(repr=False)
    arrange: Callable[[dict[str, list]], dict[str, list]] = field(default=_as_read, repr=False)

    def missing(self, folder: Path) -> str | None:
        """Return the first table that `folder` lacks."""
        lacking = (stem for stem in self.files.values() if locate(folder, stem) is None)
        return next((f"{stem}.tsv.gz (or .xz)" for stem in lacking), None)

    def read(self, folder: Path) -> dict[str, Split]:
        """Read the tables and check their columns."""
        splits = {}
        for split, stem in self.files.items():
            path = locate(folder, stem)
            if path is None:
                raise ZooFileError(f"{folder} must hold {stem}.tsv.gz (or .xz); it is missing")
            columns = read(path)
            if set(columns) != set(self.columns):
                raise ZooFileError(f"{path} must have the columns {', '.join(self.columns)}, got {', '.join(columns)}")
            splits[split] = Split(self.arrange(columns))
        return splits

    def write(self, folder: Path, files: Mapping[str, Path]) -> None:
        """Convert the published files."""
        for stem, rows in self.convert(files).items():
            write(folder / f"{stem}.tsv.gz", self.columns, rows)


def tidy(text: str) -> str:
    """Return `text` on one line: runs of blanks, tabs and line breaks become one blank, none at the ends."""
    return _BLANKS.sub(" ", text).strip()


def locate(folder: Path, stem: str) -> Path | None:
    """Return the packed file `stem` of `folder`, or None where there is none."""
    candidates = (folder / f"{stem}.tsv{ending}" for ending in (".gz", ".xz"))
    return next((path for path in candidates if path.is_file()), None)


def read(path: Path) -> dict[str, list[str]]:
    """Read a packed file.

    Args:
        path: `*.tsv.gz` or `*.tsv.xz`, the first line naming the columns.

    Returns:
        The values of each column.

    Raises:
        ZooFileError: if the file is missing, cut, damaged, or has a row with too few or too many fields.
    """
    opener = lzma.open if path.suffix == ".xz" else gzip.open
    try:
        with opener(path, "rb") as stream:
            content = stream.read().decode("utf-8")
    except (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError, zlib.error) as error:
        raise ZooFileError(f"{path} is damaged or cannot be read: {error}") from error
    lines = content.removesuffix("\n").split("\n")
    header, rows = lines[0].split("\t"), [line.split("\t") for line in lines[1:]]
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise ZooFileError(f"{path} line {number} must have {len(header)} fields, got {len(row)}")
    return {name: [row[column] for row in rows] for column, name in enumerate(header)}


def write(path: Path, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """Write a packed `*.tsv.gz`; the same rows give the same bytes.

    Args:
        path: file to write.
        columns: names for the header.
        rows: values, in the order of `columns`, without tabs and line breaks (see `tidy`).
    """
    lines = ["\t".join(columns), *("\t".join(row) for row in rows), ""]
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as stream:
        stream.write("\n".join(lines).encode("utf-8"))
