"""Alerts sent to an address."""

import contextlib
import http.client
import json
import logging
import queue
import threading
import time
import urllib.request
from collections.abc import Mapping
from urllib.parse import urlsplit

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooError, ZooValueError
from attention_zoo.watch.events import Event
from attention_zoo.watch.sinks.base import Sink

LOG = logging.getLogger("attention_zoo.watch")
_END = None  # put in the queue to end the thread


class WebhookSink(Sink):
    """Send each event as JSON (POST) from a thread of its own, so that nobody waits.

    Args:
        address: http:// or https://.
        timeout: of one try (seconds).
        tries: how often one event is tried, at least 1; each pause is twice the one before.
        pause: before the second try (seconds).
        waiting: events that may wait; while so many do, further ones are refused.
        headers: further headers, for example a token.

    Attributes:
        sent: events that arrived (the answer was 2xx).
        lost: events that were given up after all tries.

    Raises:
        ZooValueError: if the address is neither http nor https, or a number is out of range.
    """

    def __init__(
        self,
        address: str,
        timeout: float = 5.0,
        tries: int = 3,
        pause: float = 1.0,
        waiting: int = 100,
        headers: Mapping[str, str] | None = None,
    ):
        parts = urlsplit(str(address))
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ZooValueError(f"address must begin with http:// or https:// and name a host, got {address!r}")
        for name, value in {"timeout": timeout, "pause": pause}.items():
            if not value > 0:
                raise ZooValueError(f"{name} must be over 0 (seconds), got {value!r}")
        self.address, self.timeout, self.pause = str(address), timeout, pause
        self.tries = whole_number("tries", tries)
        self.headers = {"Content-Type": "application/json", **(headers or {})}
        self.sent = self.lost = 0
        self._queue: queue.Queue = queue.Queue(whole_number("waiting", waiting, unit="events"))
        self._closing = threading.Event()
        self._opener = urllib.request.build_opener(_NoRedirect)
        self._thread = threading.Thread(target=self._work, name="attention_zoo webhook", daemon=True)
        self._thread.start()

    def event(self, event: Event) -> None:
        if self._closing.is_set():
            raise ZooError("the webhook sink is closed")
        try:
            self._queue.put_nowait(json.dumps(event.as_dict(), ensure_ascii=False, allow_nan=False).encode("utf-8"))
        except queue.Full as error:
            raise ZooError(f"{self._queue.maxsize} events wait for {self.address} already; this one is lost") from error

    def close(self, wait: float = 5.0) -> None:
        """Send what waits, for at most `wait` seconds, then end the thread.

        Args:
            wait: seconds.
        """
        if self._closing.is_set():
            return
        ends = time.monotonic() + wait
        while self._queue.unfinished_tasks and time.monotonic() < ends:
            time.sleep(0.01)
        self._closing.set()
        with contextlib.suppress(queue.Full):  # then the thread sees that it closes after the event in hand
            self._queue.put_nowait(_END)
        self._thread.join(max(0.0, ends - time.monotonic()) + 0.1)
        with contextlib.suppress(queue.Empty):
            while True:
                self.lost += self._queue.get_nowait() is not _END

    def _work(self) -> None:
        while not self._closing.is_set():
            content = self._queue.get()
            if content is not _END:
                self._deliver(content)
            self._queue.task_done()

    def _deliver(self, content: bytes) -> None:
        pause = self.pause
        for number in range(self.tries):
            if number and self._closing.wait(pause):
                break
            pause = pause * 2 if number else pause
            try:
                request = urllib.request.Request(self.address, content, self.headers, method="POST")
                with self._opener.open(request, timeout=self.timeout):
                    self.sent += 1
                    return
            # No answer, one that is not 2xx, or no HTTP at all.
            except (OSError, http.client.HTTPException, ValueError) as error:
                failure = error
        self.lost += 1
        LOG.warning("an event could not be sent to %s: %s", urlsplit(self.address).hostname, failure)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follow nobody elsewhere: an alert goes where the user said."""

    def redirect_request(self, *args: object, **options: object) -> None:
        return None
