"""What each step of a recognizer says by itself: repeats joined, blanks dropped."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from attention_zoo.errors import ZooValueError
from attention_zoo.search.settings import BOS_ID, EOS_ID, UNKNOWN_ID

BLANK = 0
# Ids that belong to a decoder and are no sound.
SILENT = (UNKNOWN_ID, BOS_ID, EOS_ID)


@dataclass(frozen=True)
class Path:
    """Units in order, and the steps at which they are said.

    Args:
        token_ids: of the units.
        starts: first step of each unit.
        ends: step after the last at which the unit is held; at most the start of the next.
        scores: of each unit the mean log-probability over its steps, at most 0.
        score: log-probability of the whole path, blanks among it.
    """

    token_ids: tuple[int, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    scores: tuple[float, ...]
    score: float


@dataclass(frozen=True)
class Word:
    """A word and when it is said.

    Args:
        text: the word.
        start: seconds from the beginning.
        end: seconds, after `start`.
        score: mean log-probability over the steps of its units, at most 0.
    """

    text: str
    start: float
    end: float
    score: float


def greedy(log_probabilities: np.ndarray, blank: int = BLANK, banned: Sequence[int] = SILENT) -> list[Path]:
    """Take the likeliest unit of each step, join repeats, drop blanks.

    Padded steps, at which blank is certain, add nothing.

    Args:
        log_probabilities: float [batch, steps, vocabulary].
        blank: id of the blank.
        banned: ids that are never said.

    Returns:
        one `Path` for each row.

    Raises:
        ZooValueError: if the array has not three axes.

    Source: Graves et al. 2006, "Connectionist Temporal Classification", section 3.2 (best path decoding).
    """
    chances = checked(log_probabilities, 3)
    if refused := [one for one in banned if one < chances.shape[2]]:
        chances = chances.copy()
        chances[..., refused] = -np.inf
    best = chances.argmax(axis=2)
    values = np.take_along_axis(chances, best[..., None], 2)[..., 0]
    return [collapsed(row, value, blank) for row, value in zip(best, values)]


def collapsed(units: np.ndarray, values: np.ndarray, blank: int = BLANK) -> Path:
    """Join repeats and drop blanks.

    Args:
        units: int [steps], the unit or blank of each step.
        values: float [steps], its log-probability.
        blank: id of the blank.
    """
    if not len(units):
        return Path((), (), (), (), 0.0)
    first = np.flatnonzero(np.concatenate([[True], units[1:] != units[:-1]]))
    means = np.add.reduceat(values.astype("float64"), first)
    after = np.append(first[1:], len(units))
    said = units[first] != blank
    means = (means / (after - first))[said]
    parts = (units[first][said], first[said], after[said], means)
    return Path(*(tuple(part.tolist()) for part in parts), float(values.sum(dtype="float64")))


def checked(log_probabilities: np.ndarray, axes: int) -> np.ndarray:
    """Return log-probabilities of steps as an array.

    Raises:
        ZooValueError: if there are other axes than wanted, or something is no number.
    """
    chances = np.asarray(log_probabilities)
    if chances.ndim != axes or not chances.shape[-1]:
        wanted = "batch, steps, vocabulary" if axes == 3 else "steps, vocabulary"
        raise ZooValueError(f"log_probabilities must be [{wanted}], got shape {chances.shape}")
    if np.isnan(chances).any():
        raise ZooValueError("log_probabilities must be numbers, got NaN")
    return chances
