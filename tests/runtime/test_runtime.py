"""A bundle answers without Keras, and a damaged one says so."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from attention_zoo import runtime
from attention_zoo.errors import ZooFileError, ZooTypeError, ZooValueError
from attention_zoo.runtime.__main__ import main
from attention_zoo.text import TextPreprocessor

pytestmark = pytest.mark.once

LABELS = ("travel", "bank", "joke")
TEXTS = [
    "tell me a joke about a very long flight over the sea to rome and back again please",
    "my balance",
    "book me a flight to rome",
    "joke",
    "what is my balance at the bank and may i fly",
]
TABLE = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")


def write_graph(path, *, attention):
    """Write logits = sum of the rows of TABLE, and a map of which positions hold a token."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    table = TABLE.copy()
    table[0] = 0.0  # padding counts for nothing
    constants = [
        numpy_helper.from_array(table, "table"),
        numpy_helper.from_array(np.array([1]), "axis"),
        numpy_helper.from_array(np.array(0, "int32"), "zero"),
    ]
    nodes = [
        helper.make_node("Gather", ["table", "token_ids"], ["rows"]),
        helper.make_node("ReduceSum", ["rows", "axis"], ["output"], keepdims=0),
        helper.make_node("Greater", ["token_ids", "zero"], ["real"]),
        helper.make_node("Cast", ["real"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["numbers", "axis"], ["attention.pool"]),
    ]
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 3])]
    if attention:
        shape = ["batch", 1, "length"]
        outputs.append(helper.make_tensor_value_info("attention.pool", TensorProto.FLOAT, shape))
    inputs = [helper.make_tensor_value_info("token_ids", TensorProto.INT32, ["batch", "length"])]
    graph = helper.make_graph(nodes, "test", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, str(path))


def write_bundle(folder, *, attention=True, **changes):
    folder.mkdir(exist_ok=True)
    write_graph(folder / "model.onnx", attention=attention)
    TextPreprocessor.train(TEXTS, vocabulary_size=64, max_length=64).save(folder / "preprocessor")
    (folder / "README.md").write_text("a test")
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "bundle.json"]
    description = {
        "format": 1,
        "family": "text_classifier",
        "labels": LABELS,
        "multi_label": False,
        "thresholds": None,
        "temperature": 2.0,
        "graphs": {"onnx": "model.onnx"},
        "inputs": [],
        "outputs": [],
        "files": {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths},
    }
    (folder / "bundle.json").write_text(json.dumps({**description, **changes}))
    return folder


@pytest.fixture
def folder(tmp_path):
    return write_bundle(tmp_path / "bundle")


def expected_scores(folder, text):
    ids = TextPreprocessor.load(folder / "preprocessor")([text])["token_ids"][0]
    powers = np.exp(TABLE[ids[ids > 0]].sum(axis=0).astype("float64") / 2.0)
    return powers / powers.sum()


@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_answers_come_in_the_order_of_the_texts_whatever_the_batch(folder, batch_size):
    runner = runtime.load(folder, threads=1)
    answers = runner.predict(TEXTS, all_scores=True, batch_size=batch_size)
    for text, answer in zip(TEXTS, answers, strict=True):
        wanted = expected_scores(folder, text)
        assert answer.label == LABELS[int(wanted.argmax())]
        np.testing.assert_allclose([answer.scores[label] for label in LABELS], wanted, atol=1e-6)


def test_like_lengths_are_run_together(folder, monkeypatch):
    runner, shapes = runtime.load(folder), []
    run = runner.run
    monkeypatch.setattr(runner, "run", lambda ids, names: shapes.append(ids["token_ids"].shape) or run(ids, names))
    runner.predict(["joke", TEXTS[0]] * 4, batch_size=4)
    assert [shape[0] for shape in shapes] == [4, 4]
    assert shapes[0][1] < shapes[1][1]


def test_several_labels_are_given_over_their_thresholds(tmp_path):
    folder = write_bundle(tmp_path / "bundle", multi_label=True, thresholds=[0.0, 1.0, 0.0])
    answer = runtime.load(folder).predict("book me a flight")[0]
    assert set(answer.labels) == {"travel", "joke"}
    assert answer.out_of_scope is None


