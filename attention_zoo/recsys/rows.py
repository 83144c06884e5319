"""What a user gives as histories: one or many, of his own ids."""

import json
from collections.abc import Iterable, Mapping, Set
from typing import Any

import numpy as np

from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.recsys.histories import Histories
from attention_zoo.recsys.ids import Id, as_id

NAME = "history"


def as_histories(given: Any) -> Histories:
    """Return what a user gave as histories of ids.

    Args:
        given: one history (a list or array of ids, oldest first), or a list of histories, or `Histories`; `[[]]` is one
            empty history.

    Raises:
        ZooTypeError: if something is no history, or an id neither text nor a whole number; names its place.
        ZooValueError: if there is no history, or an id is blank.
    """
    if isinstance(given, Histories):
        return _checked(given)
    if not _is_history(given):
        raise ZooTypeError(f"histories must be lists of ids of items, got {given!r:.60} ({type(given).__name__})")
    rows = list(given)
    if not rows:
        raise ZooValueError("histories must be at least one, got none; write [[]] for one that is empty")
    many = [_is_history(row) for row in rows]
    if not any(many):
        return Histories.of([_ids(rows, NAME)])
    if not all(many):
        place = many.index(False)
        raise ZooTypeError(f"{NAME}[{place}] must be a list of ids as the others are, got {rows[place]!r:.60}")
    return Histories.of([_ids(row, f"{NAME}[{place}]") for place, row in enumerate(rows)])


def parse_history(text: str) -> list[Id]:
    """Return the history that a line of text holds.

    Args:
        text: a JSON list, or ids separated by commas, or else by blanks; nothing is an empty history.

    Raises:
        ZooTypeError, ZooValueError: if it cannot be read.
    """
    if not text.lstrip().startswith("["):
        return [word.strip() for word in (text.split(",") if "," in text else text.split()) if word.strip()]
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ZooValueError(f"{NAME} begins as a JSON list and is none: {error}") from error
    return _ids(found, NAME)


def _is_history(row: Any) -> bool:
    # What has no order is none.
    return isinstance(row, Iterable) and not isinstance(row, str | bytes | Mapping | Set)


def _ids(row: Iterable, name: str) -> list[Id]:
    if isinstance(row, np.ndarray) and row.dtype.kind == "f" and len(row):
        row = list(row)
    values = row.tolist() if isinstance(row, np.ndarray) else list(row)
    # The usual kinds at once: each value by itself takes ten times as long.
    if set(map(type, values)) <= {int}:
        return values
    return [as_id(value, f"{name}[{place}]") for place, value in enumerate(values)]


def _checked(histories: Histories) -> Histories:
    if not len(histories):
        raise ZooValueError("histories must be at least one, got none")
    if histories.values.dtype.kind in "iu":
        return histories
    for place in range(len(histories)):
        _ids(histories.array(place), f"{NAME}[{place}]")
    return histories
