"""Mean and deviation of each number of a step over all steps of the training data."""

from collections.abc import Iterable
from typing import Any, Self

import numpy as np

from attention_zoo.errors import ZooValueError

# Deviation, beside the mean, of what only rounding changes: dividing by it would make rounding large.
_CONSTANT = 1e-5


class Statistics:
    """Bring numbers to mean 0 and deviation 1.

    normalised = (value - mean) / deviation

    Args:
        mean: of each number of a step, [width].
        deviation: likewise, more than 0.

    Raises:
        ZooValueError: if they are not of one length, not finite, or a deviation is not more than 0.
    """

    def __init__(self, mean: Any, deviation: Any):
        self.mean, self.deviation = np.asarray(mean, np.float32), np.asarray(deviation, np.float32)
        if self.mean.ndim != 1 or self.mean.shape != self.deviation.shape or not self.mean.size:
            raise ZooValueError("mean and deviation must be as many numbers as a step has")
        if not (np.isfinite(self.mean).all() and np.isfinite(self.deviation).all() and (self.deviation > 0).all()):
            raise ZooValueError("mean and deviation must be finite, and each deviation more than 0")

    @classmethod
    def of(cls, rows: Iterable[np.ndarray]) -> Self:
        """Learn them from rows [steps, width], at least one with a step.

        What is always the same keeps its size: its deviation is 1.
        """
        count, total, squares = 0, 0.0, 0.0
        for row in rows:
            row = row.astype(np.float64)
            count, total, squares = count + len(row), total + row.sum(0), squares + (row**2).sum(0)
        mean = total / count
        deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
        return cls(mean, np.where(deviation <= _CONSTANT * np.abs(mean), 1.0, deviation))

    def __call__(self, row: np.ndarray) -> np.ndarray:
        """Return a row [steps, width] less the mean, by the deviation."""
        return (row - self.mean) / self.deviation

    @property
    def width(self) -> int:
        """Numbers of a step."""
        return len(self.mean)

    def to_dict(self) -> dict[str, list[float]]:
        """Return them as JSON holds them, to the bit."""
        return {"mean": self.mean.tolist(), "deviation": self.deviation.tolist()}
