"""The one door for sounds: what is one sound, what are several, and each as float32 at one rate."""

import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np
import soundfile

from attention_zoo.audio.arrays import Faults, finite, mono
from attention_zoo.audio.resampling import Resampler, resample
from attention_zoo.errors import ZooFileError, ZooTypeError, ZooValueError

RATE = 16_000
SLOWEST, FASTEST = 1_000, 768_000  # rates (Hz) that can be of speech; a wrong one would ask for endless memory
_ENCODED = bytes | bytearray | memoryview
_BLOCK_SECONDS = 10.0


@dataclass(frozen=True, eq=False)
class Sound:
    """Samples and their rate.

    Args:
        samples: [samples] or [samples, channels], floats from -1 to 1, or whole numbers of 8, 16 or 32 bits.
        rate: samples of a second (Hz), 1,000 to 768,000.

    Raises:
        ZooValueError: if the rate is none.
    """

    samples: Any = field(repr=False)
    rate: int

    def __post_init__(self):
        check_rate(self.rate)


@dataclass(frozen=True)
class SoundInfo:
    """What the head of a sound says.

    Args:
        samples: how many of each channel.
        rate: samples of a second (Hz).
        channels: how many.
        format: words of its kind ("WAV PCM_16"), or "array".
    """

    samples: int
    rate: int
    channels: int
    format: str

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return self.samples / self.rate


def check_rate(rate: Any, name: str = "rate") -> int:
    """Return a rate if it is one.

    Raises:
        ZooValueError: if it is no whole number from 1,000 to 768,000.
    """
    if isinstance(rate, bool) or not isinstance(rate, Integral) or not SLOWEST <= rate <= FASTEST:
        raise ZooValueError(f"{name} must be a whole number from {SLOWEST:,} to {FASTEST:,} (Hz), got {rate!r}")
    return int(rate)


def as_items(sounds: Any) -> list[Any]:
    """Return what was given as a list of single sounds, none of them read yet.

    One sound is: a path, the bytes of a file, a pair (array, rate), a `Sound`. Several are whatever yields such.

    Args:
        sounds: one or several.

    Raises:
        ZooValueError: if there is no sound.
        ZooTypeError: if it is nothing of the above, or an array without a rate.
    """
    if _is_one(sounds):
        return [sounds]
    if hasattr(sounds, "__array__") and not (isinstance(sounds, np.ndarray) and sounds.dtype.kind in "OUS"):
        raise ZooTypeError(f"{_no_rate('sounds')}, got {type(sounds).__name__}")
    if isinstance(sounds, dict) or not isinstance(sounds, Iterable):
        raise ZooTypeError(f"sounds must be paths, bytes or pairs (array, rate), got {type(sounds).__name__}")
    items = list(sounds)
    if not items:
        raise ZooValueError("sounds must hold at least one sound, got an empty list")
    for number, item in enumerate(items):
        _check_kind(item, f"sounds[{number}]")
    return items


def read_sound(
    source: Any, rate: int = RATE, name: str = "sound", report: Callable[[str, str], object] | None = None
) -> np.ndarray:
    """Read one sound as float32 in one channel from -1 to 1.

    Files are whatever `soundfile` reads (wav, flac, ogg, mp3, aiff, sph ...), of any rate and number of channels, of 8
    bits a sample to 64; channels become their mean. Samples beyond 1 are cut to it; a sound that is clipped (over
    0.1 % at full scale) or silent is returned as it is, with a `UserWarning`.

    Args:
        source: a path, the bytes of a file, a pair (array, rate) or a `Sound`; of arrays see `Sound`.
        rate: that of what is returned (Hz); other sounds are resampled.
        name: what errors call it.
        report: called with ("clipped" or "silent", sentence) in the place of a warning.

    Returns:
        float32 [samples], at least one.

    Raises:
        ZooFileError: if a path is missing, a folder, no sound or damaged.
        ZooValueError: if bytes are no sound, it has no samples, some that are NaN or infinite, or no rate.
        ZooTypeError: if it is nothing of the above, or an array without a rate.
    """
    check_rate(rate)
    name = _named(source, name)
    if isinstance(source, Sound | tuple):
        samples, found = _of_array(source, name)
    else:
        with _opened(source, name) as file:
            samples, found = _checked(file.read(dtype="float32", always_2d=True), name), file.samplerate
    faults = Faults(name)
    samples = resample(faults.hear(samples), found, rate)
    if report is None:
        faults.warn()
    else:
        for fault, sentence in faults.sentences():
            report(fault, sentence)
    # The filter may swing a little beyond what it was given.
    return np.clip(samples, -1, 1) if found != rate else samples


