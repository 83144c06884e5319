"""Items that were not chosen, drawn for a training by how often each was chosen anywhere."""

import numpy as np

from attention_zoo.errors import ZooValueError


class Negatives:
    """Draw items, with replacement, rare ones less often.

    q[i] = (count[i] + 1)^power / sum over items of the same

    Args:
        counts: int [items + 1], how often each item was chosen, by number; that of padding is not looked at.
        power: 0 draws all items alike, 1 as often as they were chosen.

    Attributes:
        log_chance: float32 [items + 1], log q by number.

    Raises:
        ZooValueError: if there is no item, or the power is below 0.

    Cost: memory of 20 bytes an item; a draw takes time log items.
    """

    def __init__(self, counts: np.ndarray, power: float = 0.75):
        if len(counts) < 2:
            raise ZooValueError(f"counts must be of at least one item, got {len(counts)} with that of padding")
        if not 0 <= power < float("inf"):
            raise ZooValueError(f"power must be at least 0, got {power!r}")
        weights = (np.asarray(counts[1:], np.float64) + 1.0) ** power
        chances = weights / weights.sum()
        self.items = len(weights)
        self._ends = np.cumsum(chances)
        self.log_chance = np.concatenate([[0.0], np.log(chances)]).astype(np.float32)

    def draw(self, generator: np.random.Generator, shape: int | tuple[int, ...]) -> np.ndarray:
        """Return numbers of items, int32 of a shape."""
        drawn = np.searchsorted(self._ends, generator.random(shape), "right")
        return np.minimum(drawn, self.items - 1).astype(np.int32) + 1
