"""A table of the user's own as a data set: which column is the text, which the label, how many labels a row has."""

import os
from collections.abc import Sequence
from pathlib import Path

from attention_zoo.data.dataset import Dataset, Split
from attention_zoo.data.formats import Row, read_rows
from attention_zoo.errors import ZooTypeError, ZooValueError, nearest

TEXT_NAMES = (
    "text", "sentence", "utterance", "review", "comment", "content", "message", "body", "document", "tweet", "post",
    "query", "question", "description", "headline", "title", "input",
)  # fmt: skip
LABEL_NAMES = (
    "label", "labels", "intent", "intents", "category", "categories", "class", "classes", "sentiment", "target",
    "emotion", "emotions", "topic", "topics", "tag", "tags", "rating", "stars", "output", "y",
)  # fmt: skip
SEPARATORS = ("|", ";", ",")


def read_table(
    path: str | os.PathLike,
    text: str | None = None,
    label: str | None = None,
    multi_label: bool | None = None,
    separator: str | None = None,
) -> Dataset:
    """Read a table of texts and labels.

    Args:
        path: .csv, .tsv, .jsonl or .json (lines, or one list of objects), perhaps with .gz; UTF-8; the first row of
            CSV and TSV names the columns.
        text: name of the column with the texts; None finds it by the usual names (`TEXT_NAMES`).
        label: name of the column with the labels; None finds it by the usual names (`LABEL_NAMES`).
        multi_label: True reads several labels from a cell, False takes each cell for one label. None decides:
            several where JSON gives lists, where `separator` is given, or where cells contain one of "|", ";", ","
            and each piece of them also stands alone in another row.
        separator: what is between the labels of a cell; None finds it.

    Returns:
        A set with one split, "train", of the columns "text" and "label"; labels sorted. Hold a part of it out with
        `hold_out`.

    Raises:
        ZooValueError: if the file is empty, not UTF-8 or malformed, if a column is unknown or cannot be found, if a
            row lacks text or label (names the line), or if all rows have one and the same label.
        ZooFileError: if the file is missing or cannot be read.
    """
    path = Path(path)
    columns, rows = read_rows(path)
    text = _column(path, columns, text, "text", TEXT_NAMES)
    label = _column(path, columns, label, "label", LABEL_NAMES)
    texts = [_text(path, row, text) for row in rows]
    cells = [_label(path, row, label) for row in rows]
    if separator is None and multi_label is not False:
        separator = _separator(cells, sure=multi_label is True)
    if multi_label is None:
        multi_label = separator is not None or any(isinstance(cell, list) for cell in cells)
    if multi_label:
        cells = [cell if isinstance(cell, list) else _pieces(cell, separator) for cell in cells]
    labels = _all_labels(path, label, rows, cells, multi_label)
    return Dataset(path.name, {"train": Split({"text": texts, "label": cells})}, labels, multi_label, source=str(path))


def _column(path: Path, columns: list[str], wanted: str | None, role: str, usual: Sequence[str]) -> str:
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


def _text(path: Path, row: Row, column: str) -> str:
    value = row.values.get(column)
    if value is None or (isinstance(value, str) and not value.strip()):
        raise ZooValueError(f"{path} {row.place} has no text in column {column!r}")
    if not isinstance(value, str):
        raise ZooTypeError(f"{path} {row.place} column {column!r} must be text, got {value!r}")
    return value


def _label(path: Path, row: Row, column: str) -> str | list[str]:
    """Return a cell as one label or, where JSON gives a list, as several (perhaps none)."""
    value = row.values.get(column)
    if isinstance(value, list):
        return [_one_label(path, row, column, each) for each in value]
    return _one_label(path, row, column, value)


def _one_label(path: Path, row: Row, column: str, value: object) -> str:
    if value is None or not str(value).strip():
        raise ZooValueError(f"{path} {row.place} has no label in column {column!r}")
    if not isinstance(value, str | int | float):
        raise ZooTypeError(f"{path} {row.place} column {column!r} must be a label or a list of them, got {value!r}")
    return str(value).strip()


def _separator(cells: list[str | list[str]], sure: bool) -> str | None:
    """Find what separates labels within cells; `sure` that there is something, or only where it is clear."""
    whole = [cell for cell in cells if isinstance(cell, str)]
    alone = set(whole)
    for separator in SEPARATORS:
        joined = [_pieces(cell, separator) for cell in whole if separator in cell]
        if joined and (sure or all(alone.issuperset(pieces) for pieces in joined)):
            return separator
    return None


def _pieces(cell: str, separator: str | None) -> list[str]:
    pieces = cell.split(separator) if separator else [cell]
    return list(dict.fromkeys(piece.strip() for piece in pieces if piece.strip()))


def _all_labels(path: Path, column: str, rows: list[Row], cells: list, multi_label: bool) -> tuple[str, ...]:
    """Return every label, sorted (by value where all are whole numbers)."""
    for row, cell in zip(rows, cells):
        if isinstance(cell, list) and not multi_label:
            raise ZooValueError(f"{path} {row.place} has several labels in column {column!r}, but multi_label is False")
    found = {name for cell in cells for name in (cell if multi_label else [cell])}
    if len(found) < 2:
        only = f"only {next(iter(found))!r}" if found else "none"
        raise ZooValueError(f"column {column!r} of {path} must hold at least two labels, got {only}")
    numbers = all(name.lstrip("-").isdecimal() for name in found)
    return tuple(sorted(found, key=lambda name: (int(name), name))) if numbers else tuple(sorted(found))
