"""Batches of pictures: the same numbers for the same (seed, epoch, batch), made ahead or not, and after a kill."""

import threading

import keras
import numpy as np
import pytest

from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.training import CrossEntropy, ImageBatches, Judge, adamw, fit, set_seeds

STEPS = ["flip", {"name": "crop", "padding": 1}, "erase", {"name": "one_of", "steps": ["mixup", "cutmix"]}]


def pictures(count=50, side=8, channels=1):
    random = np.random.default_rng(0)
    pixels = random.integers(0, 128, (count, side, side, channels), dtype=np.uint8)
    labels = np.arange(count) % 3
    for row, label in enumerate(labels):
        pixels[row, 2 * label : 2 * label + 2] += 120
    return pixels, labels


def take(batches, epoch):
    batches.epoch = epoch
    return [batches[index] for index in range(len(batches))]


def test_an_epoch_holds_every_picture_once_with_its_own_target_and_weight():
    pixels = np.arange(53, dtype=np.uint8).repeat(4).reshape(53, 2, 2, 1)
    batches = ImageBatches(pixels, np.arange(53) * 2, weights=np.arange(53) * 3, batch_size=8)
    for epoch in range(3):
        seen = []
        for inputs, targets, weights in take(batches, epoch):
            assert inputs.dtype == np.float32
            numbers = np.rint(inputs[:, 0, 0, 0] * 255).astype(int)
            np.testing.assert_array_equal(targets, numbers * 2)
            np.testing.assert_array_equal(weights, numbers * 3)
            seen += list(numbers)
        assert sorted(seen) == list(range(53))


def test_pixels_are_divided_by_255_to_the_last_bit():
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    (inputs,) = ImageBatches(pixels, shuffle=False)[0]
    np.testing.assert_array_equal(inputs, pixels.astype("float32") / np.float32(255))
    assert (inputs.min(), inputs.max()) == (0, 1)


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_batches_made_ahead_are_those_made_when_asked_for(ahead):
    pixels, labels = pictures()
    settings = dict(batch_size=8, augment=STEPS, labels=3, seed=5)
    plain, batches = (
        ImageBatches(pixels, labels, ahead=0, **settings),
        ImageBatches(pixels, labels, ahead=ahead, **settings),
    )
    for epoch in (2, 0):
        for one, other in zip(take(plain, epoch), take(batches, epoch)):
            for left, right in zip(one, other):
                np.testing.assert_array_equal(left, right)
    batches.epoch = 1
    plain.epoch = 1
    for index in (4, 0, 1, 2, 6, 5):  # out of order, as Keras's own shuffling asks
        np.testing.assert_array_equal(plain[index][0], batches[index][0])


def test_another_seed_or_epoch_or_batch_is_augmented_otherwise():
    pixels = np.repeat(pictures(1)[0], 64, axis=0)
    one = ImageBatches(pixels, batch_size=8, augment=["crop", "erase"], seed=1)
    first, second, *_ = (batch[0] for batch in take(one, 0))
    assert np.any(first != second)
    assert np.any(first != take(one, 1)[0][0])
    assert np.any(first != ImageBatches(pixels, batch_size=8, augment=["crop", "erase"], seed=2)[0][0])


def test_batches_are_made_in_another_thread_when_asked_for_in_order():
    threads = []

    def read(items):
        threads.append(threading.current_thread().name)
        return np.stack(items)

    pixels, _ = pictures(40)
    batches = ImageBatches(list(pixels), batch_size=8, read=read)
    made = take(batches, 0)
    assert len(made) == len(threads) == 5
    assert sum(name.startswith("images") for name in threads) == 3
    flat = np.concatenate([batch[0] for batch in made])
    np.testing.assert_array_equal(flat, pixels[np.concatenate(batches.order(0))] / np.float32(255))


def test_what_fails_in_the_thread_is_raised_where_the_batch_is_asked_for():
    def read(items):
        if any(item == 30 for item in items):
            raise OSError("file 30 is gone")
        return np.zeros((len(items), 2, 2, 1), dtype=np.uint8)

    batches = ImageBatches(list(range(40)), batch_size=8, read=read, shuffle=False)
    with pytest.raises(OSError, match="file 30 is gone"):
        take(batches, 0)


def test_label_numbers_become_rows_and_are_restored_in_order():
    pixels, labels = pictures()
    batches = ImageBatches(pixels, labels, labels=4, shuffle=False, batch_size=16)
    rows = np.concatenate([batch[1] for batch in take(batches, 0)])
    np.testing.assert_array_equal(rows, np.eye(4)[labels])
    np.testing.assert_array_equal(batches.restore(rows).argmax(axis=1), labels)
    with pytest.raises(ZooValueError, match="shuffle must be False"):
        ImageBatches(pixels).restore(rows)


