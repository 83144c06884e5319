"""The networks of the image classifier: any attention, three precisions, watched, saved, exported."""

import keras
import numpy as np
import pytest

from attention_zoo import layers
from attention_zoo.calibrate import capture
from attention_zoo.errors import ZooError, ZooFileError, ZooTypeError, ZooValueError
from attention_zoo.export import ExportRequest, Report, export_many
from attention_zoo.models.image_classifier.config import NETWORKS, ImageClassifierConfig
from attention_zoo.models.image_classifier.network import ENCODERS, build_network
from attention_zoo.training import precision

LABELS = ("bag", "boot", "coat")
PIXELS = np.random.default_rng(0).uniform(size=(3, 12, 10, 3)).astype("float32")
# One small network of each kind: an odd map in it, and a gate beside the attention in the last.
SMALL = {
    "resnet": {"widths": (8, 16), "depths": (1, 2), "strides": (1, 2)},
    "vit": {"widths": (16,), "depths": (2,), "heads": 2, "patch": 2},
    "swin": {"widths": (8, 16), "depths": (2, 2), "strides": (1, 2), "heads": (1, 2), "window": 2},
    "hybrid": {
        "blocks": ("fused", "inverted", "attention"),
        "widths": (8, 8, 16),
        "depths": (1, 2, 2),
        "strides": (2, 1, 2),
        "gate": "squeeze_excite",
        "heads": 2,
        "expansion": 2,
    },
}


def config(network="resnet", **changes):
    """Describe a small network."""
    own = {"labels": LABELS, "height": 12, "width": 10, **SMALL.get(network, {})}
    return ImageClassifierConfig(network=network, **{**own, **changes})


def numbers(value):
    """Bring a tensor to NumPy."""
    return np.asarray(keras.ops.convert_to_numpy(value), "float32")


def answer(model, pixels=PIXELS):
    """Predict, and check that the numbers are some."""
    logits = np.asarray(model.predict_on_batch(pixels))
    assert logits.shape == (len(pixels), len(LABELS)) and np.isfinite(logits).all()
    return logits


def test_every_network_has_defaults_and_an_encoder():
    # What "backbone" runs is another library's: see test_backbones.py.
    assert set(NETWORKS) == set(ENCODERS) == {*SMALL, "backbone"}
    for name in SMALL:
        model = build_network(ImageClassifierConfig(network=name, labels=LABELS))
        assert model.input.name == "pixels" and tuple(model.input.shape) == (None, 32, 32, 3)
        assert tuple(model.output.shape) == (None, 3)


@pytest.mark.parametrize("network", SMALL)
def test_a_network_takes_any_batch_and_has_the_same_paths_whenever_it_is_built(network):
    first, second = build_network(config(network)), build_network(config(network))
    assert [weight.path for weight in first.weights] == [weight.path for weight in second.weights]
    assert len({weight.path for weight in first.weights}) == len(first.weights)
    assert not [
        layer.name for layer in first.layers if layer.name.rsplit("_", 1)[0] in ("conv2d", "reshape", "dropout")
    ]
    both = answer(first)
    np.testing.assert_allclose(answer(first, PIXELS[:1]), both[:1], atol=1e-5)


@pytest.mark.parametrize(
    ("network", "policy"),
    [(network, "mixed_float16") for network in SMALL] + [("hybrid", "mixed_bfloat16"), ("resnet", "bfloat16")],
)
def test_logits_are_float32_under_any_policy(network, policy):
    exact = build_network(config(network))
    with precision(policy):
        model = build_network(config(network))
    for weight, other in zip(model.weights, exact.weights):
        weight.assign(numbers(other.value))
    assert model.output.dtype == "float32"
    assert any(
        layer.compute_dtype == model.get_layer("standardize").compute_dtype != "float32" for layer in model.layers
    )
    assert np.abs(answer(model) - answer(exact)).max() < 0.2


@pytest.mark.parametrize("network", SMALL)
def test_a_network_is_saved_and_read_back(network, tmp_path):
    model = build_network(config(network))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(answer(again), answer(model), atol=1e-6)
    assert [weight.path for weight in again.weights] == [weight.path for weight in model.weights]


@pytest.mark.parametrize(
    ("network", "sites"),
    [
        ("resnet", {"stage_1_block_1.attention": (3, 1, 1, 8), "pooling": (3, 1, 30)}),
        ("vit", {"stage_1_block_2.attention": (3, 2, 30, 30), "pooling": (3, 1, 30)}),
        ("swin", {"stage_1_block_2.attention": (27, 1, 4, 4), "stage_2_block_1.attention": (12, 2, 4, 4)}),
        ("hybrid", {"stage_2_block_2.attention": (3, 1, 1, 16), "stage_3_block_1.attention": (3, 2, 9, 9)}),
    ],
)
def test_capture_returns_the_maps_of_gates_and_of_mixing(network, sites):
    model = build_network(config(network))
    found = capture(model).predict_on_batch(PIXELS)
    np.testing.assert_allclose(found.pop("output"), answer(model), atol=1e-5)
    for site, shape in sites.items():
        weights = np.asarray(found[f"attention.{site}"])
        assert weights.shape == shape, site
        assert weights.min() >= 0 and weights.max() <= 1


