"""A backbone of keras-hub as the encoder of our classifiers."""

import json

import numpy as np
import pytest
from families import clothes, intents

import attention_zoo as az
from attention_zoo.errors import ZooError
from attention_zoo.models.image_classifier import ImageClassifierConfig
from attention_zoo.models.text_classifier import TextClassifierConfig

BERT = (
    "BertBackbone",
    {
        "vocabulary_size": 400, "num_layers": 1, "num_heads": 2, "hidden_dim": 16, "intermediate_dim": 32,
        "max_sequence_length": 16, "dropout": 0.0,
    },
)  # fmt: skip
RESNET = (
    "ResNetBackbone",
    {
        "input_conv_filters": [64], "input_conv_kernel_sizes": [3], "stackwise_num_filters": [64],
        "stackwise_num_blocks": [1], "stackwise_num_strides": [1], "block_type": "basic_block",
        "image_shape": [14, 14, 1],
    },
)  # fmt: skip
TEXT = {"vocabulary_size": 400, "max_length": 16, "head_dropout": 0.0}
IMAGE = {"height": 14, "width": 14, "channels": 1, "head_dropout": 0.0}


@pytest.mark.parametrize(
    ("make", "values", "sentence"),
    [
        (TextClassifierConfig, {"network": "backbone"}, "backbone must be given for network 'backbone'"),
        (TextClassifierConfig, {"backbone": {}}, "is for network 'backbone'"),
        (ImageClassifierConfig, {"network": "backbone", "backbone": {"library": "os"}}, "'os'"),
        (
            ImageClassifierConfig,
            {
                "network": "backbone",
                "backbone": {"library": "keras_hub", "class_name": "X", "config": {}},
                "widths": (4,),
            },
            "widths must be left out",
        ),
    ],
)
@pytest.mark.once
def test_a_backbone_that_does_not_fit_is_refused(make, values, sentence):
    with pytest.raises(ZooError, match=sentence):
        make.of(**values)


@pytest.mark.parametrize(
    ("kind", "backbone", "options", "examples"),
    [(az.TextClassifier, BERT, TEXT, intents), (az.ImageClassifier, RESNET, IMAGE, clothes)],
    ids=["text", "image"],
)
def test_a_backbone_is_trained_watched_saved_and_loaded(kind, backbone, options, examples, tmp_path):
    pytest.importorskip("keras_hub")
    task = kind.new(backbone=backbone, **options)
    inputs, labels = examples()
    history = task.fit((inputs, labels), epochs=4, batch_size=16, learning_rate=3e-3, progress=False)
    assert history["loss"][-1] < history["loss"][0]
    found = task.explain(inputs[0])
    assert "pooling" in found.attention
    folder = task.save(tmp_path / "mine")
    kept = json.loads((folder / "config.json").read_text())["network"]
    assert kept["backbone"]["class_name"] == backbone[0]
    np.testing.assert_allclose(az.load(folder).logits(inputs[:4]), task.logits(inputs[:4]), atol=1e-5)


def test_the_weights_of_a_backbone_are_taken_over():
    keras_hub = pytest.importorskip("keras_hub")
    backbone = keras_hub.models.ResNetBackbone(**RESNET[1])
    task = az.ImageClassifier.new(["a", "b"], backbone=backbone, **IMAGE)
    for one, other in zip(task.model.get_layer("backbone").get_weights(), backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_backbone_with_too_small_a_vocabulary_is_refused():
    pytest.importorskip("keras_hub")
    task = az.TextClassifier.new(backbone=BERT, **{**TEXT, "max_length": 32})
    inputs, labels = intents()
    with pytest.raises(ZooError, match="max_length must be at most 16"):
        task.fit((inputs, labels), epochs=1, progress=False)


@pytest.mark.costly
def test_a_model_on_a_backbone_is_exported(tmp_path):
    pytest.importorskip("keras_hub")
    task = az.ImageClassifier.new(["a", "b"], backbone=RESNET, **IMAGE)
    report = task.export(tmp_path / "out", format="onnx", attention=True)
    assert max(report.differences.values()) < 1e-4
