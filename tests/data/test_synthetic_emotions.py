from collections import Counter

import numpy as np
import pytest

from attention_zoo import data
from attention_zoo.audio import LogMel
from attention_zoo.errors import ZooValueError

pytestmark = pytest.mark.once


def test_rows_are_repeatable_and_called_synthetic():
    one, other, third = (data.synthetic_emotions(40, seed=seed) for seed in (1, 1, 2))
    assert "synthetic" in one.name and "synthetic" in one.source and one.permissive
    for column in ("text", "label", "intensity", "conversation"):
        assert one["train"][column] == other["train"][column]
    assert np.array_equal(one["train"]["image"], other["train"]["image"])
    assert all(np.array_equal(a, b) for (a, _), (b, _) in zip(one["val"]["audio"], other["val"]["audio"]))
    assert one["train"]["text"] != third["train"]["text"]
    assert {name: len(split) for name, split in one.splits.items()} == {"train": 28, "val": 6, "test": 6}


def test_faces_tones_and_sentences_are_what_models_read():
    train = data.synthetic_emotions(60, size=32)["train"]
    assert all(image.shape == (32, 32) and image.dtype == np.uint8 for image in train["image"])
    for samples, rate in train["audio"]:
        assert rate == 16_000 and samples.dtype == np.float32 and 0.4 <= len(samples) / rate <= 0.7
        assert 0.05 < np.abs(samples).max() <= 1
    assert set(Counter(train["conversation"]).values()) <= {2, 4}
    moving = data.synthetic_emotions(20, frames=4)["train"]["image"][0]
    assert moving.shape == (4, 24, 24) and np.abs(moving[0].astype(int) - moving[3]).max() > 50


def columns(split):
    """Return a few numbers of each modality, which know nothing of how it was made."""
    mel = LogMel(mels=16)
    words = sorted({word for text in split["text"] for word in text.split()})
    return {
        "image": np.stack(split["image"]).reshape(len(split), -1) / 255,
        "audio": np.stack([np.concatenate([mel(a).mean(0), mel(a).std(0)]) for a, _ in split["audio"]]),
        "text": np.array([[word in text.split() for word in words] for text in split["text"]], float),
    }


def accuracy(inputs, labels):
    """Fit ridge regression on the first two thirds and judge it on the rest."""
    inputs = (inputs - inputs.mean(0)) / (inputs.std(0) + 1e-3)
    inputs, cut = np.append(inputs, np.ones((len(inputs), 1)), 1), len(inputs) * 2 // 3
    names = sorted(set(labels))
    truth = np.array([names.index(label) for label in labels])
    known, goal = inputs[:cut], np.eye(len(names))[truth[:cut]]
    weights = known.T @ np.linalg.solve(known @ known.T + 0.3 * inputs.shape[1] * np.eye(cut), goal)
    return float(((inputs[cut:] @ weights).argmax(1) == truth[cut:]).mean())


def test_each_modality_tells_the_emotion_and_all_together_tell_more():
    split = data.synthetic_emotions(700)["train"]
    found = columns(split)
    alone = {name: accuracy(inputs, split["label"]) for name, inputs in found.items()}
    # A quarter would be chance; 77 % of the rows show what is felt in a modality, which is as much as one can tell.
    assert all(0.5 < score < 0.9 for score in alone.values()), alone
    assert accuracy(np.concatenate(list(found.values()), 1), split["label"]) > max(alone.values()) + 0.03
    assert accuracy(found["audio"], split["intensity"]) > 0.6


def test_a_share_is_missing_but_never_all():
    train = data.synthetic_emotions(200, missing=0.4)["train"]
    lost = [[value is None for value in train[name]] for name in ("image", "audio", "text")]
    assert all(0.2 < np.mean(each) < 0.6 for each in lost) and not np.all(lost, 0).any()


def test_numbers_out_of_range_are_named():
    for given, sentence in (({"count": 19}, "count"), ({"size": 4}, "size"), ({"frames": 0}, "frames")):
        with pytest.raises(ZooValueError, match=f"{sentence} must be a whole number"):
            data.synthetic_emotions(**given)
    with pytest.raises(ZooValueError, match="missing must be at least 0 and under 1"):
        data.synthetic_emotions(missing=1)
