"""Early stopping, NaN, screen lines, logs and seeds."""

import csv
import io
import json

import keras
import numpy as np
import pytest
from rich.console import Console

from attention_zoo.errors import ZooError, ZooFileError, ZooTypeError, ZooValueError
from attention_zoo.training import (
    Batches,
    CrossEntropy,
    EarlyStopping,
    EpochLines,
    EpochLog,
    Judge,
    TrainingDiverged,
    fit,
    set_seeds,
)
from attention_zoo.training.seeds import derive, reseed

ROWS = [np.array([number % 2 + 1, 3], dtype="int32") for number in range(16)]
LABELS = np.arange(16) % 2


def network():
    tokens = keras.Input((None,), dtype="int32")
    pooled = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(4, 2)(tokens))
    return keras.Model(tokens, keras.layers.Dense(2)(pooled))


def train(*callbacks, rows=ROWS, epochs=3, rate=0.1, progress=False, **options):
    batches = Batches(rows, LABELS, batch_size=8)
    options = {"optimizer": keras.optimizers.SGD(rate), "loss": CrossEntropy(), "run_eagerly": True, **options}
    model = network()
    return model, fit(model, batches, epochs=epochs, callbacks=callbacks, progress=progress, **options)


class Script(keras.callbacks.Callback):
    """Put made-up values and weights in place of measured ones."""

    def __init__(self, *values):
        super().__init__()
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        logs["val_score"] = self.values[epoch]
        self.model.set_weights([np.full_like(weight, epoch) for weight in self.model.get_weights()])


def test_early_stopping_puts_the_best_weights_back():
    model, history = train(Script(1, 5, 4, 3, 9), EarlyStopping("val_score", patience=2, mode="max"), epochs=5)
    assert history["val_score"] == [1, 5, 4, 3]
    assert np.all(model.get_weights()[0] == 1)


def test_the_best_weights_come_back_after_the_last_epoch_too():
    model, _ = train(Script(1, 5, 4), EarlyStopping("val_score", patience=9, mode="max"))
    assert np.all(model.get_weights()[0] == 1)
    model, _ = train(Script(1, 5, 4), EarlyStopping("val_score", patience=9, mode="max", restore_best=False))
    assert np.all(model.get_weights()[0] == 2)


def test_a_measure_that_is_not_there_is_named():
    with pytest.raises(ZooValueError, match=r"monitor must be one of \['loss'\], got 'val_loss'"):
        train(EarlyStopping())
    with pytest.raises(ZooValueError, match="patience"):
        EarlyStopping(patience=-1)


