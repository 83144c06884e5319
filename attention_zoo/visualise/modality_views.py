"""What one modality of a row shows of where a model looked: pictures, a sound, words, or vectors of features."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from attention_zoo.errors import ZooValueError
from attention_zoo.visualise import segments as say
from attention_zoo.visualise.explanation import SUM_TOLERANCE, plain
from attention_zoo.visualise.overlay import as_rgb, check_map

if TYPE_CHECKING:
    from attention_zoo.text import Token


@dataclass(frozen=True, eq=False)
class FramesView:
    """Pictures, and where the model looked in them.

    Args:
        pictures: one or several, each as `overlay.as_rgb` takes it.
        weights: share of each picture and place, [pictures, rows, columns], not negative, 1 in all.

    Raises:
        ZooValueError: if there is not one map for each picture, or weights are not shares of 1.
    """

    pictures: Sequence[np.ndarray]
    weights: np.ndarray

    def __post_init__(self) -> None:
        weights = np.asarray(self.weights, np.float64)
        if weights.ndim != 3 or len(weights) != len(self.pictures):
            raise ZooValueError(f"weights must be [{len(self.pictures)} pictures, rows, columns], got {weights.shape}")
        object.__setattr__(self, "weights", shares(weights))
        object.__setattr__(self, "pictures", [as_rgb(picture, "pictures") for picture in self.pictures])

    def to_dict(self) -> dict:
        """Return the numbers; pictures by their size alone."""
        height, width = self.pictures[0].shape[:2]
        return {"kind": "frames", "height": height, "width": width, "weights": plain(self.weights)}


@dataclass(frozen=True, eq=False)
class SoundView:
    """A sound as its log-mel features, and when the model listened.

    Args:
        features: [frames, bands], the lowest band first.
        weights: share of each frame, [frames], not negative, 1 in all.
        step: seconds from one frame to the next.

    Raises:
        ZooValueError: if there is not one weight for each frame, or weights are not shares of 1.
    """

    features: np.ndarray
    weights: np.ndarray
    step: float

    def __post_init__(self) -> None:
        features = check_map(self.features, "features")
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "weights", shares(say.check_values("weights", self.weights, len(features))))

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.features) * self.step

    def to_dict(self) -> dict:
        """Return the numbers, without the features."""
        return {"kind": "sound", "step": self.step, "seconds": self.seconds, "weights": plain(self.weights)}


@dataclass(frozen=True, eq=False)
class WordsView:
    """A text, and which of its tokens the model read.

    Args:
        text: the text.
        tokens: its pieces, with `text`, `start` and `end` (characters) and `index`, in reading order.
        weights: share of each token, [tokens], not negative, 1 in all.

    Raises:
        ZooValueError: if there is not one weight for each token, or weights are not shares of 1.
    """

    text: str
    tokens: Sequence["Token"]
    weights: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", shares(say.check_values("weights", self.weights, len(self.tokens))))
        say.segments(self.text, self.tokens)

    def to_dict(self) -> dict:
        """Return text and numbers."""
        tokens = [{"text": token.text, "start": int(token.start), "end": int(token.end)} for token in self.tokens]
        return {"kind": "words", "text": self.text, "tokens": tokens, "weights": plain(self.weights)}


@dataclass(frozen=True, eq=False)
class VectorsView:
    """Vectors of features, which of them the model took, and what each number did to the score.

    Args:
        values: [steps, width], less their mean, by their deviation.
        weights: share of each step, [steps], not negative, 1 in all.
        effects: how far the score (0..1) falls where a number is its mean in all steps, [width].
        names: of the numbers; none calls them by their place, from 1.

    Raises:
        ZooValueError: if a number is missing or too many, or weights are not shares of 1.
    """

    values: np.ndarray
    weights: np.ndarray
    effects: np.ndarray
    names: Sequence[str] = field(default=())

    def __post_init__(self) -> None:
        values = check_map(self.values, "values")
        width = values.shape[1]
        names = tuple(self.names) or tuple(f"number {place}" for place in range(1, width + 1))
        if len(names) != width:
            raise ZooValueError(f"names must be one for each of the {width} numbers of a vector, got {len(names)}")
        effects = say.check_values("effects", self.effects, width)
        weights = shares(say.check_values("weights", self.weights, len(values)))
        for name, value in {"values": values, "weights": weights, "effects": effects, "names": names}.items():
            object.__setattr__(self, name, value)

    @property
    def order(self) -> list[int]:
        """Places of the numbers, those that did most first."""
        return np.argsort(-np.abs(self.effects), kind="stable").tolist()

    def to_dict(self) -> dict:
        """Return all numbers."""
        effects = dict(zip(self.names, plain(self.effects)))
        return {"kind": "features", "values": plain(self.values), "weights": plain(self.weights), "effects": effects}


View = FramesView | SoundView | WordsView | VectorsView


def shares(weights: np.ndarray) -> np.ndarray:
    """Check that weights are shares of 1.

    Raises:
        ZooValueError: if one is below 0 or not finite, or they are not 1 in all.
    """
    if not np.isfinite(weights).all() or weights.min(initial=0) < 0 or abs(weights.sum() - 1) > SUM_TOLERANCE:
        raise ZooValueError(f"weights must be 0 or more and 1 in all, got sum {weights.sum():.4g}")
    return weights
