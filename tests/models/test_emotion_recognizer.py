"""The emotion recognizer as its users meet it: rows of any kind, any part of them missing, tasks, weights, exports."""

import json

import keras
import numpy as np
import pytest

from attention_zoo import runtime
from attention_zoo.data import Dataset, Split
from attention_zoo.data.synthetic_emotions import synthetic_emotions
from attention_zoo.errors import ZooError
from attention_zoo.models.emotion_recognizer import EmotionRecognizer
from attention_zoo.models.emotion_recognizer.weighing import shapley, subsets

LABELS = ("calm", "glad", "sad")
WORDS = {"calm": "the train leaves at noon", "glad": "what a wonderful day", "sad": "nobody came to see me"}
SIZES = {
    "image": "features", "audio": "features", "width": 16, "heads": 2, "hidden": 0, "token_dropout": 0.0,
    "dropout": 0.0, "head_dropout": 0.0, "audio_depth": 1,
}  # fmt: skip
LEARNING = {"epochs": 8, "batch_size": 16, "learning_rate": 1e-2, "progress": False}


def people(count=96, seed=0):
    """Make rows of a vector of the face, a sequence of vectors of the voice, and a sentence.

    The face tells glad from the others, the voice tells sad from the others, and the text says all.
    """
    generator = np.random.default_rng(seed)
    columns = {name: [] for name in ("image", "audio", "text", "label", "sex", "conversation")}
    for number in range(count):
        label, female = LABELS[number % 3], number % 2
        face = generator.normal(size=4) + 3 * (label == "glad") * np.eye(4)[0]
        voice = generator.normal(size=(int(generator.integers(2, 9)), 3))
        voice += np.array([3 * (label == "sad"), 4 * female - 2, 0])
        values = (face.round(3), voice.round(3), WORDS[label], label, ("male", "female")[female], f"c{number // 4}")
        for column, value in zip(columns.values(), values):
            column.append(value)
    return columns


def rows(columns, *names):
    """Return columns that a model reads, and their labels."""
    names = names or ("image", "audio", "text")
    return {name: columns[name] for name in names}, columns["label"]


@pytest.fixture(scope="module")
def trained():
    """Train a recognizer on two tasks, whose rows lack what they like."""
    task = EmotionRecognizer.new(**SIZES, tasks=("sex",), modality_dropout=0.3)
    columns = people()
    inputs, labels = rows(columns)
    history = task.fit((inputs, {"label": labels, "sex": columns["sex"]}), **LEARNING)
    return task, history


def share_right(answers, wanted):
    """Return how many answers are as wanted, as a share."""
    return np.mean([answer.label == label for answer, label in zip(answers, wanted)])


def test_both_tasks_are_learned(trained):
    task, history = trained
    assert history["logits_accuracy"][-1] > 0.8 and history["sex_accuracy"][-1] > 0.8
    judged = task.evaluate(Split(people(30, seed=1)))
    assert judged["accuracy"] > 0.9 and judged["sex_accuracy"] > 0.9
    assert task.config.task_labels == {"sex": ("female", "male")}
    assert (task.config.image_features, task.config.audio_features) == (4, 3)
    learned = keras.ops.convert_to_numpy(task.model.get_layer("task_weights").log_variance)
    assert learned.shape == (2,) and (learned != 0).all()


@pytest.mark.parametrize("names", [("text",), ("image", "audio"), ("audio", "text"), ("image", "audio", "text")])
def test_any_part_of_the_modalities_is_enough(trained, names):
    task, _ = trained
    columns = people(30, seed=2)
    assert share_right(task.predict(rows(columns, *names)[0]), columns["label"]) > 0.8


def test_each_modality_knows_what_it_can_know(trained):
    task, _ = trained
    columns = people(60, seed=2)
    face = [answer.label == "glad" for answer in task.predict({"image": columns["image"]})]
    assert np.mean([told == (label == "glad") for told, label in zip(face, columns["label"])]) > 0.8
    sexes = task.predict_tasks({"audio": columns["audio"]})["sex"]
    assert share_right(sexes, columns["sex"]) > 0.8