def test_nan_ends_the_training_with_a_sentence_and_leaves_the_last_good_epoch(tmp_path):
    class Break(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.set_weights([weight * np.nan for weight in self.model.get_weights()])

    with pytest.raises(TrainingDiverged, match=r"loss became nan in epoch 2: lower the learning rate.*kept in"):
        train(Break(), resume_folder=tmp_path / "run")
    index = json.loads((tmp_path / "run" / "checkpoint.json").read_text())
    assert index["epoch"] == 1
    assert issubclass(TrainingDiverged, ZooError)


def test_a_judge_gets_logits_in_the_order_of_the_rows():
    rows = [np.full(1 + number, 1 + number % 3, dtype="int32") for number in range(16)]
    held_out = Batches(rows, LABELS, batch_size=4, shuffle=False)
    seen = []

    def judge(logits, targets):
        seen.append((logits, targets))
        return {"mine": 7}

    model, history = train(Judge(held_out, judge), rate=0.0)
    assert history["val_mine"] == [7, 7, 7]
    np.testing.assert_array_equal(seen[0][1], LABELS)
    np.testing.assert_allclose(seen[0][0][9], model.predict(np.pad(rows[9], (0, 6))[None], verbose=0)[0], atol=1e-5)
    with pytest.raises(ZooTypeError, match="Batches"):
        Judge([1], judge)
    with pytest.raises(ZooValueError, match="shuffle"):
        Judge(Batches(rows, LABELS), judge)


def test_short_trainings_say_nothing_and_long_ones_a_line_an_epoch():
    for quiet, count in ((60.0, 0), (0.0, 3)):
        text = io.StringIO()
        train(EpochLines(Console(file=text, width=200), quiet=quiet))
        lines = text.getvalue().splitlines()
        assert len(lines) == count
        assert all(line.startswith(f"epoch {n}/3  loss ") for n, line in enumerate(lines, 1))


def test_lines_held_back_at_first_are_not_lost():
    text = io.StringIO()

    class Patience(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            lines.quiet = 60.0 if epoch == 0 else 0.0

    lines = EpochLines(Console(file=text, width=200), quiet=0.0)
    train(lines, epochs=1)
    text.truncate(0)
    train(Patience(), lines)
    assert [line[:9] for line in text.getvalue().replace("\0", "").splitlines()] == [
        "epoch 1/3",
        "epoch 2/3",
        "epoch 3/3",
    ]


def test_logs_are_json_lines_or_a_table(tmp_path):
    history = train(EpochLog(tmp_path / "a" / "log.jsonl"), EpochLog(tmp_path / "log.csv"))[1]
    rows = [json.loads(line) for line in (tmp_path / "a" / "log.jsonl").read_text().splitlines()]
    with open(tmp_path / "log.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert [row["loss"] for row in rows] == history["loss"] == [float(row["loss"]) for row in table]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "log.csv"]


def test_a_log_that_cannot_be_written_is_one_clear_sentence(tmp_path):
    with pytest.raises(ZooValueError, match=r"\.jsonl or \.csv"):
        EpochLog(tmp_path / "log.txt")
    (tmp_path / "file").write_text("")
    with pytest.raises(ZooFileError, match="cannot be made"):
        train(EpochLog(tmp_path / "file" / "log.csv"))
    (tmp_path / "log.csv").mkdir()
    with pytest.raises(ZooFileError, match="cannot be written"):
        train(EpochLog(tmp_path / "log.csv"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "log.csv"]


def test_arrays_and_the_arguments_of_keras_are_passed_on():
    model = network()
    padded = np.stack(ROWS)
    options = {"optimizer": keras.optimizers.SGD(0.0), "loss": CrossEntropy(), "run_eagerly": True, "progress": False}
    plain = fit(model, (padded, LABELS), (padded, LABELS), epochs=1, batch_size=16, **options)
    doubled = fit(model, (padded, LABELS), epochs=1, batch_size=16, class_weight={0: 2.0, 1: 2.0}, **options)
    assert plain["loss"][0] == pytest.approx(plain["val_loss"][0], rel=1e-5)
    assert doubled["loss"][0] == pytest.approx(2 * plain["loss"][0], rel=1e-5)
    with pytest.raises(ZooValueError, match="epochs"):
        fit(model, (padded, LABELS), epochs=0, **options)


def test_one_seed_sets_everything():
    def draw():
        return [float(keras.random.uniform(())), float(np.random.random()), *network().get_weights()[0].ravel()]

    set_seeds(5)
    first = draw()
    set_seeds(5)
    assert draw() == first
    set_seeds(6)
    assert draw() != first
    for wrong in (-1, 2**31, 1.5, "1", True):
        with pytest.raises(ZooValueError, match="seed"):
            set_seeds(wrong)


def test_reseeding_keeps_the_generator_that_compiled_functions_hold():
    from keras.src.random.seed_generator import global_seed_generator

    before = global_seed_generator()
    reseed(9)
    first = float(keras.random.uniform(()))
    reseed(9)
    assert global_seed_generator() is before
    assert float(keras.random.uniform(())) == first


def test_derived_seeds_differ_and_repeat():
    seeds = {derive(seed, epoch, batch) for seed in range(5) for epoch in range(5) for batch in range(5)}
    assert len(seeds) == 125
    assert derive(3, 4) == derive(3, 4)
