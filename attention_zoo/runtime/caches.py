"""What a decoder has kept, in NumPy: caches with room to grow, whose rows follow the hypotheses."""

from collections.abc import Mapping

import numpy as np

START = 16  # places that a cache begins with (tokens); doubled whenever they are used up


class Caches:
    """The state of a decoder between two steps.

    Caches are [rows, room, ...], written in place, so that no step copies what stands in them; all other entries are
    replaced at each step.

    Args:
        shapes: of the caches by name: the axes after rows and room.
        dtypes: of the caches by name.
        first: the other entries before the first token, by name, [rows, ...].
        rows: hypotheses of all sentences.
    """

    def __init__(
        self, shapes: Mapping[str, tuple], dtypes: Mapping[str, str], first: Mapping[str, np.ndarray], rows: int
    ) -> None:
        self.filled = 0
        self.kept = {name: np.zeros((rows, START, *shape), dtypes[name]) for name, shape in shapes.items()}
        self.replaced = dict(first)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """All entries by name; there is room for one token more."""
        room = next((cache.shape[1] for cache in self.kept.values()), self.filled + 1)
        if self.filled == room:
            self.kept = {name: _wider(cache) for name, cache in self.kept.items()}
        return {**self.kept, **self.replaced}

    def write(self, new: Mapping[str, np.ndarray]) -> None:
        """Take over what a step gave: for a cache its new entry [rows, 1, ...]."""
        for name, value in new.items():
            if name in self.kept:
                self.kept[name][:, self.filled] = value[:, 0]
            else:
                self.replaced[name] = value
        self.filled += 1

    def follow(self, parents: np.ndarray) -> None:
        """Let each row go on from what its parent kept; rows that are their own parents are left alone.

        Args:
            parents: int32 [rows].
        """
        moved = np.flatnonzero(parents != np.arange(len(parents)))
        if not len(moved):
            return
        sources = parents[moved]
        for cache in self.kept.values():
            cache[moved, : self.filled] = cache[sources, : self.filled]
        self.replaced = {name: value[parents] for name, value in self.replaced.items()}

    def keep(self, rows: np.ndarray) -> None:
        """Keep only some rows.

        Args:
            rows: int [kept], or bool [rows].
        """
        self.kept = {name: cache[rows] for name, cache in self.kept.items()}
        self.replaced = {name: value[rows] for name, value in self.replaced.items()}


def _wider(cache: np.ndarray) -> np.ndarray:
    """Return a cache of twice the room."""
    wider = np.zeros((cache.shape[0], 2 * cache.shape[1], *cache.shape[2:]), cache.dtype)
    wider[:, : cache.shape[1]] = cache
    return wider
