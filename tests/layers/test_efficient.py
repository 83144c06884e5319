"""What the suite cannot see of attention that costs less: states, draws, centroids, and what is refused."""

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo import layers
from attention_zoo.core.delta import delta_sums
from attention_zoo.errors import ZooValueError

GENERATOR = np.random.default_rng(0)
INPUTS = GENERATOR.normal(size=(2, 13, 6)).astype("float32")


def numbers(tensor):
    return np.array(ops.convert_to_numpy(tensor))


def make(name, **arguments):
    return layers.get(name, **{"num_heads": 2, "key_dim": 4, **arguments})


def carry(source, target):
    """Give a layer the projections of another."""
    for name in ("query_dense", "key_dense", "value_dense", "output_dense"):
        getattr(target, name).set_weights(getattr(source, name).get_weights())


STEPS = [("retention", {"chunk": 3}), ("performer", {"causal": True, "features": 7, "seed": 1})]


@pytest.mark.parametrize("size", [1, 4, 5])
@pytest.mark.parametrize(("name", "arguments"), STEPS, ids=lambda value: str(value))
def test_step_by_step_gives_what_the_whole_sequence_gives(name, arguments, size):
    layer = make(name, **arguments)
    wanted = numbers(layer(INPUTS))
    state, found = layer.empty_cache(2), []
    for start in range(0, INPUTS.shape[1], size):
        output, state = layer.step(INPUTS[:, start : start + size], state, start)
        found.append(numbers(output))
    np.testing.assert_allclose(np.concatenate(found, axis=1), wanted, atol=2e-6)


def test_retention_does_not_depend_on_the_chunk():
    keras.utils.set_random_seed(0)
    layer = make("retention", chunk=1)
    wanted = numbers(layer(INPUTS))
    for chunk in (2, 5, 64):
        other = make("retention", chunk=chunk)
        other.build(INPUTS.shape)
        other.set_weights(layer.get_weights())
        np.testing.assert_allclose(numbers(other(INPUTS)), wanted, atol=2e-6)


def test_performer_comes_close_to_softmax_and_closer_with_more_features():
    exact = make("multi_head")
    # Long vectors need very many features.
    inputs = 0.4 * INPUTS
    wanted = numbers(exact(inputs))
    missed = []
    for features in (4, 4096):
        layer = make("performer", features=features, seed=2)
        layer.build(inputs.shape)
        carry(exact, layer)
        missed.append(np.abs(numbers(layer(inputs)) - wanted).max())
    assert missed[1] < 0.01 < missed[0]


def test_performer_redraws_other_orthogonal_directions():
    layer = make("performer", features=4, seed=1)
    layer.build(INPUTS.shape)
    before = numbers(layer.directions)
    layer.redraw()
    after = numbers(layer.directions)
    assert np.abs(before - after).max() > 0.1
    for directions in (before, after):
        products = directions.T @ directions
        np.testing.assert_allclose(products, np.diag(np.diag(products)), atol=1e-5)


def test_performer_with_a_seed_draws_the_same_each_time():
    first, second = (make("performer", seed=5) for _ in range(2))
    for layer in (first, second):
        layer.build(INPUTS.shape)
    np.testing.assert_array_equal(numbers(first.directions), numbers(second.directions))


def test_longformer_without_global_projections_is_the_pattern():
    pattern = {
        "name": "either",
        "first": {"name": "sliding_window", "reach": 2},
        "second": {"name": "global_tokens", "count": 3},
    }
    exact = make("multi_head", pattern=pattern)
    wanted = numbers(exact(INPUTS))
    layer = make("longformer", reach=2, tokens=3, separate=False)
    layer.build(INPUTS.shape)
    carry(exact, layer)
    np.testing.assert_allclose(numbers(layer(INPUTS)), wanted, atol=2e-6)


def test_longformer_takes_fewer_tokens_than_are_global():
    layer = make("longformer", reach=1, tokens=5)
    short = INPUTS[:, :3]
    output, _ = layer(short, return_attention_scores=True)
    np.testing.assert_allclose(numbers(layer(short)), numbers(output), atol=2e-6)


def test_routing_moves_its_centroids_while_training_only():
    layer = make("routing", clusters=2, decay=0.5)
    layer(INPUTS)
    before = numbers(layer.centroids)
    layer(INPUTS)
    np.testing.assert_array_equal(numbers(layer.centroids), before)
    layer(INPUTS, training=True)
    after = numbers(layer.centroids)
    assert np.abs(after - before).max() > 0.01
    # Members have variance 1 over their channels: their mean is no longer than that.
    assert np.all(np.linalg.norm(after - 0.5 * before, axis=-1) <= 0.5 * 4**0.5 + 1e-4)


def test_routing_trains_inside_a_compiled_model():
    model = keras.Sequential([keras.Input((13, 6)), make("routing", clusters=2, decay=0.5)])
    before = numbers(model.layers[0].centroids)
    model.compile("sgd", "mse")
    model.train_on_batch(INPUTS, INPUTS)
    assert np.abs(numbers(model.layers[0].centroids) - before).max() > 0.01


