"""A table of the user's own as a data set: which column is the text or image, which the label, how many a row has."""

import os
from pathlib import Path

from attention_zoo.data.dataset import Dataset, Split
from attention_zoo.data.formats import Row, find_column, read_rows
from attention_zoo.errors import ZooFileError, ZooTypeError, ZooValueError

TEXT_NAMES = (
    "text", "sentence", "utterance", "review", "comment", "content", "message", "body", "document", "tweet", "post",
    "query", "question", "description", "headline", "title", "input",
)  # fmt: skip
IMAGE_NAMES = (
    "image", "images", "image_path", "image_file", "img", "path", "paths", "file", "files", "filename", "file_name",
    "filepath", "file_path", "picture", "photo",
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
    image: str | None = None,
    kind: str | None = None,
) -> Dataset:
    """Read a table of texts and labels, or of images (as paths) and labels.

    Args:
        path: .csv, .tsv, .jsonl or .json (lines, or one list of objects), perhaps with .gz; UTF-8; the first row of
            CSV and TSV names the columns.
        text: name of the column with the texts; None finds it by the usual names (`TEXT_NAMES`).
        label: name of the column with the labels; None finds it by the usual names (`LABEL_NAMES`).
        multi_label: True reads several labels from a cell, False takes each cell for one label. None decides:
            several where JSON gives lists, where `separator` is given, or where cells contain one of "|", ";", ","
            and each piece of them also stands alone in another row.
        separator: what is between the labels of a cell; None finds it.
        image: name of the column with the images' paths, which begin at the table's folder unless they are absolute;
            None finds it by the usual names (`IMAGE_NAMES`).
        kind: "text" or "image"; None takes what `text` or `image` names, else texts where there is a column with a
            usual name for them, else images where there is one for those.

    Returns:
        A set with one split, "train", of the columns "text" or "image" (paths as strings) and "label"; labels sorted.
        Hold a part of it out with `hold_out`.

    Raises:
        ZooValueError: if the file is empty, not UTF-8 or malformed, if a column is unknown or cannot be found, if a
            row lacks text, image or label (names the line), or if all rows have one and the same label.
        ZooFileError: if the file is missing or cannot be read, or an image is missing (names the line).
    """
    path = Path(path)
    columns, rows = read_rows(path)
    kind = _kind(columns, kind, text, image)
    named, usual = (image, IMAGE_NAMES) if kind == "image" else (text, TEXT_NAMES)
    raw = find_column(path, columns, named, kind, usual)
    label = find_column(path, columns, label, "label", LABEL_NAMES)
    values = [_text(path, row, raw, kind) for row in rows]
    if kind == "image":
        values = [file_at(path, row, value, kind) for row, value in zip(rows, values)]
    cells = [label_in(path, row, label) for row in rows]
    if separator is None and multi_label is not False:
        separator = _separator(cells, sure=multi_label is True)
    if multi_label is None:
        multi_label = separator is not None or any(isinstance(cell, list) for cell in cells)
    if multi_label:
        cells = [cell if isinstance(cell, list) else _pieces(cell, separator) for cell in cells]
    labels = all_labels(path, label, rows, cells, multi_label)
    return Dataset(path.name, {"train": Split({kind: values, "label": cells})}, labels, multi_label, source=str(path))


def _kind(columns: list[str], kind: str | None, text: str | None, image: str | None) -> str:
    """Decide whether the rows are texts or images."""
    if kind not in (None, "text", "image"):
        raise ZooValueError(f"kind must be 'text', 'image' or None, got {kind!r}")
    if (text is not None and image is not None) or (kind == "text" and image) or (kind == "image" and text):
        raise ZooValueError(f"a table is of texts or of images, got text={text!r}, image={image!r}, kind={kind!r}")
    if kind or text or image:
        return kind or ("text" if text else "image")
    present = {name.strip().lower() for name in columns}
    return "image" if present.isdisjoint(TEXT_NAMES) and not present.isdisjoint(IMAGE_NAMES) else "text"


def _text(path: Path, row: Row, column: str, kind: str) -> str:
    value = row.values.get(column)
    if value is None or (isinstance(value, str) and not value.strip()):
        raise ZooValueError(f"{path} {row.place} has no {kind} in column {column!r}")
    if not isinstance(value, str):
        wanted = "text" if kind == "text" else "the path of an image"
        raise ZooTypeError(f"{path} {row.place} column {column!r} must be {wanted}, got {value!r}")
    return value


def file_at(path: Path, row: Row, value: str, kind: str) -> str:
    """Return the path of a file that a cell names, which begins at the table's folder.

    Args:
        path: of the table.
        row: that has the cell.
        value: the cell.
        kind: what the file is, for the sentence ("image").

    Raises:
        ZooFileError: if there is no such file; names the line.
    """
    found = os.path.join(path.parent, value.strip())
    if not os.path.isfile(found):
        raise ZooFileError(f"{path} {row.place}: {kind} {found} does not exist")
    return found


def label_in(path: Path, row: Row, column: str) -> str | list[str]:
    """Return a cell as one label or, where JSON gives a list, as several (perhaps none).

    Raises:
        ZooValueError, ZooTypeError: if it holds no label; names the line.
    """
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


def all_labels(path: Path, column: str, rows: list[Row], cells: list, multi_label: bool) -> tuple[str, ...]:
    """Return every label, sorted (by value where all are whole numbers).

    Args:
        path: of the table.
        column: that holds the labels.
        rows: of the table.
        cells: the labels of each row.
        multi_label: whether a row has a list of them.

    Raises:
        ZooValueError: if a row has several and must not, or there are fewer than two labels.
    """
    for row, cell in zip(rows, cells):
        if isinstance(cell, list) and not multi_label:
            raise ZooValueError(f"{path} {row.place} has several labels in column {column!r}, but multi_label is False")
    found = {name for cell in cells for name in (cell if multi_label else [cell])}
    if len(found) < 2:
        only = f"only {next(iter(found))!r}" if found else "none"
        raise ZooValueError(f"column {column!r} of {path} must hold at least two labels, got {only}")
    numbers = all(name.lstrip("-").isdecimal() for name in found)
    return tuple(sorted(found, key=lambda name: (int(name), name))) if numbers else tuple(sorted(found))
