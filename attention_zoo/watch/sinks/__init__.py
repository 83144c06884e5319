"""Where a monitor tells what it sees: the log, a file, TensorBoard, Prometheus, an address."""

from attention_zoo.watch.sinks.base import Sink
from attention_zoo.watch.sinks.board import TensorBoardSink
from attention_zoo.watch.sinks.json_lines import JsonLinesSink
from attention_zoo.watch.sinks.log import LogSink
from attention_zoo.watch.sinks.prometheus import PrometheusSink
from attention_zoo.watch.sinks.webhook import WebhookSink

__all__ = ["JsonLinesSink", "LogSink", "PrometheusSink", "Sink", "TensorBoardSink", "WebhookSink"]
