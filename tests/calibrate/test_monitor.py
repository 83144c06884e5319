"""A training is watched while it runs: the fault is named, at its step, and nothing else changes."""

import itertools

import keras
import numpy as np
import pytest

from attention_zoo.calibrate import AttentionDetector, AttentionMonitor
from attention_zoo.calibrate.probe import collect
from attention_zoo.errors import ZooValueError
from attention_zoo.layers import MultiHeadAttention
from attention_zoo.watch import Sink

LENGTH, WIDTH, BATCH, STEPS, WINDOW = 8, 8, 16, 12, 16


def arrays(count, seed):
    return np.random.default_rng(seed).normal(size=(count, LENGTH, WIDTH)).astype("float32")


def build(rate=1e-4):
    """Return a small model with two attentions and dropout, always with the same weights."""
    keras.utils.set_random_seed(3)
    read = found = keras.Input((LENGTH, WIDTH))
    for name in ("first", "second"):
        found = found + MultiHeadAttention(num_heads=2, key_dim=4, name=name)(found, found)
        found = keras.layers.Dropout(0.2)(found)
    answer = keras.layers.Dense(2, name="answer")(keras.layers.GlobalAveragePooling1D()(found))
    model = keras.Model(read, answer)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    return model


@pytest.fixture(scope="module")
def detector():
    return AttentionDetector("mahalanobis", 0.01, WINDOW).fit(collect(build(), arrays(600, 1)))


def train(model, callbacks, epochs=2):
    data, labels = arrays(BATCH * STEPS, 2), np.arange(BATCH * STEPS) % 2
    return model.fit(data, labels, batch_size=BATCH, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks)


class Break(keras.callbacks.Callback):
    """Make the scores of one layer so large that each query sees one key, after some steps of the first epoch."""

    def __init__(self, name, step, factor=100.0):
        super().__init__()
        self.name, self.step, self.factor, self.done = name, step, factor, False

    def on_train_batch_end(self, batch, logs=None):
        if not self.done and batch + 1 == self.step:
            self.done = True
            if hasattr(self.model, "jax_state_sync"):
                self.model.jax_state_sync()
            layer = self.model.get_layer(self.name)
            for variable in layer.trainable_variables:
                if "query" in variable.path or "key" in variable.path:
                    variable.assign(variable * self.factor)


class Kept(Sink):
    def __init__(self):
        self.steps, self.scores, self.closed = [], [], False

    def window(self, judgement, step):
        self.steps.append(step)
        self.scores.append(judgement.scores)

    def close(self):
        self.closed = True


def test_a_layer_that_collapses_is_named_within_two_looks_with_the_step(detector):
    monitor = AttentionMonitor(detector, arrays(32, 4), every=3)
    train(build(), [Break("second", step=8), monitor])
    first = monitor.events[0]
    assert first.kind == "alert" and 8 <= first.step <= 8 + 2 * 3 and first.since == first.step
    assert {one.site for one in first.findings} == {"second"} and {one.kind for one in first.findings} == {"collapsed"}
    assert monitor.monitor.alert


def test_a_sound_training_is_looked_at_every_so_many_steps_and_at_the_end_of_epochs(detector):
    kept = Kept()
    monitor = AttentionMonitor(detector, arrays(32, 4), every=5, sinks=[kept])
    train(build(), [monitor])
    assert kept.steps == [0, 5, 10, 12, 15, 20, 24] and monitor.looks == 7
    assert monitor.events == [] and not monitor.monitor.alert
    assert monitor.seconds > 0.0 and not kept.closed


def test_steps_that_run_together_are_counted(detector):
    if keras.backend.backend() == "torch":
        pytest.skip("Keras runs steps one by one there")
    kept = Kept()
    model = build()
    model.compile("sgd", model.loss, steps_per_execution=4)
    train(model, [AttentionMonitor(detector, arrays(32, 4), every=6, sinks=[kept])], epochs=1)
    assert kept.steps == [0, 8, 12]


def test_it_sees_the_weights_of_the_very_step(detector):
    kept = Kept()
    model = build(rate=3e-3)
    train(model, [AttentionMonitor(detector, arrays(32, 4), every=4, sinks=[kept])], epochs=1)
    assert kept.steps == [0, 4, 8, 12]
    scores = [one["first"] for one in kept.scores]
    assert all(before != after for before, after in itertools.pairwise(scores))
    after = detector.judge(collect(model, arrays(32, 4))).scores
    for site, found in kept.scores[-1].items():
        np.testing.assert_allclose(found, after[site], rtol=1e-3)


def test_the_training_is_the_same_as_without(detector):
    plain, watched = build(rate=1e-2), build(rate=1e-2)
    keras.utils.set_random_seed(9)
    wanted = train(plain, [])
    keras.utils.set_random_seed(9)
    monitor = AttentionMonitor(detector, arrays(32, 4), every=1)
    found = train(watched, [monitor])
    assert monitor.looks == 25
    assert found.history == wanted.history
    for one, other in zip(plain.get_weights(), watched.get_weights()):
        np.testing.assert_array_equal(one, other)


def test_a_second_training_goes_on_counting(detector):
    kept = Kept()
    monitor = AttentionMonitor(detector, arrays(32, 4), every=10, sinks=[kept])
    model = build()
    train(model, [monitor], epochs=1)
    train(model, [monitor], epochs=1)
    assert kept.steps == [0, 10, 12, 12, 20, 24]


def test_batches_of_any_size_see_the_same(detector):
    scores = []
    for size in (None, 7):
        kept = Kept()
        train(build(), [AttentionMonitor(detector, arrays(32, 4), sinks=[kept], batch_size=size)], epochs=1)
        scores.append(kept.scores[0]["first"])
    np.testing.assert_allclose(*scores, rtol=1e-3)


def test_a_detector_that_does_not_fit_the_model_is_told_before_the_first_step(detector):
    model = build()
    before = model.get_weights()
    with pytest.raises(ZooValueError, match="must hold the site 'second', got first"):
        train(model, [AttentionMonitor(detector, arrays(32, 4), only="first")])
    assert all(np.array_equal(one, other) for one, other in zip(before, model.get_weights()))


@pytest.mark.parametrize(
    ("data", "options", "sentence"),
    [
        (arrays(15, 0), {}, "data must hold at least 16 examples"),
        ({"a": arrays(16, 0), "b": arrays(17, 0)}, {}, "data must hold at least 16 examples"),
        (arrays(16, 0), {"every": 0}, "every must be a whole number"),
        (arrays(16, 0), {"batch_size": 0}, "batch_size must be a whole number"),
    ],
)
def test_arguments_out_of_range_are_refused(detector, data, options, sentence):
    with pytest.raises(ZooValueError, match=sentence):
        AttentionMonitor(detector, data, **options)
