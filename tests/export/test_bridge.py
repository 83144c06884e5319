"""A model leaves Keras whole, checked, from any backend, or not at all."""

import subprocess

import numpy as np
import pytest

from attention_zoo.errors import ZooFileError, ZooImportError, ZooTypeError, ZooValueError
from attention_zoo.export import ExportRequest, Report, bridge, export_many, export_model
from attention_zoo.export.verify import run_onnx

GOOD = ("classifier", "operations", "two_inputs", "watched")


@pytest.mark.parametrize("name", GOOD)
def test_both_graphs_answer_as_the_model_does(exported, name):
    report = exported.outcomes[name]
    assert isinstance(report, Report), report
    assert set(report.differences) == {"savedmodel", "onnx"}
    assert max(report.differences.values()) <= 1e-5
    assert sorted(entry.name for entry in report.folder.iterdir()) == ["model.onnx", "savedmodel"]


def test_onnx_answers_a_batch_and_a_length_that_it_was_never_shown(exported):
    ids = np.random.default_rng(5).integers(1, 50, (5, 31)).astype("int32")
    ids[2, 4:] = 0
    wanted = exported.models["classifier"](ids, training=False)
    got = run_onnx(exported.folder / "classifier" / "model.onnx", [{"token_ids": ids}])[0]
    from keras import ops

    for name, value in wanted.items():
        np.testing.assert_allclose(got[name], ops.convert_to_numpy(value), atol=1e-5)


def test_outputs_keep_their_names_and_order_in_the_report_and_in_the_graph(exported):
    report = exported.outcomes["classifier"]
    names = [entry["name"] for entry in report.outputs]
    assert names == ["attention.encoder_1.attention", "output"]
    assert report.inputs == ({"name": "token_ids", "shape": [None, None], "dtype": "int32"},)
    probe = exported.probes["classifier"][0]
    assert list(run_onnx(report.folder / "model.onnx", [probe])[0]) == names
    pair = exported.outcomes["two_inputs"]
    assert [entry["name"] for entry in pair.outputs] == ["output_0", "output_1"]
    assert [entry["name"] for entry in pair.inputs] == ["left", "right_side"]


def test_maps_leave_as_named_outputs_of_a_model_that_returns_none(exported):
    report = exported.outcomes["watched"]
    assert [entry["name"] for entry in report.outputs] == ["attention.mixing", "attention.pooling", "output"]
    probe = exported.probes["watched"][1]
    weights = run_onnx(report.folder / "model.onnx", [probe])[0]["attention.mixing"]
    assert weights.shape == (3, 2, 13, 13)
    np.testing.assert_allclose(weights[:2].sum(axis=-1), 1.0, atol=1e-5)
    assert np.abs(weights[2, :, :, -3:]).max() < 1e-6  # padding gets nothing


def test_half_precision_leaves_as_float32(exported):
    assert {entry["dtype"] for entry in exported.outcomes["two_inputs"].outputs} == {"float32"}


def test_a_model_that_reloads_as_another_is_refused_with_the_worst_number(exported):
    error = exported.outcomes["forgetful"]
    assert isinstance(error, ZooValueError)
    assert "'output' of the SavedModel graph differs from the model at [" in str(error)
    assert "difference 0.25, allowed 0.0001" in str(error)
    assert not (exported.folder / "forgetful").exists()


def test_a_lambda_layer_is_refused_with_what_to_do_instead(exported):
    assert "Lambda layer" in str(exported.outcomes["lambda"])
    assert not (exported.folder / "lambda").exists()


def test_a_class_that_cannot_be_found_is_named_with_what_to_do(exported):
    assert "'Hidden', which the export cannot find: register it" in str(exported.outcomes["hidden"])
    assert not (exported.folder / "hidden").exists()


def test_nothing_but_the_exports_is_left_beside_them(exported):
    assert sorted(entry.name for entry in exported.folder.iterdir()) == sorted(GOOD)


@pytest.fixture
def small():
    import keras

    tokens = keras.Input((None,), dtype="int32", name="token_ids")
    return keras.Model(tokens, keras.layers.Embedding(50, 3)(tokens))