def test_rows_come_in_any_form_and_get_the_same_answers(trained):
    task, _ = trained
    columns = people(6, seed=3)
    inputs, _ = rows(columns)
    inputs["image"] = [*inputs["image"][:4], None, None]
    inputs["text"] = ["", *inputs["text"][1:]]
    wanted = task.logits(inputs)
    listed = [{name: inputs[name][row] for name in inputs} for row in range(6)]
    left_out = [{name: value for name, value in row.items() if value is not None and len(value)} for row in listed]
    told = [json.dumps(row, default=np.ndarray.tolist) for row in left_out]
    for given in (listed, left_out, told, Split({**inputs, "label": columns["label"]})):
        np.testing.assert_allclose(task.logits(given), wanted, atol=1e-5)


def test_other_rows_and_the_size_of_a_batch_change_nothing(trained):
    task, _ = trained
    inputs, _ = rows(people(9, seed=4))
    inputs["audio"] = [None if number % 2 else value for number, value in enumerate(inputs["audio"])]
    together = task.logits(inputs)
    for row in range(9):
        alone = {name: [values[row]] for name, values in inputs.items()}
        np.testing.assert_allclose(task.logits(alone), together[row : row + 1], atol=1e-5)
    np.testing.assert_allclose(task.logits(inputs, batch_size=2), together, atol=1e-5)


def test_weights_of_modalities_add_up_to_the_score(trained):
    task, _ = trained
    inputs, _ = rows(people(12, seed=5))
    inputs["image"] = [None if number < 4 else value for number, value in enumerate(inputs["image"])]
    answers = task.predict(inputs)
    for number, (told, answer) in enumerate(zip(task.modality_weights(inputs), answers)):
        assert told.label == answer.label
        assert np.exp(told.score) == pytest.approx(answer.score, abs=1e-5)
        assert told.prior + sum(told.effects.values()) == pytest.approx(told.score, abs=1e-6)
        assert sum(told.shares.values()) == pytest.approx(1) and sum(told.gates.values()) == pytest.approx(1, abs=1e-5)
        assert (abs(told.effects["image"]) < 1e-6) == (told.gates["image"] == 0) == (number < 4)
    text = np.mean([told.shares["text"] for told in task.modality_weights(inputs)])
    assert text > 1 / 3  # which alone says all


def test_shapley_values_are_the_mean_over_all_orders():
    names = ("image", "audio", "text")
    generator = np.random.default_rng(0)
    values = {some: generator.normal(size=5) for some in subsets(names)}
    assert len(values) == 8
    found = shapley(values, names)
    orders = [(a, b, c) for a in names for b in names for c in names if len({a, b, c}) == 3]
    for name in names:
        gains = []
        for order in orders:
            before = frozenset(order[: order.index(name)])
            gains.append(values[before | {name}] - values[before])
        np.testing.assert_allclose(found[name], np.mean(gains, axis=0), atol=1e-12)


def test_what_was_saved_answers_all_tasks_the_same(trained, tmp_path):
    task, _ = trained
    again = EmotionRecognizer.load(task.save(tmp_path / "mine"))
    inputs, _ = rows(people(8, seed=6))
    assert again.config == task.config
    for name, answers in task.predict_tasks(inputs, all_scores=True).items():
        for one, other in zip(answers, again.predict_tasks(inputs, all_scores=True)[name]):
            assert one.scores == pytest.approx(other.scores, abs=1e-6)


def test_new_labels_keep_what_the_tasks_know(trained, tmp_path):
    task, _ = trained
    again = EmotionRecognizer.load(task.save(tmp_path / "mine"))
    columns = people(24, seed=7)
    labels = ["bright" if label == "glad" else label for label in columns["label"]]
    with pytest.warns(UserWarning, match="labels changed"):
        again.fit((rows(columns)[0], {"label": labels, "sex": columns["sex"]}), **{**LEARNING, "epochs": 1})
    assert again.labels == ("bright", "calm", "sad")
    assert share_right(again.predict_tasks(rows(columns)[0])["sex"], columns["sex"]) > 0.8


