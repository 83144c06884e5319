"""Losses against their formulas in NumPy, and their gradients against plain ones."""

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo.errors import ZooValueError
from attention_zoo.training import BinaryCrossEntropy, CrossEntropy, Distillation, balanced_weights, positive_weights
from attention_zoo.training.metrics import sigmoid, softmax

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(size=(7, 4)).astype("float32") * 3
LABELS = RANDOM.integers(0, 4, size=7)
TARGETS = (RANDOM.random((7, 4)) < 0.4).astype("float32")


def value(loss, truth, logits=LOGITS):
    return float(ops.convert_to_numpy(loss(truth, logits)))


def test_plain_losses_are_those_of_keras():
    sparse = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    assert value(CrossEntropy(), LABELS) == pytest.approx(value(sparse, LABELS), rel=1e-5)
    assert value(CrossEntropy(), LABELS[:, None]) == pytest.approx(value(sparse, LABELS), rel=1e-5)
    smoothed = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2)
    assert value(CrossEntropy(0.2), LABELS) == pytest.approx(value(smoothed, np.eye(4)[LABELS]), rel=1e-5)
    binary = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1)
    assert value(BinaryCrossEntropy(smoothing=0.1), TARGETS) == pytest.approx(value(binary, TARGETS), rel=1e-5)


def test_soft_labels_weights_and_focus_follow_the_formula():
    soft, weights, p = RANDOM.dirichlet(np.ones(4), size=7), [0.5, 1.0, 2.0, 4.0], softmax(LOGITS)
    wanted = -(weights * soft * (1 - p) ** 2 * np.log(p)).sum(axis=1).mean()
    assert value(CrossEntropy(weights=weights, focus=2), soft) == pytest.approx(wanted, rel=1e-4)


def test_asymmetric_loss_follows_the_formula():
    p, weights = sigmoid(LOGITS), np.array([1.0, 2.0, 3.0, 0.5])
    q = np.maximum(p - 0.05, 0)
    positive = weights * TARGETS * (1 - p) * np.log(p)
    wanted = -(positive + (1 - TARGETS) * q**4 * np.log(1 - q)).mean()
    loss = BinaryCrossEntropy(weights, focus_positive=1, focus_negative=4, shift=0.05)
    assert value(loss, TARGETS) == pytest.approx(wanted, rel=1e-4)


def test_distillation_is_zero_for_the_teacher_and_follows_the_formula_elsewhere():
    teacher = RANDOM.normal(size=(7, 4)).astype("float32")
    t, s = softmax(teacher, 3.0), softmax(LOGITS, 3.0)
    assert value(Distillation(3.0), teacher) == pytest.approx(9 * (t * np.log(t / s)).sum(axis=1).mean(), rel=1e-4)
    t, s = sigmoid(teacher / 3), sigmoid(LOGITS / 3)
    two_way = t * np.log(t / s) + (1 - t) * np.log((1 - t) / (1 - s))
    assert value(Distillation(3.0, multi_label=True), teacher) == pytest.approx(
        9 * two_way.sum(axis=1).mean(), rel=1e-4
    )
    assert abs(value(Distillation(), LOGITS)) < 1e-6


@pytest.mark.parametrize(
    "loss",
    [
        CrossEntropy(0.1, focus=0.5),
        BinaryCrossEntropy(focus_negative=0.5, shift=0.05),
        BinaryCrossEntropy(focus_positive=2, focus_negative=2),
        Distillation(),
        Distillation(multi_label=True),
    ],
    ids=["focus", "asymmetric", "focal", "distillation", "two_way"],
)
def test_training_on_huge_logits_stays_finite(loss):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(4, use_bias=False, kernel_initializer="identity")(inputs))
    model.compile(keras.optimizers.SGD(0.1), loss, run_eagerly=True)
    logits = np.array([[80.0, -80.0, 0.0, -0.0], [-2.0, -90.0, 90.0, -3.0]], "float32")
    truth = np.array([[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]], "float32")
    assert np.isfinite(model.train_on_batch(logits, truth))
    assert np.all(np.isfinite(model.get_weights()[0]))


def test_losses_come_back_from_their_config():
    for loss in (
        CrossEntropy(0.1, [1, 2, 3, 4], 1.5),
        BinaryCrossEntropy([1, 2, 3, 4], 0.1, 1, 2, 0.05),
        Distillation(3),
    ):
        again = keras.losses.deserialize(keras.losses.serialize(loss))
        assert again.get_config() == loss.get_config()
        truth = TARGETS
        assert value(again, truth) == value(loss, truth)


def test_balanced_weights_make_every_label_count_the_same():
    labels = np.array([0] * 60 + [1] * 30 + [2] * 10)
    weights = balanced_weights(labels, 4)
    np.testing.assert_allclose(weights[:3] * [60, 30, 10], 100 / 3)
    assert weights[3] == 1
    np.testing.assert_allclose(balanced_weights(labels, 4, power=0), 1)
    assert weights[labels].mean() == pytest.approx(1)


def test_positive_weights_are_negatives_per_positive():
    targets = np.array([[1, 0, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1]])
    np.testing.assert_allclose(positive_weights(targets), [3, 1, 1 / 3])
    np.testing.assert_allclose(positive_weights(targets, largest=2), [2, 1, 1 / 3])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: CrossEntropy(1.0),
        lambda: CrossEntropy(focus=-1),
        lambda: CrossEntropy(weights=[1, float("nan")]),
        lambda: BinaryCrossEntropy([[1.0]]),
        lambda: Distillation(0),
        lambda: balanced_weights([0, 5], 3),
        lambda: balanced_weights([], 3),
        lambda: positive_weights([1, 0]),
    ],
)
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(ZooValueError, match="must be"):
        wrong()
