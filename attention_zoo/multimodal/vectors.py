"""The reader of features: a vector, or a sequence of vectors, such as action units of a face."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from attention_zoo.errors import ZooFileError, ZooTypeError, ZooValueError
from attention_zoo.multimodal.reader import Named, Reader
from attention_zoo.multimodal.settings import Settings
from attention_zoo.multimodal.statistics import Statistics

_PROBE = 6  # vectors of the longer probe


class VectorReader(Reader):
    """Read feature vectors as float32 [steps, width], with the training data's mean and deviation.

    Args:
        modality: what they are of.
        statistics: of the training data.
    """

    nothing = "features without a vector"

    def __init__(self, modality: str, statistics: Statistics):
        super().__init__(modality)
        self.statistics = statistics

    @classmethod
    def learn(cls, modality: str, values: Sequence[Named], settings: Settings) -> Self:
        """Learn mean and deviation; the width is the first vector's where the settings do not say it."""
        width, rows = settings.features(modality), []
        for name, value in values:
            row = read_vectors(value, name, width)
            if row is not None:
                width = width or row.shape[1]
                rows.append(row)
        if not rows:
            raise ZooValueError(f"{modality} must have at least one vector in the training data, got none")
        return cls(modality, Statistics.of(rows))

    @property
    def shape(self) -> tuple[int, ...]:
        """The width of a vector."""
        return (self.statistics.width,)

    def read(self, values: Sequence[Named]) -> list[np.ndarray | None]:
        """Return float32 [steps, width] of each value."""
        rows = [read_vectors(value, name, self.statistics.width) for name, value in values]
        return [None if row is None else self.statistics(row) for row in rows]

    def size(self, value: Any, name: str) -> float:
        """Return the number of vectors, 1 for a file."""
        return 1 if isinstance(value, str | os.PathLike) else float(len(np.atleast_2d(np.asarray(value))))

    @property
    def usage(self) -> str:
        """What the array is."""
        return f"float32 [batch, steps, {self.statistics.width}], features less their mean, by their deviation"

    def probe(self, generator: np.random.Generator, part: int) -> np.ndarray:
        """Return vectors of noise."""
        return generator.normal(size=(_PROBE // part, *self.shape)).astype(np.float32)

    def save(self, folder: Path) -> dict[str, Any]:
        """Return the statistics; there are no files."""
        return self.statistics.to_dict()

    @classmethod
    def load(cls, folder: Path, modality: str, told: dict[str, Any], settings: Settings) -> Self:
        """Read what `save` returned."""
        return cls(modality, Statistics(**told))


def read_vectors(value: Any, name: str, width: int = 0) -> np.ndarray | None:
    """Read one vector, or a sequence of vectors.

    Args:
        value: an array, a tensor or a list of numbers or of such, or the path of a .npy file.
        name: what errors call it.
        width: numbers that each vector must have; 0 takes any.

    Returns:
        float32 [steps, width]; None where there is no vector.

    Raises:
        ZooFileError: if a path is missing or no .npy file.
        ZooTypeError: if it is nothing of the above.
        ZooValueError: if vectors have another width, or a number is NaN or infinite.
    """
    array = _from_path(value, name) if isinstance(value, str | os.PathLike) else _array(value, name)
    if array.ndim not in (1, 2):
        raise ZooValueError(f"{name} must be a vector [width] or vectors [steps, width], got shape {list(array.shape)}")
    if not len(array):
        return None
    array = np.atleast_2d(array)
    if array.shape[1] != (width or array.shape[1]) or not array.shape[1]:
        raise ZooValueError(f"{name} must be vectors of {width or 'some'} numbers, got {array.shape[1]}")
    if array.dtype.kind not in "fiu":
        raise ZooTypeError(f"{name} must be vectors of numbers, got {array.dtype}")
    with np.errstate(over="ignore"):  # what is too large for float32 is told just below
        array = array.astype(np.float32)
    bad = ~np.isfinite(array)
    if bad.any():
        raise ZooValueError(
            f"{name} must be finite numbers, got {int(bad.sum()):,} that are NaN, infinite or too large"
        )
    return array


def _array(value: Any, name: str) -> np.ndarray:
    try:
        array = np.asarray(value)
    except Exception as error:  # lists of different length, and whatever a tensor raises
        raise ZooTypeError(f"{name} must be vectors of numbers, all of one length: {error}") from error
    if array.dtype.kind in "OUS" or not array.ndim:
        raise ZooTypeError(f"{name} must be a vector of numbers, or the path of one (.npy), got {type(value).__name__}")
    return array


def _from_path(path: str | os.PathLike, name: str) -> np.ndarray:
    if not os.fspath(path).lower().endswith(".npy"):
        raise ZooTypeError(
            f"{name} must be a vector of numbers, or the path of one (.npy), got {os.fspath(path)!r:.60}"
        )
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ZooFileError(f"{name} ({os.fspath(path)}) is missing or no .npy file of numbers: {error}") from error
