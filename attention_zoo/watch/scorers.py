"""How far a head is from normal: one number from the distances of its statistics."""

import abc
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import numpy as np

from attention_zoo.watch.columns import Columns

SHRINKAGE = 0.1  # share of the identity in a covariance
CALM = 0.5  # least variance of a distance: that of a statistic that never changes is 0, and rounding would count


class Scorer(abc.ABC):
    """Base of what turns distances [windows, columns] into scores of heads [windows, heads].

    Attributes:
        name: the method's.
        least: a score that is never far out, for heads that hardly vary.
    """

    name: ClassVar[str]
    least: ClassVar[float] = 1.0

    @classmethod
    @abc.abstractmethod
    def learn(cls, distances: np.ndarray, columns: Columns, train: Callable[..., Any] | None, seed: int) -> Self:
        """Learn from the distances of normal windows.

        Args:
            distances: see `windows.Normal.distances`.
            columns: of the distances.
            train: what trains a network; only some methods need it.
            seed: of whatever is left to chance.
        """

    @abc.abstractmethod
    def scores(self, distances: np.ndarray) -> np.ndarray:
        """Return the score of each head, at least 0: float64 [windows, heads]."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what was learned, by name."""
        return {}

    @classmethod
    @abc.abstractmethod
    def restore(cls, arrays: Mapping[str, np.ndarray], columns: Columns) -> Self:
        """Build from what `arrays` gave.

        Raises:
            KeyError, ValueError: if they do not fit.
        """


class RobustZ(Scorer):
    """Score a head by its statistic that is farthest out: the largest |z|."""

    name = "robust_z"
    least = 2.0

    def __init__(self, columns: Columns):
        self.columns = columns

    @classmethod
    def learn(cls, distances: np.ndarray, columns: Columns, train: Callable[..., Any] | None, seed: int) -> Self:
        return cls(columns)

    def scores(self, distances: np.ndarray) -> np.ndarray:
        return np.maximum.reduceat(np.abs(distances), self.columns.starts, axis=1)

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray], columns: Columns) -> Self:
        return cls(columns)


class Mahalanobis(Scorer):
    """Score a head by the distance of its statistics, seen together, from normal.

        score = sqrt(z' C^-1 z / statistics),  C = (1 - s) covariance of normal windows + s identity,  s = 0.1

    The share of the identity keeps statistics that depend on each other (the bins of a profile sum to the mass) from
    giving a covariance that cannot be inverted. No variance in C is under 0.5.

    Args:
        whitening: [columns, widest head], the rows of a head are a root of its C^-1.
        columns: of the distances.

    Source: Mahalanobis 1936; Ledoit, Wolf 2004 for a covariance pulled to the identity. Differs: by a fixed share.
    """

    name = "mahalanobis"

    def __init__(self, whitening: np.ndarray, columns: Columns):
        self.whitening, self.columns = whitening, columns
        ends = np.append(columns.starts[1:], len(columns))
        self._spans = list(zip(columns.starts.tolist(), ends.tolist()))

    @classmethod
    def learn(cls, distances: np.ndarray, columns: Columns, train: Callable[..., Any] | None, seed: int) -> Self:
        ends = np.append(columns.starts[1:], len(columns))
        whitening = np.zeros((len(columns), int((ends - columns.starts).max())))
        for start, end in zip(columns.starts, ends):
            part = distances[:, start:end]
            width = end - start
            covariance = (1.0 - SHRINKAGE) * (part.T @ part) / len(part) + SHRINKAGE * np.eye(width)
            covariance += np.diag(np.maximum(CALM - np.diag(covariance), 0.0))
            values, vectors = np.linalg.eigh(covariance)
            whitening[start:end, :width] = vectors / np.sqrt(values)
        return cls(whitening, columns)

    def scores(self, distances: np.ndarray) -> np.ndarray:
        parts = [
            np.sqrt(np.mean((distances[:, start:end] @ self.whitening[start:end, : end - start]) ** 2, axis=1))
            for start, end in self._spans
        ]
        return np.stack(parts, axis=1)

    def arrays(self) -> dict[str, np.ndarray]:
        return {"whitening": self.whitening}

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray], columns: Columns) -> Self:
        found = cls(arrays["whitening"], columns)
        if found.whitening.shape != (len(columns), max(end - start for start, end in found._spans)):
            raise ValueError("whitening has another shape")
        return found