def test_axial_over_one_long_row_is_attention_along_it():
    layer = make("axial", axes=[2], columns=13)
    found = numbers(layer(INPUTS))
    exact = make("multi_head")
    exact.build(INPUTS.shape)
    carry(layer.along[0], exact)
    np.testing.assert_allclose(found, numbers(exact(INPUTS)), atol=2e-6)


def test_aft_does_not_change_when_all_keys_of_a_channel_shift():
    layer = make("aft_simple")
    wanted = numbers(layer(INPUTS))
    layer.key_dense.bias.assign(numbers(layer.key_dense.bias) + 90.0)
    np.testing.assert_allclose(numbers(layer(INPUTS)), wanted, atol=2e-5)


def test_the_delta_rule_stays_exact_where_all_keys_are_the_same():
    length = 150
    key = np.zeros((1, 1, length, 4), "float32")
    key[..., 0] = 1.0
    value = GENERATOR.normal(size=(1, 1, length, 3)).astype("float32")
    strength = np.full((1, 1, length, 1), 0.9, "float32")
    wanted, memory = np.zeros((length, 3)), np.zeros(3)
    for place in range(length):
        memory = 0.1 * memory + 0.9 * value[0, 0, place]
        wanted[place] = memory
    arrays = [ops.convert_to_tensor(array) for array in (key, key, value, strength)]
    np.testing.assert_allclose(numbers(delta_sums(*arrays))[0, 0], wanted, atol=1e-3)


REFUSED = {
    "a second sequence": ("reformer", {}, {"value": INPUTS[:, :5]}, "value"),
    "a second sequence beside the convolution": ("nystromformer", {}, {"value": INPUTS[:, :5]}, "value"),
    "a second grid": ("axial", {}, {"value": INPUTS[:, :5]}, "value"),
    "a mask of pairs": ("linformer", {}, {"attention_mask": np.ones((2, 13, 13), bool)}, "attention_mask"),
    "causality of landmarks": ("nystromformer", {}, {"use_causal_mask": True}, "use_causal_mask"),
    "causality of clusters": ("routing", {}, {"use_causal_mask": True}, "use_causal_mask"),
    "more tokens than there are shares": ("linformer", {"max_length": 12}, {}, "max_length"),
    "more tokens than there are scores": ("synthesizer_dense", {"max_length": 12}, {}, "max_length"),
    "more tokens than there are biases": ("aft_full", {"max_length": 12}, {}, "max_length"),
}


@pytest.mark.parametrize(("name", "arguments", "options", "word"), REFUSED.values(), ids=REFUSED)
def test_calls_that_cannot_be_answered_are_refused(name, arguments, options, word):
    with pytest.raises(ZooValueError, match=word):
        make(name, **arguments)(INPUTS, **options)


WRONG = [
    ("longformer", {"reach": -1}),
    ("longformer", {"tokens": 0}),
    ("big_bird", {"size": 0}),
    ("big_bird", {"choices": 0}),
    ("reformer", {"buckets": 3}),
    ("reformer", {"rounds": 0}),
    ("routing", {"clusters": 0}),
    ("routing", {"decay": 1.5}),
    ("linformer", {"fit": "stretch"}),
    ("linformer", {"rank": 0}),
    ("nystromformer", {"kernel_size": 4}),
    ("nystromformer", {"landmarks": True}),
    ("performer", {"features": 0}),
    ("synthesizer_dense", {"max_length": 10, "factors": 3}),
    ("synthesizer_random", {"rank": 0}),
    ("aft_simple", {"value_dim": 3}),
    ("aft_conv", {"kernel_size": 2}),
    ("aft_local", {"reach": -1}),
    ("memory_compressed", {"stride": 0}),
    ("retention", {"key_dim": 3}),
    ("axial", {"columns": 0}),
]


@pytest.mark.parametrize(("name", "arguments"), WRONG, ids=lambda value: str(value))
def test_wrong_arguments_are_refused(name, arguments):
    with pytest.raises(ZooValueError, match=next(iter(arguments)) if "factors" not in arguments else "factors"):
        make(name, **arguments)


@pytest.mark.parametrize("part", ["score", "normalizer", "pattern", "sliding_window", "num_key_value_heads"])
def test_parts_that_would_be_ignored_are_refused(part):
    values = {"score": "dot", "normalizer": "sparsemax", "pattern": "causal", "sliding_window": 3}
    with pytest.raises(ZooValueError, match=part):
        make("linformer", **{part: values.get(part, 1)})


def test_positions_that_act_on_scores_are_refused():
    with pytest.raises(ZooValueError, match="position"):
        make("linear", position="rotary")


def test_axes_outside_the_grid_are_refused():
    with pytest.raises(ZooValueError, match="axes"):
        make("axial", axes=[3])(INPUTS)
