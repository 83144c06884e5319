"""Batches of speech: each sound once, the same numbers for (seed, epoch, batch), few shapes, ids that fit together."""

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo.audio.augmenting import SpecAugment
from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.training.losses import SequenceCrossEntropy
from attention_zoo.training.speech import SpeechBatches

MELS = 4


def numbered(count, speed=1.0):
    """Make sounds that tell their number, of lengths that depend on it."""
    lengths = [max(int((5 + 37 * number % 300) / speed), 1) for number in range(count)]
    features = [np.full((length, MELS), 1 + number, np.float16) for number, length in enumerate(lengths)]
    return features, [np.full(number % 20, 10 + number) for number in range(count)]


def take(batches, epoch):
    batches.epoch = epoch
    return [batches[index] for index in range(len(batches))]


CUTS = {"sounds": {"batch_size": 8}, "frames": {"frames": 1_024}}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("shuffle", [True, False])
def test_an_epoch_holds_every_sound_once_with_its_own_ids(cut, shuffle):
    features, targets = numbered(53)
    batches = SpeechBatches(features, targets, weights=np.arange(53), shuffle=shuffle, **CUTS[cut])
    for epoch in range(3):
        seen = []
        for inputs, truth, weights in take(batches, epoch):
            assert inputs["features"].dtype == np.float32 and inputs["frames"].dtype == np.int32
            assert all(each.dtype == np.int32 for each in (inputs["target_ids"], truth["ctc"], truth["tokens"]))
            numbers = inputs["features"][:, 0, 0].astype(int) - 1
            for row, number in enumerate(numbers):
                real, said = inputs["frames"][row], list(targets[number])
                assert real == len(features[number])
                assert (inputs["features"][row, :real] == 1 + number).all() and not inputs["features"][row, real:].any()
                filled = [0] * (truth["ctc"].shape[1] - len(said))
                assert truth["ctc"][row].tolist() == said + filled
                assert truth["tokens"][row].tolist() == [*said, 3, *filled[1:]]
                assert inputs["target_ids"][row].tolist() == [2, *said, *filled[1:]]
            np.testing.assert_array_equal(weights["ctc"], numbers)
            np.testing.assert_array_equal(weights["tokens"], (truth["tokens"] > 0) * numbers[:, None])
            seen += list(numbers)
        assert sorted(seen) == list(range(53))


def test_plain_epochs_come_first_and_change_nothing_after_them():
    features, targets = numbered(20)
    slow = [np.repeat(row, 2, axis=0) for row in features]
    options = {"versions": [slow], "augment": SpecAugment(time_width=40), "batch_size": 5}
    usual, gentle = (
        SpeechBatches(features, targets, **options),
        SpeechBatches(features, targets, plain_epochs=2, **options),
    )
    for epoch in range(2):
        for inputs, *_ in take(gentle, epoch):
            for row, real in zip(inputs["features"], inputs["frames"]):
                number = int(row[0, 0]) - 1
                assert real == len(features[number]) and (row[:real] == 1 + number).all()
    for one, other in zip(take(gentle, 2), take(usual, 2)):
        np.testing.assert_array_equal(one[0]["features"], other[0]["features"])
    assert any((inputs["features"][0, : inputs["frames"][0]] == 0).any() for inputs, *_ in take(gentle, 2))
    with pytest.raises(ZooValueError, match="plain_epochs must be a whole number of at least 0"):
        SpeechBatches(features, targets, plain_epochs=-1)


def test_without_a_decoder_there_are_ids_of_ctc_alone():
    inputs, truth, weights = SpeechBatches(*numbered(5), decoder=False)[0]
    assert list(inputs) == ["features", "frames"] and list(truth) == list(weights) == ["ctc"]


