"""Statistics of whole models, computed in their graphs."""

import keras
import numpy as np
import pytest

from attention_zoo.calibrate import collect, probe, reweight
from attention_zoo.calibrate.capture import capture
from attention_zoo.calibrate.statistics import mix_statistics
from attention_zoo.core import Tape
from attention_zoo.layers import MultiHeadAttention
from attention_zoo.watch import MIX


def a_model(length=None, **options):
    inputs = keras.Input((length, 8))
    return keras.Model(inputs, MultiHeadAttention(2, 4, name="eye", **options)(inputs))


def data(batch=3, length=10):
    return np.random.default_rng(0).normal(size=(batch, length, 8)).astype("float32")


def test_statistics_are_those_of_the_captured_map():
    model, arrays = a_model(), data()
    found = collect(model, arrays)
    weights = np.asarray(capture(model).predict(arrays, verbose=0)["attention.eye"])
    wanted = keras.ops.convert_to_numpy(mix_statistics(weights, np.ones((1, 1, 1, 1), bool)))
    assert found["eye"].shape == (3, 2, len(MIX))
    np.testing.assert_allclose(found["eye"], wanted, atol=1e-5)


def test_the_output_is_the_models_own():
    model, arrays = a_model(), data()
    for rows in (4, 64):
        found = probe(model, rows=rows).predict(arrays, verbose=0)["output"]
        np.testing.assert_array_equal(found, model.predict(arrays, verbose=0))


def test_the_output_can_be_left_out_but_something_is_always_told():
    arrays = data()
    assert list(probe(a_model(), outputs=False).predict(arrays, verbose=0)) == ["statistics.eye"]
    inputs = keras.Input((None, 8))
    blind = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    assert list(probe(blind, outputs=False).predict(arrays, verbose=0)) == ["output"]
    assert collect(blind, arrays) == {}


def test_sites_come_in_the_order_in_which_they_run():
    inputs = keras.Input((None, 8))
    found = inputs
    for name in ("later_10", "later_9", "first"):
        found = MultiHeadAttention(2, 4, name=name)(found)
    assert list(collect(keras.Model(inputs, found), data())) == ["later_10", "later_9", "first"]


@pytest.mark.parametrize("options", [{}, {"position": "rotary"}, {"position": "alibi"}, {"position": "relative"}])
@pytest.mark.parametrize("length", [None, 200])
def test_of_a_long_map_a_sample_of_rows_says_nearly_the_same(length, options):
    if options.get("position") == "relative":
        options = {"position": "transformer_xl"}
    model, arrays = a_model(length, **options), data(length=200)
    whole, some = (probe(model, rows=rows).predict(arrays, verbose=0) for rows in (200, 64))
    entropy = MIX.index("entropy")
    np.testing.assert_allclose(some["output"], whole["output"], atol=1e-5)
    np.testing.assert_allclose(some["statistics.eye"][..., entropy], whole["statistics.eye"][..., entropy], atol=0.03)


def test_a_sample_as_large_as_the_map_is_the_map():
    model, arrays = a_model(None, position="rotary"), data(length=20)
    whole, some = (probe(model, rows=rows).predict(arrays, verbose=0) for rows in (20, 64))
    np.testing.assert_allclose(some["statistics.eye"], whole["statistics.eye"], atol=1e-5)


@pytest.mark.parametrize("length", [None, 100])
def test_the_same_rows_are_looked_at_where_rules_want_the_whole_map(length):
    model, arrays = a_model(length), data(length=100)
    plain, ruled = collect(model, arrays), collect(reweight(model, "temperature"), arrays)
    np.testing.assert_allclose(ruled["eye"], plain["eye"], atol=1e-5)


def test_a_sample_of_rows_forms_no_whole_map():
    sizes = []

    def note(seen):
        sizes.append(tuple(seen.weights.shape))
        return seen.weights

    layer = MultiHeadAttention(2, 4)
    with Tape(note, keep=False, rows=16):
        layer(data(1, 300))
    assert sizes == [(1, 2, 16, 300)]


def test_padding_changes_no_statistic():
    inputs = keras.Input((None,), dtype="int32")
    vectors = keras.layers.Embedding(20, 8, mask_zero=True)(inputs)
    model = keras.Model(inputs, MultiHeadAttention(2, 4, name="eye")(vectors))
    short = np.array([[3, 5, 7, 9]], "int32")
    padded = np.pad(short, ((0, 0), (0, 5)))
    np.testing.assert_allclose(collect(model, short)["eye"], collect(model, padded)["eye"], atol=1e-5)


def test_only_chooses_sites():
    assert collect(a_model(), data(), only="other*") == {}


def test_a_probe_is_saved_and_loaded(tmp_path):
    probed, arrays = probe(a_model(), rows=32), data()
    wanted = probed.predict(arrays, verbose=0)
    probed.save(tmp_path / "probe.keras")
    found = keras.models.load_model(tmp_path / "probe.keras").predict(arrays, verbose=0)
    assert set(found) == set(wanted) == {"output", "statistics.eye"}
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, atol=1e-6)


def test_wrong_arguments_are_told():
    with pytest.raises(TypeError, match=r"model must be a keras\.Model, got str"):
        probe("model")
    with pytest.raises(ValueError, match=r"rows must be a whole number of at least 2 .*, got 1"):
        probe(a_model(), rows=1)
