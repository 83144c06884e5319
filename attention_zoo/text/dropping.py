"""BPE dropout: while training, cut words into other pieces than the usual ones, so that their spelling is learned."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from zlib import crc32

import numpy as np

from attention_zoo.checks import share
from attention_zoo.text.pieces import Pieces

CUTS = 32  # ways of cutting that are drawn for a word
LONGEST = 400  # bytes; what is longer has no blanks for a reason (an address, noise) and stays as it is


class PieceDropout:
    """Cut rows of pieces anew: each joining of two pieces is left out with probability `rate` whenever it is due.

    For every word 32 ways of cutting are drawn, when they are first needed, and each time one of them is taken. So a
    long training costs little more than looking words up, and all that is drawn depends on the word and on the
    generator that is given, not on what was asked for before.

    Args:
        pieces: the vocabulary.
        rate: 0 leaves all as it is; 0.1 is usual.

    Call:
        row: ids of a text without special ones, as `pieces.encode` returns them; generator: of NumPy, says which cuts.

    Returns: ids of the same text.

    Raises:
        ZooValueError: if the rate is not at least 0 and under 1.

    Cost: a word of n bytes takes about n^2 steps of plain Python, 32 times in all; one of over 400 bytes stays whole.
    Source: Provilkov, Emelianenko, Voita 2020, arXiv:1910.13267, algorithm 1. Differs: 32 cuts of a word, not all.
    """

    def __init__(self, pieces: Pieces, rate: float):
        self.pieces, self.rate = pieces, share("rate", rate)
        self._begins = [letters.startswith(b" ") for letters in pieces.spelling]
        self._byte = {letters: number for number, letters in enumerate(pieces.spelling) if len(letters) == 1}
        self._cuts: dict[tuple[tuple[int, ...], int], list[int]] = {}

    def __call__(self, row: Sequence[int], generator: np.random.Generator) -> list[int]:
        words = list(self._words(row))
        found: list[int] = []
        for word, number in zip(words, generator.integers(CUTS, size=len(words)).tolist()):
            cut = self._cuts.get((word, number))
            if cut is None:
                cut = self._cuts[word, number] = self._cut(word, number)
            found += cut
        return found

    def _words(self, row: Sequence[int]) -> Iterator[tuple[int, ...]]:
        """Split a row at blanks. Signs may stay at a word: no pieces were ever joined across the two."""
        start = 0
        for place in range(1, len(row)):
            if self._begins[row[place]]:
                yield tuple(row[start:place])
                start = place
        yield tuple(row[start:])

    def _cut(self, word: tuple[int, ...], number: int) -> list[int]:
        letters = b"".join(self.pieces.spelling[piece] for piece in word)
        if len(letters) > LONGEST:
            return list(word)
        draw = np.random.default_rng([crc32(letters), number]).random
        return _joined([self._byte[bytes([byte])] for byte in letters], self.pieces.joins, self.rate, draw)


def _joined(parts: list[int], joins: dict, rate: float, draw: Callable[[], float]) -> list[int]:
    """Join pieces: of the pairs that are not left out this time, always the one that was learned first."""
    while len(parts) > 1:
        best, at = None, 0
        for place, pair in enumerate(pairwise(parts)):
            join = joins.get(pair)
            if join is not None and (best is None or join < best) and draw() >= rate:
                best, at = join, place
        if best is None:
            break
        parts[at : at + 2] = [best[1]]
    return parts