@pytest.mark.parametrize("cut", CUTS)
def test_the_order_depends_on_seed_and_epoch_only(cut):
    sounds = numbered(100)
    first, second = (
        SpeechBatches(
            *sounds, seed=3, versions=[numbered(100, 0.9)[0]], augment=SpecAugment(1, 2, 1, 9, 1.0), **CUTS[cut]
        )
        for _ in range(2)
    )
    take(second, 0)
    for epoch in (4, 1):
        for one, other in zip(take(first, epoch), take(second, epoch)):
            for part, same in zip(one, other):
                for name in part:
                    np.testing.assert_array_equal(part[name], same[name])
    other = SpeechBatches(*sounds, seed=4, **CUTS[cut])
    orders = [np.concatenate(batches.order(epoch)).tolist() for batches, epoch in ((first, 1), (other, 1), (first, 2))]
    assert orders[0] != orders[1] and orders[0] != orders[2]


@pytest.mark.parametrize("cut", CUTS)
def test_each_epoch_draws_a_version_of_each_sound(cut):
    count = 60
    versions = [numbered(count, speed)[0] for speed in (1.0, 0.9, 1.1)]
    batches = SpeechBatches(versions[0], numbered(count)[1], versions=versions[1:], **CUTS[cut])
    drawn = []
    for epoch in range(4):
        lengths = {}
        for inputs, _, _ in take(batches, epoch):
            lengths.update(zip(inputs["features"][:, 0, 0].astype(int) - 1, inputs["frames"]))
        assert len(lengths) == count
        drawn.append([lengths[number] for number in range(count)])
        assert all(drawn[-1][number] in {len(rows[number]) for rows in versions} for number in range(count))
        shares = np.bincount(batches.version(epoch), minlength=3) / count
        assert shares.min() > 0.15
    assert drawn[0] != drawn[1] != drawn[2]
    kept = SpeechBatches(versions[0], numbered(count)[1], versions=versions[1:], shuffle=False, **CUTS[cut])
    assert all((kept.lengths(epoch)[:, 0] == [len(row) for row in versions[0]]).all() for epoch in range(3))


@pytest.mark.parametrize("versions", [0, 2])
def test_a_batch_by_frames_holds_no_more_and_epochs_are_of_one_length(versions):
    sounds, random = numbered(300), np.random.default_rng(0)
    others = [[np.ones((int(random.integers(1, 400)), MELS)) for _ in range(300)] for _ in range(versions)]
    batches = SpeechBatches(*sounds, frames=2_048, versions=others)
    for epoch in range(4):
        sizes = [inputs["features"].shape[:2] for inputs, _, _ in take(batches, epoch)]
        assert len(sizes) == len(batches)
        # The second may be padded by more.
        assert max(rows * width for place, (rows, width) in enumerate(sizes) if place != 1) <= 2_048
        assert all(width % 32 == 0 for _, width in sizes)
    assert len(SpeechBatches(*sounds, frames=8)) > 250


