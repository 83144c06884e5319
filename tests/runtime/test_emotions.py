"""A bundle of an emotion recognizer answers rows without Keras."""

import hashlib
import json

import numpy as np
import pytest
import soundfile

from attention_zoo import runtime
from attention_zoo.errors import ZooFileError, ZooTypeError, ZooValueError
from attention_zoo.multimodal import MultimodalPreprocessor
from attention_zoo.runtime.__main__ import main

pytestmark = pytest.mark.once

LABELS, MOODS = ("sad", "glad"), ("alone", "company")
WORDS = ["so glad", "so sad", "well"]
TONE = 0.3 * np.sin(np.arange(8000) / 9)


def write_graph(path, *, tasks):
    """Write logits = (steps of audio, steps of text) / 10; for a task, whether a row's conversation has others."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    main_output = "logits" if tasks else "output"
    constants = [
        numpy_helper.from_array(np.array([1]), "one"),
        numpy_helper.from_array(np.array([0]), "zero"),
        numpy_helper.from_array(np.array(0.1, "float32"), "tenth"),
        numpy_helper.from_array(np.array([1.5], "float32"), "few"),
    ]
    nodes = [node for name in ("audio", "text") for node in (
        helper.make_node("Unsqueeze", [f"{name}_steps", "one"], [f"{name}_column"]),
        helper.make_node("Cast", [f"{name}_column"], [f"{name}_number"], to=TensorProto.FLOAT),
    )]  # fmt: skip
    nodes += [
        helper.make_node("Concat", ["audio_number", "text_number"], ["both"], axis=1),
        helper.make_node("Mul", ["both", "tenth"], [main_output]),
        helper.make_node("Unsqueeze", ["conversation", "one"], ["rows"]),
        helper.make_node("Unsqueeze", ["conversation", "zero"], ["columns"]),
        helper.make_node("Equal", ["rows", "columns"], ["same"]),
        helper.make_node("Cast", ["same"], ["ones"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["ones", "one"], ["many"], keepdims=1),
        helper.make_node("Sub", ["few", "many"], ["few_column"]),
        helper.make_node("Sub", ["many", "few"], ["many_column"]),
        helper.make_node("Concat", ["few_column", "many_column"], ["mood"], axis=1),
    ]
    shapes = {"audio": ["batch", "frames", 16], "text": ["batch", "tokens"]}
    kinds = {"audio": TensorProto.FLOAT}
    inputs = [
        helper.make_tensor_value_info(name, kinds.get(name, TensorProto.INT32), shapes.get(name, ["batch"]))
        for name in ("audio", "audio_steps", "text", "text_steps", "conversation")
    ]
    names = [main_output, "mood"] if tasks else [main_output]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2]) for name in names]
    graph = helper.make_graph(nodes, "test", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, str(path))


def write_bundle(folder, *, tasks=True):
    folder.mkdir()
    write_graph(folder / "model.onnx", tasks=tasks)
    rows = {"text": WORDS, "audio": [(TONE, 16_000)] * 3}
    MultimodalPreprocessor.learn(rows, mels=16, conversations=True).save(folder / "preprocessor")
    paths = [path for path in folder.rglob("*") if path.is_file()]
    description = {
        "format": 1, "family": "emotion_recognizer", "labels": LABELS, "multi_label": False, "thresholds": None,
        "temperature": 1.0, "graphs": {"onnx": "model.onnx"}, "inputs": [], "outputs": [],
        "tasks": [["mood", MOODS]] if tasks else [],
        "files": {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths},
    }  # fmt: skip
    (folder / "bundle.json").write_text(json.dumps(description))
    return folder


@pytest.fixture(scope="module", params=[True, False], ids=["tasks", "one_task"])
def runner(request, tmp_path_factory):
    return runtime.load(write_bundle(tmp_path_factory.mktemp("bundles") / "b", tasks=request.param), threads=1)


def loud(seconds):
    return np.resize(TONE, int(seconds * 16_000)), 16_000


@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_any_part_of_a_row_is_answered_in_the_order_of_the_rows(runner, batch_size):
    given = {"audio": [loud(1.2), None, loud(0.3), loud(0.8), None], "text": [None, "well", "so glad", "", "so sad"]}
    answers = runner.predict(given, all_scores=True, batch_size=batch_size)
    steps = np.array([[118, 0], [0, 1], [28, 2], [78, 0], [0, 2]]) / 10
    powers = np.exp(steps)
    wanted = powers / powers.sum(axis=1, keepdims=True)
    assert [answer.label for answer in answers] == [LABELS[best] for best in wanted.argmax(axis=1)]
    np.testing.assert_allclose([[one.scores[name] for name in LABELS] for one in answers], wanted, atol=1e-6)


def test_the_ways_to_give_rows_agree(runner, tmp_path):
    soundfile.write(tmp_path / "a.wav", *loud(0.5))
    (tmp_path / "rows.csv").write_text("audio,text,conversation\na.wav,so glad,x\n,well,x\n")
    rows = [{"audio": str(tmp_path / "a.wav"), "text": "so glad", "conversation": "x"}, {"text": "well"}]
    rows[1]["conversation"] = "x"
    columns = {name: [row.get(name) for row in rows] for name in ("audio", "text", "conversation")}
    wanted = runner.predict(rows)
    for given in (columns, tmp_path / "rows.csv", [json.dumps(row) for row in rows]):
        assert runner.predict(given) == wanted
    assert runner.predict(rows[0]) == wanted[:1]


def test_each_task_is_answered_and_conversations_stay_whole(runner):
    given = {"text": ["a " * count for count in (1, 8, 2, 7, 3, 6)], "conversation": ["x", "y", None, "y", "z", "x"]}
    found = runner.predict_tasks(given, batch_size=1)
    assert found["label"] == runner.predict(given)
    if not runner.tasks:
        assert set(found) == {"label"}
        return
    assert runner.tasks == {"mood": MOODS}
    assert [one.label for one in found["mood"]] == ["company", "company", "alone", "company", "alone", "company"]


def test_bad_rows_are_one_sentence(runner):
    for given, kind, sentence in (
        ([{"image": "a.png"}], ZooValueError, "row 0 has image, and this model reads only audio, text"),
        ({"text": ["a", None]}, ZooValueError, "row 1 must have an image, audio or text"),
        ({"text": ["a"], "audio": [None, None]}, ZooValueError, "one entry for each row"),
        ({"text": ["a"], "audio": ["none.wav"]}, ZooFileError, r"audio of row 0 \(none\.wav\) does not exist"),
        ({"text": ["a", 5]}, ZooTypeError, "text of row 1 must be a string"),
        ([], ZooValueError, "rows must be at least one"),
    ):
        with pytest.raises(kind, match=sentence):
            runner.predict(given)
    with pytest.raises(ZooValueError, match="batch_size must be a whole number"):
        runner.predict(["a"], batch_size=0)


def test_the_command_takes_texts_sounds_tables_and_json(tmp_path, capsys):
    folder = write_bundle(tmp_path / "b")
    soundfile.write(tmp_path / "a.wav", *loud(0.5))
    (tmp_path / "rows.jsonl").write_text('{"audio": "a.wav", "text": "well"}\n{"text": "so sad"}\n')
    sound = str(tmp_path / "a.wav")
    both = json.dumps({"audio": sound, "text": "so glad"})
    assert main([str(folder), "so sad", sound, both, str(tmp_path / "rows.jsonl"), "--all-scores"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["row"] for line in lines] == [
        {"text": "so sad"}, {"audio": sound}, json.loads(both), {"audio": sound, "text": "well"}, {"text": "so sad"},
    ]  # fmt: skip
    assert [line["label"] for line in lines] == ["glad", "sad", "sad", "sad", "glad"]
    assert set(lines[0]["scores"]) == set(LABELS)
    assert main([str(folder), "nowhere.wav"]) == 2
    assert "audio of row 0 (nowhere.wav) does not exist" in capsys.readouterr().err
