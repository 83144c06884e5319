"""A monitor fills windows, alerts once, tells since when, gives the all-clear, and lets no sink do harm."""

import logging
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import faulty_heads
import numpy as np
import pytest

from attention_zoo.errors import ZooValueError
from attention_zoo.watch import AttentionDetector, Finding, Judgement, Monitor, Sink

pytestmark = pytest.mark.once

GOOD, BAD = 0.0, 1.0


class Plain:
    """A detector of windows of 4 examples; a window is bad for each head whose mean is over 1/2."""

    window, sites = 4, ("one",)

    def watched(self, statistics):
        return {"one": np.asarray(statistics["one"], np.float32)}

    def judge(self, statistics):
        scores = statistics["one"][:, :, 0].mean(axis=0).tolist()
        bad = [head for head, score in enumerate(scores) if score > 0.5]
        findings = tuple(Finding("sink", "one", head, scores[head], "sink", 1.0, 0.0, 0.5) for head in bad)
        return Judgement(max(scores), 0.5, {"one": bad}, findings, bool(bad), {"one": scores}, 4)


class Slow(Plain):
    """A detector that keeps what it judges, and lets other threads in while it does."""

    def __init__(self):
        self.seen = []

    def judge(self, statistics):
        time.sleep(1e-4)
        self.seen += statistics["one"][:, 0, 0].tolist()
        return super().judge(statistics)


class Kept(Sink):
    """A sink that keeps what it is told."""

    def __init__(self):
        self.windows, self.events, self.closed = [], [], 0

    def window(self, judgement, step):
        self.windows.append((judgement.score, step))

    def event(self, event):
        self.events.append(event)

    def close(self):
        self.closed += 1


class Broken(Kept):
    """A sink that always fails."""

    def window(self, judgement, step):
        raise RuntimeError("the disk is full")

    event = close = window


def examples(*values, heads=2):
    """Return examples whose heads all have the value given, or one for each head."""
    table = np.zeros((len(values), heads, 4), np.float32)
    table[:, :, 0] = np.array([np.broadcast_to(value, heads) for value in values]).reshape(-1, heads)
    return {"one": table}


def windows(monitor, *values):
    """Observe one window for each value; return what came of each as (kind, since)."""
    found = [monitor.observe(examples(*[value] * 4)) for value in values]
    return [(events[0].kind, events[0].since) if events else None for events in found]


def test_an_alert_comes_once_and_the_all_clear_after_two_good_windows():
    monitor = Monitor(Plain())
    assert windows(monitor, GOOD, BAD, BAD, GOOD) == [None, ("alert", 2), None, None]
    assert monitor.alert and monitor.since == 2
    assert windows(monitor, BAD, GOOD, GOOD, GOOD, BAD) == [None, None, ("all-clear", 6), None, ("alert", 9)]
    assert monitor.windows == 9 and monitor.judgement.score == BAD


def test_an_alert_that_must_be_confirmed_still_tells_the_first_bad_window():
    monitor = Monitor(Plain(), raise_after=2, clear_after=1)
    assert windows(monitor, BAD, GOOD, BAD, BAD) == [None, None, None, ("alert", 3)]
    assert windows(monitor, GOOD, BAD, BAD) == [("all-clear", 5), None, ("alert", 6)]


def test_heads_that_go_wrong_later_are_told_once():
    monitor = Monitor(Plain())
    found = [monitor.observe(examples(*[value] * 4)) for value in ([BAD, GOOD], [BAD, BAD], [GOOD, BAD], [BAD, BAD])]
    assert [[one.head for event in events for one in event.findings] for events in found] == [[0], [1], [], []]
    assert found[1][0].since == 1


def test_windows_are_filled_across_calls_in_order():
    kept = Kept()
    monitor = Monitor(Plain(), [kept])
    stream = np.arange(11) / 100
    for start, end in ((0, 1), (1, 3), (3, 3), (3, 10), (10, 11)):
        monitor.observe(examples(*stream[start:end]))
    assert [step for _, step in kept.windows] == [1, 2]
    assert [score for score, _ in kept.windows] == pytest.approx([stream[:4].mean(), stream[4:8].mean()])
    assert monitor.observe(examples(3.0))[0].kind == "alert"  # the fourth of the third window


