"""Means over windows of examples, and what is normal for them."""

from dataclasses import dataclass, fields

import numpy as np

from attention_zoo.errors import ZooValueError

# Least spread of a window's mean. A statistic that never changes (the weights of a row sum to 1 +- 1e-7) has a spread
# of 0, by which rounding would look like a fault; statistics run from 0 or -1 to 1, where a thousandth matters nowhere.
FLOOR = 1e-3
CLIP = 4.0  # spreads from the middle over which an example counts no more
DEFINED = 0.25  # share of normal examples in which a statistic must be a number to be watched
DRAWN = 1024  # windows from which the normal spread is learned
MAD = 1.4826  # spread of a normal distribution / median distance from its median
TAILS = (0.01, 0.99)
WIDTH = 4.6527  # standard deviations of a normal distribution between its tails


def draw(random: np.random.Generator, windows: int, examples: int, size: int) -> np.ndarray:
    """Draw windows of examples, with replacement.

    Args:
        random: where chance comes from.
        windows: how many.
        examples: from how many.
        size: of a window (examples).

    Returns:
        How often each example is in each window, float64 [windows, examples].
    """
    return random.multinomial(size, np.full(examples, 1.0 / examples), size=windows).astype(np.float64)


def window_means(table: np.ndarray, drawn: np.ndarray | None = None) -> np.ndarray:
    """Average the examples of windows, without those in which a statistic is NaN.

    Args:
        table: [examples, columns].
        drawn: see `draw`; None is one window of all examples.

    Returns:
        float64 [windows, columns]; NaN where a window has no number.
    """
    drawn = np.ones((1, len(table))) if drawn is None else drawn
    known = np.isfinite(table)
    total, count = drawn @ np.where(known, table, 0.0), drawn @ known.astype(np.float64)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


@dataclass(frozen=True)
class Normal:
    """What is normal for examples and for the mean of a window, all [columns].

    A window is judged by the mean over its examples of

        clip((statistic - middle) / spread, -4, 4)

    so that one strange example among normal ones does not make a strange window, while a fault, which shows in all
    examples, does.

    Args:
        middle: median of examples.
        spread: of examples: the larger of 1.4826 x median distance from the median, of the distance of the quantiles
            1 % and 99 % in standard deviations (long tails), and of `FLOOR` x the root of the window.
        center: median of the means of windows, in the units above.
        scale: their spread, as that of examples; at least `FLOOR` as the statistic stands.
        usual: median of the plain means of windows, as the statistic stands.
        low: their quantile 0.5 %.
        high: their quantile 99.5 %.
        undefined: share of normal examples in which the statistic may be NaN; 0 where it never may.
        used: whether it is watched: it was a number in at least a quarter of the normal examples.
    """

    middle: np.ndarray
    spread: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    usual: np.ndarray
    low: np.ndarray
    high: np.ndarray
    undefined: np.ndarray
    used: np.ndarray

    @classmethod
    def learn(
        cls, table: np.ndarray, optional: np.ndarray, window: int, random: np.random.Generator
    ) -> tuple["Normal", np.ndarray]:
        """Learn from examples.

        Args:
            table: [examples, columns].
            optional: which statistics an example in order may lack, bool [columns].
            window: examples of a window.
            random: where chance comes from.

        Returns:
            what is normal, and the distances (see `distances`) of the windows it was learned from.

        Raises:
            ZooValueError: if no statistic is a number.
        """
        missing = np.isnan(table)
        used = missing.mean(axis=0) <= 1.0 - DEFINED
        if not used.any():
            raise ZooValueError("normal must hold statistics that are numbers, got only NaN")
        # One more than were seen, where there may be some: a share from few examples is uncertain.
        some = missing.any(axis=0) | optional
        undefined = np.where(some, (missing.sum(axis=0) + 1.0) / (len(table) + 1.0), 0.0)
        table = np.where(used, table, 0.0)
        drawn = draw(random, DRAWN, len(table), window)
        plain = _filled(window_means(table, drawn))
        middle, spread = _middle_and_spread(table, FLOOR * np.sqrt(window))
        means = _filled(window_means(np.clip((table - middle) / spread, -CLIP, CLIP), drawn))
        center, scale = _middle_and_spread(means, FLOOR / spread)
        low, high = np.quantile(plain, (0.005, 0.995), axis=0)
        usual = np.median(plain, axis=0)
        normal = cls(middle, spread, center, scale, usual, low, high, np.minimum(undefined, 1.0), used)
        return normal, (means - center) / scale

    def distances(self, table: np.ndarray, drawn: np.ndarray | None = None) -> np.ndarray:
        """Return (mean - center) / scale of windows, 0 where a statistic is not watched or has no number.

        Args:
            table: examples, [examples, columns].
            drawn: see `draw`; None is one window of all examples.

        Returns:
            float64 [windows, columns].
        """
        means = window_means(np.clip((table - self.middle) / self.spread, -CLIP, CLIP), drawn)
        known = self.used & np.isfinite(means)
        return np.where(known, (np.where(known, means, 0.0) - self.center) / self.scale, 0.0)

    def poisoned(self, table: np.ndarray) -> np.ndarray:
        """Say which statistics are NaN in examples where that is not normal, bool [columns].

        One NaN is enough where the normal data had none; where they had some, or an example in order may lack the
        statistic, more are needed than chance gives (its mean, six standard deviations, and one).

        Args:
            table: the examples of a window, [examples, columns].
        """
        count = len(table)
        chance = count * self.undefined + 6.0 * np.sqrt(count * self.undefined * (1.0 - self.undefined)) + 1.0
        allowed = np.where(self.undefined > 0, chance, 0.0)
        return self.used & (np.isnan(table).sum(axis=0) > allowed)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return its arrays, by name."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}


def _middle_and_spread(values: np.ndarray, floor: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Return the median of each column, and its spread: deaf to a few outliers, but not to a long tail."""
    middle = np.nanmedian(values, axis=0)
    tails = np.nanquantile(values, TAILS, axis=0)
    near = MAD * np.nanmedian(np.abs(values - middle), axis=0)
    return middle, np.maximum(np.maximum(near, (tails[1] - tails[0]) / WIDTH), floor)


def _filled(means: np.ndarray) -> np.ndarray:
    """Put the median in place of windows that have no number."""
    return np.where(np.isnan(means), np.nanmedian(means, axis=0), means)
