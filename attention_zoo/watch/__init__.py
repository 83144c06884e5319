"""Watch what attention does: normal tables, a detector of faults, a monitor with sinks; no Keras.

from attention_zoo.watch import AttentionDetector, LogSink, Monitor, monitored
detector = AttentionDetector("mahalanobis", false_alarms=0.01, window=16).fit(statistics)
detector.judge(others).findings[0].sentence()      # which head of which layer, and what is wrong with it
runner = monitored(runtime.load("bundle"), Monitor(detector, [LogSink()]))
"""

from attention_zoo.watch.baseline import Baseline
from attention_zoo.watch.detector import AttentionDetector
from attention_zoo.watch.events import Event
from attention_zoo.watch.findings import KINDS, Finding
from attention_zoo.watch.judgement import Judgement
from attention_zoo.watch.methods import METHODS
from attention_zoo.watch.monitor import Monitor
from attention_zoo.watch.names import BINS, GATE, MIX, PREFIX, names_of, statistics_in
from attention_zoo.watch.self_test import SelfTest
from attention_zoo.watch.serving import monitored
from attention_zoo.watch.sinks import JsonLinesSink, LogSink, PrometheusSink, Sink, TensorBoardSink, WebhookSink

__all__ = [
    "BINS",
    "GATE",
    "KINDS",
    "METHODS",
    "MIX",
    "PREFIX",
    "AttentionDetector",
    "Baseline",
    "Event",
    "Finding",
    "JsonLinesSink",
    "Judgement",
    "LogSink",
    "Monitor",
    "PrometheusSink",
    "SelfTest",
    "Sink",
    "TensorBoardSink",
    "WebhookSink",
    "monitored",
    "names_of",
    "statistics_in",
]
