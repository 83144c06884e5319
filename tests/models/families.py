"""One line a task: what makes it, and what it learns from."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from attention_zoo import data
from attention_zoo.models.emotion_recognizer import EmotionRecognizer
from attention_zoo.models.image_classifier import ImageClassifier
from attention_zoo.models.text_classifier import TextClassifier

SIZES = {"width": 16, "heads": 2, "units": 8, "filters": 8, "feed_forward": 16, "max_length": 8}


@dataclass(frozen=True)
class Family:
    """A task in one of its forms.

    Args:
        name: for the test's name.
        new: makes an untrained task; takes what changes.
        examples: makes (raw inputs, truths) to train on.
        sites: attention maps that `explain` gives; none where explanations have another form.
        learning: options of `fit`.
        reads: what one input is called.
    """

    name: str
    new: Callable[..., Any]
    examples: Callable[[], tuple[list, list]]
    sites: tuple[str, ...]
    learning: dict[str, Any] = field(default_factory=dict)
    reads: str = "text"


def intents():
    """Return short real texts of four intents."""
    split = data.load("clinc150", sample=True)["train"]
    wanted = sorted(set(split["label"]))[:4]
    part = split.rows(row for row, label in enumerate(split["label"]) if label in wanted)
    return part["text"], part["label"]


def documents():
    """Return texts of two sentences of one intent."""
    texts, labels = intents()
    return [f"{text}. {texts[row]}." for row, text in enumerate(texts)], labels


def tagged():
    """Return texts with a list of labels each, some empty."""
    texts, labels = intents()
    names = sorted(set(labels))
    return texts, [[label, names[0]] if label == names[1] else [] if label == names[2] else [label] for label in labels]


def clothes():
    """Return small real pictures of four kinds of clothing."""
    split = data.load("fashion_mnist", sample=True)["train"]
    wanted = sorted(set(split["label"]))[:4]
    part = split.rows(row for row, label in enumerate(split["label"]) if label in wanted).take(120)
    return list(part["image"]), part["label"]


def tagged_clothes():
    """Return pictures with a list of labels each, some empty."""
    images, labels = clothes()
    names = sorted(set(labels))
    return images, [
        [label, names[0]] if label == names[1] else [] if label == names[2] else [label] for label in labels
    ]


def text(name, examples, sites, **config):
    """Make the line of a text classifier."""

    def new(**changes):
        return TextClassifier.new(**{**SIZES, "token_dropout": 0.0, "head_dropout": 0.0, **config, **changes})

    return Family(name, new, examples, sites, {"epochs": 3, "batch_size": 16, "learning_rate": 2e-2})


PICTURES = {"height": 14, "width": 14, "channels": 1, "widths": (8, 16), "strides": (1, 2), "head_dropout": 0.0}


def image(name, examples, sites, **config):
    """Make the line of an image classifier."""

    def new(**changes):
        return ImageClassifier.new(**{**PICTURES, **config, **changes})

    learning = {"epochs": 4, "batch_size": 16, "learning_rate": 1e-2, "augment": "flip"}
    return Family(name, new, examples, sites, learning, "image")


def moods():
    """Return rows written in JSON: a text, and in most a vector that hints at its label."""
    texts, labels = intents()
    generator = np.random.default_rng(0)
    names = sorted(set(labels))
    rows = []
    for number, (text, label) in enumerate(zip(texts, labels)):
        vector = generator.normal(size=4) + 2 * (np.arange(4) == names.index(label))
        rows.append(json.dumps({"text": text} | ({"image": vector.round(3).tolist()} if number % 4 else {})))
    return rows, labels


def tagged_moods():
    """Return such rows with a list of labels each, some empty."""
    return moods()[0], tagged()[1]


MOODS = {"width": 16, "heads": 2, "image": "features", "token_dropout": 0.0, "head_dropout": 0.0, "hidden": 0}


def emotion(name, examples, **config):
    """Make the line of an emotion recognizer."""

    def new(**changes):
        return EmotionRecognizer.new(**{**MOODS, **config, **changes})

    return Family(name, new, examples, (), {"epochs": 5, "batch_size": 16, "learning_rate": 1e-2}, "row")


FAMILIES = [
    text("transformer", intents, ("encoder_1.attention", "pooling"), network="transformer", depth=1),
    text("convolutional", tagged, ("pooling",), network="convolutional", max_pooling=True, skip=True),
    text("recurrent", intents, ("pooling",), network="recurrent", pooling="structured_self_attention"),
    text("hierarchical", documents, ("word_pooling", "sentence_pooling"), network="hierarchical", max_sentences=4),
    image(
        "image_hybrid",
        clothes,
        ("stage_2_block_1.attention", "pooling"),
        network="hybrid",
        blocks=("basic", "attention"),
        depths=(1, 1),
        heads=2,
    ),
    image(
        "image_resnet",
        tagged_clothes,
        ("pooling",),
        network="resnet",
        blocks="basic",
        depths=(1, 1),
        attention="eca",
    ),
    emotion("emotion_gated", moods, fusion="gated"),
    emotion("emotion_mult", tagged_moods, fusion="mult"),
]
