"""Synthetic choices of items, made by rules: enough to see a recommender learn, and of nobody.

Items lie in groups, each a ring in which one item leads to the next. A user goes through the rings of two groups by
turns. What he takes next is most often what follows his item before the last one, sometimes what follows the last, and
now and then any item, popular ones more often. So who looks back further than one item knows more.
"""

import numpy as np

from attention_zoo.checks import whole_number
from attention_zoo.data.dataset import Dataset, Split
from attention_zoo.data.history_splits import leave_one_out
from attention_zoo.errors import ZooValueError
from attention_zoo.recsys.histories import Histories

NAME = "synthetic_interactions"
GROUPS = ("book", "cup", "game", "lamp", "plant", "shoe")
LENGTHS = (6, 24)  # items of a user, least and most
_BEFORE_LAST, _LAST = 0.7, 0.15  # share of choices that follow the item before the last, and the last
_DAY = 86_400.0  # seconds


def synthetic_interactions(users: int = 600, items: int = 120, seed: int = 0) -> Dataset:
    """Make histories of choices: synthetic, with an order that can be learned.

    Args:
        users: how many, at least 20.
        items: how many, at least 24 and a multiple of the 6 groups.
        seed: of the draw; the same seed gives the same set.

    Returns:
        A set named "synthetic_interactions" of the splits "train", "val", "test" (see `leave_one_out`) with the columns
        "user", "history", "time" (seconds), "target", and "items" with "item" and "group".

    Raises:
        ZooValueError: if a number cannot work.
    """
    users, items = whole_number("users", users, 20), whole_number("items", items, 24)
    if items % len(GROUPS):
        raise ZooValueError(f"items must be a multiple of the {len(GROUPS)} groups, got {items}")
    generator = np.random.default_rng(seed)
    size = items // len(GROUPS)
    names = [f"{group}-{number:03}" for group in GROUPS for number in range(1, size + 1)]
    rows = [_history(generator, size) for _ in range(users)]
    histories = Histories.of([[names[item] for item in row] for row in rows])
    times = np.concatenate([np.cumsum(generator.exponential(_DAY, len(row))) for row in rows]).round()
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    splits = leave_one_out(
        [f"user-{number:04}" for number in range(1, users + 1)], histories, {"time": Histories.cut(times, offsets)}
    )
    catalogue = Split({"item": names, "group": [name.split("-")[0] for name in names]})
    return Dataset(
        NAME,
        {**splits, "items": catalogue},
        licence="Apache-2.0",
        permissive=True,
        source="synthetic: rules of attention_zoo.data.synthetic_interactions",
    )


def _history(generator: np.random.Generator, size: int) -> list[int]:
    """Draw one user's items."""
    groups = generator.permutation(len(GROUPS))[:2]
    # The first items of a group are where people begin, so they are the most popular.
    found = [int(group * size + min(generator.geometric(3 / size), size) - 1) for group in groups]
    for _ in range(int(generator.integers(LENGTHS[0], LENGTHS[1] + 1)) - len(found)):
        drawn = generator.random()
        if drawn < _BEFORE_LAST + _LAST:
            before = found[-2] if drawn < _BEFORE_LAST else found[-1]
            found.append(before - before % size + (before + 1) % size)
        else:
            found.append(int(min(generator.geometric(3 / size), size) - 1 + generator.integers(len(GROUPS)) * size))
    return found
