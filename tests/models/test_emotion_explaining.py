"""Why an emotion recognizer answered: weights of modalities, and where it looked in each."""

import numpy as np
import pytest
from inspected import check_faithfulness

from attention_zoo.data import Dataset
from attention_zoo.data.synthetic_emotions import synthetic_emotions
from attention_zoo.errors import ZooError
from attention_zoo.models.emotion_recognizer import EmotionRecognizer
from attention_zoo.models.emotion_recognizer.explaining import Looks, shared
from attention_zoo.visualise import FramesView, SoundView, VectorsView, WordsView

SIZES = {"width": 16, "heads": 2, "height": 24, "width_pixels": 24, "mels": 40, "audio_depth": 1}
# Not at all alike in how they sum up: by gates, by pairs, twice, and with tokens of their own.
FUSIONS = ("gated", "co_attention", "film", "bottleneck")


def trained(data, epochs=1, **config):
    """Return a recognizer that has seen a few rows."""
    task = EmotionRecognizer.new(**{**SIZES, **config})
    part = Dataset(data.name, {"train": data["train"].rows(range(24))}, data.labels)
    task.fit(part, epochs=epochs, batch_size=12, progress=False, calibrate=False)
    return task


@pytest.fixture(scope="module")
def faces():
    return synthetic_emotions(40, frames=3)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_views_follow_what_each_modality_is(faces, fusion):
    task = trained(faces, fusion=fusion)
    row = faces["test"].rows([0])
    found = task.explain(row)
    image, audio, text = found.views.values()
    assert isinstance(image, FramesView) and image.weights.shape == (3, 3, 3)
    assert isinstance(audio, SoundView) and isinstance(text, WordsView)
    samples, rate = row["audio"][0]
    assert audio.seconds == pytest.approx(len(samples) / rate, abs=0.03)  # a window is 0.025 s
    assert [token.text for token in text.tokens] == row["text"][0].split()
    for view in (image, audio, text):
        assert view.weights.sum() == pytest.approx(1.0)
        assert view.weights.std() > 0  # attention, and not equal shares for want of any
    assert (found.gates is not None) == (fusion == "gated")


def test_numbers_are_those_of_the_answer_and_of_the_weights(faces):
    task = trained(faces, fusion="gated")
    row = faces["test"].rows([1])
    found, weights = task.explain(row), task.modality_weights(row)[0]
    answer = task.predict(row)[0]
    assert (found.answer.label, found.label) == (answer.label, weights.label)
    assert found.probability == pytest.approx(answer.score, abs=1e-5)
    assert found.effects == pytest.approx(weights.effects, abs=1e-5)
    assert found.gates == pytest.approx(weights.gates, abs=1e-5)
    other = next(label for label in task.labels if label != answer.label)
    assert task.explain(row, other).label == other
    assert task.explain(row, other).probability == pytest.approx(task.predict(row, True)[0].scores[other], abs=1e-5)


