"""Backbones of keras-hub as encoders of ours; skipped where keras-hub is not installed."""

import json

import keras
import numpy as np
import pytest

import attention_zoo as az
from attention_zoo.errors import ZooFileError, ZooTypeError, ZooValueError
from attention_zoo.interop import BackboneEncoder, encode_image, encode_text, graft, keras_hub_backbone, to_spec

hub = pytest.importorskip("keras_hub", reason="keras-hub is not installed (extra 'hub')")

SIZES = {"vocabulary_size": 40, "num_layers": 1, "num_heads": 2, "hidden_dim": 16, "intermediate_dim": 32}
BERT = ("BertBackbone", {**SIZES, "max_sequence_length": 32})
ELECTRA = ("ElectraBackbone", {**SIZES, "vocab_size": 40, "embedding_dim": 8, "max_sequence_length": 32})
del ELECTRA[1]["vocabulary_size"]
TEXTS = {
    "BertBackbone": BERT[1],
    "RobertaBackbone": BERT[1],
    "DebertaV3Backbone": BERT[1],
    "GPT2Backbone": BERT[1],
    "ElectraBackbone": ELECTRA[1],
}
VIT = (
    "ViTBackbone",
    {"image_shape": (16, 16, 3), "patch_size": 8, "num_layers": 1, "num_heads": 2, "hidden_dim": 16, "mlp_dim": 32},
)
MIT = (  # leaves names of layers within layers to Keras
    "MiTBackbone",
    {
        "layerwise_depths": [1, 1], "image_shape": (32, 32, 3), "hidden_dims": [8, 16], "num_layers": 2,
        "layerwise_num_heads": [1, 1], "layerwise_sr_ratios": [2, 1], "max_drop_path_rate": 0.1,
        "layerwise_patch_sizes": [7, 3], "layerwise_strides": [4, 2],
    },
)  # fmt: skip
VGG = ("VGGBackbone", {"stackwise_num_repeats": [1, 1], "stackwise_num_filters": [8, 16]})
TOKENS = np.array([[5, 6, 7, 0, 0], [8, 9, 0, 0, 0]], "int32")


def pixels(size, count=2):
    return np.random.default_rng(count).random((count, size, size, 3)).astype("float32")


def reader(backbone):
    """A classifier of texts: the backbone, our pooling on top."""
    tokens = keras.Input((None,), dtype="int32", name="token_ids")
    mask = az.blocks.PaddingMask(name="mask")(tokens)
    read = encode_text(backbone, tokens, mask)
    pooled = az.layers.get("attention_pooling", name="pooling")(read, mask=mask)
    return keras.Model(tokens, keras.layers.Dense(3, name="logits")(pooled))


def viewer(backbone, size):
    pixels = keras.Input((size, size, 3), name="pixels")
    read = encode_image(backbone, pixels)
    if len(read.shape) == 4:
        read = keras.layers.Reshape((-1, read.shape[-1]), name="tokens")(read)
    pooled = az.layers.get("attention_pooling", name="pooling")(read)
    return keras.Model(pixels, keras.layers.Dense(3, name="logits")(pooled))


def learn_and_reload(model, inputs, tmp_path):
    before = model.get_layer("backbone").get_weights()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(inputs, np.array([0, 2]), epochs=2, verbose=0)
    assert sum(not np.array_equal(old, new) for old, new in zip(before, model.get_layer("backbone").get_weights())) > 3
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict(inputs, verbose=0), model.predict(inputs, verbose=0), atol=1e-5)
    assert [weight.path for weight in again.weights] == [weight.path for weight in model.weights]


@pytest.mark.parametrize("name", TEXTS)
def test_padding_changes_nothing_of_a_text(name):
    model = reader((name, TEXTS[name]))
    longer = np.pad(TOKENS, ((0, 0), (0, 4)))
    np.testing.assert_allclose(model.predict(longer, verbose=0), model.predict(TOKENS, verbose=0), atol=1e-5)


def test_a_text_backbone_learns_is_captured_and_reloads(tmp_path):
    model = reader(BERT)
    learn_and_reload(model, TOKENS, tmp_path)
    maps = az.capture(model).predict(TOKENS, verbose=0)
    map_ = maps["attention.pooling"]
    assert map_.shape[-1] == 5 and np.allclose(map_.sum(-1), 1, atol=1e-5) and np.all(map_[0, ..., 3:] == 0)


@pytest.mark.parametrize(("backbone", "size"), [(VIT, 16), (MIT, 32)], ids=["vit", "mit"])
def test_an_image_backbone_learns_and_reloads(backbone, size, tmp_path):
    learn_and_reload(viewer(backbone, size), pixels(size), tmp_path)


def test_paths_of_weights_do_not_depend_on_what_was_built_before():
    first, second = (BackboneEncoder(MIT, "image", name="backbone") for _ in range(2))
    assert [weight.path for weight in first.weights] == [weight.path for weight in second.weights]
    assert all(weight.path.startswith("backbone/") for weight in first.weights)
    ours = [keras.layers.Dense(1).name for _ in range(2)]
    assert len(set(ours)) == 2


