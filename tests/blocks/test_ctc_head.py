"""Padding is blank for certain, and has no gradient."""

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo.blocks import CtcHead
from attention_zoo.errors import ZooValueError
from attention_zoo.training import CtcLoss


def head():
    layer = CtcHead(5, name="head")
    layer.build((None, None, 3))
    return layer


def test_padding_is_blank_and_changes_no_loss():
    layer = head()
    inputs = np.random.default_rng(0).normal(size=(2, 6, 3)).astype("float32")
    mask = np.array([[True] * 6, [True] * 4 + [False] * 2])
    logits = ops.convert_to_numpy(layer(inputs, mask=mask))
    assert logits.dtype == "float32"
    shares = ops.convert_to_numpy(ops.softmax(logits, axis=-1))
    np.testing.assert_array_equal(shares[1, 4:], [[1, 0, 0, 0, 0]] * 2)
    truth = np.array([[1, 2], [3, 0]])
    whole = [float(CtcLoss()(truth[row : row + 1], logits[row : row + 1])) for row in range(2)]
    cut = float(CtcLoss()(truth[1:], logits[1:, :4]))
    np.testing.assert_allclose(whole[1], cut, atol=1e-5)


def test_half_precision_gives_float32_and_the_layer_reads_back():
    layer = CtcHead(5, dtype="mixed_bfloat16")
    inputs = np.zeros((1, 2, 3), "float32")
    assert keras.backend.standardize_dtype(layer(inputs).dtype) == "float32"
    assert CtcHead.from_config(layer.get_config()).vocabulary_size == 5
    with pytest.raises(ZooValueError, match="vocabulary_size must be"):
        CtcHead(1)
