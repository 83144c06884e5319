"""One training of a classifier: losses and measures for one label or several."""

from typing import Any

import keras
import numpy as np
from keras import ops

from attention_zoo.errors import ZooValueError
from attention_zoo.models import teaching
from attention_zoo.models.classifier.config import ClassifierConfig
from attention_zoo.models.learning import Learning
from attention_zoo.models.teaching import Lesson
from attention_zoo.training import (
    BinaryCrossEntropy,
    CrossEntropy,
    OrderedBatches,
    balanced_weights,
    positive_weights,
)

LARGEST_BALANCE = 100.0  # times that a positive of a rare label counts at most


@keras.saving.register_keras_serializable(package="attention_zoo")
class Accuracy(keras.metrics.MeanMetricWrapper):
    """Share of the examples whose largest logit is the truth, for label numbers and for probabilities alike."""

    def __init__(self, name: str = "accuracy", **options: Any):
        super().__init__(fn=_is_right, name=name, **options)

    def get_config(self) -> dict:
        return {"name": self.name, "dtype": self.dtype}


def _is_right(truth: Any, logits: Any) -> Any:
    if len(truth.shape) == 2 and truth.shape[-1] == logits.shape[-1]:
        truth = ops.argmax(truth, axis=-1)
    truth = ops.reshape(ops.cast(truth, "int32"), (-1,))
    return ops.cast(ops.equal(truth, ops.cast(ops.argmax(logits, axis=-1), "int32")), "float32")


@keras.saving.register_keras_serializable(package="attention_zoo")
class MacroF1(keras.metrics.F1Score):
    """Mean over labels of the F1 score at probability 0.5, from logits."""

    def __init__(self, name: str = "macro_f1", **options: Any):
        super().__init__(average="macro", threshold=0.5, name=name, **options)

    def get_config(self) -> dict:
        return {"name": self.name, "dtype": self.dtype}

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        return super().update_state(ops.cast(y_true, "float32"), ops.sigmoid(y_pred), sample_weight)


def teach(
    model: keras.Model, train: Any, validation: Any, config: ClassifierConfig, lesson: Lesson
) -> dict[str, list[float]]:
    """Train a classifier's model and return its history.

    Args:
        model: from arrays to logits.
        train: batches, or what Keras reads.
        validation: the same, or None.
        config: of the model.
        lesson: everything else.

    Raises:
        ZooValueError: if an option does not fit the data.
    """
    measure = MacroF1() if config.multi_label else Accuracy()
    return teaching.teach(model, train, validation, loss_of(lesson.learning, config, train), [measure], lesson)


def loss_of(learning: Learning, config: ClassifierConfig, train: Any) -> Any:
    """Make the loss on the logits of the labels.

    Args:
        learning: says how it is smoothed, balanced and focused, or which it is.
        config: of the model.
        train: batches, or what Keras reads.

    Raises:
        ZooValueError: if labels are to be balanced and nobody says which there are.
    """
    if learning.loss is not None:
        return keras.losses.get(learning.loss)
    wanted = train.targets if isinstance(train, OrderedBatches) else None
    if learning.balance and wanted is None:
        raise ZooValueError("balance counts labels, which it can only do for inputs with labels; give class_weight")
    if config.multi_label:
        weights = positive_weights(wanted, learning.balance, LARGEST_BALANCE) if learning.balance else None
        focus = {"focus_positive": learning.focus, "focus_negative": learning.focus}
        return BinaryCrossEntropy(weights, smoothing=learning.smoothing, **focus)
    if wanted is not None and wanted.ndim == 2:
        wanted = wanted.argmax(axis=1)
    weights = balanced_weights(wanted, len(config.labels), learning.balance) if learning.balance else None
    return CrossEntropy(smoothing=learning.smoothing, weights=weights, focus=learning.focus)


def prior_bias(logits: keras.layers.Dense, wanted: np.ndarray) -> None:
    """Let a new layer of logits say how often each label occurs, before it has learned anything else.

    Where most labels are rare, the first epoch would otherwise be spent on learning just that.

    Args:
        logits: the last layer.
        wanted: 0 and 1 [examples, labels].
    """
    share = np.clip(wanted.mean(axis=0), 1e-4, 1 - 1e-4)
    logits.bias.assign(np.log(share / (1 - share)))
