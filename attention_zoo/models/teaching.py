"""One training of any family's model, and the card afterwards."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import keras

from attention_zoo.errors import ZooValueError
from attention_zoo.models.config import Config
from attention_zoo.models.learning import Learning
from attention_zoo.presets.card import Card
from attention_zoo.training import fit


@dataclass(frozen=True)
class Lesson:
    """What a training is told, beside model and data: see the `fit` of a family."""

    learning: Learning
    passed: dict[str, Any]
    callbacks: tuple[keras.callbacks.Callback, ...]
    resume_folder: Any
    progress: bool


def teach(
    model: keras.Model, train: Any, validation: Any, loss: Any, metrics: Any, lesson: Lesson
) -> dict[str, list[float]]:
    """Train a model and return its history.

    Args:
        model: from arrays to logits.
        train: batches, or what Keras reads.
        validation: the same, or None.
        loss: of Keras, on logits; of a model with several outputs, by the name of the output.
        metrics: of Keras, on logits; likewise.
        lesson: everything else.

    Raises:
        ZooValueError: if an option does not fit the data.
    """
    learning, passed = lesson.learning, dict(lesson.passed)
    train, validation = (tuple(part) if isinstance(part, list) else part for part in (train, validation))
    if isinstance(train, tuple) and "batch_size" not in passed:
        passed["batch_size"] = learning.batch_size
    if learning.patience is not None and validation is None and learning.monitor.startswith("val_"):
        raise ZooValueError(f"patience wants validation data for {learning.monitor!r}, got none")
    return fit(
        model,
        train,
        validation,
        epochs=learning.epochs,
        optimizer=learning.make_optimizer(model, _steps(train, passed, learning.batch_size)),
        loss=loss,
        metrics=metrics,
        callbacks=[*lesson.callbacks, *learning.stoppers()],
        resume_folder=lesson.resume_folder,
        seed=learning.seed,
        progress=lesson.progress,
        **passed,
    )


def _steps(train: Any, passed: dict[str, Any], batch_size: int) -> int | None:
    """Return how many steps an epoch has, None where nobody says."""
    if passed.get("steps_per_epoch"):
        return passed["steps_per_epoch"]
    if isinstance(train, tuple):
        return math.ceil(len(train[0]) / batch_size)
    try:
        return len(train)
    except TypeError:
        return None


def card_after(card: Card | None, config: Config, source: Any, seed: int) -> Card:
    """Return the card of weights that have just been trained: its old measures no longer hold.

    The licence is that of all data that the weights have seen; a user's own table without one adds nothing.

    Args:
        card: of the weights before, or None.
        config: of the model.
        source: the Dataset that was trained on, or None.
        seed: of the training.
    """
    card = card or Card("new", config.family, permissive=True)
    stated = source is not None and source.licence != "unknown"
    data = [name for name in (card.data, source.name if source else "") if name]
    licences = [name for name in (card.licence, source.licence if stated else "") if name]
    return dataclasses.replace(
        card,
        data=", ".join(dict.fromkeys(data)),
        licence=" and ".join(dict.fromkeys(licences)),
        permissive=card.permissive and (source.permissive if stated else True),
        seed=seed,
        split="",
        command="",
        metrics={},
        backend_difference=None,
        trained=True,
        files={},
    )