@pytest.mark.once
def test_every_network_leaves_as_savedmodel_and_onnx(tmp_path):
    probes = [{"pixels": PIXELS[:2]}, {"pixels": PIXELS}]
    models = {name: build_network(config(name)) for name in SMALL}
    models["token"] = build_network(config("vit", pooling="class_token", position="rotary_2d"))
    models["norms"] = build_network(
        config(norm="group", stem="large", order="post", blocks="bottleneck", widths=(32, 32))
    )
    models["near"] = build_network(config("hybrid", blocks=("convnext", "convnext", "attention"), stem="convolutions"))
    requests = [ExportRequest(model, tmp_path / name, probes, attention=True) for name, model in models.items()]
    for name, outcome in zip(models, export_many(requests)):
        assert isinstance(outcome, Report), (name, outcome)
        assert max(outcome.differences.values()) <= 1e-5, (name, outcome.differences)


@pytest.mark.once
@pytest.mark.parametrize("attention", layers.names(role="image"))
def test_every_attention_of_images_stands_in_a_residual_block(attention):
    small = {"height": 8, "width": 8, "widths": (16,), "depths": (1,), "strides": (1,), "heads": 2, "pooling": "mean"}
    model = build_network(config(attention=attention, **small))
    block = model.get_layer("stage_1_block_1")
    row = layers.info(attention)
    assert type(block.attending) is row.layer and config(attention=attention).attention_name == attention
    answer(model, PIXELS[:2, :8, :8])


@pytest.mark.parametrize("attention", ["rotary_2d", "relative_table", "axial", "linformer", "differential"])
def test_attention_of_sequences_stands_in_a_vit(attention):
    model = build_network(config("vit", attention=attention, pooling="class_token"))
    assert isinstance(model.get_layer("stage_1_block_1").attending, layers.info(attention).layer)
    before = answer(model)
    turned = answer(model, PIXELS[:, ::-1])
    assert np.abs(before - turned).max() > 1e-4


def test_attentions_take_turns_on_the_map_and_on_its_tokens():
    model = build_network(config("swin", attention=["swin_window", "multi_head"]))
    kinds = [type(model.get_layer(f"stage_1_block_{number}")).__name__ for number in (1, 2)]
    assert kinds == ["ImageEncoderBlock", "EncoderBlock"]
    model = build_network(config("swin"))
    shifts = [model.get_layer(f"stage_1_block_{number}").attending.moves for number in (1, 2)]
    assert shifts == [(0, 0), (1, 1)]
    answer(model)


def test_gates_stand_in_the_stages_that_are_told():
    model = build_network(config(gate_stages=(2,), attention=["eca", "simam"]))
    names = [model.get_layer(name).attending for name in ("stage_1_block_1", "stage_2_block_1", "stage_2_block_2")]
    assert names[0] is None and [type(layer).__name__ for layer in names[1:]] == ["EfficientChannel", "SimAM"]
    plain = build_network(config(attention="none", pooling="mean"))
    assert config(attention="none", pooling="mean").attention_name == "none"
    assert plain.get_layer("stage_2_block_1").attending is None


@pytest.mark.once
@pytest.mark.parametrize("stem", ["small", "large", "patch", "convolutions"])
@pytest.mark.parametrize("order", ["pre", "post"])
def test_every_stem_meets_every_order(stem, order):
    for network in ("resnet", "hybrid"):
        answer(build_network(config(network, stem=stem, order=order, patch=2, pooling="max", hidden=4)))


@pytest.mark.parametrize("position", ["sinusoidal_2d", "learned", "convolution", "rotary_2d"])
def test_a_network_tells_places_by_its_position_alone(position):
    """Mean pooling of patches that attend without positions does not see in which order they lie."""
    shuffled = PIXELS.reshape(3, 6, 2, 5, 2, 3)[:, ::-1, :, ::-1].reshape(PIXELS.shape)
    for kind, sees in ((position, True), ("none", False)):
        model = build_network(config("vit", position=kind, pooling="mean"))
        assert (np.abs(answer(model) - answer(model, shuffled)).max() > 1e-4) == sees


@pytest.mark.once
@pytest.mark.parametrize("pooling", layers.names(role="pool"))
def test_every_pooling_sums_the_map_up(pooling):
    answer(build_network(config(pooling=pooling)))


def test_a_network_learns_to_tell_bright_from_dark():
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    truth = random.integers(0, 3, 96)
    pixels = (random.uniform(size=(96, 12, 10, 3)) * 0.3 + truth[:, None, None, None] * 0.3).astype("float32")
    model = build_network(config("hybrid", head_dropout=0.0, stochastic_depth=0.05, dropout=0.05))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(5e-3), loss, metrics=["accuracy"])
    model.fit(pixels, truth, batch_size=16, epochs=6, verbose=0)
    assert model.evaluate(pixels, truth, verbose=0)[1] > 0.9


