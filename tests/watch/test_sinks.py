"""Each sink tells what it was told, in whole lines, records and requests."""

import http.server
import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from attention_zoo.errors import ZooError, ZooFileError, ZooValueError
from attention_zoo.watch import Event, Finding, JsonLinesSink, Judgement, LogSink, PrometheusSink, TensorBoardSink
from attention_zoo.watch import WebhookSink as Webhook

pytestmark = pytest.mark.once

FINDING = Finding("nan", "encoder.self", 1, float("inf"), "entropy", float("nan"), 0.6, 0.8)
ALERT = Event("alert", 700, 600, 1.0, 2.0, float("inf"), 1.5, (FINDING,))
CLEAR = Event("all-clear", 900, 800, 3.0, 4.0, 0.5, 1.5, ())
JUDGEMENT = Judgement(4.25, 1.5, {"encoder.self": [1]}, (FINDING,), True, {"encoder.self": [0.5, 4.25]}, 16)


def test_the_log_has_a_warning_and_an_all_clear(caplog):
    with caplog.at_level(logging.INFO, "attention_zoo.watch"):
        sink = LogSink()
        sink.event(ALERT)
        sink.event(CLEAR)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", ALERT.sentence()),
        ("INFO", "attention is normal again since step 800"),
    ]
    assert "since step 600: encoder.self, head 1, gives no numbers" in ALERT.sentence()


def test_json_lines_are_appended_whole_and_hold_no_nan(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"kind": "before"}\n')
    sink = JsonLinesSink(path, windows=True)

    def tell(number):
        sink.event(ALERT)
        sink.window(JUDGEMENT, number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(tell, range(100)))

    def refuse(name):
        raise AssertionError(name)

    lines = [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]
    kinds = [line["kind"] for line in lines]
    assert kinds[0] == "before" and kinds.count("alert") == kinds.count("window") == 100
    told = lines[kinds.index("alert")]
    assert (told["step"], told["since"], told["score"]) == (700, 600, None)
    assert told["findings"][0]["site"] == "encoder.self" and told["findings"][0]["value"] is None
    assert sorted(line["step"] for line in lines if line["kind"] == "window") == list(range(100))


def test_json_lines_hold_windows_only_where_asked_and_tell_of_a_bad_path(tmp_path):
    sink = JsonLinesSink(tmp_path / "none" / "events.jsonl")
    sink.window(JUDGEMENT, 1)
    with pytest.raises(ZooFileError, match=r"events\.jsonl cannot be written"):
        sink.event(ALERT)


def test_tensorboard_reads_the_curves_and_the_text(tmp_path):
    stub = pytest.importorskip("tensorboard.compat.tensorflow_stub.pywrap_tensorflow")
    from tensorboard.compat.proto.event_pb2 import Event as Record

    sink = TensorBoardSink(tmp_path / "run")
    sink.window(JUDGEMENT, 600)
    sink.event(ALERT)
    sink.close()
    sink.close()
    (path,) = (tmp_path / "run").iterdir()
    assert path == sink.path and "tfevents" in path.name
    reader, records = stub.PyRecordReader_New(str(path)), []
    while True:
        try:
            reader.GetNext()  # checks the sums of each record
        except stub.errors.OutOfRangeError:
            break
        records.append(Record.FromString(reader.record()))
    assert records[0].file_version == "brain.Event:2"
    curves = {value.tag: value.simple_value for value in records[1].summary.value}
    assert records[1].step == 600 and curves == {
        "attention/score": 4.25,
        "attention/threshold": 1.5,
        "attention/encoder.self/head_0": 0.5,
        "attention/encoder.self/head_1": 4.25,
    }
    (text,) = records[2].summary.value
    assert text.tensor.string_val[0].decode() == ALERT.sentence() and text.metadata.plugin_data.plugin_name == "text"


def test_tensorboard_may_leave_out_the_heads(tmp_path):
    pytest.importorskip("tensorboard")
    sizes = []
    for heads in (True, False):
        sink = TensorBoardSink(tmp_path / str(heads), heads=heads)
        sink.window(JUDGEMENT, 1)
        sink.close()
        sizes.append(sink.path.stat().st_size)
    assert sizes[1] < sizes[0]


