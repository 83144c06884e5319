"""The text classifier: what it is trained with, new labels, bad input."""

import dataclasses
import json
import os

import keras
import numpy as np
import pytest

from attention_zoo import data
from attention_zoo.errors import ZooError, ZooFileError, ZooTypeError, ZooValueError
from attention_zoo.models.classifier.examples import read_examples
from attention_zoo.models.task import arrays
from attention_zoo.models.text_classifier import TextClassifier
from attention_zoo.training import Batches

TEXTS = ["red apple and pear", "green pear", "fast car on road", "slow car", "red pear", "road and car"] * 2
LABELS = ["fruit", "fruit", "car", "car", "fruit", "car"] * 2
SMALL = {"network": "convolutional", "width": 8, "max_length": 8, "convolutions": (2,), "token_dropout": 0.0}
QUICK = {"epochs": 1, "batch_size": 6, "progress": False, "learning_rate": 1e-2}
LONG = {**QUICK, "epochs": 4, "learning_rate": 3e-2}
TIMES = 8  # repetitions of the examples that a LONG training sees in an epoch


def new(**changes):
    """Make a small classifier that is ready."""
    return TextClassifier.new(["car", "fruit"], TEXTS, **{**SMALL, **changes})


@pytest.fixture(scope="module")
def known():
    """A classifier that has learned all there is."""
    task = new()
    task.fit((TEXTS * TIMES, LABELS * TIMES), **LONG)
    return task


@pytest.fixture
def fitted(known, tmp_path):
    """A copy of it, to be changed."""
    return TextClassifier.load(known.save(tmp_path / "known"))


def test_it_learns_and_knows_what_is_not_its_business(known):
    answers = known.predict(["red pear", "slow car", "zzz qqq"])
    assert [answer.label for answer in answers[:2]] == ["fruit", "car"]
    assert answers[0].score > 0.9
    assert answers[2].out_of_scope > 2 * answers[0].out_of_scope


def test_one_string_is_a_list_of_one(known):
    assert known.predict("red pear") == known.predict(["red pear"]) == known.predict([b"red pear"])


def tables(folder):
    """Write the examples as the tables that users have."""
    (folder / "rows.csv").write_text("text,label\n" + "\n".join(map(",".join, zip(TEXTS, LABELS))))
    lines = [json.dumps({"text": text, "label": label}) for text, label in zip(TEXTS, LABELS)]
    (folder / "rows.jsonl").write_text("\n".join(lines))
    return [folder / "rows.csv", str(folder / "rows.jsonl")]


@pytest.mark.once
def test_texts_come_as_lists_arrays_splits_datasets_and_tables(tmp_path):
    split = data.Split({"text": TEXTS, "label": LABELS})
    dataset = data.Dataset("mine", {"train": split}, ("car", "fruit"))
    for given in [(TEXTS, LABELS), (np.array(TEXTS), np.array(LABELS)), split, dataset, *tables(tmp_path)]:
        found = read_examples(given, TextClassifier.raw)
        assert (found.inputs, found.labels, found.names) == (TEXTS, LABELS, ("car", "fruit"))
        assert not found.multi_label


def test_a_table_is_all_that_a_new_classifier_needs(tmp_path):
    path = tables(tmp_path)[0]
    task = TextClassifier.new(**SMALL)
    task.fit(path, **QUICK)
    assert task.labels == ("car", "fruit")
    assert set(task.evaluate(path)) >= {"accuracy", "macro_f1", "nll"}
    assert task.preprocessor("red pear")["token_ids"][0, :2].min() > 2


@pytest.mark.once
def test_a_dataset_is_validated_on_its_own_val_split_and_named_in_the_card(tmp_path):
    split = data.Split({"text": TEXTS, "label": LABELS})
    dataset = data.Dataset("mine", {"train": split, "val": split}, ("car", "fruit"), licence="MIT", permissive=True)
    task = TextClassifier.new(**SMALL)
    history = task.fit(dataset, **QUICK)
    assert "val_accuracy" in history and task.temperature != 1.0
    assert (task.card.data, task.card.licence, task.card.permissive, task.card.trained) == ("mine", "MIT", True, True)
    task.fit((TEXTS, LABELS), **QUICK)
    assert (task.card.data, task.card.licence, task.card.permissive) == ("mine", "MIT", True)
    task.fit(dataclasses.replace(dataset, name="other", licence="research use", permissive=False), **QUICK)
    assert (task.card.licence, task.card.permissive) == ("MIT and research use", False)


