"""Alerts in the log of Python."""

import logging

from attention_zoo.watch.events import ALERT, Event
from attention_zoo.watch.sinks.base import Sink


class LogSink(Sink):
    """Log an alert as a warning, an all-clear as information.

    Args:
        logger: a logger, or None for "attention_zoo.watch".
    """

    def __init__(self, logger: logging.Logger | None = None):
        self.logger = logger or logging.getLogger("attention_zoo.watch")

    def event(self, event: Event) -> None:
        self.logger.log(logging.WARNING if event.kind == ALERT else logging.INFO, event.sentence())
