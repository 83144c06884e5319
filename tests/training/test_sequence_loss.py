"""The loss of sequences against its formula in NumPy; what is padding counts nowhere."""

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo.errors import ZooValueError
from attention_zoo.training import CrossEntropy, SequenceCrossEntropy, TokenAccuracy
from attention_zoo.training.metrics import softmax

RANDOM = np.random.default_rng(0)
LOGITS = (RANDOM.normal(size=(3, 5, 11)) * 3).astype("float32")
TRUTH = np.array([[4, 5, 3, 0, 0], [7, 3, 0, 0, 0], [10, 1, 9, 8, 3]], "int32")
REAL = TRUTH != 0


def value(loss, truth, logits, weights=None):
    return float(ops.convert_to_numpy(loss(truth, logits, weights)))


def by_hand(smoothing):
    target = np.eye(11)[TRUTH] * (1 - smoothing) + smoothing / 11
    return -(target * np.log(softmax(LOGITS.astype("float64")))).sum(axis=-1)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_the_loss_is_the_mean_over_real_tokens_of_the_formula(smoothing):
    loss = SequenceCrossEntropy(smoothing)
    assert value(loss, TRUTH, LOGITS) == pytest.approx(by_hand(smoothing)[REAL].mean(), rel=1e-5)
    assert value(loss, TRUTH, LOGITS, REAL.astype("float32")) == pytest.approx(value(loss, TRUTH, LOGITS), rel=1e-6)
    rows = np.array([1.0, 2.0, 0.5], "float32")
    weights = (REAL * rows[:, None]).astype("float32")
    wanted = (by_hand(smoothing) * weights).sum() / weights.sum()
    assert value(loss, TRUTH, LOGITS, weights) == pytest.approx(wanted, rel=1e-5)
    assert value(loss, TRUTH, LOGITS, rows) == pytest.approx(wanted, rel=1e-5)
    plain = CrossEntropy(smoothing)
    assert value(loss, TRUTH[2:], LOGITS[2:]) == pytest.approx(value(plain, TRUTH[2], LOGITS[2]), rel=1e-5)


def test_padding_changes_nothing_and_nothing_but_padding_is_zero():
    loss, wide = SequenceCrossEntropy(0.1), np.pad(LOGITS, ((0, 0), (0, 3), (0, 0)), constant_values=50.0)
    assert value(loss, np.pad(TRUTH, ((0, 0), (0, 3))), wide) == pytest.approx(value(loss, TRUTH, LOGITS), rel=1e-6)
    assert value(loss, np.zeros_like(TRUTH), LOGITS) == 0
    assert value(SequenceCrossEntropy(padding=3), TRUTH, LOGITS) != value(SequenceCrossEntropy(), TRUTH, LOGITS)


def gradient(loss):
    """Return the slope of the loss by the logits, from one step of plain descent."""
    inputs = keras.Input((1,), dtype="int32")
    table = keras.layers.Embedding(1, LOGITS.size)
    model = keras.Model(inputs, keras.layers.Reshape(LOGITS.shape[1:])(_rows(table(inputs))))
    table.set_weights([LOGITS.reshape(1, -1)])
    model.compile(keras.optimizers.SGD(1.0), loss)
    model.train_on_batch(np.zeros((3, 1), "int32"), TRUTH)
    return LOGITS - table.get_weights()[0].reshape(LOGITS.shape)


@keras.saving.register_keras_serializable("tests")
class _Rows(keras.layers.Layer):
    """Give each row of the batch its own part of the one vector."""

    def call(self, vectors):
        return ops.reshape(vectors[0, 0], (3, -1))


def _rows(vectors):
    return _Rows()(vectors)


def test_the_gradient_is_the_difference_of_probabilities_and_zero_at_padding():
    target = np.eye(11)[TRUTH] * 0.9 + 0.1 / 11
    wanted = (softmax(LOGITS) - target) * REAL[..., None] / REAL.sum()
    np.testing.assert_allclose(gradient(SequenceCrossEntropy(0.1)), wanted, atol=2e-6)


def test_huge_logits_and_half_precision_stay_finite():
    loss = SequenceCrossEntropy(0.1)
    assert np.isfinite(value(loss, TRUTH, LOGITS * 1e4))
    half = ops.cast(LOGITS, "bfloat16")
    assert value(loss, TRUTH, half) == pytest.approx(value(loss, TRUTH, LOGITS), rel=2e-2)
    assert keras.backend.standardize_dtype(loss(TRUTH, half).dtype) == "float32"


def test_accuracy_leaves_padding_out():
    metric = TokenAccuracy()
    right = LOGITS.argmax(axis=-1) == TRUTH
    logits = LOGITS.copy()
    logits[0, 0, 4] = logits[2, 3, 8] = 99.0
    right[0, 0] = right[2, 3] = True
    metric.update_state(TRUTH, logits)
    assert float(metric.result()) == pytest.approx(right[REAL].mean())
    metric.update_state(TRUTH[:1], logits[:1], REAL[:1])
    both = np.concatenate([right[REAL], right[0][REAL[0]]])
    assert float(metric.result()) == pytest.approx(both.mean())
    metric.reset_state()
    assert float(metric.result()) == 0


def test_both_come_back_from_their_config():
    loss = keras.losses.deserialize(keras.losses.serialize(SequenceCrossEntropy(0.1, padding=3)))
    assert (loss.smoothing, loss.padding, loss.reduction) == (0.1, 3, "mean_with_sample_weight")
    assert value(loss, TRUTH, LOGITS) == value(SequenceCrossEntropy(0.1, padding=3), TRUTH, LOGITS)
    metric = keras.metrics.deserialize(keras.metrics.serialize(TokenAccuracy(padding=3)))
    assert metric.padding == 3
    with pytest.raises(ZooValueError, match="smoothing must be"):
        SequenceCrossEntropy(1.0)
