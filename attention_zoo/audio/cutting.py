"""Cut a long recording where it is quiet, with the memory of one piece."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

_LISTENED = 0.2  # seconds over which loudness is taken: longer than the stop of a consonant, shorter than a pause
_SEARCHED = 1 / 3  # part of a piece, at its end, that is searched for a quiet place
_HOP = 0.02  # seconds


@dataclass(frozen=True, eq=False)
class Piece:
    """A part of a recording.

    Args:
        samples: float32 [samples].
        start: when it begins in the recording (seconds).
        rate: of the samples (Hz).
    """

    samples: np.ndarray = field(repr=False)
    start: float
    rate: int

    @property
    def end(self) -> float:
        """When it ends in the recording (seconds)."""
        return self.start + len(self.samples) / self.rate


def cut(blocks: Iterable[np.ndarray], rate: int, max_seconds: float) -> Iterator[Piece]:
    """Put blocks together to pieces of at most `max_seconds`, cut where the last third of a piece is quietest.

    What follows the last cut is a piece however short it is; together, pieces are the recording.

    Args:
        blocks: float32 [samples] each, in order.
        rate: of the samples (Hz).
        max_seconds: of a piece.

    Yields:
        pieces in order, none of them empty.

    Cost: the memory of one piece and one block.
    """
    limit = max(int(max_seconds * rate), 1)
    held, start = np.zeros(0, np.float32), 0
    for block in blocks:
        held = np.concatenate([held, block])
        while len(held) > limit:
            place = _quietest(held[:limit], rate)
            yield Piece(held[:place].copy(), start / rate, rate)
            held, start = held[place:], start + place
    if len(held):
        yield Piece(held, start / rate, rate)


def _quietest(samples: np.ndarray, rate: int) -> int:
    """Return the middle of the quietest fifth of a second in the last third; the latest of equals."""
    first = int(len(samples) * (1 - _SEARCHED))
    width, hop = max(int(_LISTENED * rate), 1), max(int(_HOP * rate), 1)
    if len(samples) - first <= width:
        return len(samples)
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples[first:], dtype=np.float64))])
    loudness = (energy[width:] - energy[:-width])[::hop]
    latest = len(loudness) - 1 - int(np.argmin(loudness[::-1]))
    return first + latest * hop + width // 2
