"""Scores and alerts for TensorBoard."""

import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

from attention_zoo.errors import ZooFileError, need
from attention_zoo.files import make_folder
from attention_zoo.watch.events import Event
from attention_zoo.watch.judgement import Judgement
from attention_zoo.watch.sinks.base import Sink

FRONT = "attention"


class TensorBoardSink(Sink):
    """Write curves that TensorBoard shows: the score, the threshold, and the score of each head; alerts as text.

    It needs the package `tensorboard`, not TensorFlow.

    Args:
        folder: of the run; made where missing.
        heads: whether the score of each head gets a curve of its own.

    Raises:
        ZooImportError: if tensorboard is not installed.
        ZooFileError: if the folder cannot be written.
    """

    def __init__(self, folder: str | os.PathLike, heads: bool = True):
        self._proto = need("tensorboard.compat.proto.event_pb2", "tensorboard")
        self._summary = need("tensorboard.compat.proto.summary_pb2", "tensorboard")
        self._tensor = need("tensorboard.compat.proto.tensor_pb2", "tensorboard")
        records = need("tensorboard.summary.writer.record_writer", "tensorboard")
        self.heads = heads
        name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}.attention"
        self.path = Path(make_folder(folder)) / name
        try:
            self._writer = records.RecordWriter(open(self.path, "xb"))  # noqa: SIM115 (closed in `close`)
        except OSError as error:
            raise ZooFileError(f"{self.path} cannot be written: {error.strerror or error}") from error
        self._lock = threading.Lock()
        self._write(self._proto.Event(wall_time=time.time(), file_version="brain.Event:2"))

    def window(self, judgement: Judgement, step: int) -> None:
        curves = {f"{FRONT}/score": judgement.score, f"{FRONT}/threshold": judgement.threshold}
        if self.heads:
            for site, scores in judgement.scores.items():
                curves |= {f"{FRONT}/{site}/head_{head}": score for head, score in enumerate(scores)}
        values = [self._summary.Summary.Value(tag=tag, simple_value=value) for tag, value in curves.items()]
        self._put(values, step, time.time())

    def event(self, event: Event) -> None:
        text = self._tensor.TensorProto(dtype=7, string_val=[event.sentence().encode("utf-8")])  # 7: strings
        text.tensor_shape.dim.add(size=1)
        plugin = self._summary.SummaryMetadata.PluginData(plugin_name="text")
        about = self._summary.SummaryMetadata(plugin_data=plugin)
        tag = f"{FRONT}/{event.kind}/text_summary"
        self._put([self._summary.Summary.Value(tag=tag, metadata=about, tensor=text)], event.step, event.time)

    def close(self) -> None:
        with self._lock:
            if not self._writer.closed:
                self._writer.close()

    def _put(self, values: list[Any], step: int, when: float) -> None:
        self._write(self._proto.Event(wall_time=when, step=step, summary=self._summary.Summary(value=values)))

    def _write(self, record: Any) -> None:
        with self._lock:
            self._writer.write(record.SerializeToString())
            self._writer.flush()