def test_what_keras_reads_is_read():
    task = new()
    ids = task.preprocessor(TEXTS)["token_ids"]
    targets = np.array([task.labels.index(label) for label in LABELS])

    def steps():
        for start in (0, 6):
            yield ids[start : start + 6], targets[start : start + 6]

    for given in [(ids, targets), Batches(list(ids), targets, batch_size=6, multiple=8)]:
        before = task.logits(TEXTS[:2])
        assert len(task.fit(given, validation=(ids, targets), **QUICK)["val_loss"]) == 1
        assert np.abs(task.logits(TEXTS[:2]) - before).max() > 1e-4
        assert task.evaluate(given)["accuracy"] == task.evaluate((TEXTS, LABELS))["accuracy"]
    assert task.fit(steps(), steps_per_epoch=2, **QUICK)["loss"]
    with pytest.raises(ZooValueError, match="steps_per_epoch"):
        task.fit(steps(), **QUICK)


def test_soft_targets_are_learned_too():
    task = new()
    ids = task.preprocessor(TEXTS)["token_ids"]
    soft = np.full((len(TEXTS), 2), 0.5, np.float32)
    task.fit(Batches(list(ids) * TIMES, np.tile(soft, (TIMES, 1)), batch_size=6, multiple=8), **LONG)
    assert np.abs(np.diff(task.logits(TEXTS), axis=1)).max() < 0.2


def test_keras_callbacks_and_options_are_passed_on():
    seen = []
    watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(sorted(logs)))
    task = new()
    options = {**QUICK, "epochs": 3, "patience": 0, "monitor": "val_accuracy", "optimizer": "sgd", "balance": 1.0}
    task.fit((TEXTS, LABELS), (TEXTS, LABELS), callbacks=[watch], smoothing=0.1, **options)
    assert seen[0] == ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert isinstance(task.model.optimizer, keras.optimizers.SGD)


def test_new_labels_replace_the_last_layer_and_say_so(fitted):
    kept = {w.path: keras.ops.convert_to_numpy(w.value) for w in fitted.model.weights}
    labels = [{"fruit": "fruit", "car": "vehicle"}[label] for label in LABELS]
    with pytest.warns(UserWarning, match="2 labels in place of 2, 1 of them known before"):
        fitted.fit((TEXTS, labels), **{**QUICK, "learning_rate": 1e-9})
    assert fitted.labels == ("fruit", "vehicle")
    for weight in fitted.model.weights:
        value = keras.ops.convert_to_numpy(weight.value)
        if weight.path.startswith("logits"):
            np.testing.assert_allclose(value[..., 0], kept[weight.path][..., 1], atol=1e-5)
        else:
            np.testing.assert_allclose(value, kept[weight.path], atol=1e-5)


@pytest.mark.once
def test_fewer_labels_leave_the_last_layer_alone(fitted, recwarn):
    fitted.fit((TEXTS[:4], LABELS[:4]), **QUICK)
    assert fitted.labels == ("car", "fruit")
    assert not [w for w in recwarn if issubclass(w.category, UserWarning) and "label" in str(w.message)]


def test_several_labels_take_thresholds_from_validation():
    truths = [["car"] if label == "car" else ["fruit", "food"] for label in LABELS]
    task = TextClassifier.new(**SMALL)
    task.fit((TEXTS * TIMES, truths * TIMES), (TEXTS, truths), **LONG)
    assert task.config.multi_label and len(task.config.thresholds) == 3
    assert set(task.predict("red pear")[0].labels) == {"food", "fruit"}
    assert task.predict("slow car")[0].labels == ("car",)
    assert task.evaluate((TEXTS, truths))["macro_f1"] == 1.0


def test_a_token_that_speaks_for_a_label_has_the_largest_effect(known):
    found = known.explain("the fast car", labels="car")
    assert list(found.effects) == ["car"]
    assert found.answer.label == "car"
    assert np.argmax(found.effects["car"]) > 0
    with pytest.raises(ZooValueError, match="'fruit'"):
        known.explain("car", labels=["fruits"])


@pytest.mark.once
def test_a_task_without_data_says_what_to_do():
    task = TextClassifier.new(**SMALL)
    for verb in (lambda: task.predict("a"), lambda: task.save("nowhere"), lambda: task.model):
        with pytest.raises(ZooValueError, match="has seen no data yet: call `fit"):
            verb()


BAD_TEXTS = [
    ([], ZooValueError, "at least one string"),
    ("", ZooValueError, "at least one word"),
    (["fine", "  "], ZooValueError, r"texts\[1\] must hold"),
    ([3], ZooTypeError, r"texts\[0\] must be a string, got int"),
    (None, ZooTypeError, "strings in a list"),
    ([b"\xff\xfe"], ZooValueError, "must be UTF-8"),
]


@pytest.mark.once
@pytest.mark.parametrize(("texts", "error", "sentence"), BAD_TEXTS)
def test_bad_texts_get_one_clear_sentence(known, texts, error, sentence):
    with pytest.raises(error, match=sentence) as caught:
        known.predict(texts)
    assert isinstance(caught.value, ZooError) and "\n" not in str(caught.value)


