"""The reader of sounds: log-mel features of the loudest stretch, each band with mean 0 and deviation 1."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from attention_zoo.audio.features import LogMel
from attention_zoo.audio.reading import info, read_sound
from attention_zoo.errors import ZooValueError
from attention_zoo.multimodal.reader import Named, Reader
from attention_zoo.multimodal.settings import Settings
from attention_zoo.multimodal.statistics import Statistics

SILENCE = 1e-3  # -60 dB: a sound of which no sample is louder says nothing
MOST_HEARD = 500  # sounds from which mean and deviation are learned; more would not change them
_HOP = 0.02  # seconds, in which the loudest stretch is sought
_PROBE = 97  # frames of the longer probe: no multiple of anything


class SoundReader(Reader):
    """Read sounds as float32 [frames, mels].

    Sounds of any rate become 16 kHz in one channel. Of one that is longer than `max_seconds` the stretch with the most
    energy is taken, and this is said once.

    Args:
        log_mel: how features are computed.
        statistics: of each band over the training data.
        max_seconds: longest stretch (seconds).
    """

    multiple = 32
    nothing = "a silent sound (no sample above -60 dB)"

    def __init__(self, log_mel: LogMel, statistics: Statistics, max_seconds: float):
        super().__init__("audio")
        self.log_mel, self.statistics, self.max_seconds = log_mel, statistics, float(max_seconds)
        if statistics.width != log_mel.mels:
            raise ZooValueError(f"mean and deviation must be of {log_mel.mels} bands, got {statistics.width}")

    @classmethod
    def learn(cls, modality: str, values: Sequence[Named], settings: Settings) -> Self:
        """Learn mean and deviation of each band, from at most 500 of the sounds, spread over all."""
        log_mel = LogMel(mels=settings.mels)
        plain = cls(log_mel, Statistics(np.zeros(settings.mels), np.ones(settings.mels)), settings.max_seconds)
        chosen = np.linspace(0, len(values) - 1, min(len(values), MOST_HEARD)).round().astype(int)
        rows = [row for row in plain.read([values[number] for number in chosen]) if row is not None]
        if not rows:
            raise ZooValueError(
                f"audio must have at least one sound that is not silent, got {len(values):,} silent ones"
            )
        return cls(log_mel, Statistics.of(rows), settings.max_seconds)

    @property
    def shape(self) -> tuple[int, ...]:
        """Bands of a frame."""
        return (self.log_mel.mels,)

    def samples(self, value: Any, name: str = "audio") -> np.ndarray | None:
        """Return what is heard of one sound: float32 samples of the loudest stretch; None where it is silent.

        Args:
            value: whatever `attention_zoo.audio.read_sound` reads.
            name: what errors call it.

        Raises:
            ZooFileError, ZooValueError, ZooTypeError: if it cannot be read.
        """
        samples = read_sound(value, self.log_mel.rate, name, report=self._hear)
        if np.abs(samples).max() <= SILENCE:
            return None
        count = int(self.max_seconds * self.log_mel.rate)
        if len(samples) > count:
            self._warn(f"a sound was cut to its loudest {self.max_seconds:g} s (max_seconds)", depth=4)
        return loudest(samples, count, int(_HOP * self.log_mel.rate))

    def read(self, values: Sequence[Named]) -> list[np.ndarray | None]:
        """Return float32 [frames, mels] of each sound."""
        found = (self.samples(value, name) for name, value in values)
        return [None if samples is None else self.statistics(self.log_mel(samples)) for samples in found]

    def size(self, value: Any, name: str) -> float:
        """Return the number of frames, by the head of a file."""
        return min(info(value, name).seconds, self.max_seconds) / self.log_mel.step_seconds

    @property
    def usage(self) -> str:
        """What the array is."""
        mel = self.log_mel
        return (
            f"float32 [batch, frames, {mel.mels}], log-mel of one channel at {mel.rate:,} Hz (windows of "
            f"{mel.window_seconds * 1000:g} ms every {mel.step_seconds * 1000:g} ms), less the mean, by the deviation"
        )

    def probe(self, generator: np.random.Generator, part: int) -> np.ndarray:
        """Return frames of noise."""
        return generator.normal(size=(_PROBE // part, *self.shape)).astype(np.float32)

    def save(self, folder: Path) -> dict[str, Any]:
        """Return how features are computed, and the statistics; there are no files."""
        return {"features": self.log_mel.config, **self.statistics.to_dict()}

    @classmethod
    def load(cls, folder: Path, modality: str, told: dict[str, Any], settings: Settings) -> Self:
        """Read what `save` returned."""
        told = dict(told)
        return cls(LogMel(**told.pop("features")), Statistics(**told), settings.max_seconds)

    def _hear(self, fault: str, sentence: str) -> None:
        """Say that a sound is clipped; of silence the preprocessor speaks, for all rows together."""
        if fault != "silent":
            self._warn(sentence, depth=5)


def loudest(samples: np.ndarray, count: int, hop: int) -> np.ndarray:
    """Return the stretch of `count` samples with the most energy, the first of equals, sought in steps of `hop`."""
    if len(samples) <= count:
        return samples
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    start = int(np.argmax((energy[count:] - energy[:-count])[::hop])) * hop
    return samples[start : start + count]
