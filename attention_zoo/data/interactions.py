"""What people chose as a table of the user's own: who, what, when."""

import os
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from attention_zoo.data.dataset import Dataset, Split
from attention_zoo.data.formats import Row, find_column, read_rows
from attention_zoo.data.history_splits import leave_one_out, split_by_time
from attention_zoo.errors import ZooTypeError, ZooValueError, unknown
from attention_zoo.recsys.histories import Histories
from attention_zoo.recsys.ids import Id, as_id

USER_NAMES = (
    "user", "user_id", "userid", "customer", "customer_id", "visitor", "visitorid", "member_id", "reviewerid",
    "session", "session_id",
)  # fmt: skip
ITEM_NAMES = (
    "item", "item_id", "itemid", "product", "product_id", "productid", "movie", "movie_id", "movieid", "article_id",
    "asin", "parent_asin", "sku",
)  # fmt: skip
TIME_NAMES = ("time", "timestamp", "date", "datetime", "created_at", "unixreviewtime", "t_dat", "at")
RATING_NAMES = ("rating", "ratings", "stars", "overall", "score")
SPLITS = ("leave_one_out", "time", "none")
_DECIMAL, _NUMBER = re.compile(r"-?\d+\.\d+"), re.compile(r"-?\d+(\.\d+)?")
_WANTED = "user, item and time"


def read_interactions(
    path: str | os.PathLike,
    *,
    user: str | None = None,
    item: str | None = None,
    time: str | None = None,
    rating: str | None = None,
    features: Iterable[str] = (),
    items: str | os.PathLike | None = None,
    least_rating: float | None = None,
    split: str = "leave_one_out",
    held: float = 0.1,
) -> Dataset:
    """Read a table with one choice a row: user, item, time, and perhaps a rating and features of the item.

        user,item,time,rating,brand
        ann,B001,2024-03-01T10:00:00,5,Acme
        ann,B007,2024-03-02T18:30:00,3,

    Ids stay as they are written ("007" is not "7"). Rows of a user are put in order of time; those of one time stay in
    their order. A row whose user, item and time another row has too is left out. A `UserWarning` tells what was done.

    Args:
        path: .csv, .tsv, .jsonl or .json, perhaps with .gz; UTF-8; the first row of CSV and TSV names the columns.
        user, item, time, rating: names of the columns; None finds them by usual names. Without a column of times, rows
            are taken as in order. Times are numbers (seconds) or ISO 8601 (UTC where they name no zone).
        features: names of columns that describe the item; the last that is known of an item counts.
        items: a further table with a column of items and features in all its other columns, also of items that nobody
            chose yet.
        least_rating: keeps only rows rated at least so; None keeps all.
        split: "leave_one_out" (see `leave_one_out`), "time" (see `split_by_time`), or "none": all is train.
        held: of the time split, share of the choices for test, and for validation.

    Returns:
        A set of the splits "train", "val", "test" with the columns "user", "history", "target" (not of train), "time"
        and "rating" where there are any; and "items" with "item" and the features.

    Raises:
        ZooValueError: if the file is empty, not UTF-8 or malformed, a column is unknown or cannot be found, a cell has
            no id, time or rating (names the line), or too little is left to split.
        ZooTypeError: if an id is a decimal, or neither text nor a whole number (names the line).
        ZooFileError: if the file is missing or cannot be read.
    """
    path = Path(path)
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    columns, rows = read_rows(path, _WANTED)
    roles = _roles(path, columns, {"user": user, "item": item, "time": time, "rating": rating})
    if "rating" not in roles and least_rating is not None:
        raise ZooValueError(f"least_rating wants a column of ratings, and {path} has none; name it by rating=")
    if split == "time" and "time" not in roles:
        raise ZooValueError(f"split 'time' wants a column of times, and {path} has none; name it by time=")
    described = _described(
        path, rows, roles["item"], [find_column(path, columns, name, "feature", ()) for name in features]
    )
    found: dict[str, list] = {role: _ids(path, rows, roles[role], role) for role in ("user", "item")}
    if "rating" in roles:
        found["rating"] = [_number(path, row, roles["rating"]) for row in rows]
    if "time" in roles:
        found["time"] = [_time(path, row, roles["time"]) for row in rows]
    else:
        _tell(f"{path} has no column of times: its rows are taken as in order")
    users, histories = gather(_kept(path, found, least_rating), str(path))
    splits = _split(users, histories, split, held)
    catalogue = dict.fromkeys(histories["history"].flat().tolist(), None)
    if items is not None:
        described = _merged(described, _table_of_items(Path(items)))
    return Dataset(path.name, {**splits, "items": catalogue_split(catalogue, described)}, source=str(path))


def gather(found: Mapping[str, Sequence], name: str) -> tuple[list[Id], dict[str, Histories]]:
    """Gather choices by user, each user's in order of time.

    Args:
        found: columns "user" and "item", and perhaps "time" (numbers) and "rating".
        name: of the table, for a warning.

    Returns:
        the users as they first occur, and by name ("history", "time", "rating") what they chose.

    Raises:
        ZooValueError: if there is no row.
    """
    if not len(found["user"]):
        raise ZooValueError(f"{name} must hold at least one row that counts, got none")
    numbers: dict[Id, int] = {}
    owners = np.array([numbers.setdefault(user, len(numbers)) for user in found["user"]], np.int64)
    times = np.asarray(found["time"], np.float64) if "time" in found else np.zeros(len(owners))
    order = np.argsort(owners, kind="stable")
    falls = (np.diff(times[order]) < 0) & (np.diff(owners[order]) == 0)
    if falls.any():
        late = len(np.unique(owners[order][1:][falls]))
        _tell(f"rows of {late:,} of {len(numbers):,} users of {name} are not in order of time; they were sorted")
    order = np.lexsort((times, owners))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(owners))])
    told = {"history": _values([found["item"][row] for row in order.tolist()])}
    for column in ("time", "rating"):
        if column in found:
            told[column] = np.asarray(found[column], np.float64)[order]
    return list(numbers), {column: Histories.cut(values, offsets) for column, values in told.items()}


