"""Token embeddings: positions, scale, masks and dropped tokens."""

import keras
import numpy as np
import pytest

from attention_zoo.blocks import TokenEmbedding
from attention_zoo.errors import ZooValueError

IDS = np.array([[3, 4, 5, 0], [6, 0, 0, 0]], "int32")


def numbers(value):
    """Bring a tensor to NumPy."""
    return keras.ops.convert_to_numpy(value)


def test_a_token_gets_its_row_of_the_table():
    layer = TokenEmbedding(9, 4)
    found = numbers(layer(IDS))
    np.testing.assert_allclose(found, numbers(layer.table.embeddings)[IDS])
    np.testing.assert_array_equal(numbers(layer.compute_mask(IDS)), IDS != 0)


def test_sinusoidal_positions_are_added_to_scaled_vectors():
    layer = TokenEmbedding(9, 4, position="sinusoidal", scale=True)
    found = numbers(layer(IDS))
    places, rates = np.arange(4)[:, None], 10000.0 ** (-2 * np.arange(2) / 4)
    waves = np.stack([np.sin(places * rates), np.cos(places * rates)], axis=-1).reshape(4, 4)
    np.testing.assert_allclose(found, 2 * numbers(layer.table.embeddings)[IDS] + waves, atol=1e-5)


def test_learned_positions_have_weights_and_the_same_token_differs_by_place():
    layer = TokenEmbedding(9, 4, position={"name": "learned", "max_length": 6})
    found = numbers(layer(np.array([[3, 3]], "int32")))
    assert np.abs(found[0, 0] - found[0, 1]).max() > 1e-3
    assert len(layer.weights) == 2


def test_tokens_are_masked_while_training_and_padding_never_is():
    keras.utils.set_random_seed(0)
    layer = TokenEmbedding(9, 4, token_dropout=0.5)
    ids = np.repeat(np.array([[3, 4, 5, 6, 7, 8, 0, 0]], "int32"), 50, axis=0)
    calm, noisy = numbers(layer(ids)), numbers(layer(ids, training=True))
    table = numbers(layer.table.embeddings)
    masked = np.isclose(noisy, table[2]).all(axis=-1)
    np.testing.assert_allclose(calm, table[ids])
    assert 0.4 < masked[:, :6].mean() < 0.6
    assert not masked[:, 6:].any()
    np.testing.assert_allclose(noisy[~masked], calm[~masked])


def test_what_acts_inside_attention_is_no_absolute_position():
    with pytest.raises(ZooValueError, match="acts inside attention: give it there"):
        TokenEmbedding(9, 4, position="rotary")
    with pytest.raises(ZooValueError, match="vocabulary_size must be a whole number of at least 1"):
        TokenEmbedding(0, 4)
    with pytest.raises(ZooValueError, match="token_dropout"):
        TokenEmbedding(9, 4, token_dropout=1.0)
