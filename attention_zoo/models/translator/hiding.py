"""Whether an explanation of a translation is true: source tokens are hidden, and what was written is scored again."""

from typing import Any

import numpy as np

from attention_zoo.calibrate.faithfulness import occlusion
from attention_zoo.calibrate.gradients import attention_gradients
from attention_zoo.models.inspecting import Score
from attention_zoo.models.translator.explaining import aligned, crossing, paired
from attention_zoo.models.versions import in_rows
from attention_zoo.search import PAD_ID
from attention_zoo.text.pieces import END_ID


def trial(task: Any, text: str, written: str, method: str) -> tuple[np.ndarray, Score]:
    """Return what an explanation says of each source token, and how versions of the source are scored.

    A token that is hidden is padding: nothing attends to it, and all others keep their places. The mark at the end is
    always shown.

    Args:
        task: a `Translator`.
        text: one string.
        written: its translation.
        method: of the task's.

    Raises:
        ZooValueError: if the text is blank.
    """
    alignment = aligned(task.model, task.preprocessor, text, written, None)
    inputs = paired(task.preprocessor, [text], [written])
    parts = int(np.count_nonzero(inputs["source_ids"])) - 1
    said = inputs["target_ids"][0]
    truth = np.append(said[1:][said[1:] != PAD_ID], END_ID)

    def score(shown: np.ndarray) -> np.ndarray:
        return in_rows(lambda chosen: np.exp(_chances(task.model, _hidden(inputs, shown[chosen]), truth)), len(shown))

    if method == "attention":
        return alignment.weights[:, :parts].sum(axis=0), score
    if method == "occlusion":
        return occlusion(score, parts), score
    slopes = attention_gradients(task.model, inputs, _toward(task.model, inputs, truth))
    found = [slopes[site][0].reshape(-1, inputs["source_ids"].shape[1]) for site in crossing(alignment.sides)]
    return np.concatenate(found).sum(axis=0)[:parts], score


def _hidden(inputs: dict[str, np.ndarray], shown: np.ndarray) -> dict[str, np.ndarray]:
    """Return versions [versions, parts] of one pair, in which what is not shown is padding."""
    versions, parts = shown.shape
    source_ids = np.repeat(inputs["source_ids"], versions, axis=0)
    source_ids[:, :parts] = np.where(shown, source_ids[:, :parts], PAD_ID)
    return {"source_ids": source_ids, "target_ids": np.repeat(inputs["target_ids"], versions, axis=0)}


def _log_chances(model: Any, inputs: dict[str, np.ndarray], count: int) -> np.ndarray:
    """Return the log-probabilities of the first places, [versions, count, vocabulary]."""
    logits = np.asarray(model.predict_on_batch(inputs), np.float32)[:, :count]
    return logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)


def _chances(model: Any, inputs: dict[str, np.ndarray], truth: np.ndarray) -> np.ndarray:
    """Return the mean log-probability of what was written, [versions]."""
    return _log_chances(model, inputs, len(truth))[:, np.arange(len(truth)), truth].mean(axis=1)


def _toward(model: Any, inputs: dict[str, np.ndarray], truth: np.ndarray) -> np.ndarray:
    """Return the derivative of the mean log-probability with respect to the logits, in their shape."""
    told = np.exp(_log_chances(model, inputs, len(truth)))
    places = np.arange(len(truth))
    direction = np.zeros((1, inputs["target_ids"].shape[1], told.shape[-1]), np.float32)
    direction[:, places] = -told / len(truth)
    direction[0, places, truth] += 1.0 / len(truth)
    return direction
