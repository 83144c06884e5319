"""Encoder blocks: the formula, any attention, stochastic depth."""

import keras
import numpy as np
import pytest

from attention_zoo import layers
from attention_zoo.blocks import EncoderBlock, FeedForward
from attention_zoo.errors import ZooError, ZooValueError

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(2, 5, 8)).astype("float32")
MASK = np.array([[True] * 5, [True, True, False, False, False]])


def numbers(value):
    """Bring a tensor to NumPy."""
    return keras.ops.convert_to_numpy(value)


def norm(values, layer):
    """Normalize over the width, in NumPy."""
    centred = values - values.mean(-1, keepdims=True)
    return centred / np.sqrt(centred.var(-1, keepdims=True) + 1e-5) * numbers(layer.gamma) + numbers(layer.beta)


@pytest.mark.parametrize("kind", ["relu", "swiglu"])
def test_feed_forward_is_its_formula(kind):
    layer = FeedForward(6, kind)
    found = numbers(layer(INPUTS))
    dense = {name: [numbers(w.value) for w in getattr(layer, name).weights] for name in ("expand", "contract")}
    between = INPUTS @ dense["expand"][0] + dense["expand"][1]
    if kind == "swiglu":
        gate = INPUTS @ numbers(layer.gate.kernel) + numbers(layer.gate.bias)
        between = between / (1 + np.exp(-between)) * gate
    between = np.maximum(between, 0) if kind == "relu" else between
    np.testing.assert_allclose(found, between @ dense["contract"][0] + dense["contract"][1], atol=1e-5)


@pytest.mark.parametrize("order", ["pre", "post"])
def test_a_block_is_its_formula(order):
    block = EncoderBlock(2, 12, norm=order, name="block")
    found = numbers(block(INPUTS, mask=MASK))
    current = INPUTS
    for name in ("attention", "feed_forward"):
        read = norm(current, block.norms[name]) if order == "pre" else current
        part = block.parts[name]
        added = numbers(part(read, query_mask=MASK) if name == "attention" else part(read))
        current = current + added
        current = norm(current, block.norms[name]) if order == "post" else current
    np.testing.assert_allclose(found, current, atol=1e-5)


@pytest.mark.parametrize("convolution", [0, 3])
def test_padding_changes_nothing_for_what_is_seen(convolution):
    block = EncoderBlock(2, 12, convolution=convolution)
    found = numbers(block(INPUTS, mask=MASK))
    noise = np.where(MASK[..., None], INPUTS, 7.0).astype("float32")
    np.testing.assert_allclose(numbers(block(noise, mask=MASK))[MASK], found[MASK], atol=1e-5)
    alone = numbers(block(INPUTS[1:, :2]))
    np.testing.assert_allclose(found[1:, :2], alone, atol=1e-5)


def test_any_self_attention_of_the_zoo_fits():
    inputs = keras.Input((None, 8))
    for name in layers.names("self"):
        block = EncoderBlock(2, 0, name, name=f"block_{name}")
        assert block(inputs).shape == (None, None, 8)
        assert block.attending.name == "attention"
    with pytest.raises(ZooValueError, match="is for pool"):
        EncoderBlock(2, 0, "attention_pooling")(inputs)


def test_a_dict_changes_an_attention_and_a_layer_is_taken_as_it_is():
    inputs = keras.Input((None, 8))
    block = EncoderBlock(2, 0, {"name": "rotary", "num_key_value_heads": 1})
    block(inputs)
    assert block.attending.num_key_value_heads == 1
    own = layers.MultiHeadAttention(1, 3, name="own")
    block = EncoderBlock(2, 0, own)
    block(inputs)
    assert block.attending is own


@pytest.mark.parametrize("attention", ["alibi", layers.MultiHeadAttention(1, 4, name="own")], ids=["name", "layer"])
def test_a_block_is_saved_and_read_back(attention, tmp_path):
    inputs = keras.Input((None, 8))
    settings = {"convolution": 3, "stochastic_depth": 0.1, "kind": "swiglu", "norm": "post"}
    model = keras.Model(inputs, EncoderBlock(2, 12, attention, name="block", **settings)(inputs))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(numbers(again(INPUTS)), numbers(model(INPUTS)), atol=1e-6)
    assert [w.path for w in again.weights] == [w.path for w in model.weights]


def test_stochastic_depth_leaves_out_whole_parts_of_whole_examples():
    keras.utils.set_random_seed(0)
    block = EncoderBlock(2, 0, stochastic_depth=0.5)
    inputs = np.repeat(INPUTS[:1], 64, axis=0)
    calm, noisy = numbers(block(inputs)) - inputs, numbers(block(inputs, training=True)) - inputs
    left_out = np.abs(noisy).max(axis=(1, 2)) < 1e-6
    assert 0.3 < left_out.mean() < 0.7
    np.testing.assert_allclose(noisy[~left_out], 2 * calm[~left_out], atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"num_heads": 3}, "width must be a multiple of num_heads, got 8 for 3 heads"),
        ({"norm": "before"}, "'pre'"),
        ({"kind": "gleu"}, "'gelu'"),
        ({"feed_forward": -1}, "feed_forward must be at least 0"),
        ({"stochastic_depth": 1.0}, "stochastic_depth"),
        ({"attention": "rotory"}, "'rotary'"),
    ],
)
def test_what_cannot_work_is_refused_in_one_sentence(arguments, sentence):
    with pytest.raises(ZooError, match=sentence):
        EncoderBlock(**{"num_heads": 2, "feed_forward": 4, **arguments})(keras.Input((None, 8)))
