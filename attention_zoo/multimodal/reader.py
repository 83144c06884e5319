"""What turns the values of one modality into steps, and steps of several rows into one padded array."""

import abc
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from attention_zoo.multimodal.settings import Settings
from attention_zoo.text.rows import SaysOnce, rounded

# (what errors call it, what the user gave) of one row.
Named = tuple[str, Any]


class Reader(SaysOnce, abc.ABC):
    """Base of the readers of features, sounds, pictures and words.

    Attributes:
        modality: what it reads.
        multiple: to which the number of steps of a batch is rounded up: few shapes are compiled.
        longest: most steps that a batch can have; None where nothing limits them.
        nothing: a value that is there and yet says nothing, for the sentence of a warning.
    """

    multiple: ClassVar[int] = 1
    nothing: ClassVar[str]
    dtype: ClassVar[type] = np.float32

    def __init__(self, modality: str):
        self.modality = modality

    @classmethod
    @abc.abstractmethod
    def learn(cls, modality: str, values: Sequence[Named], settings: Settings) -> Self:
        """Make a reader from the values of a training.

        Raises:
            ZooFileError, ZooValueError, ZooTypeError: if a value cannot be read; names the row.
        """

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Axes of one step."""

    @property
    def longest(self) -> int | None:
        """Most steps that a batch can have."""
        return None

    @abc.abstractmethod
    def read(self, values: Sequence[Named]) -> list[np.ndarray | None]:
        """Return the steps of each value, [steps, ...], None where it says nothing (see `nothing`).

        Raises:
            ZooFileError, ZooValueError, ZooTypeError: if a value cannot be read; names the row.
        """

    @abc.abstractmethod
    def size(self, value: Any, name: str) -> float:
        """Return about how much work a value is, in steps of the network; nothing is read but the head of a file."""

    @property
    @abc.abstractmethod
    def usage(self) -> str:
        """What the array is, for a person who has to make it by other means."""

    @abc.abstractmethod
    def probe(self, generator: np.random.Generator, part: int) -> np.ndarray:
        """Return steps of noise, fewer where `part` is larger."""

    @abc.abstractmethod
    def save(self, folder: Path) -> dict[str, Any]:
        """Write what has files of its own into a folder that need not exist, and return the rest for JSON."""

    @classmethod
    @abc.abstractmethod
    def load(cls, folder: Path, modality: str, told: dict[str, Any], settings: Settings) -> Self:
        """Read what `save` wrote and returned."""

    def arrays(self, rows: Sequence[np.ndarray | None], width: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Return rows as one array, filled up with 0.

        Args:
            rows: what `read` returned, or a copy in float16; None where the modality is missing.
            width: least number of steps.

        Returns:
            [batch, steps, ...], of at least one step; int32 [batch], how many steps are real.
        """
        steps = np.array([0 if row is None else len(row) for row in rows], np.int32)
        most = rounded(int(steps.max()), self.multiple)
        most = max(most if self.longest is None else min(most, self.longest), width)
        batch = np.zeros((len(rows), most, *self.shape), self.dtype)
        for place, row in zip(batch, rows):
            if row is not None:
                place[: len(row)] = self.scaled(row)
        return batch, steps

    def scaled(self, row: np.ndarray) -> np.ndarray:
        """Return the steps of one row as the network reads them."""
        return row
