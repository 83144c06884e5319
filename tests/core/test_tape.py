"""The one door: what a tape sees, and what it changes."""

import threading

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo.calibrate.capture import capture
from attention_zoo.core import Site, Tape, remat, tap, tap_after_loop, tap_in_loop, watched
from attention_zoo.layers import MultiHeadAttention

SITE = Site("model/attention", "mix", ("batch", "head", "query", "key"))
INPUTS = np.random.default_rng(0).normal(size=(2, 5, 6)).astype("float32")


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


def test_without_a_tape_weights_pass_untouched():
    weights = ops.ones((1, 1, 2, 2))
    assert tap(SITE, weights) is weights
    assert not watched()


def test_a_tape_is_closed_even_after_an_error():
    with pytest.raises(RuntimeError), Tape():
        raise RuntimeError
    assert not watched()


def test_nested_tapes_both_see_and_the_outer_sees_what_the_inner_made():
    with Tape(rewrite=lambda seen: seen.weights + 1.0) as outer, Tape(lambda seen: seen.weights * 10.0) as inner:
        used = tap(SITE, ops.ones((1, 1, 1, 1)))
    assert numbers(inner.maps[SITE.path]).item() == 10.0
    assert numbers(outer.maps[SITE.path]).item() == numbers(used).item() == 11.0
    assert inner.sites[SITE.path] == SITE


def test_a_site_that_is_met_again_gets_a_number():
    with Tape() as tape:
        for value in (1.0, 2.0, 3.0):
            tap(SITE, ops.ones((1,)) * value)
    assert {name: numbers(value).item() for name, value in tape.maps.items()} == {
        "model/attention": 1.0,
        "model/attention#1": 2.0,
        "model/attention#2": 3.0,
    }


def test_only_a_tape_for_loops_is_met_in_one_and_all_others_behind_it():
    with Tape() as keeping, Tape(lambda seen: seen.weights * 2.0, keep=False, loops=True):
        used = tap_in_loop(SITE, ops.ones((1, 1, 1, 1)))
        assert not keeping.maps
        shown = tap_after_loop(SITE, used)
    assert numbers(used).item() == numbers(shown).item() == numbers(keeping.maps[SITE.path]).item() == 2.0


def test_only_lets_other_sites_pass_unseen_and_unchanged():
    with Tape(rewrite=lambda seen: seen.weights * 0.0, only="*/decoder*") as tape:
        kept = tap(Site("model/encoder", "mix", ()), ops.ones((1,)))
        changed = tap(Site("model/decoder_1", "mix", ()), ops.ones((1,)))
    assert list(tape.maps) == ["model/decoder_1"]
    assert numbers(kept).item() == 1.0
    assert numbers(changed).item() == 0.0


def test_a_map_of_another_thread_does_not_land_in_this_tape():
    seen = []

    def elsewhere():
        seen.append(watched())
        tap(SITE, ops.ones((1,)))

    with Tape() as tape:
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert seen == [False]
    assert tape.maps == {}


def test_what_is_rewritten_is_what_mixes():
    layer = MultiHeadAttention(2, 4)
    layer(INPUTS)
    with Tape(rewrite=lambda seen: seen.weights * 0.0):
        silent = layer(INPUTS)
    bias = numbers(layer.output_dense.bias)
    np.testing.assert_allclose(numbers(silent), np.broadcast_to(bias, silent.shape), atol=1e-6)
    assert np.abs(numbers(layer(INPUTS)) - numbers(silent)).max() > 1e-3


def test_a_captured_model_predicts_its_maps_compiled_and_again():
    inputs = keras.Input((None, 6))
    model = keras.Model(inputs, MultiHeadAttention(2, 4, name="eye")(inputs))
    watching = capture(model)
    for batch in (INPUTS, INPUTS[:1, :3]):
        found = watching.predict(batch, verbose=0)
        name = next(name for name in found if name.startswith("attention."))
        assert name.endswith("eye")
        assert found[name].shape == (len(batch), 2, batch.shape[1], batch.shape[1])
        np.testing.assert_allclose(found["output"], model.predict(batch, verbose=0), atol=1e-6)
    assert not watched()


def test_a_captured_model_trains():
    inputs = keras.Input((5, 6))
    model = keras.Model(inputs, keras.layers.Dense(1)(MultiHeadAttention(2, 4)(inputs)))
    before = model.get_weights()[0].copy()
    watching = capture(model)
    watching.compile("sgd", {"output": "mse"}, run_eagerly=True)
    watching.train_on_batch(INPUTS, {"output": np.ones((2, 5, 1), "float32")})
    assert np.any(model.get_weights()[0] != before)


def test_remat_steps_aside_while_watched():
    calls = []

    def block(x):
        calls.append(watched())
        return tap(SITE, x * 2.0)

    x = ops.ones((2,))
    plain = remat(block, x)
    with Tape() as tape:
        seen = remat(block, x)
    np.testing.assert_array_equal(numbers(plain), numbers(seen))
    np.testing.assert_array_equal(numbers(tape.maps[SITE.path]), [2.0, 2.0])
    assert calls[-1] is True


def test_a_captured_model_says_nothing_of_how_the_model_was_trained():
    class Own(keras.losses.Loss):
        def call(self, truth, output):
            return keras.ops.mean((truth - output) ** 2, axis=-1)

    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    model.compile("sgd", Own())
    watched = capture(model)
    again = type(watched).from_config(watched.get_config())
    assert isinstance(again.model, keras.Model)
