"""Learn what is normal for the heads of a model, and tell when it is not."""

import math
import os
from collections.abc import Callable, Mapping
from numbers import Real
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooValueError
from attention_zoo.watch.archive import damaged, load_arrays, save_arrays
from attention_zoo.watch.columns import Columns
from attention_zoo.watch.findings import Finding, as_named, classify
from attention_zoo.watch.judgement import Judgement
from attention_zoo.watch.methods import find
from attention_zoo.watch.names import AGREEMENT
from attention_zoo.watch.windows import Normal, draw, window_means

FIT = 4  # windows that the examples from which normal is learned must fill
HELD_OUT = 6  # windows that the held-out examples must fill
REDRAWN = 16  # times that the held-out examples are drawn anew, with replacement
CAREFUL = 0.75  # share of these times in which the threshold keeps the rate
AT_ONCE = 500  # windows drawn together, so that memory stays small
BEYOND = 10  # windows that must lie over the threshold, each time
LEAST = 0.5  # least threshold: data that never change would give one that rounding reaches
OPTIONAL = ("entropy", "coverage")  # what an example has not in which there is but one key to look at
UNIT = 0.99  # quantile of a head's own normal scores that counts as 1


class AttentionDetector:
    """Tell normal attention from faulty, head by head, with a stated rate of false alarms.

    It judges windows: means of the statistics of `window` examples. What is normal for such a mean is learned from
    windows drawn out of normal examples. The score of a head is 1 where one in 100 of these windows is farther out.
    The threshold is one number for all heads together: the conformal quantile of the largest score of any head over
    windows drawn from examples that nothing else was learned from. So on normal data at most about a share
    `false_alarms` of *windows* raises an alarm, however many heads there are.

        quantile  = score number ceil((windows + 1) (1 - false_alarms)) of the sorted largest scores
        threshold = quantile that holds for 3 of 4 redraws of the held-out examples, at least 0.5

    What differs in the data of production from the normal examples is a fault by this rule. Examples of one window must
    be as independent as the normal ones were.

    Args:
        method: "robust_z" (the statistic that is farthest out), "mahalanobis" (statistics of a head seen together) or
            "autoencoder" (all heads seen together; `fit` of `calibrate.AttentionDetector` trains it).
        false_alarms: share of normal windows that may raise an alarm, over 0 and under 0.5.
        window: examples of a window, at least 1.

    Attributes:
        threshold: after `fit`.
        sites: names of the sites that it watches, after `fit`.

    Raises:
        ZooValueError: if the method is unknown or a number is out of range.

    Source: Vovk, Gammerman, Shafer 2005 (conformal quantile). Differs: windows drawn from the same examples are not
        exchangeable, so the rate is measured rather than proven, and the redraws allow for few examples.
    """

    trainer: ClassVar[Callable[..., Any] | None] = None  # what trains the network of a method that has one

    def __init__(self, method: str = "mahalanobis", false_alarms: float = 0.01, window: int = 16):
        find(method)
        if isinstance(false_alarms, bool) or not isinstance(false_alarms, Real) or not 0 < false_alarms < 0.5:
            raise ZooValueError(f"false_alarms must be over 0 and under 0.5 (share of windows), got {false_alarms!r}")
        self.method, self.false_alarms = method, float(false_alarms)
        self.window = whole_number("window", window, unit="examples")
        self.threshold = math.nan
        self._columns: Columns | None = None

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the sites that are watched.

        Raises:
            ZooValueError: if it has not been fitted.
        """
        return tuple(site for site, _, _ in self._fitted().sites)

    def fit(
        self, normal: Mapping[str, Any], held_out: Mapping[str, Any] | None = None, seed: int = 0
    ) -> "AttentionDetector":
        """Learn from statistics of normal examples.

        Args:
            normal: by site, [examples, heads, statistics].
            held_out: the same of other normal examples, from which the threshold is set; None takes half of `normal`.
            seed: of all that is left to chance.

        Returns:
            self.

        Raises:
            ZooValueError: if shapes are wrong, or there are too few examples: `normal` must fill 4 windows,
                `held_out` 6, and it must hold at least 2 / false_alarms.
        """
        random = np.random.default_rng(seed)
        columns = Columns.of(normal)
        table = columns.table(normal)
        if held_out is None:
            order = random.permutation(len(table))
            table, judged = table[order[: len(table) // 2]], table[order[len(table) // 2 :]]
        else:
            judged = columns.table(held_out)
        self._check_counts(len(table), len(judged))
        optional = np.isin(columns.names, OPTIONAL)
        self._normal, distances = Normal.learn(table, optional, self.window, random)
        self._scorer = find(self.method).learn(distances, columns, type(self).trainer, seed)
        self._unit = np.maximum(np.quantile(self._scorer.scores(distances), UNIT, axis=0), self._scorer.least)
        self._columns = columns
        self.threshold = self._threshold(judged, random)
        return self

    def watched(self, statistics: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Return the statistics of the sites that are watched, checked: float32 [examples, heads, statistics] by site.

        Args:
            statistics: by site; further sites are left out.

        Raises:
            ZooValueError: if it has not been fitted, a site is missing, or shapes are wrong.
        """
        self._fitted().table(statistics)
        return {site: np.asarray(statistics[site], np.float32) for site in self.sites}

    def judge(self, statistics: Mapping[str, Any]) -> Judgement:
        """Judge the examples given as one window.

        Args:
            statistics: by site, [examples, heads, statistics], of at least `window` examples; more vary less than the
                windows that were learned from, so they raise fewer false alarms, not more.

        Raises:
            ZooValueError: if it has not been fitted, a site is missing, shapes are wrong, or examples are too few.
        """
        columns = self._fitted()
        table = columns.table(statistics)
        if len(table) < self.window:
            raise ZooValueError(f"statistics must hold at least {self.window} examples (a window), got {len(table)}")
        distances = self._normal.distances(table)
        scores, poisoned = self._scores(distances)[0], self._normal.poisoned(table)
        scores[np.logical_or.reduceat(poisoned, columns.starts)] = np.inf
        bad = self._accused(scores > self.threshold, distances, poisoned)
        findings = [
            self._finding(place, float(scores[place]), window_means(table)[0], distances[0], poisoned) for place in bad
        ]
        return Judgement.of(columns, scores, bad, findings, self.threshold, len(table))

    def save(self, path: str | os.PathLike) -> Path:
        """Write it as one `.npz` file, whole or not at all; nothing in it is pickled.

        Args:
            path: the file; its folder must exist.

        Raises:
            ZooValueError: if it has not been fitted.
            ZooFileError: if it cannot be written.
        """
        columns = self._fitted()
        arrays = {f"normal.{name}": value for name, value in self._normal.arrays().items()}
        arrays |= {f"scorer.{name}": value for name, value in self._scorer.arrays().items()}
        arrays["unit"] = self._unit
        about = {
            "method": self.method,
            "false_alarms": self.false_alarms,
            "window": self.window,
            "threshold": self.threshold,
            "sites": columns.described(),
        }
        return save_arrays(path, about, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Self:
        """Read what `save` wrote.

        Raises:
            ZooFileError: if the file is missing, damaged or of another format.
        """
        about, arrays = load_arrays(path, "detector")
        try:
            return cls._restored(about, arrays)
        except Exception as error:  # whatever is missing or of another kind in a file that somebody made
            raise damaged(path, "detector", error) from error

    @classmethod
    def _restored(cls, about: Mapping[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        found = cls(about["method"], about["false_alarms"], about["window"])
        columns = Columns.restored(about["sites"])
        normal = {name.removeprefix("normal."): value for name, value in arrays.items() if name.startswith("normal.")}
        learned = {name.removeprefix("scorer."): value for name, value in arrays.items() if name.startswith("scorer.")}
        if any(value.shape != (len(columns),) for value in normal.values()):
            raise ValueError("an array has another shape")
        found._normal = Normal(**normal)
        found._scorer = find(found.method).restore(learned, columns)
        found._unit = arrays["unit"]
        found._columns = columns
        found.threshold = float(about["threshold"])
        return found

    def _fitted(self) -> Columns:
        if self._columns is None:
            raise ZooValueError("the detector must be fitted first: detector.fit(statistics of normal examples)")
        return self._columns

    def _check_counts(self, normal: int, judged: int) -> None:
        least = FIT * self.window
        if normal < least:
            raise ZooValueError(f"normal must leave at least {least} examples to learn from, got {normal}")
        least = max(HELD_OUT * self.window, math.ceil(2.0 / self.false_alarms))
        if judged < least:
            raise ZooValueError(
                f"held_out must hold at least {least} examples to state {self.false_alarms:g} false alarms for windows "
                f"of {self.window}, got {judged}; give more, or a higher rate"
            )

    def _threshold(self, judged: np.ndarray, random: np.random.Generator) -> float:
        """Return the conformal quantile of the largest score of windows, careful for how few examples are held out."""
        found = []
        for _ in range(REDRAWN):
            examples = judged[random.integers(0, len(judged), len(judged))]
            found.append(self._quantile(examples, random))
        return max(float(np.quantile(found, CAREFUL)), LEAST)

    def _quantile(self, examples: np.ndarray, random: np.random.Generator) -> float:
        count = math.ceil(BEYOND / self.false_alarms)
        largest = []
        for start in range(0, count, AT_ONCE):
            drawn = draw(random, min(AT_ONCE, count - start), len(examples), self.window)
            largest.append(self._scores(self._normal.distances(examples, drawn)).max(axis=1))
        place = math.ceil((count + 1) * (1.0 - self.false_alarms))
        return float(np.sort(np.concatenate(largest))[min(place, count) - 1])

    def _scores(self, distances: np.ndarray) -> np.ndarray:
        """Return the score of each head, [windows, heads]."""
        return self._scorer.scores(distances) / self._unit

    def _accused(self, over: np.ndarray, distances: np.ndarray, poisoned: np.ndarray) -> np.ndarray:
        """Return which of the heads over the threshold are to blame; the others may be led astray.

        Once a head is accused its statistics are taken for normal, and the others are judged again: a network restores
        a sound head worse where another is broken. A head that changes also agrees less with all others of its site: so
        agreement counts only where nothing else accuses a head of the site.
        """
        columns = self._fitted()
        agreement = np.array(columns.names) == AGREEMENT
        accused = np.logical_or.reduceat(poisoned & ~agreement, columns.starts)
        self._accuse(np.where(agreement, 0.0, distances), over, accused)
        site = np.repeat(np.arange(len(columns.sites)), [heads for _, heads, _ in columns.sites])
        explained = np.isin(site, site[accused])[columns.owners]
        poisoned_agreement = np.logical_or.reduceat(poisoned & ~explained, columns.starts)
        accused |= poisoned_agreement
        self._accuse(np.where(agreement & explained, 0.0, distances), over, accused)
        return np.flatnonzero(accused)

    def _accuse(self, distances: np.ndarray, over: np.ndarray, accused: np.ndarray) -> None:
        """Accuse the worst head until what is left is normal; changes `accused`."""
        while True:
            scores = self._scores(np.where(accused[self._fitted().owners], 0.0, distances))[0]
            scores[~over | accused] = 0.0
            worst = int(scores.argmax())
            if scores[worst] <= self.threshold:
                return
            accused[worst] = True

    def _finding(
        self, place: int, score: float, means: np.ndarray, distances: np.ndarray, poisoned: np.ndarray
    ) -> Finding:
        columns, normal = self._fitted(), self._normal
        site, head = columns.heads[place]
        ours = np.flatnonzero((columns.owners == place) & normal.used)
        names = tuple(columns.names[column] for column in ours)
        values, changes = as_named(names, means[ours]), as_named(names, means[ours] - normal.usual[ours])
        broken = {name for name, column in zip(names, ours) if poisoned[column]}
        kind, statistic = classify(values, changes, as_named(names, distances[ours]), broken)
        column = ours[names.index(statistic)]
        value = math.nan if statistic in broken else float(means[column])
        return Finding(kind, site, head, score, statistic, value, float(normal.low[column]), float(normal.high[column]))
