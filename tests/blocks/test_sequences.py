"""Convolutions, recurrent layers, pooling and groups: padding stays out."""

import keras
import numpy as np
import pytest

from attention_zoo.blocks import Convolutions, MaskedMaxPooling, OverGroups, PaddingMask, bidirectional
from attention_zoo.errors import ZooError

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(2, 6, 4)).astype("float32")
MASK = np.array([[True] * 6, [True, True, True, False, False, False]])


def numbers(value):
    """Bring a tensor to NumPy."""
    return keras.ops.convert_to_numpy(value)


def convolve(inputs, kernel, bias):
    """Slide a window over one sequence [time, width], zeros beyond its ends, more of them on the right."""
    width = len(kernel)
    padded = np.pad(inputs, (((width - 1) // 2, width // 2), (0, 0)))
    return np.stack([np.einsum("wc,wcf->f", padded[t : t + width], kernel) for t in range(len(inputs))]) + bias


def test_convolutions_are_windows_side_by_side_and_see_no_padding():
    layer = Convolutions((1, 2, 3), 5, activation="relu")
    found = numbers(layer(INPUTS, mask=MASK))
    for row, length in enumerate(MASK.sum(axis=1)):
        text = INPUTS[row, :length]
        branches = [convolve(text, *(numbers(w.value) for w in branch.weights)) for branch in layer.branches]
        np.testing.assert_allclose(found[row, :length], np.maximum(np.concatenate(branches, axis=1), 0), atol=1e-5)
        assert not found[row, length:].any()


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_recurrent_layers_read_both_ways_and_skip_padding(cell):
    layer = bidirectional(cell, 3, name="reader")
    found = numbers(layer(INPUTS, mask=MASK))
    assert found.shape == (2, 6, 6)
    np.testing.assert_allclose(found[1:, :3], numbers(layer(INPUTS[1:, :3])), atol=1e-6)
    assert not found[1, 3:].any()
    changed = INPUTS.copy()
    changed[0, 5] += 1.0
    moved = np.abs(numbers(layer(changed, mask=MASK)) - found)
    assert moved[0, 0, 3:].max() > 1e-6 and moved[0, 0, :3].max() == 0
    assert next(w.path for w in layer.weights) == f"reader/forward_{cell}/{cell}_cell/kernel"


def test_the_largest_value_is_none_of_the_padding():
    inputs = np.where(MASK[..., None], INPUTS, 99.0).astype("float32")
    found = numbers(MaskedMaxPooling()(inputs, mask=MASK))
    np.testing.assert_allclose(found, [INPUTS[0].max(axis=0), INPUTS[1, :3].max(axis=0)])
    nothing = numbers(MaskedMaxPooling()(inputs, mask=np.zeros_like(MASK)))
    assert not nothing.any()
    np.testing.assert_allclose(numbers(MaskedMaxPooling()(INPUTS)), INPUTS.max(axis=1))


def test_a_mask_tells_tokens_and_sentences_from_padding():
    ids = np.array([[[3, 4], [5, 0]], [[1, 0], [0, 0]]], "int32")
    np.testing.assert_array_equal(numbers(PaddingMask()(ids)), ids != 0)
    np.testing.assert_array_equal(numbers(PaddingMask(groups=True)(ids)), [[True, True], [True, False]])


def test_a_layer_over_groups_is_the_layer_on_each_group(tmp_path):
    inputs = RANDOM.normal(size=(2, 3, 6, 4)).astype("float32")
    mask = np.arange(6) < np.array([[6, 2, 0], [4, 1, 3]])[..., None]
    model_input, model_mask = keras.Input((None, None, 4)), keras.Input((None, None), dtype="bool")
    inner = bidirectional("gru", 3, name="reader")
    model = keras.Model([model_input, model_mask], OverGroups(inner, name="reader")(model_input, mask=model_mask))
    found = numbers(model([inputs, mask]))
    assert found.shape == (2, 3, 6, 6)
    for row in range(2):
        np.testing.assert_allclose(found[row], numbers(inner(inputs[row], mask=mask[row])), atol=1e-6)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(numbers(again([inputs, mask])), found, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Convolutions((), 3), "widths must be different"),
        (lambda: Convolutions((2, 2), 3), "widths must be different"),
        (lambda: Convolutions((2,), 0), "filters must be a whole number of at least 1"),
        (lambda: bidirectional("gruu", 3, name="x"), "'gru'"),
        (lambda: bidirectional("gru", 0, name="x"), "units must be a whole number of at least 1"),
    ],
)
def test_what_cannot_work_is_refused_in_one_sentence(make, sentence):
    with pytest.raises(ZooError, match=sentence):
        make()
