"""Change the import and nothing else: our layers in place of Keras's."""

import inspect

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo import layers

GENERATOR = np.random.default_rng(0)
QUERY = GENERATOR.normal(size=(2, 7, 6)).astype("float32")
VALUE = GENERATOR.normal(size=(2, 9, 6)).astype("float32")
GRID = GENERATOR.normal(size=(2, 3, 4, 6)).astype("float32")
PAIRS = GENERATOR.random((2, 7, 9)) < 0.6
PAIRS[..., 0] = True
QUERY_MASK = np.arange(7) < np.array([[7], [5]])
VALUE_MASK = np.arange(9) < np.array([[6], [9]])


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


def pair(name="MultiHeadAttention", *arguments, calls=(QUERY, VALUE), **options):
    """Return Keras's layer and ours, built, with the same weights, none of them zero."""
    arguments = arguments or ((4, 3) if name == "MultiHeadAttention" else (3, 4, 2))
    theirs = getattr(keras.layers, name)(*arguments, **options)
    ours = getattr(layers, name)(*arguments, **options)
    theirs.build(*(array.shape for array in calls))
    ours.build(*(array.shape for array in calls))
    noise = np.random.default_rng(1)
    weights = [weight + 0.3 * noise.normal(size=weight.shape).astype("float32") for weight in theirs.get_weights()]
    theirs.set_weights(weights)
    ours.set_weights(weights)
    return theirs, ours


def same(theirs, ours, *inputs, rows=None, **options):
    """Compare outputs, and scores where asked for; `rows` are the queries that see something."""
    wanted, got = theirs(*inputs, **options), ours(*inputs, **options)
    for one, other in zip(*([x] if not isinstance(x, tuple) else x for x in (wanted, got))):
        one, other = numbers(one), numbers(other)
        if rows is not None and one.shape[1] == rows.shape[1]:
            one, other = one[rows], other[rows]
        np.testing.assert_allclose(other, one, atol=2e-6)


LAYERS = ["MultiHeadAttention", "GroupQueryAttention"]


@pytest.mark.parametrize("name", LAYERS)
def test_the_constructor_takes_the_same_arguments_in_the_same_order(name):
    theirs = list(inspect.signature(getattr(keras.layers, name).__init__).parameters.values())[1:-1]
    ours = list(inspect.signature(getattr(layers, name).__init__).parameters.values())[1:]
    shown = [(argument.name, argument.default) for argument in ours[: len(theirs)]]
    assert shown == [(argument.name, argument.default) for argument in theirs]
    assert all(argument.default is not inspect.Parameter.empty for argument in ours[len(theirs) : -1])


@pytest.mark.parametrize("name", LAYERS)
def test_the_call_takes_the_same_arguments_in_the_same_order(name):
    theirs = inspect.signature(getattr(keras.layers, name).call).parameters.values()
    ours = inspect.signature(getattr(layers, name).call).parameters.values()
    # Last comes the mask that Keras fills where there is one tensor alone, which its own layers do not take.
    assert [argument.name for argument in ours] == [*(argument.name for argument in theirs), "mask"]
    for one, other in list(zip(theirs, ours))[3:]:
        assert one.default == other.default, one.name


SELF_ATTENTION = (
    "multi_head",
    "grouped_query",
    "transformer_xl",
    "interpretable",
    "auto_correlation",
    "induced_set_attention",
    "linear",
)


