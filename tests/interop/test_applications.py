"""Grafts in the networks of `keras.applications`: the same answer, saved, read again, and exported."""

import keras
import numpy as np
import pytest

from attention_zoo.export import export_model
from attention_zoo.interop import graft


def pixels(size, count=2):
    return np.random.default_rng(count).random((count, size, size, 3)).astype("float32")


def test_mobilenet_with_eca_answers_as_before():
    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV3Small((32, 32, 3), weights=None, classes=5, include_preprocessing=False)
    grafted = graft(model, {"expanded_conv_[358]_add": "eca"}, trainable="new")
    np.testing.assert_allclose(grafted.predict(pixels(32), verbose=0), model.predict(pixels(32), verbose=0), atol=1e-5)
    added = grafted.count_params() - model.count_params()
    assert added == sum(int(np.prod(weight.shape)) for weight in grafted.trainable_weights)


@pytest.mark.costly
def test_resnet_with_cbam_after_each_stage_is_saved_and_exported(tmp_path):
    keras.utils.set_random_seed(0)
    model = keras.applications.ResNet50(weights=None, input_shape=(32, 32, 3), classes=5)
    grafted = graft(model, {"conv2_block3_out": "cbam", "conv3_block4_out": "cbam", "conv[45]_block[36]_out": "cbam"})
    wanted = model.predict(pixels(32), verbose=0)
    np.testing.assert_allclose(grafted.predict(pixels(32), verbose=0), wanted, atol=1e-5)
    grafted.compile("sgd", "sparse_categorical_crossentropy")
    grafted.train_on_batch(pixels(32), np.array([0, 3]))
    grafted.save(tmp_path / "resnet.keras")
    again = keras.saving.load_model(tmp_path / "resnet.keras")
    np.testing.assert_allclose(again.predict(pixels(32), verbose=0), grafted.predict(pixels(32), verbose=0), atol=1e-5)
    name = grafted.inputs[0].name
    probes = [{name: pixels(32, count)} for count in (2, 3)]
    report = export_model(grafted, tmp_path / "out", probes=probes, formats=["onnx"], attention=True)
    assert report.differences["onnx"] < 1e-4
    assert any("conv5_block3_out_graft.cbam.spatial" in output["name"] for output in report.outputs)
