"""What a user may give as rows, and each as a dict of what is there."""

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from attention_zoo.data.dataset import Split
from attention_zoo.data.folder import IMAGE_ENDINGS
from attention_zoo.data.formats import KINDS as TABLES
from attention_zoo.data.manifest import SOUND_ENDINGS
from attention_zoo.data.rows_table import read_multimodal
from attention_zoo.errors import ZooTypeError, ZooValueError, unknown
from attention_zoo.multimodal.kinds import CONVERSATION, MODALITIES
from attention_zoo.vision.arrays import array_of
from attention_zoo.vision.images import is_array

KEYS = (*MODALITIES, CONVERSATION)
_WANTED = (
    "rows must be a dict of lists by image, audio and text, a list of dicts, a Split, the path of a table, or strings "
    "(paths, texts, JSON)"
)


class Row(dict):
    """What is there of one row: a dict with some of the keys image, audio, text, conversation.

    Args:
        values: of what is there.
        name: what errors call the row ("row 3").
    """

    def __init__(self, values: Mapping[str, Any], name: str):
        super().__init__(values)
        self.name = name


def as_rows(given: Any) -> list[Row]:
    """Return what was given as rows; nothing is opened but tables.

        {"audio": ["a.wav", None], "text": ["hello", "bye"]}          lists of one length; None, "" and NaN are missing
        {"audio": "a.wav", "text": "hello"}                           one row
        [{"audio": "a.wav"}, {"text": "bye"}]                         a list of rows
        split, data_frame, "rows.csv"                                 their columns image, audio, text, conversation
        ["a.wav", "face.png", "a text", '{"audio": "a.wav", "text": "hello"}']        as on a command line

    A string of a list is a row written in JSON where it begins with "{"; a table, a picture or a sound where it ends
    as one ("a.csv", "a.png", "a.wav") and has no blanks, or is a file; and a text otherwise.

    Args:
        given: one or many rows.

    Returns:
        rows, each with at least one of image, audio and text; errors call them by their number.

    Raises:
        ZooTypeError: if it is nothing of the above.
        ZooValueError: if there is no row, lists differ in length, a key is unknown, or all of a row is missing.
        ZooFileError: if a table is missing or cannot be read.
    """
    if isinstance(given, str | os.PathLike):
        given = [given]
    if isinstance(given, Split) or hasattr(given, "columns"):  # or a data frame of pandas or polars
        found = _of_columns({name: given[name] for name in KEYS if name in given.columns}, given.columns)
    elif isinstance(given, Mapping):
        found = [given] if _is_one(given) else _of_columns(given, tuple(given))
    elif isinstance(given, Iterable) and not isinstance(given, bytes | np.ndarray):
        found = [row for item in given for row in _of_item(item)]
    else:
        raise ZooTypeError(f"{_WANTED}, got {type(given).__name__}")
    if not found:
        raise ZooValueError("rows must be at least one, got none")
    return [_row(values, getattr(values, "name", f"row {number}")) for number, values in enumerate(found)]


def as_words(words: Iterable[str]) -> list[str]:
    """Return strings of a command line, one for each row: a table becomes its rows, written in JSON.

    Args:
        words: strings, as `as_rows` takes them in a list.

    Returns:
        strings, of which `as_rows` makes one row each.

    Raises:
        ZooTypeError, ZooValueError, ZooFileError: as `as_rows`.
    """
    found = []
    for word in words:
        rows = as_rows([word]) if _is_table(word) else ()
        found += [json.dumps(row, default=np.ndarray.tolist) for row in rows] or [word]
    return found


def is_missing(value: Any) -> bool:
    """Tell whether this is how a user says that there is nothing: None, an empty string, NaN as pandas writes it."""
    if isinstance(value, str | bytes):
        return not value
    return value is None or (isinstance(value, float | np.floating) and math.isnan(value))