def test_a_backbone_is_plain_values_and_the_same_again():
    backbone = hub.models.ViTBackbone(**VIT[1])
    spec = json.loads(json.dumps(to_spec(backbone)))
    again = keras_hub_backbone(spec)
    again.set_weights(backbone.get_weights())
    np.testing.assert_allclose(again.predict(pixels(16), verbose=0), backbone.predict(pixels(16), verbose=0), atol=1e-6)


def test_weights_of_a_backbone_and_of_a_preset_are_taken_over(tmp_path):
    backbone = keras_hub_backbone(BERT, seed=5)
    backbone.save_to_preset(str(tmp_path / "preset"))
    for given in (backbone, tmp_path / "preset", str(tmp_path / "preset")):
        encoder = BackboneEncoder(given)
        assert all(
            np.array_equal(old, new) for old, new in zip(backbone.get_weights(), encoder.get_weights(), strict=True)
        )
        assert all(weight is not other for weight, other in zip(encoder.weights, backbone.weights))
    assert (encoder.width, encoder.vocabulary_size, encoder.max_length) == (16, 40, 32)
    (tmp_path / "preset" / "model.weights.h5").write_bytes(b"no weights")
    with pytest.raises(ZooFileError, match="does not fit config"):
        BackboneEncoder(tmp_path / "preset")
    (tmp_path / "preset" / "model.weights.h5").unlink()
    with pytest.raises(ZooFileError, match="has no weights"):
        keras_hub_backbone(tmp_path / "preset")


def test_a_seed_gives_the_same_weights():
    first, second, third = (keras_hub_backbone(BERT, seed=seed).get_weights()[0] for seed in (1, 1, 2))
    assert np.array_equal(first, second) and not np.array_equal(first, third)


@pytest.mark.parametrize("name", ["Backbone", "os.system", "Bert", "BertTextClassifier", "FeaturePyramidBackbone"])
def test_only_backbones_are_made_of_a_name(name):
    with pytest.raises(ZooValueError, match=f"backbone of keras_hub '{name}' is unknown"):
        keras_hub_backbone((name, {}))


def test_what_does_not_fit_is_said_in_one_sentence():
    with pytest.raises(ZooValueError, match=r"BertBackbone cannot be built from its config: .*vocabulary_size"):
        keras_hub_backbone(("BertBackbone", {}))
    with pytest.raises(ZooValueError, match="ViTBackbone does not read text alone"):
        BackboneEncoder(VIT)
    with pytest.raises(ZooValueError, match="BertBackbone does not read image alone: its inputs are"):
        BackboneEncoder(BERT, "image")
    fnet = {name: size for name, size in BERT[1].items() if name != "num_heads"}
    for name, sizes in {"FNetBackbone": fnet, "RoformerV2Backbone": {**SIZES, "head_size": 8}}.items():
        with pytest.raises(ZooValueError, match=f"{name} takes no padding_mask"):
            BackboneEncoder((name, sizes))
    with pytest.raises(ZooValueError, match=r"reads images of \[16, 16, 3\] .* got \[8, 16, 3\]"):
        encode_image(VIT, keras.Input((8, 16, 3)))
    with pytest.raises(ZooValueError, match="kind of input 'sound' is unknown"):
        BackboneEncoder(VIT, "sound")
    with pytest.raises(ZooTypeError, match="backbone must be one of keras-hub"):
        BackboneEncoder(keras.Sequential())


def test_half_precision_reaches_the_backbone():
    encoder = BackboneEncoder(VIT, "image", dtype="mixed_bfloat16")
    assert all(layer.compute_dtype == "bfloat16" for layer in encoder.backbone.layers if layer.weights)


def test_a_backbone_of_keras_hub_takes_a_graft(tmp_path):
    backbone = keras_hub_backbone(VGG, seed=1)
    grafted = graft(backbone, {"block?_pool": {"name": "cbam", "ratio": 4}})
    np.testing.assert_allclose(
        grafted.predict(pixels(16), verbose=0), backbone.predict(pixels(16), verbose=0), atol=1e-5
    )
    grafted.save(tmp_path / "grafted.keras")
    again = keras.saving.load_model(tmp_path / "grafted.keras")
    np.testing.assert_allclose(again.predict(pixels(16), verbose=0), grafted.predict(pixels(16), verbose=0), atol=1e-5)


def test_a_layer_that_keras_hub_itself_cannot_read_back_is_named():
    with pytest.raises(ZooValueError, match=r"'vit_patching_and_embedding' .* cannot be copied: Unrecognized keyword"):
        graft(keras_hub_backbone(VIT), {"vit_encoder": "self_attention"})


@pytest.mark.costly
def test_a_text_backbone_and_our_pooling_are_exported(tmp_path):
    from attention_zoo.export import export_model

    model = reader(BERT)
    probes = [{"token_ids": TOKENS}, {"token_ids": np.ones((3, 7), "int32")}]
    report = export_model(model, tmp_path / "out", probes=probes, attention=True)
    assert max(report.differences.values()) < 1e-4
    assert {output["name"] for output in report.outputs} == {"output", "attention.pooling"}
