"""Whatever a user trains or judges with, as histories and what came after them."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from attention_zoo import data as zoo_data
from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.recsys import Histories, as_histories

CATALOGUE = "items"  # the split that lists all items there are, with what is known of them
ITEM, HISTORY, TARGET = "item", "history", "target"


@dataclass(frozen=True)
class Chosen:
    """What people chose.

    Args:
        histories: of ids, oldest first.
        targets: what came after each; None where the histories themselves are learned from.
        catalogue: ids of all items there are; empty where nobody says.
        columns: what is known of the items of the catalogue, values by name.
        origin: the Dataset that they come from, or None.
    """

    histories: Histories
    targets: Sequence[Any] | None = None
    catalogue: Sequence[Any] = ()
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    origin: Any = None


def opened(data: Any) -> Any:
    """Read the path of a table of interactions as a Dataset; anything else comes back as it is.

    Raises:
        ZooValueError, ZooFileError: if there is no such table, or it cannot work.
    """
    return zoo_data.read_interactions(data) if isinstance(data, str | os.PathLike) else data


def read_judged(data: Any, split: str) -> Chosen:
    """Read histories and what came after each.

    Args:
        data, split: as for `read_chosen`.

    Raises:
        ZooValueError: as `read_chosen`; and if nobody says what came after.
    """
    found = read_chosen(data, split)
    if found.targets is None:
        raise ZooValueError("data must say what came after each history: a column 'target', or (histories, targets)")
    return found


def read_chosen(data: Any, split: str = "train") -> Chosen:
    """Read histories, and what came after them, out of what the user gave.

    Args:
        data: a Dataset or Split with a column "history", and "target" where what came after is to be found; histories;
            a tuple (histories, targets); or the path of a table of interactions.
        split: which split of a Dataset.

    Raises:
        ZooValueError, ZooTypeError, ZooFileError: if the data cannot work; says which.
    """
    data = opened(data)
    if isinstance(data, zoo_data.Dataset):
        known = data.splits.get(CATALOGUE)
        catalogue = () if known is None else known[ITEM]
        columns = {} if known is None else {name: known[name] for name in known.columns if name != ITEM}
        return _of_split(data.part(split), catalogue, columns, data)
    if isinstance(data, zoo_data.Split):
        return _of_split(data, (), {}, None)
    if isinstance(data, tuple):
        return _pair(data)
    if isinstance(data, Sequence) or hasattr(data, "__iter__"):
        return Chosen(as_histories(data))
    raise ZooTypeError(
        f"data must be a Dataset, histories, (histories, targets), or the path of a table, got {type(data).__name__} "
        f"{data!r:.60}"
    )


def _of_split(rows: zoo_data.Split, catalogue: Sequence[Any], columns: Mapping[str, Any], origin: Any) -> Chosen:
    if HISTORY not in rows.columns:
        raise ZooValueError(f"data must have a column {HISTORY!r}, got {', '.join(map(repr, rows.columns))}")
    targets = rows[TARGET] if TARGET in rows.columns else None
    if targets is not None and any(target is None for target in targets):
        targets = None
    return Chosen(as_histories(rows[HISTORY]), targets, catalogue, columns, origin)


def _pair(data: tuple) -> Chosen:
    if len(data) != 2:
        raise ZooTypeError(f"data must be (histories, targets) where it is a tuple, got one of {len(data)}")
    histories, targets = as_histories(data[0]), list(data[1])
    if len(histories) != len(targets):
        raise ZooValueError(
            f"histories and targets must be as many, got {len(histories):,} histories and {len(targets):,} targets"
        )
    return Chosen(histories, targets)
