"""The packed form in which the store keeps every set: compressed TSV with a header, no quoting."""

import gzip
import lzma
import re
import zlib
from collections.abc import Iterable
from pathlib import Path

from attention_zoo.errors import ZooFileError

_BLANKS = re.compile(r"[ \t\r\n]+")


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
