"""Read the rows of a user's table: CSV, TSV, JSON lines, a JSON list; each also gzipped."""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from attention_zoo.errors import ZooFileError, ZooValueError, nearest

KINDS = (".csv", ".tsv", ".jsonl", ".json")
_LONGEST_FIELD = 2**31 - 1


@dataclass(frozen=True)
class Row:
    """One row: where it stands ("line 7", "item 7") and its values by column."""

    place: str
    values: dict[str, object]


def read_rows(path: Path, wanted: str = "text (or image) and label") -> tuple[list[str], list[Row]]:
    """Read a table.

    Args:
        path: file that ends in .csv, .tsv, .jsonl or .json, perhaps followed by .gz; UTF-8.
        wanted: what a row should hold, for sentences of errors.

    Returns:
        Names of the columns, and the rows; blank lines are left out.

    Raises:
        ZooValueError: if the ending is unknown, the file is empty, not UTF-8, or not of its kind.
        ZooFileError: if it is missing or cannot be read.
    """
    kind = next((kind for kind in KINDS if path.name.lower().removesuffix(".gz").endswith(kind)), None)
    if kind is None:
        raise ZooValueError(f"{path} must end in {', '.join(KINDS)} (or one of these and .gz)")
    content = read_text(path)
    if not content.strip():
        raise ZooValueError(f"{path} is empty; it must hold rows of {wanted}")
    if kind in (".jsonl", ".json"):
        rows = _read_json(path, content, wanted)
    elif kind == ".tsv":
        rows = _from_fields(path, _tab_fields(content))
    else:
        rows = _read_csv(path, content)
    if not rows:
        raise ZooValueError(f"{path} has no rows below its header")
    return list(dict.fromkeys(name for row in rows for name in row.values)), rows


def find_column(path: Path, columns: list[str], wanted: str | None, role: str, usual: Sequence[str]) -> str:
    """Return the column of a role: the one that is named, else the first of the usual names that is there.

    Args:
        path: of the table, for sentences of errors.
        columns: names of its columns.
        wanted: what the user named; None looks for `usual`, whatever the size of the letters.
        role: what the column holds ("label").
        usual: names in small letters, the most usual first.

    Raises:
        ZooValueError: if there is no such column; names the nearest, or all.
    """
    if wanted is not None:
        if wanted in columns:
            return wanted
        close = ", ".join(repr(name) for name in nearest(wanted, columns))
        raise ZooValueError(f"{role} column {wanted!r} is not in {path}; the nearest of its columns are {close}")
    by_name = {name.strip().lower(): name for name in reversed(columns)}
    found = next((by_name[name] for name in usual if name in by_name), None)
    if found is None:
        present = ", ".join(repr(name) for name in columns[:20])
        raise ZooValueError(f"{path} has no column with a usual name for the {role}; name it by {role}=, of: {present}")
    return found


def read_text(path: Path) -> str:
    """Read a file of UTF-8, unpacked where its name ends in .gz; a byte order mark is left out.

    Raises:
        ZooValueError: if it is not UTF-8; names the line.
        ZooFileError: if it is missing or cannot be read.
    """
    if not path.is_file():
        raise ZooFileError(f"{path} does not exist" if not path.exists() else f"{path} is no file")
    try:
        content = path.read_bytes()
        if path.name.lower().endswith(".gz"):
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ZooFileError(f"{path} is damaged or cannot be read: {error}") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ZooValueError(
            f"{path} must be UTF-8; line {line} has byte 0x{content[error.start]:02x} that is not; save it as UTF-8"
        ) from error


def _read_csv(path: Path, content: str) -> list[Row]:
    header = content.lstrip("\r\n").split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    limit = csv.field_size_limit(_LONGEST_FIELD)
    try:
        reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
        return _from_fields(path, [(reader.line_num, fields) for fields in reader])
    except csv.Error as error:
        raise ZooValueError(f"{path} line {reader.line_num} is not CSV: {error}") from error
    finally:
        csv.field_size_limit(limit)


def _tab_fields(content: str) -> list[tuple[int, list[str]]]:
    """Split at tabs. Quotes are letters here, unless they enclose a whole field as spreadsheets write it."""
    lines = content.replace("\r\n", "\n").split("\n")
    return [(number, [_unquoted(field) for field in line.split("\t")]) for number, line in enumerate(lines, start=1)]


def _unquoted(field: str) -> str:
    inner = field[1:-1]
    enclosed = len(field) > 1 and field[0] == field[-1] == '"' and '"' not in inner.replace('""', "")
    return inner.replace('""', '"') if enclosed else field


def _from_fields(path: Path, lines: list[tuple[int, list[str]]]) -> list[Row]:
    """Pair each line's fields with the header, which is the first line that is not blank."""
    filled = [(number, fields) for number, fields in lines if any(field.strip() for field in fields)]
    header = [name.strip() for name in filled[0][1]]
    if len(set(header)) != len(header):
        raise ZooValueError(f"{path} must have a different name for each column, got {', '.join(header)}")
    for number, fields in filled[1:]:
        if len(fields) != len(header):
            raise ZooValueError(f"{path} line {number} must have {len(header)} fields as the header, got {len(fields)}")
    return [Row(f"line {number}", dict(zip(header, fields))) for number, fields in filled[1:]]


def _read_json(path: Path, content: str, wanted: str) -> list[Row]:
    if content.lstrip().startswith("["):
        found = [(f"item {number}", item) for number, item in enumerate(_parsed(path, "", content), start=1)]
    else:
        lines = enumerate(content.split("\n"), start=1)
        found = [(f"line {n}", _parsed(path, f" line {n}", line)) for n, line in lines if line.strip()]
    for place, item in found:
        if not isinstance(item, dict):
            raise ZooValueError(f"{path} {place} must be an object with {wanted}, got {json.dumps(item)[:60]}")
    return [Row(place, item) for place, item in found]


def _parsed(path: Path, place: str, content: str) -> object:
    try:
        return json.loads(content)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ZooValueError(f"{path}{place} is not JSON: {error}") from error