def catalogue_split(chosen: Iterable[Id], described: Mapping[Id, Mapping[str, Any]]) -> Split:
    """Return the split "items": items as they first were chosen, then those that are only described."""
    ids = list(dict.fromkeys([*chosen, *described]))
    names = list(dict.fromkeys(name for told in described.values() for name in told))
    return Split({"item": ids, **{name: [described.get(one, {}).get(name) for one in ids] for name in names}})


def _split(users: list[Id], histories: dict[str, Histories], split: str, held: float) -> dict[str, Split]:
    others = {name: one for name, one in histories.items() if name != "history"}
    if split == "none":
        return {"train": Split({"user": users, **histories})}
    if split == "time":
        times = others.pop("time")
        return split_by_time(users, histories["history"], times, others, held)
    splits = leave_one_out(users, histories["history"], others)
    if not len(splits["test"]):
        raise ZooValueError(
            "split 'leave_one_out' wants a user with at least 3 items, got none; split='none' takes all"
        )
    return splits


def _roles(path: Path, columns: list[str], named: Mapping[str, str | None]) -> dict[str, str]:
    """Return the column of each role; times and ratings may be missing."""
    usual = {"user": USER_NAMES, "item": ITEM_NAMES, "time": TIME_NAMES, "rating": RATING_NAMES}
    present = {name.strip().lower() for name in columns}
    roles = {}
    for role, wanted in named.items():
        if wanted is None and role in ("time", "rating") and present.isdisjoint(usual[role]):
            continue
        roles[role] = find_column(path, columns, wanted, role, usual[role])
    if len(set(roles.values())) < len(roles):
        raise ZooValueError(f"user, item, time and rating must be different columns of {path}, got {roles}")
    return roles


def _ids(path: Path, rows: list[Row], column: str, role: str) -> list[Id]:
    values = []
    for row in rows:
        value = row.values.get(column)
        if value is None or (isinstance(value, str) and not value.strip()):
            raise ZooValueError(f"{path} {row.place} has no {role} in column {column!r}")
        values.append(as_id(value.strip() if isinstance(value, str) else value, f"{path} {row.place}: {role}"))
    # Whole numbers that a program wrote as decimals: the ids would be others than those of the user's own system.
    decimal = next(
        (place for place, one in enumerate(values) if isinstance(one, str) and _DECIMAL.fullmatch(one)), None
    )
    if decimal is not None and all(isinstance(one, int) or _NUMBER.fullmatch(one) for one in values):
        raise ZooTypeError(
            f"{path} {rows[decimal].place}: {role} must be an id, text or a whole number, got the decimal "
            f"{values[decimal]!r}; write column {column!r} without decimals"
        )
    return values


def _number(path: Path, row: Row, column: str) -> float:
    value = row.values.get(column)
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number):
        raise ZooValueError(f"{path} {row.place} column {column!r} must be a number, got {value!r:.60}")
    return number


def _time(path: Path, row: Row, column: str) -> float:
    """Return a time in seconds."""
    value = row.values.get(column)
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
        try:
            found = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ZooValueError(
                f"{path} {row.place} column {column!r} must be a time, a number or ISO 8601, got {value!r:.60}"
            ) from None
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    return _number(path, row, column)


def _kept(path: Path, found: dict[str, list], least_rating: float | None) -> dict[str, list]:
    """Leave out what is rated too low, and what is there twice."""
    count = len(found["user"])
    rows = [row for row in range(count) if least_rating is None or found["rating"][row] >= least_rating]
    if "time" in found:
        first: dict[tuple, int] = {}
        for row in rows:
            first.setdefault((found["user"][row], found["item"][row], found["time"][row]), row)
        if len(first) < len(rows):
            _tell(
                f"{len(rows) - len(first):,} of {count:,} rows of {path} are there twice (user, item, time); left out"
            )
        rows = list(first.values())
    return {name: [values[row] for row in rows] for name, values in found.items()}


def _described(path: Path, rows: list[Row], item: str, names: Sequence[str]) -> dict[Id, dict[str, Any]]:
    """Return what is known of each item by its id: of each column the last value that is not empty."""
    if not names:
        return {}
    told: dict[Id, dict[str, Any]] = {}
    for one, row in zip(_ids(path, rows, item, "item"), rows):
        known = told.setdefault(one, {})
        for name in names:
            value = row.values.get(name)
            if value is not None and str(value).strip():
                known[name] = value
    return told


def _table_of_items(path: Path) -> dict[Id, dict[str, Any]]:
    columns, rows = read_rows(path, "item and its features")
    item = find_column(path, columns, None, "item", ITEM_NAMES)
    return _described(path, rows, item, [name for name in columns if name != item])


def _merged(one: Mapping[Id, dict], other: Mapping[Id, dict]) -> dict[Id, dict]:
    return {key: {**one.get(key, {}), **other.get(key, {})} for key in dict.fromkeys([*one, *other])}


def _values(ids: list[Id]) -> np.ndarray:
    return Histories.of([ids]).values


def _tell(message: str) -> None:
    warnings.warn(message, UserWarning, stacklevel=4)
