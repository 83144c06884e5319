"""The user's own translations as a data set: two text files side by side, or a table with two columns."""

import os
import warnings
from pathlib import Path

from attention_zoo.data.dataset import Dataset, Split
from attention_zoo.data.formats import KINDS, Row, find_column, read_rows, read_text
from attention_zoo.errors import ZooTypeError, ZooValueError

SOURCE_NAMES = ("source", "src", "source_text", "sentence", "text", "input", "original", "from")
TARGET_NAMES = ("target", "tgt", "trg", "target_text", "translation", "translated", "output", "to")


def read_parallel(
    source_path: str | os.PathLike,
    target_path: str | os.PathLike | None = None,
    source: str | None = None,
    target: str | None = None,
) -> Dataset:
    """Read sentences and their translations.

        read_parallel("train.en", "train.de")                       line i of one is line i of the other
        read_parallel("pairs.tsv", source="english", target="german")

    Lines end at a line feed, with a carriage return before it or not; at carriage returns alone in a file without line
    feeds. Pairs with a blank side are left out, and a `UserWarning` says how many.

    Args:
        source_path: a text file, perhaps with .gz, UTF-8; or a table that ends in .csv, .tsv, .jsonl or .json (perhaps
            with .gz), whose first row names the columns.
        target_path: the other text file; None for a table.
        source: name of the column that is read; None finds it by the usual names (`SOURCE_NAMES`).
        target: name of the column that is written; None finds it by the usual names (`TARGET_NAMES`).

    Returns:
        A set with one split, "train", of the columns "source" and "target", without labels. Hold a part of it out with
        `hold_out`.

    Raises:
        ZooValueError: if the files differ in their number of lines (names both), if a file is empty or not UTF-8, if no
            pair is left, if a column is unknown or cannot be found, or if the arguments do not fit together.
        ZooTypeError: if a cell is no text (names the line).
        ZooFileError: if a file is missing or cannot be read.
    """
    source_path = Path(source_path)
    if target_path is None:
        name, pairs = source_path.name, _from_table(source_path, source, target)
    else:
        target_path = Path(target_path)
        if source is not None or target is not None:
            raise ZooValueError(f"source and target name columns of a table, got {source!r} and {target!r} for 2 files")
        name, pairs = f"{source_path.name} and {target_path.name}", _from_files(source_path, target_path)
    kept = [pair for pair in pairs if all(text.strip() for text in pair)]
    if not kept:
        raise ZooValueError(f"{name} must hold at least one pair of sentences, got {len(pairs):,} with a blank side")
    if len(kept) < len(pairs):
        warnings.warn(
            f"left out of {name}: {len(pairs) - len(kept):,} of {len(pairs):,} pairs have a blank side",
            UserWarning,
            stacklevel=2,
        )
    split = Split({"source": [source for source, _ in kept], "target": [target for _, target in kept]})
    return Dataset(name, {"train": split}, source=str(source_path))


def _from_files(source: Path, target: Path) -> list[tuple[str, str]]:
    for path in (source, target):
        if _is_table(path):
            raise ZooValueError(f"{path} is a table by its name: give it alone, with the names of its two columns")
    sources, targets = _lines(source), _lines(target)
    if len(sources) != len(targets):
        raise ZooValueError(
            f"parallel files must have as many lines as each other, got {len(sources):,} in {source} and "
            f"{len(targets):,} in {target}"
        )
    return list(zip(sources, targets))


def _lines(path: Path) -> list[str]:
    content = read_text(path)
    if not content.strip():
        raise ZooValueError(f"{path} is empty; it must hold a sentence on each line")
    if "\n" not in content:
        return content.removesuffix("\r").split("\r")
    return [line.removesuffix("\r") for line in content.removesuffix("\n").split("\n")]


def _is_table(path: Path) -> bool:
    return path.name.lower().removesuffix(".gz").endswith(KINDS)


def _from_table(path: Path, source: str | None, target: str | None) -> list[tuple[str, str]]:
    if not _is_table(path):
        raise ZooValueError(
            f"{path} must come with target_path, the file of its translations; a table must end in {', '.join(KINDS)}"
        )
    columns, rows = read_rows(path, "a sentence and its translation")
    source = find_column(path, columns, source, "source", SOURCE_NAMES)
    target = find_column(path, columns, target, "target", TARGET_NAMES)
    if source == target:
        raise ZooValueError(f"source and target must be two columns of {path}, got {source!r} for both")
    return [(_cell(path, row, source), _cell(path, row, target)) for row in rows]


def _cell(path: Path, row: Row, column: str) -> str:
    value = row.values.get(column)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ZooTypeError(f"{path} {row.place} column {column!r} must be a sentence, got {value!r}")
    return value
