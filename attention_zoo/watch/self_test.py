"""Ask a model the same again, and compare each of its heads with what is on record."""

import math
import os
from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import Any, Self

import numpy as np

from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.watch.archive import damaged, load_arrays, save_arrays
from attention_zoo.watch.columns import Columns
from attention_zoo.watch.findings import Finding, as_named, classify
from attention_zoo.watch.graphs import watched_graph
from attention_zoo.watch.judgement import Judgement
from attention_zoo.watch.names import AGREEMENT, PREFIX, statistics_in
from attention_zoo.watch.windows import window_means

RECORD, INPUT = "record.", "input."  # before the names of arrays in a file
TOLERANCE = 2e-3


class SelfTest:
    """Tell which head answers otherwise than on record, on inputs that are the same each time.

    Traffic differs from example to example, and a fault that changes each map by little drowns in it. The same inputs
    give a sound model the same statistics but for rounding: nothing is left to chance, so a sound model raises no
    alarm, and a small change is seen. What it cannot see is traffic that the model was not made for: use it beside a
    detector, after a deployment, a conversion or an update, and from time to time.

        change of a statistic = root of the mean over examples of (now - on record)^2, infinite where one alone is NaN
        score of a head       = its largest change / tolerance; over 1 is an alarm

    All that is computed after a broken head changes with it. So of the sites, in the order in which the model runs
    them, the heads of the first that has any over 1 are to blame, and the agreement between heads counts only where
    nothing else accuses a head of that site.

    Args:
        record: by site, [examples, heads, statistics] of the sound model, in the order in which it runs them, as
            `calibrate.collect` gives them.
        inputs: arrays by name that gave them, for `run`; None where they are kept elsewhere.
        tolerance: change that rounding may cause; over 0. Most statistics run from 0 to 1. Half precision rounds more,
            so a test across precisions wants more.

    Attributes:
        window: examples on record.
        sites: names of the sites.
        threshold: 1.

    Raises:
        ZooTypeError, ZooValueError: if shapes are wrong, there is no example, or the tolerance is not over 0.
    """

    threshold = 1.0

    def __init__(
        self, record: Mapping[str, Any], inputs: Mapping[str, Any] | None = None, tolerance: float = TOLERANCE
    ):
        self._columns = Columns.of(record)
        self._record = self._columns.table(record)
        self.window, self.sites = len(self._record), tuple(site for site, _, _ in self._columns.sites)
        if not self.window:
            raise ZooValueError("record must hold at least one example, got none")
        if isinstance(tolerance, bool) or not isinstance(tolerance, Real) or not 0 < tolerance < math.inf:
            raise ZooValueError(f"tolerance must be over 0 (change of a statistic), got {tolerance!r}")
        self.tolerance = float(tolerance)
        self.inputs = {name: np.asarray(one) for name, one in (inputs or {}).items()}
        for name, one in self.inputs.items():
            if len(one) != self.window:
                raise ZooValueError(
                    f"inputs must hold {self.window} examples as the record, got {len(one)} of {name!r}"
                )

    def watched(self, statistics: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Return the statistics of the sites on record, checked: float32 [examples, heads, statistics] by site.

        Args:
            statistics: by site; further sites are left out.

        Raises:
            ZooTypeError, ZooValueError: if a site is missing, or shapes are wrong.
        """
        self._columns.table(statistics)
        return {site: np.asarray(statistics[site], np.float32) for site in self.sites}

    def run(self, runner: Any, graph: str | None = None) -> Judgement:
        """Run an exported model on the inputs that are kept, and judge it.

        Args:
            runner: of `runtime.load`, from a bundle that was exported with statistics.
            graph: which graph; None is the one that has statistics.

        Raises:
            ZooValueError: if no inputs are kept, no graph has statistics, or it lacks a site.
        """
        if not self.inputs:
            raise ZooValueError("inputs must be kept to run a model on them: SelfTest(record, inputs), got none")
        name, _ = watched_graph(runner, graph)
        outputs = runner.run(self.inputs, [PREFIX + site for site in self.sites], graph=name)
        return self.judge(statistics_in(outputs))

    def judge(self, statistics: Mapping[str, Any]) -> Judgement:
        """Judge what the inputs on record give now.

        Args:
            statistics: by site, [examples, heads, statistics], of the same examples in the same order.

        Raises:
            ZooTypeError, ZooValueError: if a site is missing, shapes are wrong, or examples are not as many.
        """
        columns = self._columns
        table = columns.table(statistics)
        if len(table) != self.window:
            raise ZooValueError(f"statistics must be of the {self.window} examples on record, got {len(table)}")
        changes = self._changes(table)
        scores = np.maximum.reduceat(changes, columns.starts)
        bad = self._accused(changes, scores)
        findings = [self._finding(place, float(scores[place]), table, changes) for place in bad]
        return Judgement.of(columns, scores, bad, findings, self.threshold, len(table))

    def save(self, path: str | os.PathLike) -> Path:
        """Write it as one `.npz` file, inputs with it, whole or not at all; nothing in it is pickled.

        Args:
            path: the file; its folder must exist.

        Raises:
            ZooTypeError: if an input is of objects.
            ZooFileError: if it cannot be written.
        """
        for name, one in self.inputs.items():
            if one.dtype.hasobject:
                raise ZooTypeError(f"inputs must be arrays of numbers or text to be saved, got objects in {name!r}")
        arrays = {INPUT + name: one for name, one in self.inputs.items()}
        arrays[RECORD] = self._record
        return save_arrays(path, {"tolerance": self.tolerance, "sites": self._columns.described()}, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Self:
        """Read what `save` wrote.

        Raises:
            ZooFileError: if the file is missing, damaged or of another format.
        """
        about, arrays = load_arrays(path, "self-test")
        try:
            record = Columns.restored(about["sites"]).split(arrays.pop(RECORD))
            inputs = {name.removeprefix(INPUT): one for name, one in arrays.items()}
            return cls(record, inputs, about["tolerance"])
        except Exception as error:  # whatever is missing or of another kind in a file that somebody made
            raise damaged(path, "self-test", error) from error

    def _changes(self, table: np.ndarray) -> np.ndarray:
        """Return the change of each statistic in tolerances, [columns]."""
        was, now = np.isfinite(self._record), np.isfinite(table)
        both = was & now
        squares = np.where(both, table - self._record, 0.0) ** 2
        changes = np.sqrt(squares.sum(axis=0) / np.maximum(both.sum(axis=0), 1)) / self.tolerance
        return np.where((was != now).any(axis=0), np.inf, changes)

    def _accused(self, changes: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Return which heads are to blame: of the first site that changed."""
        columns = self._columns
        over = np.flatnonzero(scores > self.threshold)
        if not len(over):
            return over
        first = columns.heads[over[0]][0]
        here = np.array([place for place in over if columns.heads[place][0] == first])
        alone = np.where(np.array(columns.names) == AGREEMENT, 0.0, changes)
        surely = here[np.maximum.reduceat(alone, columns.starts)[here] > self.threshold]
        return surely if len(surely) else here

    def _finding(self, place: int, score: float, table: np.ndarray, changes: np.ndarray) -> Finding:
        columns = self._columns
        ours = np.flatnonzero(columns.owners == place)
        names = tuple(columns.names[column] for column in ours)
        now, was = window_means(table[:, ours])[0], window_means(self._record[:, ours])[0]
        poisoned = {
            name
            for name, column in zip(names, ours)
            if (np.isnan(table[:, column]) & ~np.isnan(self._record[:, column])).any()
        }
        moved = np.nan_to_num(now - was)
        # A statistic that changes both ways in different examples has a change, but no side.
        distances = np.copysign(np.minimum(changes[ours], 1e9), moved)
        kind, statistic = classify(as_named(names, now), as_named(names, moved), as_named(names, distances), poisoned)
        value = math.nan if statistic in poisoned else float(now[names.index(statistic)])
        usual = float(was[names.index(statistic)])
        low, high = usual - self.tolerance, usual + self.tolerance
        return Finding(kind, *columns.heads[place], score, statistic, value, low, high)
