"""Split what users chose: the last item of each, or all that came after a time."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from attention_zoo.checks import share
from attention_zoo.data.dataset import Split
from attention_zoo.errors import ZooValueError
from attention_zoo.recsys.histories import Histories

LEAST = 3  # items of a user who is validated and tested


def leave_one_out(
    users: Sequence, histories: Histories, others: Mapping[str, Histories] | None = None
) -> dict[str, Split]:
    """Split histories into train, val and test: a user's last item is for the test, the one before it for validation.

    Args:
        users: their ids.
        histories: of ids, oldest first, one for each user. Users of fewer than 3 items are in train alone, whole.
        others: what else is known of each choice ("time", "rating"), of the same lengths.

    Returns:
        "train" with the columns "user" and "history" (without the last two items); "val" and "test", which also have
        "target", the item to be found, and in "history" all before it; and the columns of `others`, as "history".
    """
    columns = {"history": histories, **(others or {})}
    is_judged = histories.lengths >= LEAST
    held = np.where(is_judged, 2, 0)
    train = Split({"user": users, **{name: one.without_last(held) for name, one in columns.items()}})
    judged = np.flatnonzero(is_judged)
    splits = {"train": train}
    for name, back in (("val", 2), ("test", 1)):
        splits[name] = _judged(users, columns, judged, histories.stops[judged] - back)
    return splits


def split_by_time(
    users: Sequence,
    histories: Histories,
    times: Histories,
    others: Mapping[str, Histories] | None = None,
    held: float = 0.1,
) -> dict[str, Split]:
    """Split histories at two times, which are the same for all users: nothing is learned from what came later.

    The newest `held` of all choices are the time of the test, as many before them that of validation. The target of a
    user is the first item that he chose in that time; a user who chose nothing before has an empty history.

    Args:
        users, histories, others: as for `leave_one_out`.
        times: when each item was chosen, of the same lengths, rising.
        held: share of the choices, above 0 and under 0.5.

    Returns:
        as `leave_one_out`; "train" has the users who chose something before both times.

    Raises:
        ZooValueError: if `held` is out of range, or one of the three parts would be empty.
    """
    if not 0 < share("held", held) < 0.5:
        raise ZooValueError(f"held must be above 0 and under 0.5 (share of the choices), got {held!r}")
    columns = {"history": histories, "time": times, **(others or {})}
    first, second = np.quantile(np.asarray(times.flat(), np.float64), (1 - 2 * held, 1 - held), method="higher")
    before = [
        np.array([np.searchsorted(times.array(row), at) for row in range(len(times))], np.int64)
        for at in (first, second)
    ]
    kept = np.flatnonzero(before[0] > 0)
    learned = {name: one.without_last(one.lengths - before[0]).rows(kept) for name, one in columns.items()}
    splits = {"train": Split({"user": [users[row] for row in kept], **learned})}
    for name, start, stop in (("val", before[0], before[1]), ("test", before[1], histories.lengths)):
        judged = np.flatnonzero(stop > start)
        splits[name] = _judged(users, columns, judged, histories.starts[judged] + start[judged])
    empty = next((name for name, split in splits.items() if not len(split)), None)
    if empty is not None:
        raise ZooValueError(f"split 'time' leaves no user for {empty}: the choices are too few, or of too few times")
    return splits


def _judged(users: Sequence, columns: Mapping[str, Histories], rows: np.ndarray, places: np.ndarray) -> Split:
    """Return rows whose targets stand at these places of the values."""
    histories = columns["history"]
    parts: dict[str, Any] = {
        name: one.rows(rows).without_last(histories.stops[rows] - places) for name, one in columns.items()
    }
    return Split({"user": [users[row] for row in rows], **parts, "target": histories.values[places].tolist()})
