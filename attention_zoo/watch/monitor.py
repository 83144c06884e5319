"""Judge a stream of examples window by window; alert, and give the all-clear."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from attention_zoo.checks import whole_number
from attention_zoo.watch.detector import AttentionDetector
from attention_zoo.watch.events import ALERT, CLEAR, Event
from attention_zoo.watch.judgement import Judgement
from attention_zoo.watch.self_test import SelfTest
from attention_zoo.watch.sinks.base import Sink

LOG = logging.getLogger("attention_zoo.watch")


class Monitor:
    """Collect examples into windows, judge each, and tell sinks when attention goes wrong and when it is normal again.

    An alert is raised after `raise_after` bad windows one after the other, and once more for heads that go wrong later;
    the all-clear comes after `clear_after` good ones. Threads may share it. What a sink raises goes no further: it is
    counted in `failures` and logged the first time.

    Args:
        detector: fitted, see `AttentionDetector`; or a `SelfTest`, whose window is all that is on record.
        sinks: who is told; see `attention_zoo.watch.sinks`.
        raise_after: bad windows, at least 1; each further one makes false alarms rarer and delays an alert by a window.
        clear_after: good windows, at least 1.

    Attributes:
        alert: whether there is one now.
        since: step of the first bad window; None while all is well.
        windows: judged so far.
        judgement: of the last window; None before the first.
        failures: of each sink, in the order of `sinks`.

    Raises:
        ZooValueError: if the detector has not been fitted, or a number is out of range.
    """

    def __init__(
        self,
        detector: AttentionDetector | SelfTest,
        sinks: Sequence[Sink] = (),
        raise_after: int = 1,
        clear_after: int = 2,
    ):
        self.detector, self.sinks = detector, tuple(sinks)
        self.sites = detector.sites
        self.raise_after = whole_number("raise_after", raise_after, unit="windows")
        self.clear_after = whole_number("clear_after", clear_after, unit="windows")
        self.windows = 0
        self.failures = [0] * len(self.sinks)
        self.judgement: Judgement | None = None
        self._lock = threading.RLock()
        self._pending: dict[str, np.ndarray] = {}
        self._told: set[tuple[str, int]] = set()
        self._calm()

    def observe(self, statistics: Mapping[str, Any], step: int | None = None, *, whole: bool = False) -> list[Event]:
        """Take statistics of examples; judge as many windows as are full.

        Args:
            statistics: by site, [examples, heads, statistics].
            step: what events call this moment; None is the number of the window, from 1.
            whole: True judges these examples as one window at once, whatever waits.

        Returns:
            the events that came of it.

        Raises:
            ZooValueError: if a site is missing, shapes are wrong, or `whole` and examples are too few.
        """
        statistics = self.detector.watched(statistics)
        with self._lock:
            if whole:
                return self._judged(statistics, step)
            events = []
            joined = {site: np.concatenate([*self._waiting(site), one]) for site, one in statistics.items()}
            size = self.detector.window
            full = len(next(iter(joined.values()))) // size
            for number in range(full):
                window = {site: one[number * size : (number + 1) * size] for site, one in joined.items()}
                events += self._judged(window, step)
            self._pending = {site: one[full * size :].copy() for site, one in joined.items()}
            return events

    def close(self) -> None:
        """Close the sinks. Examples that do not fill a window are not judged."""
        with self._lock:
            self._tell("close")

    def __enter__(self) -> "Monitor":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _waiting(self, site: str) -> list[np.ndarray]:
        return [self._pending[site]] if site in self._pending else []

    def _judged(self, statistics: Mapping[str, np.ndarray], step: int | None) -> list[Event]:
        judgement = self.detector.judge(statistics)
        self.windows += 1
        self.judgement = judgement
        step = self.windows if step is None else int(step)
        self._tell("window", judgement, step)
        event = self._bad(judgement, step) if judgement.alarm else self._good(judgement, step)
        if event is None:
            return []
        self._tell("event", event)
        return [event]

    def _bad(self, judgement: Judgement, step: int) -> Event | None:
        self._good_streak = 0
        self._bad_streak += 1
        if self.since is None:
            self.since, self._since_time = step, time.time()
        if not self.alert and self._bad_streak < self.raise_after:
            return None
        self.alert = True
        new = tuple(one for one in judgement.findings if (one.site, one.head) not in self._told)
        self._told |= {(one.site, one.head) for one in new}
        return self._event(ALERT, judgement, step, self.since, self._since_time, new) if new else None

    def _good(self, judgement: Judgement, step: int) -> Event | None:
        self._bad_streak = 0
        if not self.alert:
            self._calm()
            return None
        self._good_streak += 1
        if self._good_streak == 1:
            self._good_since = (step, time.time())
        if self._good_streak < self.clear_after:
            return None
        since, since_time = self._good_since
        self._calm()
        return self._event(CLEAR, judgement, step, since, since_time, ())

    def _calm(self) -> None:
        self.alert, self.since = False, None
        self._bad_streak = self._good_streak = 0
        self._since_time = 0.0
        self._told.clear()

    def _event(
        self, kind: str, judgement: Judgement, step: int, since: int, since_time: float, findings: tuple
    ) -> Event:
        return Event(kind, step, since, since_time, time.time(), judgement.score, judgement.threshold, findings)

    def _tell(self, what: str, *told: Any) -> None:
        for place, sink in enumerate(self.sinks):
            try:
                getattr(sink, what)(*told)
            except Exception as error:  # whatever it is: the one who is watched must not suffer
                self.failures[place] += 1
                if self.failures[place] == 1:
                    LOG.exception("%s fails, and is not spoken of again: %s", type(sink).__name__, error)
