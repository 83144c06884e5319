"""The loss of connectionist temporal classification against all paths, a recursion in float64, and torch's own."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo.training.ctc import CtcLoss

BACKEND = keras.backend.backend()
# Rows of units, a vocabulary and steps: what may go wrong.
CASES = {
    "plain": ([[1, 2, 3], [3, 1, 0]], 4, 7),
    "repeats": ([[2, 2, 2, 0], [1, 1, 3, 3]], 4, 9),
    "as tight as can be": ([[2, 2, 1], [1, 2, 0]], 3, 4),
    "nothing to say": ([[0, 0], [1, 0]], 3, 5),
    "one step": ([[1], [0]], 3, 1),
    "two units": ([[1, 1, 0, 0]], 2, 6),
    "long": ([[*range(1, 20)]], 20, 60),
}


def case(name, scale=2.0):
    """Return truth and logits of a case."""
    rows, vocabulary, steps = CASES[name]
    random = np.random.default_rng(len(name))
    return np.array(rows, "int32"), (random.normal(size=(len(rows), steps, vocabulary)) * scale).astype("float32")


def spread(logits):
    """Return probabilities in float64."""
    powers = np.exp(logits.astype("float64") - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def likelihood(units, shares):
    """Return the probability of units from [steps, vocabulary] by the paper's recursion, in float64."""
    labels = [0] + [part for unit in units for part in (unit, 0)]
    reached = np.zeros(len(labels))
    reached[0] = 1.0
    for share in shares:
        after = np.zeros(len(labels))
        for place, label in enumerate(labels):
            total = reached[place] + (reached[place - 1] if place else 0.0)
            if place > 1 and label and label != labels[place - 2]:
                total += reached[place - 2]
            after[place] = total * share[label]
        reached = after
    return reached[-1] + (reached[-2] if len(labels) > 1 else 0.0)


def by_hand(truth, logits):
    """Return the loss of each row, in float64."""
    return np.array([-np.log(likelihood(row[row > 0], spread(one))) for row, one in zip(truth, logits)])


def slopes_by_hand(truth, logits, size=1e-5):
    """Return the gradient of the mean of losses by differences, in float64."""
    logits, slopes = logits.astype("float64"), np.zeros(logits.shape)
    for row, step, unit in np.ndindex(*logits.shape):
        nearby = np.repeat(logits[row : row + 1], 2, axis=0)
        nearby[:, step, unit] += (size, -size)
        above, below = by_hand(np.repeat(truth[row : row + 1], 2, axis=0), nearby)
        slopes[row, step, unit] = (above - below) / (2 * size) / len(logits)
    return slopes


@keras.saving.register_keras_serializable("tests")
class Table(keras.layers.Layer):
    """Logits that are weights."""

    def __init__(self, shape, **options):
        super().__init__(**options)
        self.shape = shape

    def build(self, input_shape=None):
        self.logits = self.add_weight(shape=self.shape, name="logits")

    def call(self, inputs):
        return ops.take(self.logits, inputs[:, 0], axis=0)


def answer(loss, truth, logits, compiled=True, **options):
    """Return the loss and its slope by the logits, from one step of plain descent as `fit` makes it."""
    inputs = keras.Input((1,), dtype="int32")
    table = Table(logits.shape)
    model = keras.Model(inputs, table(inputs))
    table.set_weights([logits])
    model.compile(keras.optimizers.SGD(1.0), loss, run_eagerly=not compiled, **options)
    value = model.train_on_batch(np.arange(len(logits), dtype="int32")[:, None], truth)
    return float(np.ravel(value)[0]), logits - table.get_weights()[0]


def value(loss, truth, logits, weights=None):
    return float(ops.convert_to_numpy(loss(truth, ops.convert_to_tensor(logits), weights)))


@pytest.mark.once
def test_the_oracle_sums_over_all_paths():
    random = np.random.default_rng(0)
    shares = spread(random.normal(size=(5, 3)))
    for units in ([], [1], [2, 1], [2, 2], [1, 2, 1]):
        total = 0.0
        for path in itertools.product(range(3), repeat=5):
            if [unit for unit, _ in itertools.groupby(path) if unit] == units:
                total += np.prod(shares[np.arange(5), path])
        assert likelihood(units, shares) == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_loss_and_gradient_are_those_of_the_recursion(name):
    truth, logits = case(name)
    found, slopes = answer(CtcLoss(), truth, logits)
    # Float32 sums of up to 60 log-probabilities, and slopes that are read from weights of size 5.
    assert found == pytest.approx(by_hand(truth, logits).mean(), rel=2e-6, abs=2e-6)
    np.testing.assert_allclose(slopes, slopes_by_hand(truth, logits), atol=3e-6)


def test_large_logits_keep_loss_and_gradient():
    truth, logits = case("plain", scale=60.0)
    found, slopes = answer(CtcLoss(), truth, logits)
    assert found == pytest.approx(by_hand(truth, logits).mean(), rel=1e-6)
    # Weights of size 200 are rounded to 1.5e-5.
    np.testing.assert_allclose(slopes, slopes_by_hand(truth, logits), atol=4e-5)
    assert np.isfinite(value(CtcLoss(), truth, logits * 1e3))