@pytest.mark.once
def test_a_text_of_100_000_words_is_cut_and_this_is_said_once(fitted):
    huge = "car " * 100_000
    with pytest.warns(UserWarning, match="was cut to the first 8") as said:
        answers = [fitted.predict(huge)[0], fitted.predict(huge)[0]]
    assert len([w for w in said if "was cut" in str(w.message)]) == 1
    assert answers[0].label == "car"


BAD_DATA = [
    ((TEXTS, LABELS[:-1]), {}, "one entry for each text, got 11 for 12"),
    ((TEXTS, ["fruit"] * 12), {}, "at least two different ones, got only 'fruit'"),
    ((TEXTS, [*LABELS[:-1], None]), {}, "must be names, got None in row 11"),
    ((TEXTS, [*LABELS[:-1], ["car"]]), {}, "must all be names or all be lists"),
    (TEXTS, {}, "data must be a Dataset"),
    ({"text": TEXTS}, {}, "data must be a Dataset"),
    ("missing.csv", {}, "missing.csv"),
    ((TEXTS, LABELS), {"validation": (["red"] * 2, ["fruit", "fruits"])}, "'fruits' .row 1. is unknown"),
    ((TEXTS, ["x", "y"] * 6), {"validation": (["red"], ["fruit"])}, "'fruit' .row 0. is unknown"),
    ((TEXTS, LABELS), {"epoch": 3}, "'epochs'"),
    ((TEXTS, LABELS), {"epochs": 0}, "epochs must be a whole number of at least 1"),
    ((TEXTS, LABELS), {"patience": 3}, "patience wants validation data"),
]


@pytest.mark.once
@pytest.mark.parametrize(("given", "options", "sentence"), BAD_DATA)
def test_bad_data_gets_one_clear_sentence_and_changes_nothing(known, given, options, sentence):
    before, config, card = arrays(known.model), known.config, known.card
    with pytest.raises(ZooError, match=sentence) as caught:
        known.fit(given, **{**QUICK, **options})
    assert "\n" not in str(caught.value)
    assert (known.config, known.card) == (config, card)
    for (path, new), (_, old) in zip(arrays(known.model), before):
        np.testing.assert_array_equal(new, old, err_msg=path)


@pytest.mark.once
def test_unknown_labels_are_refused_where_a_model_is_judged(known):
    with pytest.raises(ZooValueError, match=r"'cars' \(row 1\) is unknown to this model; the nearest are 'car'"):
        known.evaluate((["a", "b"], ["car", "cars"]))


@pytest.mark.once
def test_saving_replaces_a_preset_and_nothing_else(known, tmp_path):
    folder = known.save(tmp_path / "mine")
    known.save(folder)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(ZooFileError, match=r"notes\.txt"):
        known.save(folder)
    (tmp_path / "file").write_text("")
    with pytest.raises(ZooFileError, match="must be a folder"):
        known.save(tmp_path / "file")
    with pytest.raises(ZooFileError, match="cannot be written"):
        known.save(tmp_path / "file" / "below")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "mine"]


@pytest.mark.once
def test_a_save_that_fails_leaves_what_was_there(known, tmp_path, monkeypatch):
    folder = known.save(tmp_path / "mine")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(known.preprocessor), "save", fail)
    with pytest.raises(ZooFileError, match="No space left"):
        known.save(folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert os.listdir(tmp_path) == ["mine"]


@pytest.mark.once
@pytest.mark.parametrize("name", ["config.json", "weights.npz", "preprocessor/tokenizer.json", "preprocessor"])
def test_a_damaged_folder_is_refused_and_the_file_named(known, tmp_path, name):
    folder = known.save(tmp_path / "mine")
    (folder / "card.json").unlink()
    path = folder / name
    if path.is_dir():
        path = path / "preprocessor.json"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ZooFileError, match=path.name):
        TextClassifier.load(folder)
    path.unlink()
    with pytest.raises(ZooFileError, match=path.name):
        TextClassifier.load(folder)


CHANGES = [
    ({"width": 9}, "weights.npz does not fit config.json: the model wants embedding/table/embeddings"),
    ({"hidden": 4}, "weights.npz does not fit config.json"),
    ({"vocabulary_size": 99}, "the preprocessor's is"),
    ({"widht": 9}, "'width'"),
    ({"pooling": "multi_head"}, "is for self"),
]


@pytest.mark.once
@pytest.mark.parametrize(("change", "sentence"), CHANGES)
def test_a_config_that_does_not_fit_its_weights_says_what_differs(known, tmp_path, change, sentence):
    folder = known.save(tmp_path / "mine")
    (folder / "card.json").unlink()
    config = json.loads((folder / "config.json").read_text())
    config["network"].update(change)
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ZooFileError, match=sentence):
        TextClassifier.load(folder)


@pytest.mark.once
def test_the_bytes_of_a_file_are_checked_against_the_card(known, tmp_path):
    folder = known.save(tmp_path / "mine")
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")
    with pytest.raises(ZooFileError, match="SHA-256"):
        TextClassifier.load(folder)
