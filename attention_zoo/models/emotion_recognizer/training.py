"""One training on several tasks: a loss for each, weighed by learned numbers or by given ones."""

from typing import Any

import keras

from attention_zoo.models import teaching
from attention_zoo.models.classifier.training import Accuracy, MacroF1, loss_of
from attention_zoo.models.emotion_recognizer.config import OUTPUT, UNCERTAINTY, EmotionRecognizerConfig
from attention_zoo.models.emotion_recognizer.network import WEIGHTS
from attention_zoo.models.teaching import Lesson
from attention_zoo.training import CrossEntropy, UncertainLoss


def teach_tasks(
    model: keras.Model, train: Any, validation: Any, config: EmotionRecognizerConfig, lesson: Lesson
) -> dict[str, list[float]]:
    """Train a model of several tasks and return its history.

    Learned weights are those of Kendall et al. (see `training.UncertainLoss`); the loss may then fall below 0.

    Args:
        model: from arrays to the logits of each task.
        train: batches, or what Keras reads.
        validation: the same, or None.
        config: of the model.
        lesson: everything else.

    Raises:
        ZooValueError: if an option does not fit the data.
    """
    losses = {OUTPUT: loss_of(lesson.learning, config, train)}
    losses |= {task: CrossEntropy(smoothing=lesson.learning.smoothing) for task in config.task_labels}
    measures = {name: [Accuracy()] for name in losses}
    if config.multi_label:
        measures[OUTPUT] = [MacroF1()]
    passed = lesson.passed
    if config.task_weights == UNCERTAINTY:
        layer = model.get_layer(WEIGHTS)
        losses = {name: UncertainLoss(loss, layer, number) for number, (name, loss) in enumerate(losses.items())}
    else:
        passed = {**passed, "loss_weights": dict(zip(losses, config.task_weights))}
    lesson = Lesson(lesson.learning, passed, lesson.callbacks, lesson.resume_folder, lesson.progress)
    return teaching.teach(model, train, validation, losses, measures, lesson)