def test_a_conversation_helps_and_stays_whole():
    # Only the first of four rows says anything; all four have its label.
    generator = np.random.default_rng(0)

    def talks(count):
        labels = [label for number in generator.integers(3, size=count // 4) for label in 4 * [LABELS[number]]]
        vectors = [np.eye(3)[LABELS.index(label)] * (number % 4 == 0) for number, label in enumerate(labels)]
        names = [f"c{number // 4}" for number in range(count)]
        return {"audio": vectors, "conversation": names}, labels

    task = EmotionRecognizer.new(context="attention", **SIZES)
    task.fit(talks(160), **{**LEARNING, "epochs": 15})
    inputs, labels = talks(40)
    assert share_right(task.predict(inputs, batch_size=6), labels) > 0.9
    alone = share_right(task.predict({"audio": inputs["audio"]}), labels)
    assert alone < 0.75


def test_pictures_sounds_and_words_are_learned():
    data = synthetic_emotions(120, size=16, missing=0.1)
    small = {"height": 16, "width_pixels": 16, "mels": 16, "width": 16, "heads": 2, "picture_widths": (4, 8)}
    small |= {"sound_filters": 4, "convolution": 5, "audio_depth": 1, "hidden": 0, "head_dropout": 0.0}
    task = EmotionRecognizer.new(**small)
    history = task.fit(data, epochs=10, batch_size=8, learning_rate=1e-2, augment=True, progress=False)
    assert history["loss"][-1] < 0.8 * history["loss"][0]
    assert task.config.modalities == ("image", "audio", "text")
    assert task.evaluate(data)["accuracy"] > 0.4  # a quarter is chance


def test_a_data_set_may_have_more_than_a_model_reads():
    columns = people(24)
    data = Dataset("mine", {"train": Split(columns), "test": Split(people(9, seed=1))}, LABELS)
    task = EmotionRecognizer.new(**SIZES, modalities=("audio",))
    task.fit(data, **{**LEARNING, "epochs": 1})
    assert "accuracy" in task.evaluate(data)
    assert len(task.predict(data["test"])) == 9
    with pytest.raises(ZooError, match="reads only audio"):
        task.predict(rows(columns)[0])


def test_balance_and_given_weights_of_tasks_train():
    columns = people(24)
    task = EmotionRecognizer.new(
        **SIZES, tasks={"sex": ("male", "female")}, task_weights=(1.0, 0.5), sharing="specific"
    )
    # Batches of one size: Keras weighs the last one otherwise in the sum than in its parts, on one backend.
    chosen = {"epochs": 2, "batch_size": 8, "balance": 0.5, "smoothing": 0.1}
    history = task.fit(Split(columns), **{**LEARNING, **chosen})
    assert np.isfinite(history["loss"]).all()
    assert history["loss"][-1] == pytest.approx(history["logits_loss"][-1] + 0.5 * history["sex_loss"][-1], rel=1e-3)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (lambda columns: columns["label"], "dict of lists"),
        (lambda columns: {"label": columns["label"]}, "'sex'"),
        (lambda columns: {"label": columns["label"], "sex": columns["sex"], "age": columns["sex"]}, "'age'"),
        (lambda columns: {"label": columns["label"], "sex": columns["sex"][1:]}, "one entry for each row"),
        (lambda columns: {"label": columns["label"], "sex": [None, *columns["sex"][1:]]}, "row 0"),
        (lambda columns: {"label": columns["label"], "sex": ["x", *columns["sex"][1:]]}, "'x'"),
    ],
    ids=range(6),
)
def test_labels_that_do_not_fit_are_refused(trained, labels, words):
    task, _ = trained
    columns = people(8)
    with pytest.raises(ZooError, match=words):
        task.fit((rows(columns)[0], labels(columns)), **LEARNING)


def test_augmentation_wants_a_sound():
    columns = people(8)
    task = EmotionRecognizer.new(**SIZES)
    with pytest.raises(ZooError, match="augment"):
        task.fit(rows(columns), augment=True, **{**LEARNING, "epochs": 1})


@pytest.mark.costly
def test_the_runtime_answers_as_the_task_whatever_is_missing(trained, tmp_path):
    task, _ = trained
    task.export(tmp_path / "bundle", format="onnx", attention=True)
    runner = runtime.load(tmp_path / "bundle")
    inputs, _ = rows(people(10, seed=8))
    inputs["text"] = [None if number % 3 == 0 else value for number, value in enumerate(inputs["text"])]
    for name, answers in task.predict_tasks(inputs, all_scores=True).items():
        for one, other in zip(answers, runner.predict_tasks(inputs, all_scores=True)[name]):
            assert one.scores == pytest.approx(other.scores, abs=1e-4)
    assert "fusion" in runner.attention([{"text": "what a wonderful day"}])
