"""Modalities that go missing, rows of one conversation, sequences of pictures."""

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo.blocks import ConversationBlock, ModalityDropout, PictureEncoder, Presence, Shown, TaskWeights
from attention_zoo.blocks.conversation import places_and_rows
from attention_zoo.errors import ZooError


def array(tensor):
    return ops.convert_to_numpy(tensor)


def dropped(layer, steps, training=True):
    """Return the counts of each row after the layer, [rows, modalities]."""
    found = layer([ops.convert_to_tensor(one) for one in steps.T], training=training)
    return np.stack([array(each) for each in found], axis=1)


def test_a_share_of_what_is_there_goes_but_never_all():
    steps = np.random.default_rng(0).integers(0, 3, (4000, 3)).astype("int32")
    found = dropped(ModalityDropout(0.3, seed=1), steps)
    kept, there = found > 0, steps > 0
    assert not (kept & ~there).any() and (found[kept] == steps[kept]).all()
    assert (kept.any(axis=1) == there.any(axis=1)).all()
    full = there.all(axis=1)
    # 0.3 goes of each, but in the 0.027 of the rows that would lose all, one of three stays. The tolerance is three
    # standard deviations of a share of some 1,180 rows.
    assert 1 - kept[full].mean(axis=0) == pytest.approx(0.3 - 0.027 / 3, abs=0.04)
    alone = there.sum(axis=1) == 1
    assert (kept[alone] == there[alone]).all()


def test_nothing_goes_in_use_and_each_step_of_training_draws_anew():
    steps = np.full((200, 2), 5, "int32")
    layer = ModalityDropout(0.5, seed=1)
    np.testing.assert_array_equal(dropped(layer, steps, training=False), steps)
    first, second = dropped(layer, steps), dropped(layer, steps)
    assert (first != second).any()
    np.testing.assert_array_equal(dropped(ModalityDropout(0.5, seed=1), steps), first)


def test_compiled_training_draws_anew_as_well():
    inputs = [keras.Input((), dtype="int32", name=name) for name in ("one", "other")]
    outputs = ModalityDropout(0.5, seed=0)(inputs)
    shown = [ops.cast(ops.expand_dims(each, 1), "float32") for each in outputs]
    weighed = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")(keras.layers.Concatenate()(shown))
    model = keras.Model(inputs, weighed)
    model.compile(keras.optimizers.SGD(0.0), "mae")
    steps, zeros = [np.ones(64, "int32")] * 2, np.zeros((64, 1))
    losses = {round(float(model.train_on_batch(steps, zeros)), 4) for _ in range(4)}
    assert len(losses) > 1 and all(1 <= loss < 2 for loss in losses)
    assert float(model.test_on_batch(steps, zeros)) == pytest.approx(2)


def test_what_is_not_shown_is_zero_were_it_no_number():
    inputs = np.full((2, 3, 2), np.nan, "float32")
    inputs[0, 0] = 1
    mask = ops.convert_to_tensor(np.array([[True, False, False], [False, False, False]]))
    found = array(Shown()(ops.convert_to_tensor(inputs), mask))
    assert found.sum() == 2 and found[0, 0].tolist() == [1, 1]
    rows = array(Shown()(ops.convert_to_tensor(np.ones((2, 3), "float32")), ops.convert_to_tensor([True, False])))
    np.testing.assert_array_equal(rows, [[1, 1, 1], [0, 0, 0]])
    np.testing.assert_array_equal(array(Presence()(ops.convert_to_tensor(np.array([2, 0, 1], "int32")))), [1, 0, 1])


def test_places_keep_the_order_within_a_group():
    groups = np.random.default_rng(0).integers(-3, 4, 20).astype("int32")
    place, row = (array(each) for each in places_and_rows(ops.convert_to_tensor(groups)))
    np.testing.assert_array_equal(row, np.argsort(groups, kind="stable"))
    np.testing.assert_array_equal(row[place], np.arange(20))


def test_each_picture_is_read_by_itself():
    encoder = PictureEncoder((4, 6, 8), "squeeze_excite")
    pixels = np.random.default_rng(0).uniform(size=(2, 3, 13, 10, 1)).astype("float32")
    found = array(encoder(ops.convert_to_tensor(pixels)))
    assert found.shape == (2, 3, 2 * 2, 8)  # 13 x 10, halved three times
    alone = array(encoder(ops.convert_to_tensor(pixels[1:, 2:])))
    np.testing.assert_allclose(alone[0, 0], found[1, 2], atol=1e-5)
    again = PictureEncoder.from_config(encoder.get_config())
    assert again.widths == (4, 6, 8) and again.attention == "squeeze_excite"


@pytest.mark.parametrize(
    "make",
    [
        lambda: ModalityDropout(1.0),
        lambda: ModalityDropout(-0.1),
        lambda: ModalityDropout()([keras.Input(())]),
        lambda: ModalityDropout()(keras.Input(())),
        lambda: TaskWeights()(keras.Input((3,))),
        lambda: PictureEncoder(()),
        lambda: PictureEncoder((0,)),
        lambda: PictureEncoder(attention=3),
        lambda: PictureEncoder()(keras.Input((None, None, 8, 1))),
        lambda: ConversationBlock(2, -1),
        lambda: ConversationBlock(3, 4)(keras.Input((8,)), keras.Input((), dtype="int32")),
    ],
)
def test_what_cannot_work_is_said(make):
    with pytest.raises(ZooError):
        make()
