"""Texts, or paths of pictures or sounds, from the command line, from a file, from a pipe."""

import sys
from pathlib import Path

from attention_zoo.errors import ZooFileError, ZooValueError, unknown

TABLES = (".csv", ".tsv", ".jsonl", ".json")


def read_inputs(given: list[str], file: Path | None, column: str | None = None, noun: str = "text") -> list[str]:
    """Return the inputs to predict: texts, paths of pictures or sounds, or rows of several things in JSON.

    Args:
        given: those given as arguments.
        file: a CSV, TSV or JSON lines table, or any other file with one input a line; blank lines are left out. Paths
            in it count from its own folder.
        column: the table's column of inputs; found when None.
        noun: what one input is called: "text", "image", "sound" or "row".

    Raises:
        ZooValueError: if there are none, or from both, or the file is not UTF-8.
        ZooFileError: if the file cannot be read.
    """
    if given and file is not None:
        raise ZooValueError(f"give {noun}s or --file, not both")
    if column is not None and (file is None or not _is_table(file)):
        raise ZooValueError(f"--column wants --file with a table ({', '.join(TABLES)})")
    if column is not None and noun == "row":
        raise ZooValueError("--column is for models that read one column; name the columns image, audio and text")
    if file is not None and noun == "row":
        given = [str(file)] if _is_table(file) else _from_lines(file)
    elif file is not None:
        given = _from_table(file, column, noun) if _is_table(file) else _from_lines(file)
        given = given if noun == "text" else [str(file.parent / path) for path in given]
    elif not given and not sys.stdin.isatty():
        given = _lines(sys.stdin.buffer.read(), "stdin")
    if not given:
        raise ZooValueError(
            f"{file} holds no {noun}" if file else f"no {noun} given: write it after the name, or use --file"
        )
    return _rows(given) if noun == "row" else given


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