@pytest.fixture
def ids():
    return [{"token_ids": np.ones(shape, "int32")} for shape in ((1, 2), (2, 3))]


@pytest.fixture
def no_child(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("the child must not be started")

    monkeypatch.setattr(subprocess, "run", refuse)


@pytest.mark.parametrize(
    ("shapes", "sentence"),
    [
        (((2, 3),), "at least two"),
        (((2, 3), (2, 5)), "differ in batch"),
        (((1, 3), (2, 3)), "differ in axis 1"),
        (((1, 3, 1), (2, 4, 1)), "must have 2 axes"),
    ],
)
def test_probes_that_would_miss_a_baked_in_size_are_refused(small, tmp_path, no_child, shapes, sentence):
    probes = [{"token_ids": np.ones(shape, "int32")} for shape in shapes]
    with pytest.raises(ZooValueError, match=sentence):
        export_model(small, tmp_path / "out", probes=probes)
    assert not (tmp_path / "out").exists()


def test_probes_under_another_name_are_refused(small, tmp_path, no_child):
    probes = [{"words": np.ones(shape, "int32")} for shape in ((1, 2), (2, 3))]
    with pytest.raises(ZooValueError, match=r"\['token_ids'\], got \['words'\]"):
        export_model(small, tmp_path / "out", probes=probes)


def test_wrong_arguments_are_named(small, ids, tmp_path, no_child):
    with pytest.raises(ZooValueError, match="'onx' is unknown; the nearest names are 'onnx'"):
        export_model(small, tmp_path / "out", probes=ids, formats=["onx"])
    with pytest.raises(ZooTypeError, match=r"model must be a keras\.Model, got str"):
        export_model("clinc150", tmp_path / "out", probes=ids)
    with pytest.raises(ZooTypeError, match="formats must be a list"):
        export_model(small, tmp_path / "out", probes=ids, formats="onnx")
    with pytest.raises(ZooValueError, match="tolerance must be above 0"):
        export_model(small, tmp_path / "out", probes=ids, tolerance=0)
    with pytest.raises(ZooValueError, match="folder of its own"):
        export_many([ExportRequest(small, tmp_path / "out", ids)] * 2)


def test_a_missing_package_names_the_pip_command(small, ids, tmp_path, no_child, monkeypatch):
    monkeypatch.setattr(bridge.importlib.util, "find_spec", lambda name: None if name == "tf2onnx" else name)
    with pytest.raises(ZooImportError, match=r"needs tf2onnx.*pip install 'attention-zoo\[export\]'"):
        export_model(small, tmp_path / "out", probes=ids)


def test_a_folder_that_holds_something_is_left_alone(small, ids, tmp_path, no_child):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ZooFileError, match="not empty"):
        export_model(small, tmp_path, probes=ids)
    with pytest.raises(ZooFileError, match=r"holds 'thesis\.txt'"):
        export_model(small, tmp_path, probes=ids, overwrite=True)
    with pytest.raises(ZooFileError, match="got a file"):
        export_model(small, tmp_path / "thesis.txt", probes=ids)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_class_of_the_running_script_is_refused(small, ids, tmp_path, no_child, own_layers, monkeypatch):
    import keras

    monkeypatch.setattr(own_layers.Forgetful, "__module__", "__main__")
    model = keras.Model(small.inputs, own_layers.Forgetful()(small.outputs[0]))
    with pytest.raises(ZooValueError, match="Forgetful is defined in the script or notebook"):
        export_model(model, tmp_path / "out", probes=ids)


def test_a_child_that_dies_or_hangs_is_told_with_its_last_lines(small, ids, tmp_path, monkeypatch):
    def die(command, stdout, **options):
        stdout.write(b"loading\nout of memory\n")

    monkeypatch.setattr(subprocess, "run", die)
    with pytest.raises(ZooValueError, match=r"ended before its work was done.*loading \| out of memory"):
        export_model(small, tmp_path / "out", probes=ids)

    def hang(command, timeout, **options):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(ZooValueError, match=r"stopped after 3 seconds \(timeout\)"):
        export_model(small, tmp_path / "out", probes=ids, timeout=3)
    assert not (tmp_path / "out").exists()
