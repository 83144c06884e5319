"""Numbers of a sound as a user may have them, to float32 in one channel from -1 to 1."""

import warnings
from typing import Any

import numpy as np

from attention_zoo.errors import ZooTypeError, ZooValueError

MOST_CHANNELS = 32
FULL = 0.999  # of the range: a sample beyond it has been cut off by whatever recorded it
CLIPPED = 0.001  # share of such samples that is worth a warning; a sound that was raised to full scale has a few
_LARGEST = 16.0  # floats beyond it are whole numbers in disguise
_MIDDLE = {"u1": 128}
_SCALE = {"i1": 2**7, "u1": 2**7, "i2": 2**15, "i4": 2**31}


def mono(array: Any, name: str, axis: int | None = None) -> np.ndarray:
    """Return samples of whatever kind as one channel of float32; they may go beyond 1.

    Whole numbers of 8, 16 and 32 bits are divided by the largest of their kind; floats go from -1 to 1. Of channels,
    the mean is taken.

    Args:
        array: [samples], [samples, channels] or [channels, samples], at most 32 channels; of NumPy or any library.
        name: what errors call it.
        axis: which of two axes is that of the channels; None takes the shorter one.

    Raises:
        ZooTypeError: if it is no array of numbers, or of whole numbers of 64 bits.
        ZooValueError: if it has other axes, no samples, some that are not finite, or some far beyond 1.
    """
    found = np.asarray(array)
    if found.ndim not in (1, 2) or (found.ndim == 2 and min(found.shape) > MOST_CHANNELS):
        raise ZooValueError(
            f"{name} must be [samples] or [samples, channels] of at most {MOST_CHANNELS} channels, got "
            f"shape {list(found.shape)}"
        )
    if not found.size:
        raise ZooValueError(f"{name} holds no samples: a sound of no length")
    found = _floats(found, name)
    if found.ndim == 2:
        found = found.mean(axis=int(np.argmin(found.shape)) if axis is None else axis, dtype=np.float32)
    return finite(found, name)


def finite(samples: np.ndarray, name: str) -> np.ndarray:
    """Return float32 samples if all are numbers of a sound.

    Raises:
        ZooValueError: if one is NaN, infinite or far beyond 1; says how many and where the first is.
    """
    bad = ~np.isfinite(samples)
    if bad.any():
        raise ZooValueError(
            f"{name} has {int(bad.sum()):,} samples of {len(samples):,} that are NaN or infinite, the first is "
            f"number {int(bad.argmax()):,}"
        )
    peak = float(np.abs(samples).max(initial=0))
    if peak > _LARGEST:
        raise ZooValueError(
            f"{name} must have float samples from -1 to 1, got one of {peak:,.6g}; give whole numbers as int16 or "
            "int32, or divide them"
        )
    return samples


def _floats(array: np.ndarray, name: str) -> np.ndarray:
    kind = f"{array.dtype.kind}{array.dtype.itemsize}"
    if kind in _SCALE:
        return (array.astype(np.float32) - _MIDDLE.get(kind, 0)) / np.float32(_SCALE[kind])
    if array.dtype.kind != "f":
        raise ZooTypeError(f"{name} must be of floats, int8, uint8, int16 or int32, got {array.dtype}")
    return array.astype(np.float32)


class Faults:
    """Count what a listener would hear in a sound that can be read all the same: clipping, and nothing at all.

    Args:
        name: what sentences call the sound.
    """

    def __init__(self, name: str):
        self.name = name
        self.count, self.clipped, self.lowest, self.highest = 0, 0, np.inf, -np.inf

    def hear(self, samples: np.ndarray) -> np.ndarray:
        """Count over the next samples, and return them cut to -1 and 1."""
        if len(samples):
            self.count += len(samples)
            self.clipped += int(np.count_nonzero(np.abs(samples) >= FULL))
            self.lowest = min(self.lowest, float(samples.min()))
            self.highest = max(self.highest, float(samples.max()))
        return np.clip(samples, -1, 1)

    def sentences(self) -> list[tuple[str, str]]:
        """Return (fault, sentence) of each fault: "clipped", "silent"."""
        found = []
        if self.count and self.clipped > CLIPPED * self.count:
            share = self.clipped / self.count
            found.append(("clipped", f"{self.name} is clipped: {share:.1%} of its samples are at full scale"))
        if self.count and self.lowest == self.highest:
            found.append(("silent", f"{self.name} is nothing but silence"))
        return found

    def warn(self, depth: int = 1) -> None:
        """Warn of each fault in the name of whoever called this object's caller, `depth` frames up."""
        for _, sentence in self.sentences():
            warnings.warn(sentence, UserWarning, stacklevel=depth + 2)
