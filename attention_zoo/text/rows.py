"""Rows of ids: how they are padded, which piece of the text each id is, and what is said once of a text that is cut."""

import unicodedata
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

PAD_ID = 0


@dataclass(frozen=True)
class Token:
    """One piece of a text.

    Args:
        text: the characters as the user wrote them.
        start: first character, 0-based, in the user's text.
        end: one past the last character.
        index: position in the (flattened) row of `token_ids`.
    """

    text: str
    start: int
    end: int
    index: int


def as_tokens(text: str, places: Iterable[tuple[int, tuple[int, int]]]) -> list[Token]:
    """Make tokens of (index, (start, end)); an accent that is a character of its own goes with its letter."""
    found = []
    for index, (start, end) in places:
        while end < len(text) and unicodedata.combining(text[end]):
            end += 1
        found.append(Token(text[start:end], start, end, index))
    return found


def rounded(count: int, multiple: int) -> int:
    """Return the least multiple that is at least `count` and at least one."""
    return -(-max(count, 1) // multiple) * multiple


def padded(rows: Sequence[Sequence[int]], multiple: int, longest: int) -> np.ndarray:
    """Put rows of ids into one array, filled up with 0.

    Args:
        rows: ids, at most `longest` each.
        multiple: the width is rounded up to this many tokens.
        longest: cap of that rounding (tokens).

    Returns:
        int32 [rows, width].
    """
    batch = np.full((len(rows), min(rounded(max(map(len, rows)), multiple), longest)), PAD_ID, dtype=np.int32)
    for target, row in zip(batch, rows):
        target[: len(row)] = row
    return batch


class SaysOnce:
    """Warns a single time in its life; base of preprocessors, which may be asked a million times."""

    _has_warned = False

    def _warn(self, message: str, depth: int) -> None:
        """Warn once, in the name of whoever called this object's caller, `depth` frames up."""
        if not self._has_warned:
            self._has_warned = True
            warnings.warn(f"{message}; this is said once", UserWarning, stacklevel=depth + 2)
