"""Another rate for a sound: whole, or as it comes in."""

from functools import lru_cache
from math import gcd

import numpy as np
from scipy.signal import firwin, resample_poly

_REACH, _BETA = 10, 5.0  # zero crossings of the filter on each side, and the shape of its Kaiser window


def resample(samples: np.ndarray, source: int, target: int) -> np.ndarray:
    """Change the rate of a sound by a polyphase filter without delay; what was above half the new rate is gone.

    Args:
        samples: float32 [samples].
        source: rate they have (Hz).
        target: rate they are to have (Hz).

    Returns:
        float32 [samples x target / source, rounded up]; `samples` itself where the rates are one.

    Cost: 20 multiplications for a sample of the higher rate.
    """
    if source == target:
        return samples
    up, down = _ratio(source, target)
    return resample_poly(samples, up, down, window=_filter(up, down))


class Resampler:
    """Change the rate of a sound that comes in chunks; all that comes out, put together, is `resample` of the whole.

    Holds back what it cannot know yet: ten samples of the lower of the two rates.

    Args:
        source: rate of what comes in (Hz).
        target: rate of what goes out (Hz).
    """

    def __init__(self, source: int, target: int):
        self.up, self.down = _ratio(source, target)
        self._reach = -(-_REACH * max(self.up, self.down) // self.up) if self.up != self.down else 0
        # Cut only where samples of both rates fall together, so that each output keeps its place in the filter.
        self._context = -(-self._reach // self.down) * self.down
        self._held, self._start, self._given = np.zeros(0, np.float32), 0, 0

    def feed(self, samples: np.ndarray) -> np.ndarray:
        """Take the next samples, of whatever number, and return those of the new rate that are known by now.

        Args:
            samples: float32 [samples].
        """
        self._held = np.concatenate([self._held, samples])
        known = self._start + len(self._held) - self._reach
        return self._until(max(known * self.up // self.down, self._given))

    def finish(self) -> np.ndarray:
        """Return what was held back; nothing may be fed after it."""
        return self._until(-(-(self._start + len(self._held)) * self.up // self.down))

    def _until(self, end: int) -> np.ndarray:
        """Return outputs up to number `end`, and drop the inputs that no later one needs."""
        if end <= self._given:
            return np.zeros(0, np.float32)
        first = self._start * self.up // self.down
        whole = self._held if self.up == self.down else resample_poly(
            self._held, self.up, self.down, window=_filter(self.up, self.down)
        )  # fmt: skip
        found = whole[self._given - first : end - first]
        self._given = end
        needed = max(end * self.down // self.up - self._context, 0) // self.down * self.down
        self._held, self._start = self._held[needed - self._start :], needed
        return found


def _ratio(source: int, target: int) -> tuple[int, int]:
    common = gcd(source, target)
    return target // common, source // common


@lru_cache(maxsize=16)
def _filter(up: int, down: int) -> np.ndarray:
    """Return the low-pass filter: the one that `scipy` would design anew for each call."""
    most = max(up, down)
    return firwin(2 * _REACH * most + 1, 1 / most, window=("kaiser", _BETA)).astype(np.float32)