def test_one_call_may_fill_several_windows():
    events = Monitor(Plain()).observe(examples(*[BAD] * 4, *[GOOD] * 8, *[BAD] * 3), step=70)
    assert [(event.kind, event.step, event.since) for event in events] == [("alert", 70, 70), ("all-clear", 70, 70)]


def test_a_whole_batch_is_judged_at_once_and_what_waits_goes_on_waiting():
    monitor = Monitor(Plain())
    monitor.observe(examples(GOOD, GOOD, GOOD))
    (event,) = monitor.observe(examples(*[BAD] * 9), step=500, whole=True)
    assert (event.step, event.since) == (500, 500) and monitor.windows == 1
    monitor.observe(examples(GOOD))
    assert monitor.windows == 2 and monitor.judgement.score == GOOD


def test_events_carry_the_time_and_a_sentence():
    monitor, before = Monitor(Plain()), time.time()
    (event,) = monitor.observe(examples(*[BAD] * 4))
    assert before <= event.since_time <= event.time <= time.time()
    assert event.sentence().startswith("attention is not normal since step 1: one, head 0, looks at the first position")
    told = event.as_dict()
    assert told["kind"] == "alert" and [one["head"] for one in told["findings"]] == [0, 1]
    clear = monitor.observe(examples(*[GOOD] * 8))[0]
    assert clear.sentence() == "attention is normal again since step 2" and clear.findings == ()


def test_a_sink_that_fails_harms_nobody_and_is_logged_once(caplog):
    kept = Kept()
    monitor = Monitor(Plain(), [Broken(), kept])
    with caplog.at_level(logging.ERROR):
        windows(monitor, BAD, BAD)
    assert monitor.failures == [3, 0] and len(kept.windows) == 2 and len(kept.events) == 1
    assert [record.getMessage() for record in caplog.records] == [
        "Broken fails, and is not spoken of again: the disk is full"
    ]
    with monitor:
        pass
    assert kept.closed == 1 and monitor.failures == [4, 0]


def test_threads_share_a_monitor_and_each_example_is_judged_once():
    kept, detector = Kept(), Slow()
    monitor = Monitor(detector, [kept])
    together = threading.Barrier(8)
    names = (np.arange(2400, dtype=np.float32) / 10_000).reshape(8, 100, 3)

    def feed(number):
        together.wait()
        for values in names[number]:
            monitor.observe(examples(*values))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(feed, range(8)))
    assert sorted(detector.seen) == names.ravel().tolist()
    assert [step for _, step in kept.windows] == list(range(1, monitor.windows + 1))


def test_a_fault_in_a_stream_is_found_within_two_windows_and_named():
    detector = AttentionDetector(window=16).fit(faulty_heads.normal(480, seed=0))
    monitor = Monitor(detector)
    assert monitor.observe(faulty_heads.normal(5 * 16 + 5, seed=1)) == []
    events = monitor.observe(faulty_heads.faulty(2 * 16, 2, faulty_heads.collapse))
    assert [(one.site, one.head, one.kind) for one in events[0].findings] == [("encoder_1", 2, "collapsed")]
    assert math.isfinite(events[0].score) and events[0].since in (6, 7)


@pytest.mark.parametrize("option", ["raise_after", "clear_after"])
def test_counts_must_be_at_least_1(option):
    with pytest.raises(ZooValueError, match=f"{option} must be a whole number of at least 1"):
        Monitor(Plain(), **{option: 0})


def test_a_detector_must_be_fitted_and_statistics_must_fit_it():
    with pytest.raises(ZooValueError, match="fitted first"):
        Monitor(AttentionDetector())
    monitor = Monitor(AttentionDetector(window=16).fit(faulty_heads.normal(480, seed=0)))
    with pytest.raises(ZooValueError, match="must hold the site 'encoder_0'"):
        monitor.observe({"gate": np.zeros((1, 1, 4))})
