"""Batches: the same numbers for the same (seed, epoch, batch), each row once, few shapes."""

import keras
import numpy as np
import pytest

from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.training import Batches


def some_rows(count, longest=30, seed=0):
    random = np.random.default_rng(seed)
    return [random.integers(1, 99, size=random.integers(1, longest + 1)).astype("int32") for _ in range(count)]


def take(batches, epoch):
    batches.epoch = epoch
    return [batches[index] for index in range(len(batches))]


def test_an_epoch_holds_every_row_once_with_its_own_target_and_weight():
    rows = [np.full(1 + number % 17, number, dtype="int32") for number in range(53)]
    batches = Batches(rows, np.arange(53) * 2, weights=np.arange(53) * 3, batch_size=8)
    for epoch in range(3):
        seen = []
        for inputs, targets, weights in take(batches, epoch):
            numbers = inputs[:, 0]
            np.testing.assert_array_equal(targets, numbers * 2)
            np.testing.assert_array_equal(weights, numbers * 3)
            np.testing.assert_array_equal((inputs != 0).sum(axis=1)[numbers > 0], 1 + numbers[numbers > 0] % 17)
            seen += list(numbers)
        assert sorted(seen) == list(range(53))


def test_the_order_depends_on_seed_and_epoch_only():
    rows = some_rows(100)
    first, second = Batches(rows, batch_size=8, seed=3), Batches(rows, batch_size=8, seed=3)
    take(second, 0)
    for epoch in (4, 1):
        for (one,), (other,) in zip(take(first, epoch), take(second, epoch)):
            np.testing.assert_array_equal(one, other)
    flat = [np.concatenate(batches.order(1)).tolist() for batches in (first, Batches(rows, batch_size=8, seed=4))]
    assert flat[0] != flat[1] != np.concatenate(first.order(2)).tolist()


def test_augmenting_depends_on_seed_epoch_and_batch_only():
    def mask(rows, random):
        return [np.where(random.random(row.shape) < 0.5, 1, row) for row in rows]

    rows = [np.arange(2, 40, dtype="int32")] * 60
    one, other = (Batches(rows, batch_size=8, augment=mask) for _ in range(2))
    take(one, 0)
    again = take(one, 2)
    other.epoch = 2
    np.testing.assert_array_equal(again[5][0], other[5][0])  # no batch was asked for before this one
    assert np.any(again[5][0][:4] != again[4][0][:4])
    assert np.any(again[5][0][:4] != take(one, 3)[5][0][:4])


def test_bucketing_pads_less_than_half_of_what_mixing_pads():
    rows = some_rows(400, longest=100)
    real = sum(len(row) for row in rows)
    mixed, bucketed = (
        sum(batch[0].size for batch in take(Batches(rows, batch_size=10, pool=pool), 0)) - real for pool in (1, 40)
    )
    assert bucketed < mixed / 2


def test_widths_are_multiples_and_never_above_the_longest():
    rows = some_rows(300, longest=20)
    widths = {batch[0].shape[1] for batch in take(Batches(rows, batch_size=8, longest=20), 0)}
    assert widths == {8, 16, 20}


@pytest.mark.parametrize("short", [0, 1, 14, 15, 16, 40, 85, 99])
@pytest.mark.parametrize("shuffle", [True, False])
def test_the_first_two_batches_differ_in_width_wherever_any_batches_do(short, shuffle):
    """TensorFlow takes the first two batches of whatever epoch comes first for the shape of all."""
    rows = [np.ones(4 if number < short else 12, dtype="int32") for number in range(101)]
    batches = Batches(rows, batch_size=8, shuffle=shuffle, pool=3)
    every = [[batch[0].shape[1] for batch in take(batches, epoch)] for epoch in range(30)]
    if len({width for widths in every for width in widths}) > 1:
        assert all(widths[0] != widths[1] for widths in every)


def test_outputs_are_put_back_in_the_order_of_the_rows():
    rows = some_rows(37)
    batches = Batches(rows, batch_size=5, shuffle=False)
    tokens = keras.Input((None,), dtype="int32")
    model = keras.Model(tokens, keras.ops.sum(keras.ops.cast(tokens, "float32"), axis=1, keepdims=True))
    outputs = batches.restore(model.predict(batches, verbose=0))
    np.testing.assert_allclose(outputs[:, 0], [row.sum() for row in rows])


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_keras_trains_on_batches_of_many_widths(workers):
    rows = some_rows(64, longest=20)
    batches = Batches(rows, np.array([float(len(row)) for row in rows]), batch_size=8)
    batches.workers = workers
    tokens = keras.Input((None,), dtype="int32")
    counted = keras.ops.sum(keras.ops.cast(tokens > 0, "float32"), axis=1, keepdims=True)
    model = keras.Model(tokens, keras.layers.Dense(1, kernel_initializer="ones")(counted))
    model.compile("sgd", "mse", run_eagerly=True)
    model.optimizer.learning_rate = 0.0
    assert model.fit(batches, epochs=2, verbose=0).history["loss"] == pytest.approx([0, 0], abs=1e-6)


def test_sentences_of_words_are_padded_to_the_most_sentences():
    rows = [np.full((2, 3), 1), np.full((4, 5), 2), np.full((1, 1), 3)]
    ((inputs,),) = take(Batches(rows, batch_size=4, shuffle=False), 0)
    assert inputs.shape == (3, 4, 8)
    assert sorted((inputs > 0).sum(axis=(1, 2))) == [1, 6, 20]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"rows": []}, "at least one row"),
        ({"rows": [np.ones(3), np.ones((3, 3))]}, "rank"),
        ({"targets": [1]}, "one entry per row"),
        ({"weights": [1.0]}, "one entry per row"),
        ({"batch_size": 0}, "batch_size"),
        ({"seed": -1}, "seed"),
        ({"longest": 2}, "longest"),
    ],
)
def test_what_does_not_fit_is_one_clear_sentence(change, word):
    with pytest.raises(ZooValueError, match=word):
        Batches(**{"rows": [np.ones(3), np.ones(4)], **change})


def test_augment_must_be_a_function_that_does_not_lengthen():
    with pytest.raises(ZooTypeError, match="augment"):
        Batches([np.ones(3)], augment="mask")
    for wrong in (lambda rows, random: rows[1:], lambda rows, random: [np.append(row, 1) for row in rows]):
        with pytest.raises(ZooValueError, match="augment"):
            Batches([np.ones(3)], augment=wrong)[0]


def test_shuffled_outputs_are_not_restored():
    with pytest.raises(ZooValueError, match="shuffle"):
        Batches([np.ones(3)]).restore(np.ones(1))
    with pytest.raises(ZooValueError, match="one entry per row"):
        Batches([np.ones(3)], shuffle=False).restore(np.ones(2))


@pytest.mark.parametrize(("count", "pool"), [(8, 1), (8 * 31, 1), (8 * 53, 3), (8 * 16_000, 50)])
def test_at_least_sixteen_pools_are_sorted_by_themselves(count, pool):
    assert Batches([np.zeros(1)] * count, batch_size=8).pool == pool