@pytest.mark.parametrize(
    ("pixels", "targets", "settings", "words"),
    [
        (np.zeros((3, 4, 4, 1)), None, {}, r"pixels must be uint8 .*got float64 \(3, 4, 4, 1\)"),
        (np.zeros((3, 4, 4), "uint8"), None, {}, r"got uint8 \(3, 4, 4\)"),
        (np.zeros((0, 4, 4, 1), "uint8"), None, {}, "at least one row"),
        (np.zeros((3, 4, 4, 1), "uint8"), [0, 1], {}, r"targets must have one entry per row \(3\), got 2"),
        (np.zeros((3, 4, 4, 1), "uint8"), [0, 1, 2], {"augment": "mixup"}, "labels must say how many"),
        (np.zeros((3, 4, 4, 1), "uint8"), None, {"augment": "mixup"}, "targets must be given"),
        (np.zeros((3, 4, 4, 1), "uint8"), [0, 1, 2], {"labels": 2}, r"targets must be 0 to 1 \(labels\), got 0 to 2"),
        (np.zeros((3, 4, 4, 1), "uint8"), [0.5, 1, 2], {"labels": 2}, "whole numbers"),
        (np.zeros((3, 4, 4, 1), "uint8"), None, {"ahead": -1}, "ahead must be at least 0"),
        (np.zeros((3, 4, 4, 1), "uint8"), None, {"batch_size": 0}, "batch_size must be at least 1, got 0"),
        (np.zeros((3, 4, 4, 1), "uint8"), None, {"augment": "blur"}, "augmentation 'blur' is unknown"),
    ],
)
def test_columns_that_do_not_fit_are_one_clear_sentence(pixels, targets, settings, words):
    with pytest.raises(ZooValueError, match=words):
        ImageBatches(pixels, targets, **settings)


def test_a_reader_of_other_shapes_is_one_clear_sentence():
    with pytest.raises(ZooTypeError, match="read must be a function"):
        ImageBatches(["a.png"], read="imread")
    sizes = ImageBatches(
        [4, 4, 5], batch_size=1, shuffle=False, read=lambda items: np.zeros((1, items[0], 4, 1), "uint8")
    )
    with pytest.raises(ZooValueError, match=r"what read returns must be \(1, 4, 4, 1\), got \(1, 5, 4, 1\)"):
        take(sizes, 0)
    floats = ImageBatches([1], read=lambda items: np.zeros((1, 4, 4, 1)))
    with pytest.raises(ZooValueError, match="what read returns must be uint8"):
        floats[0]


def test_fit_asks_in_order_so_that_batches_are_made_ahead():
    threads = []

    def read(items):
        threads.append(threading.current_thread().name)
        return np.stack(items)

    pixels, labels = pictures(64)
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    batches = ImageBatches(list(pixels), labels, batch_size=8, read=read)
    fit(model, batches, epochs=2, optimizer=keras.optimizers.SGD(), loss=CrossEntropy(), progress=False)
    assert sum(name.startswith("images") for name in threads) >= 12


class Stop(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise InterruptedError


def train(folder, *, stop=False, augment=STEPS, epochs=4):
    set_seeds(1)
    pixels, labels = pictures()
    inputs = keras.Input((8, 8, 1), name="pixels")
    hidden = keras.layers.Conv2D(4, 3, strides=2, activation="relu")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(hidden)))
    batches = ImageBatches(pixels, labels, batch_size=16, augment=augment, labels=3, seed=7)
    held_out = ImageBatches(pixels, labels, batch_size=16, shuffle=False)
    judge = Judge(held_out, lambda logits, truth: {"right": float(np.mean(logits.argmax(axis=1) == truth))})
    settings = dict(optimizer=adamw(model, 0.02), loss=CrossEntropy(), resume_folder=folder, seed=3, progress=False)
    history = fit(model, batches, held_out, epochs=epochs, callbacks=[judge, *[Stop()] * stop], **settings)
    return model, history


def test_a_training_with_mixed_labels_resumes_as_if_it_had_not_stopped(tmp_path):
    whole, history = train(tmp_path / "whole")
    with pytest.raises(InterruptedError):
        train(tmp_path / "cut", stop=True)
    again, curve = train(tmp_path / "cut")
    assert set(curve) == {"loss", "val_loss", "val_right"}
    for name, values in history.items():
        np.testing.assert_allclose(curve[name], values, atol=1e-5)
    for one, other in zip(whole.get_weights(), again.get_weights()):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_training_with_keras_layers_resumes_as_if_it_had_not_stopped(tmp_path):
    steps = [keras.layers.RandomTranslation(0.1, 0.1), keras.layers.RandomErasing(value_range=(0, 255))]
    _, history = train(tmp_path / "whole", augment=steps)
    with pytest.raises(InterruptedError):
        train(tmp_path / "cut", stop=True, augment=steps)
    _, curve = train(tmp_path / "cut", augment=steps)
    np.testing.assert_allclose(curve["loss"], history["loss"], atol=1e-5)
