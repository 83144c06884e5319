"""A training that was killed goes on as if it had not been."""

import json
import os
import shutil

import keras
import numpy as np
import pytest

from attention_zoo.errors import ZooFileError, ZooValueError
from attention_zoo.training import (
    AveragedValidation,
    Batches,
    Checkpoint,
    CrossEntropy,
    EarlyStopping,
    EpochLog,
    Judge,
    adamw,
    averaged,
    fit,
    precision,
    schedule,
    set_seeds,
)

EPOCHS = 4


class StopAfter(keras.callbacks.Callback):
    """Leave the training like a kill does: right after an epoch, by a way that no other callback sees."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise InterruptedError


class Draw(keras.callbacks.Callback):
    """Draw random numbers without a seed, as a user's callback or function may."""

    def __init__(self, drawn):
        super().__init__()
        self.drawn = drawn

    def on_epoch_end(self, epoch, logs=None):
        self.drawn[epoch] = (float(keras.random.uniform(())), np.random.random())


def rows_and_labels(count=60, seed=5):
    random = np.random.default_rng(seed)
    rows = [random.integers(1, 30, size=random.integers(2, 8)).astype("int32") for _ in range(count)]
    return rows, np.array([int(row[0]) % 3 for row in rows])


def drop_words(rows, random):
    return [np.where(random.random(row.shape) < 0.2, 1, row) for row in rows]