def _row(values: Mapping[str, Any], name: str) -> Row:
    for key in values:
        if key not in KEYS:
            raise unknown(f"key of {name}", key, KEYS)
    there = {key: values[key] for key in KEYS if key in values and not is_missing(values[key])}
    if not any(key in there for key in MODALITIES):
        raise ZooValueError(f"{name} must have an image, audio or text; all of them are missing")
    talk = there.get(CONVERSATION, "")
    if not isinstance(talk, str | Real):
        raise ZooTypeError(f"conversation of {name} must be a name or a number, got {type(talk).__name__}")
    return Row(there, name)


def _of_columns(columns: Mapping[str, Any], known: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of columns of one length."""
    if not any(name in columns for name in MODALITIES):
        raise ZooValueError(f"rows must have at least one of {', '.join(MODALITIES)}, got {', '.join(map(str, known))}")
    lists = {}
    for name, values in columns.items():
        if name not in KEYS:
            raise unknown("column", name, KEYS)
        if values is not None:
            lists[name] = _list(name, values)
    lengths = {name: len(values) for name, values in lists.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{length:,} of {name}" for name, length in lengths.items())
        raise ZooValueError(f"lists must have one entry for each row (None where it is missing), got {told}")
    count = next(iter(lengths.values()), 0)
    return [{name: values[number] for name, values in lists.items()} for number in range(count)]


def _list(name: str, values: Any) -> Sequence:
    if hasattr(values, "to_list"):  # a column of pandas or polars
        return values.to_list()
    if _is_list(values):
        return array_of(values, name) if is_array(values) else values
    raise ZooTypeError(
        f"{name} must be a list with one entry for each row, got {type(values).__name__}; a single row is a dict "
        "without any list of rows, or stands in a list: [{...}]"
    )


def _is_one(values: Mapping[str, Any]) -> bool:
    """Tell one row from columns: nothing of it is a list of values."""
    there = [value for value in values.values() if not is_missing(value)]
    return bool(there) and not any(_is_list(value) or hasattr(value, "to_list") for value in there)


def _is_list(value: Any) -> bool:
    """Tell whether this holds a value for each row: a list, an array or a tuple, but no vector and no sound."""
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], Integral):
        return False  # (samples, rate)
    if is_array(value):
        array = array_of(value, "a column")
        return array.ndim != 1 or array.dtype.kind not in "fiu" or bool(np.isnan(array).all())
    if not isinstance(value, Sequence) or isinstance(value, str | bytes | bytearray | memoryview):
        return False
    is_vector = len(value) > 0 and all(isinstance(number, Real) for number in value)
    return not is_vector or all(is_missing(number) for number in value)


def _of_item(item: Any) -> list[Mapping[str, Any]]:
    """Return the rows of one item of a list: that item, or all rows of a table."""
    if isinstance(item, Mapping):
        return [item]
    if not isinstance(item, str | os.PathLike):
        raise ZooTypeError(f"{_WANTED}, got a list with {type(item).__name__} {item!r:.40}")
    word = os.fspath(item)
    if word.lstrip().startswith("{"):
        return [_of_json(word)]
    if _is_table(item):
        split = read_multimodal(word, labelled=False)["train"]
        return _of_columns({name: split[name] for name in KEYS if name in split.columns}, split.columns)
    if _is_path(item):
        for modality, endings in (("image", IMAGE_ENDINGS), ("audio", SOUND_ENDINGS)):
            if word.lower().endswith(endings):
                return [{modality: word}]
    return [{"text": word}]


def _is_path(item: str | os.PathLike) -> bool:
    """Tell a path from a sentence that ends as one."""
    return not isinstance(item, str) or " " not in item or os.path.isfile(item)


def _is_table(item: str | os.PathLike) -> bool:
    return os.fspath(item).lower().removesuffix(".gz").endswith(TABLES) and _is_path(item)


def _of_json(word: str) -> dict[str, Any]:
    try:
        found = json.loads(word)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ZooValueError(
            f'a row that begins with \'{{\' must be JSON, such as {{"text": "..."}}, got {word[:60]!r}: {error}'
        ) from error
    return found
