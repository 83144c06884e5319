"""Batches of pairs: each pair once, the same numbers for the same (seed, epoch, batch), few shapes, shifted targets."""

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.training import PairBatches, SequenceCrossEntropy, TokenAccuracy


def some_pairs(count, longest=30, seed=0):
    random = np.random.default_rng(seed)
    sizes = random.integers(1, longest + 1, size=(count, 2))
    sources = [np.append(random.integers(4, 99, size), 3).astype("int32") for size in sizes[:, 0]]
    targets = [np.array([2, *random.integers(4, 99, size), 3], "int32") for size in sizes[:, 1]]
    return sources, targets


def numbered(count):
    """Make pairs that tell their number, of lengths that depend on it."""
    sources = [np.full(1 + number % 17, 10 + number) for number in range(count)]
    return sources, [np.array([2, *[10 + number] * (1 + number % 13), 3]) for number in range(count)]


def take(batches, epoch):
    batches.epoch = epoch
    return [batches[index] for index in range(len(batches))]


CUTS = {"sentences": {"batch_size": 8}, "tokens": {"tokens": 128}}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("shuffle", [True, False])
def test_an_epoch_holds_every_pair_once_shifted_and_weighted(cut, shuffle):
    batches = PairBatches(*numbered(53), weights=np.arange(53), shuffle=shuffle, **CUTS[cut])
    for epoch in range(3):
        seen = []
        for inputs, truth, weights in take(batches, epoch):
            sources, targets = inputs["source_ids"], inputs["target_ids"]
            assert sources.dtype == targets.dtype == truth.dtype == np.int32
            numbers = sources[:, 0] - 10
            np.testing.assert_array_equal((sources > 0).sum(axis=1), 1 + numbers % 17)
            np.testing.assert_array_equal((targets > 0).sum(axis=1), 2 + numbers % 13)
            np.testing.assert_array_equal(targets > 0, truth > 0)
            assert (targets[:, 0] == 2).all() and (truth == 3).sum() == len(truth) and not (targets == 3).any()
            np.testing.assert_array_equal(targets[:, 1:][targets[:, 1:] > 0], truth[(truth > 0) & (truth != 3)])
            np.testing.assert_array_equal(weights, (truth > 0) * numbers[:, None])
            seen += list(numbers)
        assert sorted(seen) == list(range(53))


@pytest.mark.parametrize("cut", CUTS)
def test_the_order_depends_on_seed_and_epoch_only(cut):
    pairs = some_pairs(100)
    first, second = (PairBatches(*pairs, seed=3, **CUTS[cut]) for _ in range(2))
    take(second, 0)
    for epoch in (4, 1):
        for (one, _, _), (other, _, _) in zip(take(first, epoch), take(second, epoch)):
            np.testing.assert_array_equal(one["source_ids"], other["source_ids"])
            np.testing.assert_array_equal(one["target_ids"], other["target_ids"])
    other = PairBatches(*pairs, seed=4, **CUTS[cut])
    orders = [np.concatenate(batches.order(epoch)).tolist() for batches, epoch in ((first, 1), (other, 1), (first, 2))]
    assert orders[0] != orders[1] and orders[0] != orders[2]


def test_pairs_of_like_length_on_both_sides_stand_together():
    sources, targets = some_pairs(2000)
    real = sum(map(len, sources)) + sum(map(len, targets)) - len(targets)
    padded = {}
    for pool in (1, 125):
        batches = take(PairBatches(sources, targets, batch_size=16, pool=pool), 0)
        padded[pool] = sum(inputs["source_ids"].size + inputs["target_ids"].size for inputs, _, _ in batches)
    assert padded[125] / real < 1.35 < padded[1] / real
    shapes = {(inputs["source_ids"].shape[1], inputs["target_ids"].shape[1]) for inputs, _, _ in batches}
    assert len(shapes) <= 16 + 1 and all(width % 8 == 0 for shape in shapes for width in shape)


def test_a_batch_by_tokens_holds_no_more_and_epochs_are_of_one_length():
    sources, targets = some_pairs(500, longest=60)
    batches = PairBatches(sources, targets, tokens=512)
    for epoch in range(3):
        sizes = [max(inputs["source_ids"].size, inputs["target_ids"].size) for inputs, _, _ in take(batches, epoch)]
        assert len(sizes) == len(batches)
        assert max(size for place, size in enumerate(sizes) if place != 1) <= 512  # the second may be padded by more
        assert np.mean(sizes) > 0.75 * 512
    one = PairBatches(sources, targets, tokens=8)
    assert len(one) > 400 and {len(numbers) for numbers in one.order(0)} >= {1}