def blocks(source: Any, seconds: float = _BLOCK_SECONDS, rate: int = RATE, name: str = "sound") -> Iterator[np.ndarray]:
    """Read one sound piece by piece, with the memory of one piece; together they are what `read_sound` returns.

    Args:
        source: as of `read_sound`.
        seconds: of a piece, more than 0; pieces differ by what the resampling holds back, the last one may be short.
        rate: as of `read_sound`.
        name: what errors call it.

    Yields:
        float32 [samples] each.

    Raises:
        ZooFileError, ZooValueError, ZooTypeError: as `read_sound`.
    """
    check_rate(rate)
    if not seconds > 0:
        raise ZooValueError(f"seconds must be more than 0 (of a piece), got {seconds!r}")
    name = _named(source, name)
    faults = Faults(name)
    if isinstance(source, Sound | tuple):
        samples, found = _of_array(source, name)
        size = max(int(seconds * found), 1)
        pieces = (samples[start : start + size] for start in range(0, len(samples), size))
        yield from _resampled(pieces, faults, found, rate)
    else:
        with _opened(source, name) as file:
            size = max(int(seconds * file.samplerate), 1)
            pieces = (_checked(piece, name) for piece in file.blocks(size, dtype="float32", always_2d=True))
            yield from _resampled(pieces, faults, file.samplerate, rate)
    faults.warn()


def info(source: Any, name: str = "sound") -> SoundInfo:
    """Return length, rate and channels of one sound; a file's samples are not decoded.

    Args:
        source: as of `read_sound`.
        name: what errors call it.

    Raises:
        ZooFileError, ZooValueError, ZooTypeError: as `read_sound`.
    """
    name = _named(source, name)
    if isinstance(source, Sound | tuple):
        array, rate = _pair(source, name)
        shape = sorted(np.shape(array), reverse=True)
        if not shape or not shape[0]:
            raise ZooValueError(f"{name} holds no samples: a sound of no length")
        return SoundInfo(shape[0], rate, shape[1] if len(shape) > 1 else 1, "array")
    with _opened(source, name) as file:
        return SoundInfo(file.frames, file.samplerate, file.channels, f"{file.format} {file.subtype}")


def _resampled(pieces: Iterable[np.ndarray], faults: Faults, source: int, rate: int) -> Iterator[np.ndarray]:
    resampler = Resampler(source, rate)
    for piece in pieces:
        if len(known := resampler.feed(faults.hear(piece))):
            yield np.clip(known, -1, 1)
    if len(rest := resampler.finish()):
        yield np.clip(rest, -1, 1)


def _is_one(item: Any) -> bool:
    """Tell whether this is one sound: a lone pair is one, if its second part is no sound itself."""
    if isinstance(item, tuple) and len(item) == 2:
        return not isinstance(item[1], str | os.PathLike | _ENCODED | tuple | Sound) and not isinstance(item[0], Sound)
    return isinstance(item, str | os.PathLike | _ENCODED | Sound)


def _check_kind(item: Any, name: str) -> None:
    if isinstance(item, tuple) and len(item) != 2:
        raise ZooTypeError(f"{name} must be a pair (array, rate), got {len(item)} parts")
    if isinstance(item, str | os.PathLike | _ENCODED | Sound | tuple):
        return
    if hasattr(item, "__array__") or isinstance(item, list):
        raise ZooTypeError(f"{_no_rate(name)}, got {type(item).__name__}")
    raise ZooTypeError(f"{name} must be a path, bytes or a pair (array, rate), got {type(item).__name__}")


def _no_rate(name: str) -> str:
    return f"{name} must come with a rate: a pair (array, rate) or Sound(samples, rate)"


def _named(source: Any, name: str) -> str:
    """Check the kind of a sound, and return its name with its path."""
    _check_kind(source, name)
    return f"{name} ({os.fspath(source)})" if isinstance(source, str | os.PathLike) else name


def _pair(source: Sound | tuple, name: str) -> tuple[Any, int]:
    array, rate = (source.samples, source.rate) if isinstance(source, Sound) else source
    return array, check_rate(rate, f"rate of {name}")


def _of_array(source: Sound | tuple, name: str) -> tuple[np.ndarray, int]:
    array, rate = _pair(source, name)
    return mono(array, name), rate


def _checked(samples: np.ndarray, name: str) -> np.ndarray:
    if not len(samples):
        raise ZooValueError(f"{name} holds no samples: a sound of no length")
    return finite(samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32), name)


@contextmanager
def _opened(source: Any, name: str) -> Iterator[soundfile.SoundFile]:
    """Open a file, and say in one sentence what is wrong with it, while it is opened or read."""
    is_path = isinstance(source, str | os.PathLike)
    if is_path and not os.path.isfile(source):
        raise ZooFileError(f"{name} {'is a folder, no sound' if os.path.isdir(source) else 'does not exist'}")
    kind = ZooFileError if is_path else ZooValueError
    if (is_path and not os.path.getsize(source)) or (not is_path and not len(source)):
        raise kind(f"{name} is empty: no bytes of a sound")
    try:
        with soundfile.SoundFile(os.fspath(source) if is_path else io.BytesIO(source)) as file:
            check_rate(file.samplerate, f"rate of {name}")
            if not file.frames:
                raise ZooValueError(f"{name} holds no samples: a sound of no length")
            yield file
    except soundfile.LibsndfileError as error:
        raise kind(f"{name} is no sound that can be read, or is damaged: {error.error_string}") from error
    except OSError as error:
        if isinstance(error, ZooFileError):
            raise
        raise ZooFileError(f"{name} cannot be read: {error.strerror or error}") from error
