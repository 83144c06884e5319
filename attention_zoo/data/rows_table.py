"""A table of the user's own whose rows may have an image, a sound and a text, any of them missing."""

import json
import os
from collections.abc import Iterable
from numbers import Real
from pathlib import Path

import numpy as np

from attention_zoo.data.dataset import Dataset, Split
from attention_zoo.data.formats import Row, find_column, read_rows
from attention_zoo.data.manifest import SOUND_NAMES
from attention_zoo.data.table import IMAGE_NAMES, LABEL_NAMES, TEXT_NAMES, all_labels, file_at, label_in
from attention_zoo.errors import ZooTypeError, ZooValueError

CONVERSATION_NAMES = ("conversation", "conversation_id", "dialogue", "dialogue_id", "dialog", "dialog_id", "video")
# Of a table with several kinds of files, "path" or "file" says too little.
_UNCLEAR = {"path", "paths", "file", "files", "filename", "file_name", "filepath", "file_path", "clip", "recording"}
_USUAL = {
    "image": (*(name for name in IMAGE_NAMES if name not in _UNCLEAR), "face", "frames"),
    "audio": tuple(name for name in SOUND_NAMES if name not in _UNCLEAR),
    "text": (*TEXT_NAMES, "transcript", "transcription"),
    "conversation": CONVERSATION_NAMES,
}
_WANTED = "image, audio, text and label"


def read_multimodal(
    path: str | os.PathLike,
    *,
    image: str | None = None,
    audio: str | None = None,
    text: str | None = None,
    label: str | None = None,
    conversation: str | None = None,
    tasks: Iterable[str] = (),
    labelled: bool = True,
) -> Dataset:
    """Read a table with columns image, audio and text, of which any cell may be empty, and a label.

        image,audio,text,label
        faces/1.png,clips/1.wav,so glad to see you,happy
        ,clips/2.wav,,sad

    Paths begin at the table's folder unless they are absolute. In the place of a path there may be a vector, or a list
    of vectors, written as JSON: [0.1, 2.5]; of text only where the table itself is JSON.

    Args:
        path: .csv, .tsv, .jsonl or .json, perhaps with .gz; UTF-8; the first row of CSV and TSV names the columns.
        image: name of the column with paths of images; None takes one with a usual name, if there is any.
        audio: likewise of sounds.
        text: likewise of texts.
        label: name of the column with one label a row; None finds it by the usual names (`LABEL_NAMES`).
        conversation: name of the column that says which rows belong together, in their order; None as `image`.
        tasks: names of further columns with one label a row.
        labelled: False leaves out labels, as for rows to be answered.

    Returns:
        A set with one split, "train", of those of the columns "image", "audio", "text", "conversation" that are there
        (None where a cell is empty), "label" and the tasks; labels sorted. Hold a part of it out with `hold_out`.

    Raises:
        ZooValueError: if the file is empty, not UTF-8 or malformed, if there is none of the three columns, one is
            unknown, a row has none of the three or no label (names the line), or all rows have the same label.
        ZooTypeError: if a cell is no path, text or vector (names the line).
        ZooFileError: if the file is missing or cannot be read, or one that it names is missing (names the line).
    """
    path = Path(path)
    columns, rows = read_rows(path, _WANTED)
    named = {"image": image, "audio": audio, "text": text, "conversation": conversation}
    roles = {role: _column(path, columns, wanted, role) for role, wanted in named.items()}
    roles = {role: column for role, column in roles.items() if column is not None}
    if roles.keys() <= {"conversation"}:
        present = ", ".join(repr(name) for name in columns[:20])
        raise ZooValueError(f"{path} must have a column image, audio or text; name one by image=..., of: {present}")
    _check_apart(path, roles)
    found = {role: [_cell(path, row, column, role) for row in rows] for role, column in roles.items()}
    for number, row in enumerate(rows):
        if all(found[role][number] is None for role in found if role != "conversation"):
            raise ZooValueError(f"{path} {row.place} must have an image, audio or text; its cells are all empty")
    labels: tuple[str, ...] = ()
    if labelled:
        column = find_column(
            path, columns, label, "label", [name for name in LABEL_NAMES if name not in roles.values()]
        )
        found["label"], labels = _labels(path, rows, column)
        for task in tasks:
            found[task], _ = _labels(path, rows, find_column(path, columns, task, "task", ()))
    return Dataset(path.name, {"train": Split(found)}, labels, source=str(path))


def _column(path: Path, columns: list[str], wanted: str | None, role: str) -> str | None:
    """Return the column of a role; None where the user names none and none has a usual name."""
    usual = _USUAL[role]
    if wanted is None and not {name.strip().lower() for name in columns} & set(usual):
        return None
    return find_column(path, columns, wanted, role, usual)


def _check_apart(path: Path, roles: dict[str, str]) -> None:
    for role, column in roles.items():
        other = next((each for each, name in roles.items() if name == column and each != role), None)
        if other is not None:
            raise ZooValueError(f"{role} and {other} must be two columns of {path}, got {column!r} for both")


def _labels(path: Path, rows: list[Row], column: str) -> tuple[list[str], tuple[str, ...]]:
    cells = [label_in(path, row, column) for row in rows]
    return cells, all_labels(path, column, rows, cells, multi_label=False)


def _cell(path: Path, row: Row, column: str, role: str) -> str | np.ndarray | None:
    """Return a cell: a path that is there, a text, a name or features; None where it is empty."""
    value = row.values.get(column)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if role == "conversation" and isinstance(value, str | int):
        return str(value).strip()
    if role in ("image", "audio") and isinstance(value, str) and value.lstrip().startswith("["):
        value = _parsed(path, row, column, value)
    if isinstance(value, list) and role != "conversation":
        return _features(path, row, column, value)
    if not isinstance(value, str):
        raise ZooTypeError(f"{path} {row.place} column {column!r} must be {_word(role)}, got {value!r:.60}")
    return file_at(path, row, value, role) if role in ("image", "audio") else value


def _parsed(path: Path, row: Row, column: str, value: str) -> object:
    try:
        return json.loads(value)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ZooValueError(f"{path} {row.place} column {column!r} begins as a vector and is none: {error}") from error


def _features(path: Path, row: Row, column: str, value: list) -> np.ndarray:
    vectors = value if value and isinstance(value[0], list) else [value]
    widths = {len(vector) if isinstance(vector, list) else 0 for vector in vectors}
    is_numbers = all(isinstance(number, Real) for vector in vectors if isinstance(vector, list) for number in vector)
    if len(widths) > 1 or 0 in widths or not is_numbers:
        raise ZooTypeError(
            f"{path} {row.place} column {column!r} must be one vector of numbers, or a list of such of one length, got "
            f"{value!r:.60}"
        )
    return np.array(value, np.float32)


def _word(role: str) -> str:
    return {"text": "a text or a vector", "conversation": "a name"}.get(
        role, f"the path of a file with {role}, or a vector"
    )