@pytest.mark.once
def test_a_config_goes_through_json_and_holds_the_numbers_of_its_network():
    given = config("hybrid", mean=[0.1, 0.2, 0.3], attention=[{"name": "multi_head", "use_gate": True}, "rotary_2d"])
    again = ImageClassifierConfig.from_dict(given.to_dict())
    assert again == given and again.turns == ({"name": "multi_head", "use_gate": True}, "rotary_2d")
    assert ImageClassifierConfig(network="swin").attention == ("swin_window", "swin_shifted_window")
    assert ImageClassifierConfig(network="vit", depths=[2]).depths == (2,)
    assert ImageClassifierConfig(network="vit").stage_heads == (4,)
    with pytest.raises(ZooFileError, match="is damaged"):
        ImageClassifierConfig.from_dict({**given.to_dict(), "network": {"depths": [0]}})


@pytest.mark.once
@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"network": "resnett"}, ZooValueError, "'resnet'"),
        ({"blocks": "basik"}, ZooValueError, "'basic'"),
        ({"stem": "big"}, ZooValueError, "stem 'big' is unknown"),
        ({"depths": (1, 2, 3)}, ZooValueError, "depths must be one entry a stage, 2 as in widths, got 3"),
        ({"depths": 3}, ZooTypeError, "depths must be a list, got 3"),
        ({"widths": ()}, ZooValueError, "widths must be at least one number"),
        ({"strides": (0, 1)}, ZooValueError, "strides must be a whole number of at least 1 .places of a stage., got 0"),
        ({"height": 0}, ZooValueError, "height must be a whole number of at least 1 .pixels., got 0"),
        ({"mean": (0.5, 0.5)}, ZooValueError, "mean must be one number, or one for each of 3 channels"),
        ({"std": 0.0}, ZooValueError, "std must be above 0"),
        ({"kernel": 4}, ZooValueError, "kernel must be odd"),
        ({"stem": "convolutions", "patch": 3}, ZooValueError, "patch must be a power of 2"),
        ({"feed_forward": -1.0}, ZooValueError, "feed_forward must be at least 0"),
        ({"dropout": 1.0}, ZooValueError, "dropout must be at least 0 and under 1"),
        ({"attention": 3}, ZooTypeError, "attention must be a name or a dict with 'name', got 3"),
        ({"attention": []}, ZooValueError, "a list with at least one"),
        ({"gate": "eca"}, ZooValueError, "'eca' is then for `attention`"),
        ({"gate_stages": (3,)}, ZooValueError, "gate_stages must be stages of convolution blocks, got 3"),
        ({"position": "learned"}, ZooValueError, "position must be 'none' where no stage has attention blocks"),
        ({"pooling": "class_token"}, ZooValueError, "wants attention blocks in the last stage, got 'basic'"),
        ({"network": "vit", "heads": 3}, ZooValueError, "widths must be multiples of heads, got 16 channels for 3"),
        ({"network": "vit", "attention": "none"}, ZooValueError, "attention must be a name where"),
        ({"labels": ("bag",)}, ZooValueError, "labels must be at least two"),
    ],
)
def test_a_config_that_cannot_work_is_refused_in_one_sentence(changes, error, sentence):
    with pytest.raises(error, match=sentence):
        config(**changes)


@pytest.mark.once
@pytest.mark.parametrize(
    ("network", "changes", "sentence"),
    [
        ("resnet", {"attention": "multi_head"}, "'multi_head' is for self or cross, wanted one for 'image'"),
        ("resnet", {"attention": "attention_gate"}, "wanted one for 'image'"),
        (
            "vit",
            {"attention": "attention_pooling"},
            "'attention_pooling' is for pool, wanted one for 'self' or 'image'",
        ),
        ("vit", {"attention": "din"}, "wanted one for 'self' or 'image'"),
        ("vit", {"attention": "swin_window", "pooling": "class_token"}, "'swin_window', which reads images"),
        ("vit", {"attention": "swin_window", "position": "rotary_2d"}, "'swin_window', which reads images"),
        (
            "vit",
            {"attention": "alibi", "position": "rotary_2d"},
            "'rotary_2d' wants an attention that takes a position",
        ),
        ("hybrid", {"gate": "multi_head"}, "'multi_head' is for self or cross, wanted one for 'image'"),
        ("resnet", {"pooling": "eca"}, "'eca' is for image, wanted one for 'pool'"),
        ("resnet", {"labels": ()}, "labels must be known"),
    ],
)
def test_an_attention_that_does_not_fit_its_place_is_refused_in_one_sentence(network, changes, sentence):
    with pytest.raises(ZooError, match=sentence):
        build_network(config(network, **changes))
