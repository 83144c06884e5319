"""A bundle holds all that answers need, and says what it holds."""

import dataclasses
import hashlib
import importlib
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from attention_zoo import runtime
from attention_zoo.errors import ZooFileError, ZooValueError
from attention_zoo.export import Graph, bundle
from attention_zoo.presets.card import Card
from attention_zoo.text import TextPreprocessor

MODULE = importlib.import_module("attention_zoo.export.bundle")  # the package's `bundle` is the function
TEXTS = [
    "book me a flight to rome",
    "what is my balance",
    "tell me a joke about a very long flight over the sea please",
]
LABELS = ("travel", "bank", "joke", "other")
SETTINGS = {"family": "text_classifier", "multi_label": False, "thresholds": None, "temperature": 1.5}


def make_task(model):
    preprocessor = TextPreprocessor.train(TEXTS, vocabulary_size=40)
    return SimpleNamespace(
        model=model,
        preprocessor=preprocessor,
        verb="predict",
        returns="`output`: logits, float32 [batch, 4 labels]",
        settings=lambda: {**SETTINGS, "labels": list(LABELS)},
        graphs=lambda: {"model": Graph(model, preprocessor.probes())},
        card=Card(
            name="little", family="text_classifier", data="three texts", licence="CC0", files={"a": "b"}, bytes=9
        ),
        config=SimpleNamespace(to_dict=lambda: SETTINGS),
    )


@pytest.fixture
def task(exported):
    return make_task(exported.models["classifier"])


@pytest.fixture
def ready_graphs(exported, monkeypatch):
    """Let the graphs of the session stand for a second child process."""

    def copy(graphs, folder, **options):
        report = exported.outcomes["classifier"]
        shutil.copytree(report.folder, folder)
        return dataclasses.replace(report, folder=folder)

    monkeypatch.setattr(MODULE, "export_graphs", copy)


def test_the_bundle_answers_as_the_model_without_keras_in_between(task, ready_graphs, tmp_path):
    from keras import ops

    from attention_zoo.answers import decide

    report = bundle(task, tmp_path / "out")
    assert report.folder == tmp_path / "out"
    outputs = task.model(task.preprocessor(TEXTS)["token_ids"], training=False)
    wanted = decide(ops.convert_to_numpy(outputs["output"]), LABELS, temperature=1.5)
    runner = runtime.load(tmp_path / "out")
    for answer, expected in zip(runner.predict(TEXTS), wanted, strict=True):
        assert answer.label == expected.label
        assert answer.score == pytest.approx(expected.score, abs=1e-5)
        assert answer.out_of_scope == pytest.approx(expected.out_of_scope, abs=1e-5)
    maps = runner.attention(TEXTS[1])
    ids = task.preprocessor(TEXTS[1:2])["token_ids"]
    scores = ops.convert_to_numpy(task.model(ids, training=False)["attention.encoder_1.attention"])
    np.testing.assert_allclose(maps["encoder_1.attention"], scores[0], atol=1e-5)


def test_every_file_has_its_checksum_and_the_card_forgets_those_of_the_preset(task, ready_graphs, tmp_path):
    bundle(task, tmp_path)
    description = json.loads((tmp_path / "bundle.json").read_text())
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert set(description["files"]) == files - {"bundle.json"}
    for name, digest in description["files"].items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
    assert description["graphs"] == {"onnx": "model.onnx", "savedmodel": "savedmodel"}
    assert [entry["name"] for entry in description["outputs"]] == ["attention.encoder_1.attention", "output"]
    card = Card.from_folder(tmp_path)
    assert (card.name, card.licence, card.files, card.bytes) == ("little", "CC0", {}, 0)
    assert "[batch, 4 labels]" in (tmp_path / "README.md").read_text()


def test_an_earlier_bundle_is_replaced_only_when_asked(task, ready_graphs, tmp_path):
    bundle(task, tmp_path / "out")
    (tmp_path / "out" / "README.md").write_text("old")
    with pytest.raises(ZooFileError, match="pass overwrite=True"):
        bundle(task, tmp_path / "out")
    bundle(task, tmp_path / "out", overwrite=True)
    assert (tmp_path / "out" / "README.md").read_text() != "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_a_failed_export_leaves_the_earlier_bundle_as_it_was(task, ready_graphs, tmp_path, monkeypatch):
    bundle(task, tmp_path / "out")
    before = (tmp_path / "out" / "bundle.json").read_bytes()

    def differ(graphs, folder, **options):
        raise ZooValueError("'output' of the ONNX graph differs")

    monkeypatch.setattr(MODULE, "export_graphs", differ)
    with pytest.raises(ZooValueError, match="differs"):
        bundle(task, tmp_path / "out", overwrite=True)
    assert (tmp_path / "out" / "bundle.json").read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_a_format_that_no_graph_has_is_refused(task, ready_graphs, tmp_path):
    graph = dataclasses.replace(task.graphs()["model"], formats=("onnx",))
    task.graphs = lambda: {"model": graph}
    with pytest.raises(ZooValueError, match="no graph of a text_classifier is written as savedmodel"):
        bundle(task, tmp_path / "out", formats=["savedmodel"])
    with pytest.raises(ZooValueError, match="'onx' is unknown"):
        bundle(task, tmp_path / "out", formats=["onx"])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("layout", ["flat", "sentences"])
def test_text_probes_differ_in_every_axis_and_hold_padding(layout):
    preprocessor = TextPreprocessor.train(TEXTS, vocabulary_size=40, layout=layout, max_length=10)
    short, whole = (probe["token_ids"] for probe in preprocessor.probes())
    assert all(small != large for small, large in zip(short.shape, whole.shape, strict=True))
    assert whole.shape[-1] <= 10
    for ids in (short, whole):
        assert ids.dtype == np.int32
        assert (ids[0] > 0).all() and ids[-1].flat[0] > 0 and ids[-1].flat[-1] == 0
        assert ids.max() < preprocessor.vocabulary_size


def test_a_preprocessor_of_one_token_has_no_second_length():
    preprocessor = TextPreprocessor.train(TEXTS, vocabulary_size=40, max_length=1)
    with pytest.raises(ZooValueError, match="at least 2 tokens"):
        preprocessor.probes()


@pytest.mark.costly
def test_a_task_is_bundled_from_one_end_to_the_other(tmp_path):
    import keras

    tokens = keras.Input((None,), dtype="int32", name="token_ids")
    pooled = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(50, 8, mask_zero=True)(tokens))
    report = bundle(make_task(keras.Model(tokens, keras.layers.Dense(4)(pooled))), tmp_path / "out")
    assert max(report.differences.values()) <= 1e-5
    assert runtime.load(tmp_path / "out").predict(TEXTS[0])[0].label in LABELS
