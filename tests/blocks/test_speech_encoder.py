"""Encoders of speech: a padded batch, layers of one's own choice, the listener's pyramid, and reading them back."""

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo.blocks.conformer import ConformerBlock
from attention_zoo.blocks.pyramid import PyramidEncoder, lay_together
from attention_zoo.blocks.speech_encoder import ConformerEncoder
from attention_zoo.blocks.subsampling import FrameMask
from attention_zoo.calibrate.capture import capture
from attention_zoo.errors import ZooError
from attention_zoo.layers.multi_head import MultiHeadAttention

MELS = 8
SMALL = {"depth": 2, "width": 8, "num_heads": 2, "feed_forward": 12, "kernel_size": 3, "filters": 2}
ENCODERS = {
    "transformer_xl": lambda: ConformerEncoder(**SMALL),
    "rotary": lambda: ConformerEncoder(**SMALL, attention="rotary"),
    "batch_norm": lambda: ConformerEncoder(**SMALL, norm="batch"),
    "lstm": lambda: PyramidEncoder(3),
    "gru": lambda: PyramidEncoder(4, (2, 2), cell="gru"),
}


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def array(tensor):
    return ops.convert_to_numpy(tensor)


def network(encoder):
    """Wrap an encoder, its weights drawn anew so that none is zero."""
    features, frames = keras.Input((None, MELS), name="features"), keras.Input((), dtype="int32", name="frames")
    outputs = {"memory": encoder(features, frames), "mask": FrameMask(encoder.factor)(features, frames)}
    model = keras.Model({"features": features, "frames": frames}, outputs)
    for seed, weight in enumerate(encoder.trainable_weights):
        weight.assign(weight + 0.3 * numbers(*weight.shape, seed=seed))
    return model


@pytest.mark.parametrize("name", ENCODERS)
def test_a_padded_batch_gives_each_sound_what_it_gets_alone(name):
    model, sizes = network(ENCODERS[name]()), [26, 9, 3, 0]
    batch = 3.0 * numbers(len(sizes), 26, MELS)
    found = model.predict_on_batch({"features": batch, "frames": np.array(sizes, "int32")})
    memory, mask = found["memory"], found["mask"]
    assert memory.shape == (4, 7, model.output["memory"].shape[-1])
    assert mask.sum(1).tolist() == [7, 3, 1, 0]
    assert not memory[~mask].any()
    for row, size in enumerate(sizes[1:3], 1):
        given = {"features": batch[row : row + 1, :size], "frames": np.array([size], "int32")}
        alone = model.predict_on_batch(given)["memory"][0]
        np.testing.assert_allclose(memory[row, : len(alone)], alone, atol=1e-5)


def test_padding_changes_no_training_either():
    encoder, frames = ConformerEncoder(**SMALL), np.array([14, 6])
    x = numbers(2, 14, MELS)
    wanted = array(encoder(x, frames, training=True))
    wider = np.concatenate([x, numbers(2, 6, MELS, seed=1)], 1)
    wider[1, 6:] = 4.0
    np.testing.assert_allclose(array(encoder(wider, frames, training=True))[:, :4], wanted, atol=1e-5)


@pytest.mark.parametrize(
    "attention",
    ["sliding_window", {"name": "multi_query", "position": "alibi"}, lambda: MultiHeadAttention(2, 4, use_gate=True)],
)
def test_each_block_has_an_attention_of_its_own(attention):
    encoder = ConformerEncoder(**SMALL, attention=attention() if callable(attention) else attention)
    x, frames = numbers(1, 12, MELS), np.array([12])
    wanted = array(encoder(x, frames))
    first, second = (block.attending for block in encoder.blocks)
    assert first is not second and type(first) is type(second)
    again = ConformerEncoder.from_config(encoder.get_config())
    again(x, frames)
    again.set_weights(encoder.get_weights())
    np.testing.assert_allclose(array(again(x, frames)), wanted, atol=1e-6)


def test_a_block_is_left_out_for_whole_examples():
    keras.utils.set_random_seed(0)
    block, x = ConformerBlock(2, 8, 3, norm="layer", stochastic_depth=0.5), numbers(16, 5, 8)
    whole = array(block(x, training=False))
    found, without = array(block(x, training=True)), array(block.norms["last"](x))
    left = np.abs(found - without).max((1, 2)) < 1e-5
    assert 2 <= left.sum() <= 14  # 16 fair coins say otherwise 5 times in 10,000
    assert np.abs(found - whole).max((1, 2)).min() > 1e-3
    rates = [block.stochastic_depth for block in ConformerEncoder(**SMALL, stochastic_depth=0.4).blocks]
    assert rates == [0.2, 0.4]


def test_steps_are_laid_side_by_side():
    x = np.arange(10, dtype="float32").reshape(1, 5, 2)
    wanted = [[[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 0, 0]]]
    np.testing.assert_array_equal(array(lay_together(x, 2)), wanted)
    assert lay_together(x, 1) is x


def test_the_listener_hears_backwards_but_no_padding():
    model = network(PyramidEncoder(3, (1, 2)))
    x, frames = numbers(1, 12, MELS), np.array([9], "int32")

    def run(x):
        return model.predict_on_batch({"features": x, "frames": frames})["memory"]

    wanted, late, beyond = run(x), x.copy(), x.copy()
    late[0, 8] += 1.0
    beyond[0, 9:] += 1.0
    assert np.abs(run(late) - wanted)[0, 0].max() > 1e-4
    np.testing.assert_allclose(run(beyond), wanted, atol=1e-6)


@pytest.mark.parametrize("name", ["rotary", "lstm"])
def test_an_encoder_is_read_back(name, tmp_path):
    model = network(ENCODERS[name]())
    given = {"features": numbers(2, 9, MELS), "frames": np.array([9, 5], "int32")}
    wanted = model.predict_on_batch(given)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict_on_batch(given)["memory"], wanted["memory"], atol=1e-6)


def test_every_map_of_an_encoder_is_seen():
    model = network(ConformerEncoder(**SMALL))
    found = capture(model).predict_on_batch({"features": numbers(1, 9, MELS), "frames": np.array([9], "int32")})
    maps = [name for name in found if name.startswith("attention.") and found[name].ndim == 4]
    assert len(maps) == 2 and all(found[name].shape == (1, 2, 3, 3) for name in maps)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ConformerEncoder(0, 8, 2),
        lambda: ConformerEncoder(1, 9, 2),
        lambda: ConformerEncoder(1, 8, 2, kernel_size=4),
        lambda: ConformerEncoder(1, 8, 2, stochastic_depth=1.0),
        lambda: ConformerEncoder(1, 8, 2, attention="bahdanau").build((None, None, 8)),
        lambda: ConformerBlock(2, attention="rotary", position="alibi"),
        lambda: ConformerBlock(3).build((None, None, 8)),
        lambda: PyramidEncoder(4, ()),
        lambda: PyramidEncoder(4, (1, 0)),
        lambda: PyramidEncoder(4, cell="rnn"),
    ],
)
def test_wrong_arguments_are_named(make):
    with pytest.raises(ZooError):
        make()
