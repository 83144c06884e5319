"""Scores and alerts for Prometheus."""

import os
from typing import Any

from attention_zoo.errors import need
from attention_zoo.files import write_bytes
from attention_zoo.watch.events import ALERT, CLEAR, Event
from attention_zoo.watch.judgement import Judgement
from attention_zoo.watch.sinks.base import Sink

FRONT = "attention_zoo_"


class PrometheusSink(Sink):
    """Keep gauges and counters that Prometheus reads.

    attention_zoo_attention_score, _threshold, _head_score{site, head}, _alert (1 from an alert to the all-clear),
    attention_zoo_windows_total, attention_zoo_events_total{kind}.

    Args:
        path: a text file that is written anew after each window (for the collector of text files of the node exporter);
            None writes none.
        registry: a `prometheus_client.CollectorRegistry` that a server shows already; None makes one of its own, which
            `text` shows.

    Raises:
        ZooImportError: if prometheus-client is not installed.
    """

    def __init__(self, path: str | os.PathLike | None = None, registry: Any = None):
        self._client = client = need("prometheus_client", "serve")
        self.path = path
        self.registry = registry if registry is not None else client.CollectorRegistry()
        kept = {"registry": self.registry}
        self._score = client.Gauge(FRONT + "attention_score", "Largest score of any head in the last window.", **kept)
        self._threshold = client.Gauge(FRONT + "attention_threshold", "Score over which a window is bad.", **kept)
        self._heads = client.Gauge(FRONT + "head_score", "Score of a head.", ["site", "head"], **kept)
        self._alert = client.Gauge(FRONT + "attention_alert", "1 from an alert to the all-clear.", **kept)
        self._windows = client.Counter(FRONT + "windows", "Windows that were judged.", **kept)
        self._events = client.Counter(FRONT + "events", "Alerts and all-clears.", ["kind"], **kept)
        for kind in (ALERT, CLEAR):
            self._events.labels(kind)  # shown as 0 before the first

    def window(self, judgement: Judgement, step: int) -> None:
        self._windows.inc()
        self._score.set(judgement.score)
        self._threshold.set(judgement.threshold)
        for site, scores in judgement.scores.items():
            for head, score in enumerate(scores):
                self._heads.labels(site, str(head)).set(score)
        self._write()

    def event(self, event: Event) -> None:
        self._events.labels(event.kind).inc()
        self._alert.set(float(event.kind == ALERT))
        self._write()

    def text(self) -> str:
        """Return all as Prometheus reads it."""
        return self._client.generate_latest(self.registry).decode("utf-8")

    def _write(self) -> None:
        if self.path is not None:
            write_bytes(self.path, self.text().encode("utf-8"))
