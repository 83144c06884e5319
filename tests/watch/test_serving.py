"""A runner that is watched gives the same answers, and the monitor sees each example."""

import logging

import faulty_heads
import numpy as np
import pytest

from attention_zoo.errors import ZooValueError
from attention_zoo.runtime.classifying import ClassifierRunner
from attention_zoo.text import TextPreprocessor
from attention_zoo.watch import MIX, AttentionDetector, Monitor, monitored

pytestmark = pytest.mark.once

HEADS, TOKENS, LABELS = 2, 64, 3
TEXTS = ["tell me a joke", "my balance", "book me a flight to rome", "joke"]


def write_model(sites, table):
    """Return a graph whose logits and statistics are rows of a table, chosen by the first token of a text."""
    pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    width = table.shape[1] - LABELS
    constants = [numpy_helper.from_array(np.array(0), "first"), numpy_helper.from_array(table[:, :LABELS], "labels")]
    nodes = [
        helper.make_node("Gather", ["token_ids", "first"], ["token"], axis=1),
        helper.make_node("Gather", ["labels", "token"], ["output"]),
    ]
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", LABELS])]
    if sites:
        constants.append(numpy_helper.from_array(table[:, LABELS:].reshape(TOKENS, HEADS, width // HEADS), "rest"))
    for site in sites:
        nodes.append(helper.make_node("Gather", ["rest", "token"], [f"statistics.{site}"]))
        shape = ["batch", HEADS, len(MIX)]
        outputs.append(helper.make_tensor_value_info(f"statistics.{site}", TensorProto.FLOAT, shape))
    inputs = [helper.make_tensor_value_info("token_ids", TensorProto.INT32, ["batch", "length"])]
    model = helper.make_model(
        helper.make_graph(nodes, "test", inputs, outputs, constants), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 8
    return model.SerializeToString()


def make_runner(table, graphs=(("model", ("one", "two")),)):
    runtime = pytest.importorskip("onnxruntime")
    description = {"labels": ["a", "b", "c"], "multi_label": False, "thresholds": None, "temperature": 1.0}
    sessions = {
        name: runtime.InferenceSession(write_model(sites, table), providers=["CPUExecutionProvider"])
        for name, sites in graphs
    }
    return ClassifierRunner(description, TextPreprocessor.train(TEXTS, vocabulary_size=TOKENS, max_length=16), sessions)


@pytest.fixture(scope="module")
def normal():
    """Return statistics of two heads at two sites; rows of `table` are among them."""
    found = faulty_heads.normal(480, seed=0)["encoder_0"][:, :HEADS]
    return {"one": found, "two": found}


@pytest.fixture(scope="module")
def detector(normal):
    # What is served here are a few texts again and again, and no window of normal ones is like that taken together.
    return AttentionDetector("robust_z", window=16).fit(normal)


@pytest.fixture(scope="module")
def table(normal):
    logits = np.random.default_rng(0).normal(size=(TOKENS, LABELS))
    return np.concatenate([logits, normal["one"][:TOKENS].reshape(TOKENS, -1)], axis=1).astype(np.float32)


def test_answers_are_the_same_and_each_example_is_seen(table, detector):
    runner, monitor = make_runner(table), Monitor(detector)
    watched = monitored(runner, monitor)
    texts = TEXTS * 10
    assert watched.predict(texts, batch_size=7) == runner.predict(texts, batch_size=7)
    assert monitor.windows == 40 // 16 and type(watched) is ClassifierRunner
    # What came is what the graph gave: the mean of the window's rows, through the same detector.
    inputs = runner.preprocessor(texts[:16])
    whole = runner.run(inputs)
    last = Monitor(detector)
    assert set(monitored(runner, last).run(inputs, ["output"])) == {"output"}
    assert last.judgement == detector.judge({site: whole[f"statistics.{site}"] for site in ("one", "two")})


def test_outputs_that_are_asked_for_are_given_statistics_too(table, detector):
    runner = make_runner(table)
    watched, inputs = monitored(runner, Monitor(detector)), runner.preprocessor(TEXTS)
    for asked in (None, ["statistics.one", "output"], ["statistics.two"]):
        found, wanted = watched.run(inputs, asked), runner.run(inputs, asked)
        assert list(found) == list(wanted)
        for name, value in wanted.items():
            np.testing.assert_array_equal(found[name], value)


def test_a_fault_in_what_is_served_is_named(table, detector):
    table = table.copy()
    broken = table[:, LABELS:].reshape(TOKENS, HEADS, len(MIX))
    broken[:, 1, MIX.index("entropy")], broken[:, 1, MIX.index("peak")] = 0.0, 1.0
    monitor = Monitor(detector)
    monitored(make_runner(table), monitor).predict(TEXTS * 4)
    assert monitor.alert and monitor.judgement.heads == {"one": [1], "two": [1]}
    assert {one.kind for one in monitor.judgement.findings} == {"collapsed"}


def test_a_bundle_without_statistics_or_without_a_site_is_refused(table, detector):
    with pytest.raises(ZooValueError, match="exported without statistics"):
        monitored(make_runner(table, [("model", ())]), Monitor(detector))
    with pytest.raises(ZooValueError, match=r"'two' is unknown; .*'one'"):
        monitored(make_runner(table, [("model", ("one",))]), Monitor(detector))


def test_of_several_graphs_one_is_named_and_watched(table, detector):
    runner = make_runner(table, [("left", ("one", "two")), ("right", ("one", "two")), ("plain", ())])
    monitor, inputs = Monitor(detector), runner.preprocessor(TEXTS * 4)
    with pytest.raises(ZooValueError, match="several have statistics: left, right"):
        monitored(runner, monitor)
    with pytest.raises(ZooValueError, match="exported without statistics"):
        monitored(runner, monitor, graph="plain")
    with pytest.raises(ZooValueError, match="graph 'middle' is unknown"):
        monitored(runner, monitor, graph="middle")
    watched = monitored(runner, monitor, graph="right")
    watched.run(inputs, ["output"], graph="left")
    watched.run(inputs, ["output"], graph="plain")
    assert monitor.windows == 0
    watched.run(inputs, ["output"], graph="right")
    assert monitor.windows == 1
    with pytest.raises(ZooValueError, match="graph must be given"):
        watched.run(inputs, ["output"])


def test_an_answer_comes_also_where_watching_fails(table, detector, caplog, monkeypatch):
    runner, monitor = make_runner(table), Monitor(detector)
    watched = monitored(runner, monitor)

    def fail(statistics):
        raise RuntimeError("no memory")

    monkeypatch.setattr(monitor, "observe", fail)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert watched.predict(TEXTS) == runner.predict(TEXTS)
    assert watched.watch_failures == 3 and len(caplog.records) == 1


def test_what_is_wrong_with_a_call_is_still_told(table, detector):
    watched = monitored(make_runner(table), Monitor(detector))
    with pytest.raises(ZooValueError, match="'outputs' is unknown"):
        watched.run({"token_ids": np.zeros((1, 4), np.int32)}, ["outputs"])
    with pytest.raises(ZooValueError, match="wants the input 'token_ids'"):
        watched.run({})
