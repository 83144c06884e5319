"""What is told of an emotion recognizer over a whole split: each part of its modalities, and how much each weighs."""

import numpy as np
import pytest

from attention_zoo.data import Split
from attention_zoo.models.emotion_recognizer import EmotionRecognizer
from attention_zoo.models.emotion_recognizer.report import mean_shares, subset_measures


@pytest.fixture(scope="module")
def judged():
    """Train on vectors that tell the label and texts that tell nothing; return the task and rows that lack some."""
    generator = np.random.default_rng(0)
    labels = ["glad" if number % 2 else "sad" for number in range(80)]
    vectors = [(generator.normal(size=3) + 4 * (label == "glad")).astype(np.float32) for label in labels]
    texts = ["one", "another"] * 20 + ["another", "one"] * 20
    task = EmotionRecognizer.new(modalities=("image", "text"), image="features", width=16, heads=2, hidden=0)
    task.fit(({"image": vectors, "text": texts}, labels), epochs=8, batch_size=16, learning_rate=1e-2, progress=False)
    vectors[60:] = [None] * 20
    texts[30:40] = [None] * 10
    return task, Split({"image": vectors, "text": texts, "label": labels})


def test_each_part_is_judged_on_the_rows_that_have_any_of_it(judged):
    task, split = judged
    found = subset_measures(task, split)
    assert {name: one["rows"] for name, one in found.items()} == {"image": 60, "text": 70, "image+text": 80}
    assert found["image"]["accuracy"] > 0.9
    assert found["text"]["accuracy"] < 0.75


def test_a_modality_that_no_row_has_is_left_out(judged):
    task, split = judged
    only = Split({name: split[name][60:] for name in ("text", "label")})
    assert set(subset_measures(task, only)) == {"text", "image+text"}


def test_shares_are_of_one_and_go_to_the_modality_that_tells(judged):
    task, split = judged
    shares = mean_shares(task, split.rows(range(30)))
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["image"] > 3 * shares["text"]