def test_sounds_of_like_length_stand_together():
    random = np.random.default_rng(0)
    features = [np.ones((int(random.integers(20, 600)), 1), np.float32) for _ in range(1_000)]
    targets = [np.ones(len(row) // 20, np.int32) for row in features]
    real, padded = sum(map(len, features)), {}
    for pool in (1, 60):
        batches = take(SpeechBatches(features, targets, batch_size=16, pool=pool), 0)
        padded[pool] = sum(inputs["features"].size for inputs, _, _ in batches)
    assert padded[60] / real < 1.15 < 1.5 < padded[1] / real
    shapes = {(inputs["features"].shape[1], inputs["target_ids"].shape[1]) for inputs, _, _ in batches}
    assert len(shapes) <= 40


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("short", [0, 1, 20, 101])
@pytest.mark.parametrize("shuffle", [True, False])
def test_the_first_two_batches_differ_in_frames_and_in_ids(cut, short, shuffle):
    """TensorFlow takes the first two batches of whatever epoch comes first for the shape of all."""
    features = [np.ones((20 if number < short else 60, MELS), np.float32) for number in range(101)]
    targets = [np.ones(12 if number % 3 else 5, np.int32) for number in range(101)]
    batches = SpeechBatches(features, targets, shuffle=shuffle, pool=3, **CUTS[cut])
    for epoch in range(6):
        first, second = (inputs for inputs, _, _ in take(batches, epoch)[:2])
        assert first["features"].shape[1] != second["features"].shape[1]
        assert first["target_ids"].shape[1] != second["target_ids"].shape[1]


def test_one_batch_has_one_shape_in_every_epoch():
    batches = SpeechBatches(*numbered(6), versions=[numbered(6, 0.5)[0]])
    shapes = {tuple(each.shape for each in take(batches, epoch)[0][0].values()) for epoch in range(9)}
    assert len(batches) == 1 and len(shapes) == 1


def test_augmenting_is_given_padded_features_and_keeps_their_shape():
    given = []

    def louder(features, frames, generator):
        given.append(generator.integers(1 << 30))
        return features + (np.arange(features.shape[1]) < frames[:, None])[..., None]

    batches = SpeechBatches(*numbered(20), augment=louder, batch_size=10)
    inputs, _, _ = batches[0]
    assert (inputs["features"][:, 0, 0] >= 2).all() and not inputs["features"][0, inputs["frames"][0] :].any()
    batches[1]
    batches[0]
    assert given[0] == given[2] != given[1]
    with pytest.raises(ZooValueError, match=r"augment must keep the shape \[10, \d+, 4\], got \[10, 1, 4\]"):
        SpeechBatches(*numbered(10), augment=lambda features, *_: features[:, :1])[0]


BAD = {
    "no sounds": (([], []), {}, ZooValueError, "at least one row"),
    "too few ids": (([np.ones((3, 2))], []), {}, ZooValueError, r"targets must be one for each sound \(1\), got 0"),
    "versions": ((numbered(2)), {"versions": [[]]}, ZooValueError, r"versions\[0\] must be one for each sound \(2\)"),
    "one axis": (([np.ones(3)], [[1]]), {}, ZooValueError, r"features\[0\] must be floats \[frames, mels\]"),
    "no frames": (([np.ones((0, 2))], [[1]]), {}, ZooValueError, r"got float64 of shape \[0, 2\]"),
    "numbers": (([np.ones((3, 2), int)], [[1]]), {}, ZooValueError, "got int64"),
    "mels": (([np.ones((3, 2)), np.ones((3, 4))], [[1], [1]]), {}, ZooValueError, r"as many mels, got \[2, 4\]"),
    "padding": (([np.ones((3, 2))], [[4, 0]]), {}, ZooValueError, r"targets\[0\] must be a row of ids of at least 1"),
    "floats": (([np.ones((3, 2))], [[4.5]]), {}, ZooValueError, "got float64"),
    "augment": (numbered(2), {"augment": "spec"}, ZooTypeError, "augment must be a function"),
    "frames": (numbered(2), {"frames": 0}, ZooValueError, "frames must be a whole number of at least 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_fit_together_is_refused(case):
    given, options, kind, message = BAD[case]
    with pytest.raises(kind, match=message):
        SpeechBatches(*given, **options)


def test_a_network_of_two_heads_learns_from_the_batches():
    features, frames = keras.Input((None, MELS), name="features"), keras.Input((), dtype="int32", name="frames")
    ids = keras.Input((None,), dtype="int32", name="target_ids")
    steps = keras.layers.Conv1D(8, 3, strides=4, padding="same")(features)
    real = ops.expand_dims(ops.expand_dims(ops.cast(frames, "float32"), -1), -1) / 600
    steps = keras.layers.Dense(90, name="ctc")(steps + real)
    words = keras.layers.Dense(90, name="tokens")(keras.layers.Embedding(90, 8)(ids))
    model = keras.Model({"features": features, "frames": frames, "target_ids": ids}, {"ctc": steps, "tokens": words})
    losses = {"ctc": keras.losses.CTC(), "tokens": SequenceCrossEntropy()}
    model.compile("adam", losses, loss_weights={"ctc": 0.01, "tokens": 1.0})
    sounds, targets = numbered(24)
    batches = SpeechBatches(sounds, [row[: 1 + number % 3] for number, row in enumerate(targets)], batch_size=8)
    history = model.fit(batches, epochs=4, verbose=0).history["loss"]
    assert np.isfinite(history).all() and history[-1] < history[0]