def test_maps_lie_on_the_tokens_of_the_text(folder):
    runner = runtime.load(folder)
    weights = runner.attention(TEXTS[2])["pool"]
    tokens = runner.preprocessor.tokens(TEXTS[2])
    assert [token.text for token in tokens] == TEXTS[2].split()
    assert weights[0].sum() == len(tokens)
    assert all(weights[0, token.index] == 1 for token in tokens)


def test_a_bundle_without_maps_says_how_to_get_them(tmp_path):
    runner = runtime.load(write_bundle(tmp_path / "bundle", attention=False))
    with pytest.raises(ZooValueError, match="attention=True"):
        runner.attention("a joke")


def test_bad_texts_and_numbers_are_named(folder):
    runner = runtime.load(folder)
    for bad, kind in (([], ZooValueError), ([""], ZooValueError), ([b"\xff"], ZooValueError), ([3], ZooTypeError)):
        with pytest.raises(kind, match="text"):
            runner.predict(bad)
    with pytest.raises(ZooValueError, match="batch_size must be a whole number of at least 1, got 0"):
        runner.predict(["joke"], batch_size=0)
    with pytest.raises(ZooValueError, match="threads must be a whole number of at least 1, got 0"):
        runtime.load(folder, threads=0)


@pytest.mark.parametrize("name", ["model.onnx", "preprocessor/tokenizer.json", "preprocessor/preprocessor.json"])
def test_each_file_is_missed_and_its_damage_is_seen(folder, name):
    path = folder / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ZooFileError, match=f"SHA-256 of '.*{name}' is not the one"):
        runtime.load(folder)
    path.unlink()
    with pytest.raises(ZooFileError, match=f"'.*{name}' is missing"):
        runtime.load(folder)


def test_a_damaged_bundle_json_is_one_sentence(folder):
    path = folder / "bundle.json"
    description = json.loads(path.read_text())
    for change, sentence in (
        ({"format": 2}, "format must be 1, got 2"),
        ({"graphs": {}}, "holds no ONNX graph"),
        ({"graphs": {"onnx": "other.onnx"}}, "no checksum"),
        ({"files": []}, "'files' is missing or no table"),
        ({"files": {**description["files"], "../secret": "0"}}, "leaves the"),
        ({"files": {**description["files"], "/etc/passwd": "0"}}, "leaves the"),
    ):
        path.write_text(json.dumps({**description, **change}))
        with pytest.raises((ZooFileError, ZooValueError), match=sentence):
            runtime.load(folder)
    del description["labels"]
    path.write_text(json.dumps(description))
    with pytest.raises(ZooFileError, match="'labels' is missing"):
        runtime.load(folder)
    path.write_text("{")
    with pytest.raises(ZooFileError, match="not JSON"):
        runtime.load(folder)
    path.unlink()
    with pytest.raises(ZooFileError, match="no bundle"):
        runtime.load(folder)


def test_the_command_prints_a_json_line_for_each_text_and_one_sentence_for_a_mistake(folder, capsys):
    assert main([str(folder), *TEXTS[:2], "--all-scores"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["text"] for line in lines] == TEXTS[:2]
    assert set(lines[0]["scores"]) == set(LABELS)
    assert main([str(folder / "nowhere"), "joke"]) == 2
    told = capsys.readouterr()
    assert told.out == "" and "no bundle" in told.err and len(told.err.splitlines()) == 1


def test_it_runs_where_keras_cannot_be_imported(folder):
    program = (
        "import sys\n"
        "for name in ('keras', 'tensorflow', 'jax', 'torch', 'onnx', 'scipy'): sys.modules[name] = None\n"
        "import attention_zoo.runtime.__main__ as runtime\n"
        "sys.exit(runtime.main(sys.argv[1:]))"
    )
    root = str(Path(runtime.__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    command = [sys.executable, "-c", program, str(folder)]
    done = subprocess.run(command, input=b"joke\nmy balance\n", env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert [json.loads(line)["text"] for line in done.stdout.splitlines()] == ["joke", "my balance"]
