"""Alerts as lines of JSON."""

import json
import os
import threading
from pathlib import Path

from attention_zoo.errors import ZooFileError
from attention_zoo.watch.events import Event
from attention_zoo.watch.judgement import Judgement
from attention_zoo.watch.sinks.base import Sink


class JsonLinesSink(Sink):
    """Append to a file, one object in each line: events, and all windows where asked.

    Each line is written by one call to the end of the file, so that what several processes write stays in whole lines,
    and opened for it anew, so that the file may be moved away at any time.

    Args:
        path: the file; made where missing, its folder must exist.
        windows: True also writes the judgement of each window, as {"kind": "window", "step": ...}.
    """

    def __init__(self, path: str | os.PathLike, windows: bool = False):
        self.path, self.windows = Path(path), windows
        self._lock = threading.Lock()

    def window(self, judgement: Judgement, step: int) -> None:
        if self.windows:
            self._write({"kind": "window", "step": step, **judgement.as_dict()})

    def event(self, event: Event) -> None:
        self._write(event.as_dict())

    def _write(self, values: dict) -> None:
        line = (json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")
        try:
            with self._lock, open(self.path, "ab", buffering=0) as file:
                if file.write(line) != len(line):
                    raise ZooFileError(f"{self.path} cannot be written: the disk took only a part of a line")
        except OSError as error:
            raise ZooFileError(f"{self.path} cannot be written: {error.strerror or error}") from error