@pytest.mark.parametrize("name", SELF_ATTENTION)
def test_a_mask_that_keras_carries_is_seen_in_self_attention_compiled_or_not(name):
    inputs = keras.Input((None,), dtype="int32")
    vectors = keras.layers.Embedding(20, 8, mask_zero=True)(inputs)
    model = keras.Model(inputs, layers.get(name, num_heads=2, key_dim=4)(vectors))
    ids = np.array([[3, 5, 7, 9, 0, 0, 0]], "int32")
    answers = (model.predict_on_batch, lambda ids: numbers(model(ids)))
    before = [answer(ids)[:, :4] for answer in answers]
    # What stands at padding is another vector now, which nothing else may see.
    (table,) = model.layers[1].get_weights()
    table[0] = 3.0
    model.layers[1].set_weights([table])
    for answer, was in zip(answers, before):
        np.testing.assert_allclose(answer(ids)[:, :4], was, atol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_arguments_by_position_mean_the_same(name):
    # ... dropout, use_bias: the fourth and fifth of both layers.
    arguments = (4, 3, 5, 0.25, False) if name == "MultiHeadAttention" else (3, 4, 2, 0.25, False)
    theirs, ours = getattr(keras.layers, name)(*arguments), getattr(layers, name)(*arguments)
    known = ours.get_config()
    for key in ("dropout", "use_bias"):
        assert known[key] == theirs.get_config()[key]


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("options", [{}, {"use_bias": False}, {"use_gate": True}], ids=["plain", "no bias", "gate"])
def test_weights_are_carried_both_ways(name, options):
    theirs, ours = pair(name, **options)
    assert [w.shape for w in ours.weights] == [w.shape for w in theirs.weights]
    fresh = getattr(keras.layers, name)(*((4, 3) if name == "MultiHeadAttention" else (3, 4, 2)), **options)
    fresh(QUERY, VALUE)
    fresh.set_weights(ours.get_weights())
    same(fresh, ours, QUERY, VALUE)
    same(theirs, ours, QUERY, VALUE)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("gate", [False, True])
def test_outputs_are_equal_under_every_mask(name, gate):
    theirs, ours = pair(name, use_gate=gate)
    same(theirs, ours, QUERY, VALUE, attention_mask=PAIRS)
    same(theirs, ours, QUERY, VALUE, VALUE[::-1].copy())
    same(theirs, ours, VALUE, VALUE, use_causal_mask=True)
    same(theirs, ours, QUERY, VALUE, value_mask=VALUE_MASK, key_mask=VALUE_MASK[::-1].copy() | VALUE_MASK)
    # Keras averages for a padded query, where ours gives zeros: compare the others.
    masks = {"query_mask": QUERY_MASK, "value_mask": VALUE_MASK}
    same(theirs, ours, QUERY, VALUE, rows=QUERY_MASK, **masks)
    same(theirs, ours, QUERY, VALUE, rows=QUERY_MASK, attention_mask=PAIRS | (np.arange(9) == 1), **masks)


@pytest.mark.parametrize("name", LAYERS)
def test_scores_are_equal_and_do_not_change_the_output(name):
    theirs, ours = pair(name)
    same(theirs, ours, QUERY, VALUE, attention_mask=PAIRS, return_attention_scores=True)
    same(theirs, ours, QUERY, QUERY, use_causal_mask=True, return_attention_scores=True)


@pytest.mark.parametrize("name", LAYERS)
def test_a_sliding_window_is_counted_as_keras_counts(name):
    for window in (1, 3):
        same(*pair(name, sliding_window=window, calls=(QUERY, QUERY)), QUERY, QUERY)
    same(*pair(name, sliding_window=2, calls=(QUERY, QUERY)), QUERY, QUERY, use_causal_mask=True)


def test_values_may_be_wider_or_narrower_than_keys():
    theirs, ours = pair(value_dim=5)
    # Keras's fused path fails on one backend where they differ; with the scores it takes its own formula.
    wanted = theirs(QUERY, VALUE, return_attention_scores=True)[0]
    np.testing.assert_allclose(numbers(ours(QUERY, VALUE)), numbers(wanted), atol=2e-6)


@pytest.mark.parametrize("shape", [5, (5,), (2, 3)])
def test_the_output_takes_the_shape_that_is_asked_for(shape):
    theirs, ours = pair(output_shape=shape)
    same(theirs, ours, QUERY, VALUE)
    spec = ours.compute_output_shape(QUERY.shape, VALUE.shape)
    assert tuple(spec) == tuple(theirs.compute_output_shape(QUERY.shape, VALUE.shape)) == ours(QUERY, VALUE).shape


@pytest.mark.parametrize("axes", [None, 1, 2, (2,), (1, 2)])
def test_attention_runs_over_the_axes_that_are_asked_for(axes):
    theirs, ours = pair(attention_axes=axes, calls=(GRID, GRID))
    same(theirs, ours, GRID, GRID)
    same(theirs, ours, GRID, GRID, return_attention_scores=True)


def test_dropout_drops_the_share_that_is_asked_for_and_keeps_the_mean():
    theirs, ours = pair(dropout=0.5, seed=3)
    same(theirs, ours, QUERY, VALUE)
    # One call with many equal sequences draws as many times.
    many, values = (np.repeat(array[:1], 400, axis=0) for array in (QUERY, VALUE))
    drawn, theirs_drawn = (numbers(layer(many, values, training=True)) for layer in (ours, theirs))
    assert np.abs(drawn[0] - drawn[1]).max() > 1e-3
    still = numbers(ours(QUERY, VALUE))[0]
    np.testing.assert_array_less(np.abs(drawn.mean(0) - still), 6 * drawn.std(0) / 400**0.5)
    np.testing.assert_allclose(drawn.std(0).mean(), theirs_drawn.std(0).mean(), rtol=0.1)


def test_training_may_be_left_to_the_model():
    _, ours = pair(dropout=0.5, seed=3)
    model = keras.Sequential([ours])
    assert np.abs(numbers(model(QUERY, training=True)) - numbers(model(QUERY))).max() > 1e-3


@pytest.mark.parametrize("name", LAYERS)
def test_a_config_that_keras_saved_makes_our_layer(name):
    theirs, _ = pair(name, dropout=0.1, use_gate=True, sliding_window=3, kernel_regularizer="l2")
    config = {key: value for key, value in theirs.get_config().items() if key not in ("query_shape", "value_shape")}
    ours = getattr(layers, name).from_config({**config, "dtype": "float32"})
    ours(QUERY, VALUE)
    ours.set_weights(theirs.get_weights())
    same(theirs, ours, QUERY, VALUE)
    known = ours.get_config()
    for key, value in config.items():
        if key not in ("key_shape", "dtype"):
            assert known[key] == value, key


def test_regularizers_constraints_and_activity_count_as_in_keras():
    options = {"kernel_regularizer": "l2", "bias_regularizer": "l1", "kernel_constraint": "non_neg"}
    theirs, ours = pair(**options)
    same(theirs, ours, QUERY, VALUE)
    wanted, got = (float(sum(numbers(loss) for loss in layer.losses)) for layer in (theirs, ours))
    assert got == pytest.approx(wanted, rel=1e-5)
    assert all(dense.kernel.constraint is not None for dense in (ours.query_dense, ours.output_dense))


def build(package, mask_zero=True):
    """Write the model as a user would, with the layers of `package`."""
    tokens, more = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    embed = keras.layers.Embedding(20, 6, mask_zero=mask_zero)
    first, second = embed(tokens), embed(more)
    mixed = package.MultiHeadAttention(2, 3)(first, first)
    mixed = package.GroupQueryAttention(3, 4, 2)(mixed, second, use_causal_mask=True)
    return keras.Model([tokens, more], keras.layers.GlobalAveragePooling1D()(mixed))


def test_a_functional_model_carries_the_masks_of_its_embedding():
    tokens = np.array([[3, 4, 5, 0, 0], [6, 7, 8, 9, 1]])
    more = np.array([[2, 3, 0, 0], [5, 6, 7, 8]])
    theirs, ours = build(keras.layers), build(layers)
    ours.set_weights(theirs.get_weights())
    wanted = theirs.predict([tokens, more], verbose=0)
    np.testing.assert_allclose(ours.predict([tokens, more], verbose=0), wanted, atol=2e-6)
    unmasked = build(layers, mask_zero=False)
    unmasked.set_weights(theirs.get_weights())
    assert np.abs(unmasked.predict([tokens, more], verbose=0) - wanted).max() > 1e-4


def test_self_attention_needs_its_input_once():
    _, ours = pair(calls=(QUERY, QUERY))
    np.testing.assert_allclose(numbers(ours(QUERY)), numbers(ours(QUERY, QUERY, QUERY)), atol=1e-6)
