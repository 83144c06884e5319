"""Why an answer: the maps of one input, and how far scores fall when a part of it is hidden."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from attention_zoo.answers import Answer, sigmoid, softmax
from attention_zoo.calibrate.capture import capture
from attention_zoo.models.classifier.config import ClassifierConfig

PREFIX = "attention."


def maps_of(model: keras.Model, array: np.ndarray) -> dict[str, np.ndarray]:
    """Return the attention maps of one input by site, without the batch axis.

    Args:
        model: a network of the family.
        array: what the model reads, with a batch of one.
    """
    found = capture(model).predict(array, verbose=0)
    maps = {name.removeprefix(PREFIX): np.asarray(value) for name, value in found.items() if name.startswith(PREFIX)}
    return {site: value.astype(np.float32)[0] for site, value in maps.items()}


def effects_of(logits: np.ndarray, config: ClassifierConfig) -> np.ndarray:
    """Return how far each label's score falls when a part of the input is hidden, [labels, parts].

    effect[l, p] = score_l(input) - score_l(input with part p hidden)

    Args:
        logits: [1 + parts, labels], of the whole input and then with each part hidden in turn.
        config: says how logits become scores.
    """
    scaled = logits.astype(np.float64) / config.temperature
    scores = sigmoid(scaled) if config.multi_label else softmax(scaled)
    return (scores[:1] - scores[1:]).T


def chosen_labels(answer: Answer, labels: Sequence[str] | None, known: Sequence[str], count: int = 3) -> list[str]:
    """Return the labels to explain: those asked for, else the `count` best.

    Args:
        answer: with all scores.
        labels: what was asked for, known ones; or None.
        known: every label.
        count: how many where nothing was asked for.
    """
    scores: Any = answer.scores
    wanted = known if labels is None else labels
    best = sorted(wanted, key=lambda label: -scores[label])
    return best[:count] if labels is None else best
