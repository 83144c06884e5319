"""Backbones of keras-cv as encoders of ours; skipped where keras-cv is not installed."""

import keras
import numpy as np
import pytest

from attention_zoo.errors import ZooValueError
from attention_zoo.interop import BackboneEncoder, encode_image, graft, keras_cv_backbone, to_spec

pytest.importorskip("keras_cv", reason="keras-cv is not installed (extra 'cv')")

DENSE_NET = {"stackwise_num_repeats": [1, 1], "growth_rate": 4, "include_rescaling": False}
PIXELS = np.random.default_rng(0).random((2, 32, 32, 3)).astype("float32")


def spec(class_name="DenseNetBackbone", **config):
    return {"library": "keras_cv", "class_name": class_name, "config": {**DENSE_NET, **config}}


def viewer(backbone):
    pixels = keras.Input((32, 32, 3), name="pixels")
    pooled = keras.layers.GlobalAveragePooling2D()(encode_image(backbone, pixels))
    return keras.Model(pixels, keras.layers.Dense(3)(pooled))


def test_a_backbone_learns_and_reloads(tmp_path):
    model = viewer(spec())
    model.compile("adam", "mse")
    model.fit(PIXELS, np.zeros((2, 3)), epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict(PIXELS, verbose=0), model.predict(PIXELS, verbose=0), atol=1e-5)


def test_a_backbone_that_divides_by_255_reads_the_same_pixels():
    plain, dividing = (BackboneEncoder(spec(include_rescaling=value), "image") for value in (False, True))
    dividing.set_weights(plain.get_weights())
    one, other = (keras.ops.convert_to_numpy(encoder(PIXELS)) for encoder in (plain, dividing))
    np.testing.assert_allclose(other, one, atol=1e-5)


def test_a_backbone_is_plain_values_and_takes_a_graft():
    backbone = keras_cv_backbone(("DenseNetBackbone", DENSE_NET), seed=1)
    assert to_spec(backbone)["library"] == "keras_cv"
    assert keras_cv_backbone(to_spec(backbone)).count_params() == backbone.count_params()
    name = backbone.layers[-1].name
    grafted = graft(backbone, {name: {"name": "cbam", "ratio": 4}})
    np.testing.assert_allclose(grafted.predict(PIXELS, verbose=0), backbone.predict(PIXELS, verbose=0), atol=1e-5)


@pytest.mark.parametrize("name", ["ResNet50Backbone", "RetinaNet", "Backbone"])
def test_presets_that_would_be_downloaded_and_other_classes_are_refused(name):
    with pytest.raises(ZooValueError, match=f"backbone of keras_cv '{name}' is unknown"):
        keras_cv_backbone((name, {}))