@pytest.mark.parametrize("cut", [{"batch_size": 8}, {"tokens": 64}])
@pytest.mark.parametrize("short", [0, 1, 20, 101])
@pytest.mark.parametrize("shuffle", [True, False])
def test_the_first_two_batches_differ_on_both_sides(cut, short, shuffle):
    """TensorFlow takes the first two batches of whatever epoch comes first for the shape of all."""
    sources = [np.ones(4 if number < short else 12, "int32") for number in range(101)]
    targets = [np.ones(12 if number % 3 else 5, "int32") for number in range(101)]
    batches = PairBatches(sources, targets, shuffle=shuffle, pool=3, **cut)
    every = [
        [tuple(each.shape[1] for each in batch[0].values()) for batch in take(batches, epoch)] for epoch in range(9)
    ]
    for side in (0, 1):
        assert all(widths[0][side] != widths[1][side] for widths in every)
    assert all(
        width <= (24 if place == 1 else 16) for widths in every for place, shape in enumerate(widths) for width in shape
    )


def lengthened(sources, targets, random):
    grown = [np.append(row[:-1], [5] * random.integers(0, 9) + [3]) for row in sources]
    return grown, [np.append(row[:-1], [5] * random.integers(0, 9) + [3]) for row in targets]


def test_augmenting_depends_on_seed_epoch_and_batch_only_and_may_lengthen():
    pairs = some_pairs(80)
    one, other = (PairBatches(*pairs, batch_size=8, augment=lengthened) for _ in range(2))
    take(one, 0)
    again = take(one, 2)
    other.epoch = 2
    np.testing.assert_array_equal(again[5][0]["target_ids"], other[5][0]["target_ids"])
    plain = take(PairBatches(*pairs, batch_size=8), 2)
    assert sum((batch[1] > 0).sum() for batch in again) > 1.1 * sum((batch[1] > 0).sum() for batch in plain)
    for epoch in range(5):
        first, second = take(one, epoch)[:2]
        assert all(first[0][name].shape[1] != second[0][name].shape[1] for name in first[0])


def test_where_all_pairs_are_one_batch_its_width_stays():
    batches = PairBatches(*some_pairs(5), batch_size=8, augment=lengthened)
    shapes = {tuple(array.shape for array in take(batches, epoch)[0][0].values()) for epoch in range(9)}
    assert len(shapes) == 1
    shorter = PairBatches(*some_pairs(5), batch_size=8, augment=lambda s, t, r: ([row[:1] for row in s], t))
    assert shorter[0][0]["source_ids"].shape[1] == batches[0][0]["source_ids"].shape[1]


def network(size=99):
    source = keras.Input((None,), dtype="int32", name="source_ids")
    target = keras.Input((None,), dtype="int32", name="target_ids")
    table = keras.layers.Embedding(size, 16)
    summary = ops.mean(table(source), axis=1, keepdims=True)
    logits = keras.layers.Dense(size)(table(target) + summary)
    return keras.Model({"source_ids": source, "target_ids": target}, logits)


@pytest.mark.parametrize("cut", CUTS)
def test_keras_trains_on_batches_of_many_widths_compiled(cut):
    batches = PairBatches(*some_pairs(60, longest=20), augment=lengthened, **CUTS[cut])
    model = network()
    model.compile(keras.optimizers.Adam(0.01), SequenceCrossEntropy(0.1), weighted_metrics=[TokenAccuracy()])
    history = model.fit(
        batches, epochs=8, verbose=0, validation_data=PairBatches(*some_pairs(9), shuffle=False)
    ).history
    assert history["loss"][-1] < history["loss"][0]
    assert history["token_accuracy"][-1] > history["token_accuracy"][0]
    assert np.isfinite(history["val_loss"]).all()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"sources": [], "targets": []}, "at least one row"),
        ({"targets": [np.ones(3, int)]}, r"one row for each source \(2\), got 1"),
        ({"sources": [np.ones(3), np.ones(3)]}, r"sources\[0\] must be a row of at least 1 ids, got float64"),
        ({"targets": [np.ones(2, int), np.ones(1, int)]}, r"targets\[1\] must be a row of at least 2 ids"),
        ({"sources": [np.ones(3, int), np.ones(0, int)]}, r"sources\[1\]"),
        ({"weights": [1.0]}, "one entry per row"),
        ({"batch_size": 0}, "batch_size"),
        ({"tokens": 0}, "tokens must be"),
        ({"multiple": 0}, "multiple must be"),
        ({"seed": -1}, "seed"),
    ],
)
def test_what_does_not_fit_is_one_clear_sentence(change, word):
    rows = {"sources": [np.ones(3, int), np.ones(4, int)], "targets": [np.ones(3, int), np.ones(4, int)]}
    with pytest.raises(ZooValueError, match=word):
        PairBatches(**{**rows, **change})


def test_augment_must_be_a_function_that_keeps_its_rows():
    pairs = some_pairs(4)
    with pytest.raises(ZooTypeError, match="augment"):
        PairBatches(*pairs, augment="mask")
    for wrong in (lambda s, t, r: (s[1:], t), lambda s, t, r: (s, [*t, t[0]])):
        with pytest.raises(ZooValueError, match="augment must return"):
            PairBatches(*pairs, augment=wrong)[0]