def test_a_step_of_sound_lies_on_its_four_frames_and_padding_gets_nothing(faces):
    task = trained(faces)
    encoded = task.preprocessor.encode(task._rows(faces["test"].rows([0])))[0]
    looks, frames = Looks(task, encoded), len(encoded["audio"])
    view = task.explain(faces["test"].rows([0])).views["audio"]
    steps = looks.maps["audio_pooling"][0, 0]
    wanted = shared(np.repeat(steps, 4)[:frames])
    np.testing.assert_allclose(view.weights, wanted, atol=1e-6)
    assert steps[-(-frames // 4) :] == pytest.approx(0)


def test_the_picture_that_the_pooling_takes_has_the_weight(faces):
    task = trained(faces)
    row = dict(task._rows(faces["test"].rows([0]))[0])
    encoded = task.preprocessor.encode([row])[0]
    pooled = Looks(task, encoded).maps["image_pooling"][0, 0, :3]
    view = task.explain([row]).views["image"]
    np.testing.assert_allclose(view.weights.sum(axis=(1, 2)), pooled / pooled.sum(), atol=1e-6)


@pytest.mark.parametrize("pooling", ["map_pooling", "clip_pooling", {"name": "structured_self_attention", "hops": 2}])
def test_other_poolings_and_sharings_are_read_too(faces, pooling):
    task = trained(faces, pooling=pooling, tasks=("intensity",), sharing="fused", context="attention")
    found = task.explain(faces["test"].rows([0]))
    assert found.note == "The row was read alone, without its conversation."
    for view in found.views.values():
        assert view.weights.sum() == pytest.approx(1.0) and view.weights.std() > 0


def test_a_token_of_the_pooling_s_own_is_no_step(faces):
    task = trained(faces, pooling="clip_pooling")
    row = task._rows(faces["test"].rows([0]))
    looks = Looks(task, task.preprocessor.encode(row)[0])
    keys = looks.over(next(path for path in looks.sites if path.startswith("text_pooling")), "key")
    assert len(keys) == looks.padded["text"] + 1
    weights = task.explain(row).views["text"].weights
    np.testing.assert_allclose(weights, shared(keys[1 : 1 + len(weights)]), atol=1e-6)


def test_what_is_missing_has_no_view_and_no_weight(faces):
    task = trained(faces)
    found = task.explain({"text": "the letter makes me furious"})
    assert found.views["image"] is None and found.views["audio"] is None
    assert found.effects["image"] == found.effects["audio"] == 0.0
    assert found.shares["text"] == pytest.approx(1.0)


def test_the_number_of_a_vector_that_decides_is_found():
    generator = np.random.default_rng(0)
    labels = ["glad" if number % 2 else "sad" for number in range(80)]
    vectors = [generator.normal(size=(3, 5)) + 4 * (label == "glad") * np.eye(5)[1] for label in labels]
    task = EmotionRecognizer.new(modalities=("image",), image="features", width=16, heads=2)
    task.fit(({"image": vectors}, labels), epochs=8, batch_size=16, learning_rate=1e-2, progress=False)
    found = task.explain([{"image": vectors[1]}], names={"image": ["a", "smile", "c", "d", "e"]})
    view = found.views["image"]
    assert isinstance(view, VectorsView) and view.values.shape == (3, 5)
    assert view.names[view.order[0]] == "smile"
    assert view.effects[1] > 3 * np.abs(np.delete(view.effects, 1)).max()


def test_several_labels_of_texts_alone_are_explained(tmp_path):
    texts = ["so glad today", "so sad today", "glad and sad", "nothing at all"] * 10
    labels = [["glad"], ["sad"], ["glad", "sad"], []] * 10
    task = EmotionRecognizer.new(modalities=("text",), width=16, heads=2)
    task.fit(({"text": texts}, labels), epochs=2, batch_size=8, progress=False)
    found = task.explain("so glad today", "sad")
    assert found.label == "sad" and list(found.views) == ["text"]
    assert found.probability == pytest.approx(task.predict(["so glad today"], True)[0].scores["sad"], abs=1e-5)
    assert found.save(tmp_path / "why.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("given", "changes", "told"),
    [
        ([{"text": "a"}, {"text": "b"}], {}, "row must be one row to be explained, got 2"),
        ({"text": "a"}, {"label": "angri"}, "angry"),
        ({"text": "a"}, {"names": {"face": []}}, "modality"),
        ([{"text": ""}], {}, "all of them are missing"),
    ],
)
def test_what_cannot_be_explained_is_said(faces, given, changes, told):
    task = EmotionRecognizer.new(faces.labels, faces["train"].rows(range(8)), **SIZES)
    with pytest.raises(ZooError, match=told):
        task.explain(given, **changes)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_explanations_are_judged_by_hiding_stretches_of_modalities(faces, fusion):
    task = trained(faces, epochs=4, fusion=fusion)
    row = faces["test"].rows([1])
    scores = task.predict(row, all_scores=True)[0].scores
    check_faithfulness(task, row, min(scores, key=scores.get), learned=False)