@pytest.mark.parametrize("name", ["repeats", "nothing to say"])
def test_padding_of_steps_and_targets_changes_nothing(name):
    truth, logits = case(name)
    padded = np.full((len(logits), logits.shape[1] + 5, logits.shape[2]), -1e4, "float32")
    padded[..., 0] = 0.0
    padded[:, : logits.shape[1]] = logits
    wide = np.pad(truth, ((0, 0), (0, 3)))
    wanted, slopes = answer(CtcLoss(), truth, logits)
    found, padded_slopes = answer(CtcLoss(), wide, padded)
    assert found == pytest.approx(wanted, rel=1e-6)
    np.testing.assert_allclose(padded_slopes[:, : logits.shape[1]], slopes, atol=1e-6)
    assert np.abs(padded_slopes[:, logits.shape[1] :]).max() == 0


def test_a_target_without_a_path_counts_nothing_or_is_infinite():
    truth = np.array([[1, 1, 2, 0], [1, 2, 0, 0]], "int32")
    logits = np.random.default_rng(1).normal(size=(2, 3, 4)).astype("float32")
    wanted = by_hand(truth[1:], logits[1:])[0]
    padded = np.full((2, 9, 4), -1e4, "float32")
    padded[..., 0] = 0.0
    padded[:, :3] = logits
    for steps in (logits, padded):
        found, slopes = answer(CtcLoss(), truth, steps)
        assert found == pytest.approx(wanted / 2, rel=1e-5)
        assert np.abs(slopes[0]).max() == 0
        np.testing.assert_allclose(slopes[1, :3], slopes_by_hand(truth[1:], logits[1:])[0] / 2, atol=3e-6)
        assert value(CtcLoss(zero_infinity=False), truth, steps) == float("inf")
        assert value(CtcLoss(zero_infinity=False), truth[1:], steps[1:]) == pytest.approx(wanted, rel=1e-5)


def test_a_row_may_count_by_its_units_and_by_its_weight():
    truth, logits = case("repeats")
    each = by_hand(truth, logits)
    assert value(CtcLoss(per_unit=True), truth, logits) == pytest.approx((each / [3, 4]).mean(), rel=1e-6)
    weighted = value(CtcLoss(), truth, logits, np.array([0.5, 2.0], "float32"))
    assert weighted == pytest.approx((each * [0.5, 2.0]).mean(), rel=1e-6)
    empty, one = case("nothing to say")
    assert value(CtcLoss(per_unit=True), empty, one) == pytest.approx(by_hand(empty, one).mean(), rel=1e-6)


def test_half_precision_is_scored_in_float32():
    truth, logits = case("plain")
    half = ops.cast(logits, "bfloat16")
    loss = CtcLoss()(truth, half)
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    assert float(ops.convert_to_numpy(loss)) == pytest.approx(by_hand(truth, logits).mean(), rel=2e-2)


def test_a_mask_of_steps_is_no_mask_of_rows():
    truth, logits = case("plain")
    inputs = keras.Input(logits.shape[1:])
    model = keras.Model(inputs, keras.layers.Masking(99.0)(inputs))
    model.compile(loss=CtcLoss())
    assert model.evaluate(logits, truth, verbose=0) == pytest.approx(by_hand(truth, logits).mean(), rel=1e-6)


@pytest.mark.skipif(BACKEND == "torch", reason="nothing is compiled there")
def test_it_says_the_same_without_a_compiler():
    truth, logits = case("repeats")
    wanted, slopes = answer(CtcLoss(), truth, logits)
    found, eager = answer(CtcLoss(), truth, logits, compiled=False)
    assert found == pytest.approx(wanted, rel=1e-6)
    np.testing.assert_allclose(eager, slopes, atol=1e-6)


@pytest.mark.skipif(BACKEND != "torch", reason="the peer is torch's")
@pytest.mark.parametrize("name", CASES)
def test_torch_gives_the_same(name):
    import torch

    truth, logits = case(name)
    inputs = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    counts = torch.tensor((truth > 0).sum(axis=1))
    steps = torch.full((len(logits),), logits.shape[1])
    chances = torch.log_softmax(inputs, -1).transpose(0, 1)
    wanted = torch.nn.CTCLoss(reduction="none")(chances, torch.tensor(truth), steps, counts).mean()
    wanted.backward()
    found, slopes = answer(CtcLoss(), truth, logits)
    assert found == pytest.approx(wanted.item(), rel=2e-6, abs=2e-6)
    np.testing.assert_allclose(slopes, inputs.grad.numpy(), atol=3e-6)


def test_it_comes_back_from_its_config():
    loss = keras.losses.deserialize(keras.losses.serialize(CtcLoss(per_unit=True, zero_infinity=False)))
    assert (loss.per_unit, loss.zero_infinity, loss.reduction) == (True, False, "sum_over_batch_size")
