"""The preprocessor of histories: the user's own ids in, padded numbers of items out."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooError, ZooFileError, ZooValueError
from attention_zoo.files import make_folder, read_json, write_json
from attention_zoo.recsys.features import FIELDS, ItemFeatures
from attention_zoo.recsys.histories import LEFT, RIGHT, Histories
from attention_zoo.recsys.ids import Id, ItemIndex
from attention_zoo.recsys.rows import as_histories

FORMAT, KIND = 1, "history"
CONFIG, ITEMS = "preprocessor.json", "items.json"
LENGTH = 50  # items of a history that a network reads


@dataclass(frozen=True)
class Encoded:
    """Histories as numbers.

    Args:
        numbers: whole histories, oldest first, without what is unknown.
        unknown: how many ids of each were not known, int64 [histories].
    """

    numbers: Histories
    unknown: np.ndarray

    @property
    def cold(self) -> np.ndarray:
        """Whether a history has no known item, bool [histories]."""
        return self.numbers.lengths == 0


class HistoryPreprocessor:
    """Turn histories of the user's own ids into the array of a network.

        items    int32 [batch, length]: numbers of the newest `length` items, oldest first, padded with 0

    Ids that the catalogue lacks are skipped and counted; a history without any known id is that of a cold user.

    Args:
        index: the catalogue.
        length: items of a history that are read, the newest.
        padding: where shorter histories are filled up: "left" (the newest item always stands last) or "right".
        fixed: True makes each batch `length` wide; False as wide as its longest history.
        features: what is known of the items; None is nothing.

    Raises:
        ZooValueError: if a setting cannot work, or features and catalogue differ in size.
    """

    kind = KIND
    noun = "history"  # what one input is called
    inputs = ("items",)

    def __init__(
        self,
        index: ItemIndex,
        length: int = LENGTH,
        padding: str = LEFT,
        fixed: bool = True,
        features: ItemFeatures | None = None,
    ):
        if padding not in (LEFT, RIGHT):
            raise ZooValueError(f"padding must be {LEFT!r} or {RIGHT!r}, got {padding!r}")
        if features is not None and len(features.table) != len(index) + 1:
            raise ZooValueError(
                f"features must be of the {len(index):,} items of the catalogue, got {len(features.table) - 1:,}"
            )
        self.index, self.features = index, features
        self.length = whole_number("length", length, unit="items")
        self.padding, self.fixed = padding, bool(fixed)

    @classmethod
    def learn(
        cls,
        histories: Any,
        length: int = LENGTH,
        padding: str = LEFT,
        fixed: bool = True,
        catalogue: Iterable[Id] = (),
        features: ItemFeatures | None = None,
    ) -> Self:
        """Learn the catalogue from the histories of a training.

        Args:
            histories: in any of the ways of `attention_zoo.recsys.as_histories`.
            length, padding, fixed, features: as of the class.
            catalogue: ids of all items there are, chosen or not.

        Raises:
            ZooTypeError, ZooValueError: if a history or a setting cannot work.
        """
        return cls(ItemIndex.learn(as_histories(histories), catalogue), length, padding, fixed, features)

    @property
    def example(self) -> str:
        """One input as it stands on a command line."""
        return str(self.index.ids[0])

    @property
    def usage(self) -> str:
        """What the array is, for a person who has to make it by other means."""
        wide = f"{self.length} wide" if self.fixed else f"at most {self.length} wide"
        return (
            f"`items`: int32 [batch, steps], {wide}: numbers of the newest items of each history, oldest first, padded "
            f"by 0 on the {self.padding}; an item's number is its place, from 1, in `ids` of `preprocessor/{ITEMS}`"
        )

    def items(self, given: Any) -> Histories:
        """Return what a user gave as histories of ids.

        Args:
            given: in any of the ways of `attention_zoo.recsys.as_histories`.

        Raises:
            ZooTypeError, ZooValueError: if an id or a history cannot work; names it.
        """
        return as_histories(given)

    def size(self, history: Any) -> int:
        """Return how many items of a history are read."""
        return min(len(history), self.length)

    def __call__(self, given: Any) -> dict[str, np.ndarray]:
        """Return the array of histories (see the class); `encode` and `arrays` in one.

        Raises:
            ZooTypeError, ZooValueError: if an id or a history cannot work; names it.
        """
        return self.arrays(self.encode(given).numbers)

    def encode(self, given: Any) -> Encoded:
        """Return histories of ids as whole histories of numbers, and count what is unknown.

        Raises:
            ZooTypeError, ZooValueError: if an id or a history cannot work; names it.
        """
        return Encoded(*self.index.numbers(self.items(given)))

    def arrays(self, numbers: Histories) -> dict[str, np.ndarray]:
        """Return histories of numbers as the array of a batch: {"items": int32 [batch, steps]}, at least one step."""
        longest = int(numbers.lengths.max(initial=1))
        width = self.length if self.fixed else max(min(longest, self.length), 1)
        return {"items": numbers.padded(width, self.padding)}

    def probes(self) -> list[dict[str, np.ndarray]]:
        """Return two batches of different size, and of different length where that is free: numbers drawn (seed 0)."""
        generator = np.random.default_rng(0)
        probes = []
        for batch, length in ((2, self.length), (3, max(self.length // 2, 1))):
            lengths = [length, *generator.integers(1, length + 1, batch - 1)]
            probes.append(self.arrays(Histories.of(generator.integers(1, len(self.index) + 1, n) for n in lengths)))
        return probes

    def save(self, folder: str | Path) -> None:
        """Write `preprocessor.json`, `items.json` and what is known of items into a folder, which is made.

        Raises:
            ZooFileError: if it cannot be written.
        """
        folder = make_folder(folder)
        self.index.save(folder / ITEMS)
        if self.features is not None:
            self.features.save(folder)
        settings = {"length": self.length, "padding": self.padding, "fixed": self.fixed}
        write_json(folder / CONFIG, {"format": FORMAT, "kind": KIND, **settings, "features": self.features is not None})

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ZooFileError: if a file is missing or damaged; names it.
        """
        folder = Path(folder)
        told = read_json(folder / CONFIG, FORMAT)
        if (kind := told.pop("kind", None)) != KIND:
            raise ZooFileError(f"{folder / CONFIG} must be of a preprocessor of the kind {KIND!r}, got {kind!r}")
        features = ItemFeatures.load(folder) if told.pop("features", (folder / FIELDS).is_file()) else None
        index = ItemIndex.load(folder / ITEMS)
        try:
            return cls(index, features=features, **told)
        except (ZooError, TypeError, ValueError) as error:
            raise ZooFileError(f"{folder / CONFIG} is damaged: {error}") from error
