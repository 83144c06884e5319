"""Schedules against their formulas; AdamW that leaves biases and gains alone."""

import math

import keras
import numpy as np
import pytest

from attention_zoo.errors import ZooValueError
from attention_zoo.training import adamw, precision, schedule

STEPS, WARMUP, PEAK = 100, 10, 0.4


def rate(wanted, step):
    return float(keras.ops.convert_to_numpy(wanted(step)))


@pytest.mark.parametrize("kind", ["cosine", "constant", "linear", "inverse_sqrt"])
def test_every_schedule_rises_to_its_peak_and_never_passes_it(kind):
    wanted = schedule(kind, PEAK, STEPS, WARMUP)
    rates = [rate(wanted, step) for step in range(STEPS + 5)]
    assert 0 < rates[0] < rates[5] < rates[WARMUP]
    assert max(rates) == pytest.approx(PEAK) == rates[WARMUP]
    assert all(later <= earlier + 1e-7 for earlier, later in zip(rates[WARMUP:], rates[WARMUP + 1 :]))


@pytest.mark.parametrize(
    ("kind", "formula"),
    [
        ("cosine", lambda step: PEAK * 0.5 * (1 + math.cos(math.pi * (step - WARMUP) / (STEPS - WARMUP)))),
        ("constant", lambda step: PEAK),
        ("linear", lambda step: PEAK * (STEPS - step) / (STEPS - WARMUP)),
        ("inverse_sqrt", lambda step: PEAK * math.sqrt(WARMUP / step)),
    ],
)
def test_schedules_follow_their_formula_after_the_rise(kind, formula):
    wanted = schedule(kind, PEAK, STEPS, WARMUP)
    for step in (WARMUP, 37, 99, 100):
        assert rate(wanted, step) == pytest.approx(formula(step), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("kind", ["cosine", "constant", "linear", "inverse_sqrt"])
def test_schedules_work_without_a_rise_and_come_back_from_their_config(kind):
    wanted = schedule(kind, 1, STEPS, floor=0.1)
    assert rate(wanted, 0) == pytest.approx(1)
    again = keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(wanted))
    assert rate(again, 70) == rate(wanted, 70)
    if kind in ("cosine", "linear"):
        assert rate(wanted, STEPS) == pytest.approx(0.1, rel=1e-4)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"kind": "cosin"}, "'cosine'"),
        ({"peak": 0}, "peak"),
        ({"steps": 0}, "steps"),
        ({"warmup": 100}, "warmup"),
        ({"warmup": -1}, "warmup"),
        ({"floor": 2}, "floor"),
    ],
)
def test_impossible_schedules_are_refused(change, word):
    with pytest.raises(ZooValueError, match=word):
        schedule(**{"kind": "linear", "peak": 1.0, "steps": 100, "warmup": 0, **change})


def network():
    tokens = keras.Input((6,), dtype="int32")
    x = keras.layers.Embedding(9, 8)(tokens)
    x = keras.layers.MultiHeadAttention(2, 4, bias_initializer="ones")(x, x)
    x = keras.layers.LayerNormalization()(x)
    return keras.Model(tokens, keras.layers.Dense(2, bias_initializer="ones")(x))


@pytest.mark.parametrize("decay_embeddings", [True, False])
def test_only_matrices_decay(decay_embeddings):
    model = network()
    optimizer = adamw(model, 0.1, weight_decay=0.5, decay_embeddings=decay_embeddings)
    before = [np.array(keras.ops.convert_to_numpy(v)) for v in model.trainable_variables]
    optimizer.apply([keras.ops.zeros(v.shape) for v in model.trainable_variables], model.trainable_variables)
    for old, variable in zip(before, model.trainable_variables):
        decays = variable.name == "kernel" or (variable.name == "embeddings" and decay_embeddings)
        wanted = old * 0.95 if decays else old
        np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), wanted, rtol=1e-5, err_msg=variable.path)


def test_gradients_are_clipped_together():
    model = network()
    optimizer = adamw(model, 0.1, clip=1.0)
    gradients = optimizer._clip_gradients([keras.ops.ones(v.shape) * 5 for v in model.trainable_variables])
    norm = math.sqrt(sum(float(keras.ops.sum(g * g)) for g in gradients))
    assert norm == pytest.approx(1.0, rel=1e-4)


def test_wrong_optimizers_are_refused():
    with pytest.raises(ZooValueError, match="built"):
        adamw(keras.Sequential([keras.layers.Dense(1)]), 0.1)
    for change in ({"clip": 0}, {"averaging": 1.0}):
        with pytest.raises(ZooValueError, match=next(iter(change))):
            adamw(network(), 0.1, **change)


def test_precision_holds_for_the_block_only():
    with precision("mixed_bfloat16"):
        layer = keras.layers.Dense(2)
        layer.build((None, 3))
    assert layer.compute_dtype == "bfloat16"
    assert keras.layers.Dense(2).compute_dtype == "float32"
    with pytest.raises(ZooValueError, match="policy"), precision("float7"):
        pass
    assert keras.config.dtype_policy().name == "float32"
