"""Sound to log-mel features: how strong each band of the ear is, a hundred times a second."""

from functools import cached_property

import numpy as np
from scipy.fft import rfft

from attention_zoo.audio.reading import RATE, check_rate
from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooValueError

FLOOR = 1e-10  # of the energy, before the logarithm: digital silence would be minus infinity
_BLOCK = 1024  # frames that are transformed together: what they need fits the cache of one core


class LogMel:
    """Turn samples into log-mel features.

    y[t] = x[t] - preemphasis x[t - 1]
    power[n, f] = |sum_k hann[k] y[n step + k] exp(-2 pi i f k / size)|^2
    features[n, m] = log(max(sum_f filters[f, m] power[n, f], 1e-10))

    The filters are triangles that overlap by half on the mel scale of HTK, mel(f) = 1127 log(1 + f / 700). Frames do
    not reach beyond the sound: what is left over at its end is dropped; a sound shorter than a window is filled up by
    silence to one frame. `size` is the power of 2 that holds a window, doubled until each band has a frequency.

    Args:
        rate: of the samples (Hz).
        mels: bands of a frame.
        window_seconds: length of a window.
        step_seconds: from one frame to the next, at most a window.
        low: lowest frequency (Hz).
        high: highest (Hz), at most half the rate; None is half the rate.
        preemphasis: how much of the sample before is taken away, 0 (nothing) to under 1.

    Raises:
        ZooValueError: if a number is out of its range, or there are far too many bands.

    Cost: about 1 ms of one core for a second of sound (16 kHz, 80 mels).
    Source: Davis, Mermelstein 1980, IEEE Transactions on Acoustics, Speech, and Signal Processing 28 (the bands);
        mel scale and filters as in The HTK Book, section 5.4.
    """

    def __init__(
        self,
        rate: int = RATE,
        mels: int = 80,
        window_seconds: float = 0.025,
        step_seconds: float = 0.010,
        low: float = 20.0,
        high: float | None = None,
        preemphasis: float = 0.97,
    ):
        self.rate, self.mels = check_rate(rate), whole_number("mels", mels, 1, "bands")
        self.window_seconds, self.step_seconds = window_seconds, step_seconds
        self.window = _samples("window_seconds", window_seconds, rate)
        self.step = _samples("step_seconds", step_seconds, rate)
        if self.step > self.window:
            raise ZooValueError(f"step_seconds must be at most window_seconds ({window_seconds}), got {step_seconds}")
        self.low, self.high = low, rate / 2 if high is None else high
        if not 0 <= self.low < self.high <= rate / 2:
            raise ZooValueError(f"low and high must be 0 <= low < high <= {rate / 2:g} (Hz), got {low} and {high}")
        if not 0 <= preemphasis < 1:
            raise ZooValueError(f"preemphasis must be at least 0 and under 1, got {preemphasis!r}")
        self.preemphasis = preemphasis
        self.size = 1 << (self.window - 1).bit_length()
        while not self.filters.any(axis=0).all():
            if self.size > 4 * self.window:
                raise ZooValueError(
                    f"mels must be so few that each has a frequency, got {self.mels} from {self.low:g} to "
                    f"{self.high:g} Hz with windows of {window_seconds} s"
                )
            self.size *= 2
            del self.filters  # they are computed anew

    @property
    def config(self) -> dict:
        """The arguments."""
        names = ("rate", "mels", "window_seconds", "step_seconds", "low", "high", "preemphasis")
        return {name: getattr(self, name) for name in names}

    @cached_property
    def filters(self) -> np.ndarray:
        """How much of each frequency goes to each band: float32 [frequencies, mels], 0 to 1."""
        edges = np.linspace(_mel(self.low), _mel(self.high), self.mels + 2)
        places = _mel(np.arange(self.size // 2 + 1) * self.rate / self.size)[:, None]
        rising = (places - edges[:-2]) / (edges[1:-1] - edges[:-2])
        falling = (edges[2:] - places) / (edges[2:] - edges[1:-1])
        return np.maximum(np.minimum(rising, falling), 0).astype(np.float32)

    @cached_property
    def hann(self) -> np.ndarray:
        """The window: float32 [samples]."""
        return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.window) / self.window)).astype(np.float32)

    def frames(self, samples: int) -> int:
        """Return how many frames a sound of so many samples has, at least 1."""
        return 1 + max(samples - self.window, 0) // self.step

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Return the features of one sound.

        Args:
            samples: float32 [samples] at `rate`, at least one.

        Returns:
            float32 [frames, mels].
        """
        stream = LogMelStream(self)
        found = [stream.feed(samples), stream.finish()]
        return np.concatenate(found) if len(found[1]) else found[0]

    def transform(self, samples: np.ndarray) -> np.ndarray:
        """Return the features of samples from which the pre-emphasis was already taken; only whole windows count."""
        count = 1 + (len(samples) - self.window) // self.step
        windows = np.lib.stride_tricks.sliding_window_view(samples, self.window)[:: self.step]
        found = np.empty((count, self.mels), np.float32)
        for start in range(0, count, _BLOCK):
            spectrum = rfft(windows[start : start + _BLOCK] * self.hann, self.size, axis=1)
            power = np.square(spectrum.real) + np.square(spectrum.imag)
            found[start : start + _BLOCK] = power @ self.filters
        return np.log(np.maximum(found, FLOOR, out=found), out=found)


class LogMelStream:
    """Turn a sound that comes in chunks into features: the same frames as of the whole.

    They are the same up to the rounding of float32, since sums run over other blocks.

    Args:
        features: what to compute.
    """

    def __init__(self, features: LogMel):
        self.features = features
        self._held, self._before, self._given = np.zeros(0, np.float32), None, 0

    def feed(self, samples: np.ndarray) -> np.ndarray:
        """Take the next samples, of whatever number, and return the frames that are whole by now.

        Args:
            samples: float32 [samples] at the rate of the features.

        Returns:
            float32 [frames, mels], perhaps of no frame.
        """
        features, samples = self.features, np.asarray(samples, np.float32)
        if not len(samples):
            return np.zeros((0, features.mels), np.float32)
        first = samples[0] if self._before is None else self._before
        self._before = samples[-1]
        shifted = np.concatenate([[first], samples[:-1]], dtype=np.float32)
        fresh = samples - np.float32(features.preemphasis) * shifted
        self._held = np.concatenate([self._held, fresh]) if len(self._held) else fresh
        if len(self._held) < features.window:
            return np.zeros((0, features.mels), np.float32)
        found = features.transform(self._held)
        self._held = self._held[len(found) * features.step :].copy()  # a view would keep the whole alive
        self._given += len(found)
        return found

    def finish(self) -> np.ndarray:
        """Return what is left: one frame where the whole sound was shorter than a window, else none."""
        if self._given or not len(self._held):
            return np.zeros((0, self.features.mels), np.float32)
        self._given = 1
        return self.features.transform(np.pad(self._held, (0, self.features.window - len(self._held))))


def _samples(name: str, seconds: float, rate: int) -> int:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 1 <= seconds * rate <= 60 * rate:
        raise ZooValueError(f"{name} must be at least one sample ({1 / rate:g} s) and at most 60 s, got {seconds!r}")
    return round(seconds * rate)


def _mel(frequency: np.ndarray | float) -> np.ndarray:
    return 1127 * np.log1p(np.asarray(frequency, np.float64) / 700)
