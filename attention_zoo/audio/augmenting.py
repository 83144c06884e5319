"""More of few recordings: masks over features (SpecAugment), other speeds, other loudness, noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from attention_zoo.audio.reading import RATE, Sound, check_rate, read_sound
from attention_zoo.audio.resampling import resample
from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooValueError

SPEEDS = (1.0, 0.9, 1.1)


@dataclass(frozen=True)
class SpecAugment:
    """Mask bands and stretches of time of normalised features, each sound otherwise; perhaps warp its time before.

    A mask of w drawn evenly from 0 to its largest width begins anywhere where it fits, and sets to 0, which is the
    mean. Padding stays 0, and no length changes.

    Args:
        frequency_masks: how many masks over bands.
        frequency_width: largest width of such a mask (bands); of fewer than 80 bands take fewer, in proportion.
        time_masks: how many masks over time.
        time_width: largest width of such a mask (frames).
        time_share: nor is it wider than this share of the sound's own frames, 0 to 1.
        warp: most frames by which a point of the sound is moved (linear between it and both ends), 0 is none.

    Raises:
        ZooValueError: if a number is out of its range.

    Source: Park et al. 2019, arXiv:1904.08779, section 2: the policy LD, but time masks of at most a share of the
        sound, as for short ones. Time is warped by linear interpolation of frames, not by an image warp.
    """

    frequency_masks: int = 2
    frequency_width: int = 27
    time_masks: int = 2
    time_width: int = 100
    time_share: float = 0.2
    warp: int = 0

    def __post_init__(self):
        for name in ("frequency_masks", "frequency_width", "time_masks", "time_width", "warp"):
            whole_number(name, getattr(self, name), 0)
        if not 0 <= self.time_share <= 1:
            raise ZooValueError(f"time_share must be from 0 to 1, got {self.time_share!r}")

    def __call__(self, features: np.ndarray, frames: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Return changed features; those given stay as they are.

        Args:
            features: [batch, frames, mels].
            frames: how many are real, [batch].
            generator: of all draws.
        """
        changed = features.copy()
        for row, count in zip(changed, np.asarray(frames).tolist()):
            if self.warp:
                row[:count] = _warped(row[:count], self.warp, generator)
            for _ in range(self.frequency_masks):
                row[:, _mask(self.frequency_width, features.shape[2], generator)] = 0
            for _ in range(self.time_masks):
                row[_mask(min(self.time_width, int(self.time_share * count)), count, generator)] = 0
        return changed


def at_speed(sound: Any, speed: float, rate: int = RATE) -> Sound:
    """Return a sound spoken faster or slower, with its pitch, as of a tape.

    Args:
        sound: one, of any kind that `read_sound` takes.
        speed: 1.1 is a tenth faster; in steps of 0.01, from 0.5 to 2.
        rate: of what is returned (Hz).

    Raises:
        ZooValueError: if the speed is none.
        ZooFileError, ZooTypeError: if the sound cannot be read.

    Source: Ko et al. 2015, Audio augmentation for speech recognition, INTERSPEECH.
    """
    hundredths = round(speed * 100)
    if not 50 <= hundredths <= 200 or abs(hundredths - speed * 100) > 1e-6:
        raise ZooValueError(f"speed must be from 0.5 to 2 in steps of 0.01, got {speed!r}")
    samples = read_sound(sound, check_rate(rate))
    return Sound(np.clip(resample(samples, hundredths, 100), -1, 1), rate)


def at_gain(samples: np.ndarray, decibels: float) -> np.ndarray:
    """Return samples louder (or softer, where negative), cut to -1 and 1.

    Args:
        samples: float32 [samples].
        decibels: 20 log10 of the factor.
    """
    return np.clip(samples * np.float32(10 ** (decibels / 20)), -1, 1)


def with_noise(
    samples: np.ndarray, decibels: float, generator: np.random.Generator, noises: Sequence[np.ndarray] = ()
) -> np.ndarray:
    """Return samples with noise added, cut to -1 and 1; silence stays silence.

    Args:
        samples: float32 [samples].
        decibels: 10 log10 of the energy of the sound over that of the noise.
        generator: of the draws.
        noises: recordings at the same rate of which one is drawn, from a random place on, and repeated where it is too
            short; none takes white noise.

    Raises:
        ZooValueError: if the noise that was drawn is silent.
    """
    if noises:
        noise = noises[int(generator.integers(len(noises)))]
        noise = np.resize(np.roll(noise, -int(generator.integers(len(noise)))), len(samples))
    else:
        noise = generator.standard_normal(len(samples), np.float32)
    energy = float(np.mean(np.square(noise)))
    if not energy:
        raise ZooValueError("noises must not be silent")
    factor = np.sqrt(float(np.mean(np.square(samples))) / energy * 10 ** (-decibels / 10))
    return np.clip(samples + np.float32(factor) * noise, -1, 1)


def _mask(widest: int, length: int, generator: np.random.Generator) -> slice:
    """Draw a width from 0 to `widest`, and a place where it fits."""
    width = int(generator.integers(min(widest, length) + 1))
    start = int(generator.integers(length - width + 1))
    return slice(start, start + width)


def _warped(frames: np.ndarray, most: int, generator: np.random.Generator) -> np.ndarray:
    """Move a point in the middle by at most `most` frames, and stretch what is on each side of it."""
    count = len(frames)
    if count <= 2 * most + 2:
        return frames
    centre = int(generator.integers(most + 1, count - most - 1))
    moved = centre + int(generator.integers(-most, most + 1))
    places = np.interp(np.arange(count), [0, moved, count - 1], [0, centre, count - 1])
    lower = np.minimum(places.astype(np.int64), count - 2)
    part = (places - lower).astype(frames.dtype)[:, None]
    return frames[lower] * (1 - part) + frames[lower + 1] * part