def network(width=6):
    tokens = keras.Input((None,), dtype="int32", name="token_ids")
    x = keras.layers.Embedding(30, width)(tokens)
    x = keras.layers.Dropout(0.3)(x)  # without a seed, as everybody writes it
    x = keras.layers.GlobalAveragePooling1D()(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Dense(8, activation="relu")(x)
    x = keras.layers.Dropout(0.3, seed=3)(x)
    return keras.Model(tokens, keras.layers.Dense(3, dtype="float32")(x))


def train(folder, *, stop=None, seed=11, epochs=EPOCHS, width=6, rate=None, extra=(), policy="float32", patience=3):
    """Build everything anew, as a new process would, and train."""
    set_seeds(1)
    with precision(policy):
        model = network(width)
    rows, labels = rows_and_labels()
    batches = Batches(rows, labels, batch_size=20, seed=seed, augment=drop_words)
    held_out = Batches(rows[:40], labels[:40], batch_size=20, shuffle=False)
    optimizer = adamw(model, rate or schedule("cosine", 0.02, len(batches) * EPOCHS, warmup=3), averaging=0.8)
    stopping = EarlyStopping("val_loss", patience=patience)
    callbacks = [stopping, *extra, *([StopAfter(stop)] if stop else [])]
    options = dict(epochs=epochs, optimizer=optimizer, loss=CrossEntropy(0.1), metrics=["accuracy"])
    history = fit(
        model, batches, held_out, callbacks=callbacks, resume_folder=folder, seed=seed, progress=False, **options
    )
    return model, history, stopping


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    drawn = {}
    return *train(tmp_path_factory.mktemp("unbroken") / "run", extra=[Draw(drawn)]), drawn


@pytest.fixture(scope="module")
def stopped_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stopped") / "run"
    with pytest.raises(InterruptedError):
        train(folder, stop=2)
    return folder


@pytest.fixture
def stopped(stopped_folder, tmp_path):
    return shutil.copytree(stopped_folder, tmp_path / "run")


def test_a_resumed_training_has_the_curve_and_the_weights_of_an_unbroken_one(unbroken, stopped):
    model, history, stopping, random = unbroken
    drawn = {}
    again, curve, resumed = train(stopped, extra=[Draw(drawn)])
    assert set(curve) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    for name, values in history.items():
        assert len(curve[name]) == EPOCHS
        np.testing.assert_allclose(curve[name], values, atol=1e-5)
    for one, other in zip(model.get_weights(), again.get_weights()):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert (resumed.best_epoch, resumed.wait) == (stopping.best_epoch, stopping.wait)
    assert drawn == {2: random[2], 3: random[3]}
    assert len(set(random.values())) == EPOCHS

    once_more, finished, _ = train(stopped)
    assert finished == curve
    for one, other in zip(model.get_weights(), once_more.get_weights()):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_training_that_stopped_early_stays_stopped(tmp_path):
    class Enough(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    _, history, _ = train(tmp_path / "run", extra=[Enough()])
    _, again, _ = train(tmp_path / "run", extra=[Enough()])
    assert len(history["loss"]) == 2
    assert again == history


def test_early_stopping_counts_on_after_a_resume(stopped):
    state = json.loads((stopped / "checkpoint.json").read_text())
    state["partners"][0]["values"] |= {"best": -1.0, "best_epoch": 0, "wait": 2}
    (stopped / "checkpoint.json").write_text(json.dumps(state))
    _, history, stopping = train(stopped)
    assert len(history["loss"]) == 3
    assert (stopping.stopped_epoch, stopping.best_epoch) == (2, 0)


def test_mixed_float16_with_its_loss_scale_resumes(tmp_path):
    whole = train(tmp_path / "whole", policy="mixed_float16", epochs=2)[1]
    with pytest.raises(InterruptedError):
        train(tmp_path / "cut", policy="mixed_float16", epochs=2, stop=1)
    resumed = train(tmp_path / "cut", policy="mixed_float16", epochs=2)[1]
    np.testing.assert_allclose(resumed["loss"], whole["loss"], atol=1e-4)
    np.testing.assert_allclose(resumed["val_loss"], whole["val_loss"], atol=1e-4)


def test_a_kill_while_writing_leaves_the_last_epoch(tmp_path, monkeypatch):
    model = network()
    model.compile(adamw(model, 0.1), CrossEntropy())
    model.optimizer.build(model.trainable_variables)
    checkpoint = Checkpoint(tmp_path)
    checkpoint.set_model(model)
    checkpoint.on_train_begin()
    checkpoint.write(1)
    wanted = model.get_weights()
    model.set_weights([weight + 1 for weight in wanted])
    replace = os.replace
    for victim in (".npz", ".json"):

        def killed(source, target, victim=victim):
            if str(target).endswith(victim):
                raise KeyboardInterrupt
            replace(source, target)

        monkeypatch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            checkpoint.write(2)
        monkeypatch.undo()
        assert Checkpoint(tmp_path).restore(model) == (1, False)
        assert all(np.array_equal(one, other) for one, other in zip(wanted, model.get_weights()))
    checkpoint.write(2)
    assert Checkpoint(tmp_path).restore(model) == (2, False)
    assert len(list(tmp_path.glob("state-*.npz"))) == 1


def test_logs_go_on_where_the_checkpoint_stands(tmp_path):
    log = tmp_path / "log.jsonl"
    with pytest.raises(InterruptedError):
        train(tmp_path / "run", stop=2, extra=[EpochLog(log)])
    log.write_text(log.read_text() + '{"epoch": 3, "half')
    history = train(tmp_path / "run", extra=[EpochLog(log)])[1]
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    np.testing.assert_allclose([row["val_loss"] for row in rows], history["val_loss"])


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"seed": 12}, "seed"),
        ({"rate": 0.5}, "learning_rate"),
        ({"width": 7}, "shapes"),
        ({"extra": [EarlyStopping("loss")]}, "callbacks"),
    ],
)
def test_another_training_is_refused(stopped, change, word):
    with pytest.raises(ZooValueError, match=word):
        train(stopped, **change)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *[("checkpoint.json", damage) for damage in ("cut", "empty", "flipped")],
        *[("state-00002.npz", damage) for damage in ("cut", "empty", "flipped", "gone")],
    ],
)
def test_a_damaged_checkpoint_is_one_clear_sentence(stopped, name, damage):
    path = stopped / name
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "flipped":
        middle = len(whole) // 2
        path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :])
    else:
        path.write_bytes(whole[: len(whole) // 2] if damage == "cut" else b"")
    with pytest.raises(ZooFileError, match="damaged"):
        train(stopped)


def test_a_file_in_the_place_of_the_folder_is_one_clear_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ZooFileError, match="cannot be made"):
        Checkpoint(tmp_path / "file")


def test_validation_sees_the_averaged_weights_and_they_are_kept():
    set_seeds(2)
    model = network()
    rows, labels = rows_and_labels()
    held_out = Batches(rows, labels, batch_size=20, shuffle=False)
    seen = []

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            plain = self.model.get_weights()
            raw = self.model.evaluate(held_out, verbose=0, return_dict=True)["loss"]
            with averaged(self.model):
                judged = self.model.evaluate(held_out, verbose=0, return_dict=True)["loss"]
            assert all(np.array_equal(a, b) for a, b in zip(plain, self.model.get_weights()))
            seen.append((logs["val_loss"], logs["val_again"], raw, judged))

    def again(logits, targets):
        return {"again": float(CrossEntropy()(targets, logits))}

    optimizer = adamw(model, 0.05, averaging=0.9)
    history = fit(
        model,
        Batches(rows, labels, batch_size=20),
        held_out,
        epochs=2,
        optimizer=optimizer,
        loss=CrossEntropy(),
        callbacks=[Judge(held_out, again), Look()],
        progress=False,
    )
    for value, own, raw, judged in seen:
        assert value == pytest.approx(judged, abs=1e-5)
        assert own == pytest.approx(judged, abs=1e-5)
        assert abs(value - raw) > 1e-4
    assert model.evaluate(held_out, verbose=0) == pytest.approx(history["val_loss"][-1], abs=1e-5)
    assert history["val_again"][-1] == pytest.approx(history["val_loss"][-1], abs=1e-5)


def test_averaging_callback_does_nothing_without_averages():
    model = network()
    model.compile("sgd", CrossEntropy())
    before = model.get_weights()
    callback = AveragedValidation()
    callback.set_model(model)
    callback.on_test_begin()
    callback.on_test_end()
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))
