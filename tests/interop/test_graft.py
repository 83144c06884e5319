"""Attention grafted into a functional model: the answer at first, what is kept, and what is refused."""

import keras
import numpy as np
import pytest

import attention_zoo as az
from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.interop import Grafted, graft

PIXELS = np.random.default_rng(0).random((2, 8, 8, 3)).astype("float32")


def small_cnn(**options):
    """A functional network with a batch norm that has seen data, an operation of Keras, and a model within."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    inner_input = keras.Input((8, 8, 16), name="inner_input")
    inner = keras.Model(inner_input, layers.Conv2D(16, 3, padding="same", name="inner_conv")(inner_input), name="inner")
    pixels = keras.Input((8, 8, 3), name="pixels")
    read = layers.Conv2D(16, 3, padding="same", name="first", **options)(pixels)
    read = layers.BatchNormalization(name="norm")(read)
    read = layers.ReLU(name="first_out")(read)
    read = layers.Add(name="add")([layers.ReLU(name="second_out")(inner(read)), read]) * 0.5
    outputs = layers.Dense(3, name="logits")(layers.GlobalAveragePooling2D(name="pool")(read))
    model = keras.Model(pixels, outputs, name="small_cnn")
    generator = np.random.default_rng(1)
    norm = model.get_layer("norm")
    norm.set_weights([generator.uniform(0.5, 1.5, weight.shape) for weight in norm.get_weights()])
    return model


def answer(model, inputs=PIXELS):
    given = np.asarray(model.predict(inputs, verbose=0))
    assert np.isfinite(given).all()
    return given


def train(model, steps=1):
    model.compile(keras.optimizers.SGD(0.1), "mse")
    targets = np.random.default_rng(2).normal(size=(2, 3)).astype("float32")
    for _ in range(steps):
        model.train_on_batch(PIXELS, targets)
    return model


def values_of(weight):
    return keras.ops.convert_to_numpy(weight)


def values(layer):
    return [values_of(weight) for weight in layer.weights]


@pytest.mark.parametrize(
    ("name", "around"),
    [("scse", False), ("scse", True), ("sagan", False), ("swin_window", True), ("self_attention", False)],
)
def test_the_answer_stays_until_it_is_trained_and_then_every_new_weight_learns(name, around):
    model = small_cnn()
    settings = {"swin_window": {"num_heads": 2}, "scse": {"ratio": 2}}
    grafted = graft(model, {"*_out": {"name": name, **settings.get(name, {})}}, around=around, seed=1)
    np.testing.assert_allclose(answer(grafted), answer(model), atol=1e-5)
    layer = grafted.get_layer("second_out_graft")
    before = values(layer)
    train(grafted, steps=4)
    still = [weight.path for weight, old in zip(layer.weights, before) if np.array_equal(old, values_of(weight))]
    # A bias before a softmax over positions moves nothing, and a table of positions is no weight to learn.
    assert [path for path in still if not path.endswith("bias")] == []
    assert np.abs(answer(grafted) - answer(model)).max() > 1e-4


def test_an_attention_without_effect_of_its_own_is_not_silenced_twice():
    grafted = graft(small_cnn(), {"first_out": "sagan", "second_out": "cbam"})
    assert float(values_of(grafted.get_layer("first_out_graft").strength)) == 1
    assert float(values_of(grafted.get_layer("second_out_graft").strength)) == 0


def test_the_original_stays_as_it_is():
    model = small_cnn()
    config, weights, before = model.get_config(), model.get_weights(), answer(model)
    train(graft(model, {"first_out": "eca", "inner/inner_conv": "eca"}, trainable="new"), steps=2)
    assert model.get_config() == config
    assert all(np.array_equal(old, new) for old, new in zip(weights, model.get_weights(), strict=True))
    assert np.array_equal(answer(model), before)
    assert all(layer.trainable for layer in model.layers)
    assert model.get_layer("first_out").output is model.get_layer("first_out").output  # one call, not two


def test_only_the_new_parts_are_trainable_on_request():
    model = small_cnn()
    grafted = graft(model, {"first_out": "scse", "inner/inner_conv": "eca"}, trainable="new")
    assert all("_graft/" in weight.path for weight in grafted.trainable_weights)
    kept = {weight.path: values_of(weight) for weight in grafted.non_trainable_weights}
    train(grafted, steps=3)
    for weight in grafted.non_trainable_weights:  # the statistics of the batch norm among them
        assert np.array_equal(values_of(weight), kept[weight.path]), weight.path


def test_layers_that_were_frozen_stay_frozen():
    model = small_cnn()
    model.get_layer("first").trainable = False
    grafted = graft(model, {"first_out": "eca"})
    assert not grafted.get_layer("first").trainable and grafted.get_layer("logits").trainable
    sequence = keras.Input((6, 16))
    model = keras.Model(sequence, az.blocks.EncoderBlock(2, 32, name="block")(sequence))
    model.get_layer("block").norms["attention"].trainable = False
    block = graft(model, {"block": "self_attention"}).get_layer("block")
    assert not block.norms["attention"].trainable and block.norms["feed_forward"].trainable


def test_without_identity_the_attention_is_applied_in_full():
    model = small_cnn()
    grafted = graft(model, {"first_out": {"name": "cbam", "ratio": 4}}, identity=False)
    assert not any("strength" in weight.path for weight in grafted.weights)
    assert np.abs(answer(grafted) - answer(model)).max() > 1e-3


def test_a_strength_for_each_channel():
    grafted = graft(small_cnn(), {"first_out": "cbam"}, strength="channel")
    assert grafted.get_layer("first_out_graft").strength.shape == (16,)
    np.testing.assert_allclose(answer(grafted), answer(small_cnn()), atol=1e-5)


def test_the_same_seed_gives_the_same_new_weights():
    first, second, third = (graft(small_cnn(), {"*_out": "cbam"}, seed=seed).get_weights() for seed in (3, 3, 4))
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))
    assert not all(np.array_equal(one, other) for one, other in zip(first, third, strict=True))


def test_maps_are_captured_under_the_names_of_the_layers():
    grafted = graft(small_cnn(), {"first_out": "cbam", "second_out": "self_attention", "inner/*": "eca"})
    maps = az.capture(grafted).predict(PIXELS, verbose=0)
    assert maps["attention.first_out_graft.cbam.spatial"].shape == (2, 8, 8, 1)
    assert maps["attention.second_out_graft.self_attention"].shape == (2, 2, 64, 64)
    assert {key for key in maps if "inner" in key} == {"attention.inner_conv_graft.eca"}


def test_a_saved_graft_is_read_again(tmp_path):
    grafted = train(graft(small_cnn(), {"*_out": "scse", "add": "self_attention", "inner/*": "eca"}), steps=2)
    grafted.save(tmp_path / "grafted.keras")
    again = keras.saving.load_model(tmp_path / "grafted.keras")
    np.testing.assert_allclose(answer(again), answer(grafted), atol=1e-6)
    assert [weight.path for weight in again.weights] == [weight.path for weight in grafted.weights]


def test_a_graft_can_be_grafted_again():
    once = train(graft(small_cnn(), {"first_out": "eca"}))
    twice = graft(once, {"first_out": "cbam", "first_out_graft": "simam"})
    assert twice.get_layer("first_out_graft_2").attention.name == "cbam"
    np.testing.assert_allclose(answer(twice), answer(once), atol=1e-5)


def test_a_layer_that_is_called_twice_has_one_graft():
    left, right = keras.Input((8, 8, 3), name="left"), keras.Input((8, 8, 3), name="right")
    shared = keras.layers.Conv2D(16, 1, name="shared")
    model = keras.Model({"left": left, "right": right}, {"sum": shared(left) + shared(right), "left": shared(left)})
    grafted = graft(model, {"shared": "cbam"})
    pixels = {"left": PIXELS, "right": PIXELS[::-1]}
    for name, wanted in model.predict(pixels, verbose=0).items():
        np.testing.assert_allclose(grafted.predict(pixels, verbose=0)[name], wanted, atol=1e-5)
    assert sum(isinstance(layer, Grafted) for layer in grafted.layers) == 1


def test_a_sequential_model_and_its_mask():
    model = keras.Sequential(
        [
            keras.Input((6,), dtype="int32"),
            keras.layers.Embedding(20, 16, mask_zero=True, name="embedding"),
            keras.layers.GlobalAveragePooling1D(name="mean"),
        ]
    )
    tokens, other = np.array([[3, 4, 5, 0, 0, 0]], "int32"), np.array([[3, 4, 5]], "int32")
    grafted = graft(model, {"embedding": "multi_head"}, identity=False)
    layer = grafted.get_layer("embedding_graft")
    vectors = keras.ops.convert_to_tensor(np.random.default_rng(0).normal(size=(1, 6, 16)).astype("float32"))
    hidden = layer(vectors, mask=keras.ops.convert_to_tensor(tokens != 0))
    alone = layer(vectors[:, :3], mask=keras.ops.convert_to_tensor(other != 0))
    np.testing.assert_allclose(values_of(hidden)[:, :3], values_of(alone), atol=1e-5)


def test_statistics_that_were_adapted_are_kept():
    pixels = keras.Input((8, 8, 3))
    norm = keras.layers.Normalization(name="norm")
    norm.adapt(PIXELS * 7 + 3)
    model = keras.Model(pixels, keras.layers.Conv2D(8, 1, name="conv")(norm(pixels)))
    np.testing.assert_allclose(answer(graft(model, {"conv": "eca"})), answer(model), atol=1e-5)


def test_half_precision_is_taken_over():
    grafted = graft(small_cnn(dtype="mixed_bfloat16"), {"first": "cbam"})
    assert grafted.get_layer("first_graft").compute_dtype == "bfloat16"
    assert grafted.get_layer("first_graft").attention.channel.compute_dtype == "bfloat16"


def test_a_layer_and_a_function_that_makes_one():
    grafted = graft(small_cnn(), {"first_out": az.layers.CBAM(4, name="mine"), "second_out": lambda: az.layers.CBAM(2)})
    assert grafted.get_layer("first_out_graft").attention.name == "mine"
    assert grafted.get_layer("second_out_graft").attention.ratio == 2
    assert graft(small_cnn(), {"*_out": az.layers.EfficientChannel}).get_layer("first_out_graft").attention.built


@pytest.mark.parametrize(
    ("places", "options", "sentence"),
    [
        ({}, {}, "at least one pattern"),
        ({"fist_out": "cbam"}, {}, "layer 'fist_out' is unknown; the nearest names are 'first_out'"),
        ({"pixels": "cbam"}, {}, "layer 'pixels' is unknown"),
        ({"first_out": "cbam", "f*_out": "eca"}, {}, "'first_out' for 'first_out' and 'f\\*_out'"),
        ({"first_out": "cbma"}, {}, "attention 'cbma' is unknown"),
        ({"first_out": "attention_pooling"}, {}, "for pool or .*wanted one for image, gate or self|for pool, wanted"),
        ({"first_out": "film"}, {}, "reads inputs and condition"),
        ({"pool": "cbam"}, {}, "'pool', which returns \\(None, 16\\): it reads \\[batch, height"),
        ({"pool": "self_attention"}, {}, "it reads \\[batch, length, width\\]"),
        ({"first_out": {"name": "self_attention", "num_heads": 3}}, {}, "."),
        ({"first_out": {"name": "pyramid_split", "groups": [64]}}, {}, "does not fit behind 'first_out'"),
        ({"first_out": keras.layers.Conv2D}, {}, "does not fit behind 'first_out'"),
        ({"first_out": lambda: keras.layers.Conv2D(5, 1)}, {}, "must return the shape that it is given"),
        ({"first_out": "cbam"}, {"strength": "chanel"}, "strength 'chanel' is unknown"),
        ({"first_out": "cbam"}, {"trainable": "old"}, "trainable 'old' is unknown"),
        ({"first_out": "cbam"}, {"seed": -1}, "seed must be a whole number"),
    ],
)
def test_what_cannot_work_is_said_in_one_sentence(places, options, sentence):
    if sentence == ".":
        assert graft(small_cnn(), places, **options)  # three heads of another width than the channels' are allowed
        return
    with pytest.raises(ZooValueError, match=sentence):
        graft(small_cnn(), places, **options)


@pytest.mark.parametrize("attention", [3, None, {"ratio": 4}, lambda: "cbam"])
def test_what_is_no_attention_is_refused(attention):
    with pytest.raises(ZooTypeError, match=r"attention must be a name|must return a layer"):
        graft(small_cnn(), {"first_out": attention})


def test_one_layer_has_one_place():
    with pytest.raises(ZooValueError, match="a layer instance may have one place, got 'mine'"):
        graft(small_cnn(), {"*_out": az.layers.CBAM(4, name="mine")})
    mine = az.layers.CBAM(4, name="mine")
    with pytest.raises(ZooValueError, match="may have one place"):
        graft(small_cnn(), {"first_out": mine, "second_out": mine})
    graft(small_cnn(), {"first_out": mine})
    with pytest.raises(ZooValueError, match="attention 'mine' must be new"):
        graft(small_cnn(), {"first_out": mine})


class Subclassed(keras.Model):
    """Has no graph."""

    def call(self, inputs):
        return inputs


def test_models_without_a_graph_or_with_another_layout_are_refused():
    for model in (Subclassed(), keras.Sequential([keras.layers.Dense(3)])):
        with pytest.raises(ZooTypeError, match=r"must be a functional keras\.Model or a built"):
            graft(model, {"*": "cbam"})
    with pytest.raises(ZooTypeError, match=r"model must be a keras\.Model, got str"):
        graft("resnet", {"*": "cbam"})
    with pytest.raises(ZooTypeError, match="places must be a dict"):
        graft(small_cnn(), "cbam")
    pixels = keras.Input((3, 8, 8))
    pooled = keras.layers.GlobalAveragePooling2D(data_format="channels_first", name="pool")(pixels)
    with pytest.raises(ZooValueError, match="channels_last, got 'pool' with data_format='channels_first'"):
        graft(keras.Model(pixels, pooled), {"pool": "cbam"})


def test_several_outputs_of_one_layer_are_refused():
    sequence = keras.Input((5, 8))
    states = keras.layers.GRU(8, return_sequences=True, return_state=True, name="states")(sequence)
    with pytest.raises(ZooValueError, match="a graft needs a layer with one output, got 'states'"):
        graft(keras.Model(sequence, states), {"states": "self_attention"})


def test_layers_that_cannot_be_copied_are_named():
    pixels = keras.Input((8, 8, 16))
    model = keras.Model(pixels, keras.layers.Lambda(lambda x: x * 2, name="twice")(pixels))
    with pytest.raises(ZooValueError, match="layer 'twice' \\(Lambda\\) cannot be copied"):
        graft(model, {"twice": "eca"})


def test_weights_that_two_layers_share_are_not_untied_in_silence():
    class Tied(keras.layers.Layer):
        def __init__(self, other=None, **kwargs):
            super().__init__(**kwargs)
            self.other = other or keras.layers.Dense(8, name="inside")

        def get_config(self):
            return {"name": self.name}

        def call(self, inputs):
            return self.other(inputs)

    inputs = keras.Input((4, 8))
    first = Tied(name="one")
    model = keras.Model(inputs, Tied(first.other, name="two")(first(inputs)))
    with pytest.raises(ZooValueError, match="must not share weights between layers"):
        graft(model, {"two": "self_attention"})
