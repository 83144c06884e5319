"""Texts, paths of pictures or sounds, rows, or histories, from the command line, from a file, from a pipe."""

import sys
from pathlib import Path
from typing import Any

from attention_zoo.errors import ZooFileError, ZooValueError, unknown

TABLES = (".csv", ".tsv", ".jsonl", ".json")
# Columns of a table of which several make one input.
_SEVERAL = {"row": "image, audio and text", "history": "user, item and time"}


def read_inputs(given: list[str], file: Path | None, column: str | None = None, noun: str = "text") -> list[Any]:
    """Return the inputs to predict: texts, paths of pictures or sounds, rows of several things in JSON, or histories.

    Args:
        given: those given as arguments.
        file: a CSV, TSV or JSON lines table, or any other file with one input a line; blank lines are left out. Paths
            in it count from its own folder. Of histories, a table has one choice a row: user, item, time.
        column: the table's column of inputs; found when None.
        noun: what one input is called: "text", "image", "sound", "row" or "history".

    Raises:
        ZooValueError: if there are none, or from both, or the file is not UTF-8.
        ZooFileError: if the file cannot be read.
    """
    if given and file is not None:
        raise ZooValueError(f"give {noun}s or --file, not both")
    if column is not None and (file is None or not _is_table(file)):
        raise ZooValueError(f"--column wants --file with a table ({', '.join(TABLES)})")
    if column is not None and noun in _SEVERAL:
        raise ZooValueError(f"--column is for models that read one column; name the columns {_SEVERAL[noun]}")
    if file is not None and noun == "history" and _is_table(file):
        return _choices(file)
    if file is not None:
        given = _from_file(file, column, noun)
    elif not given and not sys.stdin.isatty():
        given = _lines(sys.stdin.buffer.read(), "stdin")
    if not given:
        raise ZooValueError(
            f"{file} holds no {noun}" if file else f"no {noun} given: write it after the name, or use --file"
        )
    return _rows(given) if noun == "row" else [one_input(one, noun) for one in given]


def one_input(given: str, noun: str) -> Any:
    """Return one input of a command line as a task takes it: a history as a list of ids, anything else as it is.

    Args:
        given: the argument.
        noun: what one input is called.

    Raises:
        ZooTypeError, ZooValueError: if it is a history that cannot be read.
    """
    if noun != "history":
        return given
    from attention_zoo.recsys import parse_history

    return parse_history(given)


def _from_file(file: Path, column: str | None, noun: str) -> list[str]:
    if noun in _SEVERAL:
        return [str(file)] if _is_table(file) else _from_lines(file)
    given = _from_table(file, column, noun) if _is_table(file) else _from_lines(file)
    return given if noun == "text" else [str(file.parent / path) for path in given]


def _choices(file: Path) -> list[list[Any]]:
    """Return what each user of a table chose, in order of time."""
    from attention_zoo.data import read_interactions

    return list(read_interactions(file, split="none")["train"]["history"])


def _rows(given: list[str]) -> list[str]:
    """Return rows as JSON, those of tables too."""
    from attention_zoo.multimodal import as_words

    return as_words(given)


def _is_table(file: Path) -> bool:
    return any(suffix.lower() in TABLES for suffix in file.suffixes[-2:])


def _from_table(file: Path, column: str | None, noun: str) -> list[str]:
    from attention_zoo.data.formats import read_rows
    from attention_zoo.data.manifest import SOUND_NAMES
    from attention_zoo.data.table import IMAGE_NAMES, TEXT_NAMES

    columns, rows = read_rows(file)
    if column is None:
        names = {"text": TEXT_NAMES, "image": IMAGE_NAMES, "sound": SOUND_NAMES}[noun]
        usual = {name.strip().lower(): name for name in reversed(columns)}
        column = next((usual[name] for name in names if name in usual), columns[0] if len(columns) == 1 else None)
    if column is None:
        raise ZooValueError(f"{file} has no column with a usual name for the {noun}; use --column, one of {columns}")
    if column not in columns:
        raise unknown(f"column of {file}", column, columns)
    for row in rows:
        if not isinstance(row.values.get(column), str):
            raise ZooValueError(f"{file} {row.place}: column {column!r} must be text, got {row.values.get(column)!r}")
    return [row.values[column] for row in rows]


def _from_lines(file: Path) -> list[str]:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ZooFileError(f"{file} cannot be read: {error.strerror}") from error
    return _lines(content, str(file))


def _lines(content: bytes, source: str) -> list[str]:
    texts = []
    # Only the line feed ends a line: str.splitlines would also cut at characters that people use inside a text.
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            text = line.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            raise ZooValueError(
                f"{source}, line {number}: the text must be UTF-8, got byte 0x{line[error.start]:02x}"
            ) from error
        if text:
            texts.append(text)
    return texts