def samples(text):
    parser = pytest.importorskip("prometheus_client.parser")
    families = parser.text_string_to_metric_families(text)
    found = [sample for family in families for sample in family.samples if not sample.name.endswith("_created")]
    return {(sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value for sample in found}


def test_prometheus_reads_scores_heads_windows_and_the_alert(tmp_path):
    pytest.importorskip("prometheus_client")
    path = tmp_path / "attention.prom"
    sink = PrometheusSink(path)
    sink.window(JUDGEMENT, 1)
    sink.window(JUDGEMENT, 2)
    sink.event(ALERT)
    found = samples(path.read_text())
    assert found == samples(sink.text())
    assert found["attention_zoo_attention_score",] == 4.25 and found["attention_zoo_attention_threshold",] == 1.5
    assert found["attention_zoo_head_score", "1", "encoder.self"] == 4.25
    assert found["attention_zoo_windows_total",] == 2 and found["attention_zoo_attention_alert",] == 1
    assert found["attention_zoo_events_total", "alert"] == 1 and found["attention_zoo_events_total", "all-clear"] == 0
    sink.event(CLEAR)
    found = samples(path.read_text())
    assert found["attention_zoo_attention_alert",] == 0 and found["attention_zoo_events_total", "all-clear"] == 1


def test_prometheus_may_use_the_registry_of_a_server():
    client = pytest.importorskip("prometheus_client")
    registry = client.CollectorRegistry()
    PrometheusSink(registry=registry).window(JUDGEMENT, 1)
    assert samples(client.generate_latest(registry).decode())["attention_zoo_attention_score",] == 4.25


class Receiver:
    """A server that answers with the given states, one after the other, and keeps what it was sent."""

    def __init__(self, *states, wait=0.0, headers=()):
        self.states, self.got = list(states), []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((self.path, dict(self.headers), json.loads(body)))
                time.sleep(wait)
                self.send_response(outer.states.pop(0) if outer.states else 200)
                for name, value in headers:
                    self.send_header(name, value)
                self.end_headers()

            def do_GET(self):
                outer.got.append((self.path, {}, None))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.server.shutdown()
        self.server.server_close()


def test_a_webhook_sends_json_and_tries_again():
    with Receiver(500, 503, 204) as receiver:
        sink = Webhook(receiver.address, tries=3, pause=0.01, headers={"Authorization": "Bearer key"})
        sink.event(ALERT)
        sink.close()
        assert [path for path, _, _ in receiver.got] == ["/hook"] * 3
        _, headers, told = receiver.got[-1]
        assert told["findings"][0]["head"] == 1 and told["score"] is None
        assert headers["Authorization"] == "Bearer key" and headers["Content-Type"] == "application/json"
        assert (sink.sent, sink.lost) == (1, 0)


def test_a_webhook_gives_up_counts_and_goes_on(caplog):
    with Receiver(500, 500, 200) as receiver, caplog.at_level(logging.WARNING):
        sink = Webhook(receiver.address, tries=2, pause=0.01)
        sink.event(ALERT)
        sink.event(CLEAR)
        sink.close()
        assert (sink.sent, sink.lost) == (1, 1) and receiver.got[-1][2]["kind"] == "all-clear"
        assert "could not be sent to 127.0.0.1" in caplog.text and "/hook" not in caplog.text


def test_nobody_waits_for_a_slow_address_and_few_events_wait():
    with Receiver(wait=0.5) as receiver:
        sink = Webhook(receiver.address, waiting=2)
        begun = time.monotonic()
        sink.event(ALERT)
        while not receiver.got:
            time.sleep(0.005)
        sink.event(ALERT)
        sink.event(ALERT)
        with pytest.raises(ZooError, match="2 events wait for"):
            sink.event(ALERT)
        assert time.monotonic() - begun < 0.4
        sink.close(wait=0.0)
        assert sink.sent + sink.lost <= 3 and sink.lost >= 2
        with pytest.raises(ZooError, match="closed"):
            sink.event(ALERT)


def test_a_webhook_follows_nobody_elsewhere():
    with Receiver() as other, Receiver(302, headers=[("Location", other.address)]) as receiver:
        sink = Webhook(receiver.address, tries=1)
        sink.event(ALERT)
        sink.close()
        assert len(receiver.got) == 1 and other.got == [] and sink.lost == 1


@pytest.mark.parametrize("address", ["file:///etc/hosts", "ftp://host/", "host/hook", "http://", ""])
def test_a_webhook_speaks_http_alone(address):
    with pytest.raises(ZooValueError, match="must begin with http"):
        Webhook(address)


@pytest.mark.parametrize("options", [{"timeout": 0}, {"pause": -1}, {"tries": 0}, {"waiting": 0}])
def test_numbers_of_a_webhook_are_checked(options):
    with pytest.raises(ZooValueError, match=next(iter(options))):
        Webhook("http://127.0.0.1/", **options)
