"""A sound that comes in chunks, as from a microphone, to the features of the whole."""

from collections.abc import Callable
from typing import Any

import numpy as np

from attention_zoo.audio.arrays import mono
from attention_zoo.audio.features import LogMel, LogMelStream
from attention_zoo.audio.reading import check_rate
from attention_zoo.audio.resampling import Resampler


class FeatureStream:
    """Turn chunks of samples into normalised features: the frames of the whole sound, as soon as they are known.

    A frame comes when its window is full; where the rate is another, ten samples of the lower rate later.

    Args:
        features: how they are computed.
        rate: of the chunks (Hz).
        normalised: what is done with log-mel features [frames, mels].

    Raises:
        ZooValueError: if the rate is none.
    """

    def __init__(self, features: LogMel, rate: int, normalised: Callable[[np.ndarray], np.ndarray]):
        self._resampler = Resampler(check_rate(rate), features.rate)
        self._frames, self._normalised = LogMelStream(features), normalised

    def feed(self, chunk: Any) -> np.ndarray:
        """Take the next samples, of whatever number, and return the frames that are whole by now.

        Args:
            chunk: [samples] or [samples, channels], of what `attention_zoo.audio.Sound` takes; may be empty.

        Returns:
            float32 [frames, mels], perhaps of no frame.

        Raises:
            ZooValueError, ZooTypeError: if it is no sound.
        """
        samples = np.clip(mono(chunk, "chunk", axis=1), -1, 1) if np.size(chunk) else np.zeros(0, np.float32)
        return self._normalised(self._frames.feed(np.clip(self._resampler.feed(samples), -1, 1)))

    def finish(self) -> np.ndarray:
        """Return the frames that the end of the sound leaves, perhaps none; nothing may be fed after it."""
        last = self._frames.feed(np.clip(self._resampler.finish(), -1, 1))
        return self._normalised(np.concatenate([last, self._frames.finish()]))
