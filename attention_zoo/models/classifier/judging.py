"""Logits of many inputs, and what they are worth."""

from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np

from attention_zoo.answers import sigmoid, softmax
from attention_zoo.errors import ZooTypeError
from attention_zoo.models.classifier.config import ClassifierConfig
from attention_zoo.training import OrderedBatches, metrics

# Beyond these a few sure validation examples would speak, not the model.
TEMPERATURES = (0.1, 10.0)


def logits_of(model: keras.Model, batches: OrderedBatches) -> np.ndarray:
    """Return the logits of inputs, in their order, float32 [inputs, labels].

    Args:
        model: from arrays to logits.
        batches: of the inputs, not shuffled.
    """
    return batches.restore(np.asarray(model.predict(batches, verbose=0), np.float32))


def judge_batches(model: keras.Model, data: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return logits and targets of data that Keras reads.

    Args:
        model: from arrays to logits.
        data: (arrays, targets), a PyDataset, a tf.data.Dataset, a torch DataLoader, or batches of these pairs.

    Raises:
        ZooTypeError: if it gives no pairs.
    """
    if isinstance(data, OrderedBatches) and not data.shuffle and data.targets is not None:
        return logits_of(model, data), data.targets
    logits, wanted = [], []
    for batch in _batches(data):
        if not isinstance(batch, tuple | list) or len(batch) < 2:
            raise ZooTypeError("data must give pairs of arrays and targets to be judged")
        logits.append(np.asarray(model.predict_on_batch(_array(batch[0])), np.float32))
        wanted.append(_array(batch[1]))
    return np.concatenate(logits), np.concatenate(wanted)


def _batches(data: Any) -> Iterator[Any] | Iterable[Any]:
    if isinstance(data, tuple) and len(data) in (2, 3):
        return iter([data])
    if isinstance(data, keras.utils.PyDataset):
        return (data[number] for number in range(data.num_batches))
    return data


def _array(values: Any) -> np.ndarray:
    if isinstance(values, dict):
        values = next(iter(values.values()))
    return keras.ops.convert_to_numpy(values)


def measures(logits: np.ndarray, wanted: np.ndarray, config: ClassifierConfig) -> dict[str, float | None]:
    """Judge logits by the measures of `training.metrics`.

    Args:
        logits: [examples, labels].
        wanted: label numbers [examples], or 0 and 1 [examples, labels].
        config: says how logits become answers.
    """
    scaled = np.asarray(logits, np.float64) / config.temperature
    if config.multi_label:
        thresholds = 0.5 if config.thresholds is None else config.thresholds
        return metrics.multi_label(sigmoid(scaled), wanted, thresholds)
    wanted = wanted.argmax(axis=1) if wanted.ndim == 2 and wanted.shape[1] > 1 else wanted.reshape(-1)
    return metrics.single_label(softmax(scaled), wanted)


def calibrated(config: ClassifierConfig, logits: np.ndarray, wanted: np.ndarray) -> ClassifierConfig:
    """Set the temperature, or the thresholds where there may be several labels, on validation data.

    Args:
        config: of the model.
        logits: of the validation data [examples, labels].
        wanted: label numbers [examples], or 0 and 1 [examples, labels].

    Returns:
        The config with the most likely temperature (Guo et al. 2017), or with the threshold of each label's best F1.
    """
    if config.multi_label:
        thresholds = metrics.best_thresholds(sigmoid(np.asarray(logits, np.float64)), wanted)
        return config.change(temperature=1.0, thresholds=tuple(float(limit) for limit in thresholds))
    wanted = wanted.argmax(axis=1) if wanted.ndim == 2 and wanted.shape[1] > 1 else wanted.reshape(-1)
    return config.change(temperature=metrics.fit_temperature(logits, wanted, *TEMPERATURES))
