"""Numbers that judge a classifier: NumPy in, a dict of plain numbers out."""

import numpy as np

from attention_zoo.errors import ZooValueError, need

AVERAGES = ("macro", "micro", "weighted")


def _finite(name: str, values, rank: int) -> np.ndarray:
    array = np.asarray(values, dtype="float64")
    if array.ndim != rank or not array.size:
        raise ZooValueError(f"{name} must be filled and of rank {rank}, got shape {array.shape}")
    if not np.all(np.isfinite(array)):
        raise ZooValueError(f"{name} must be finite numbers, got NaN or infinity")
    return array


def _table(name: str, values) -> np.ndarray:
    return _finite(name, values, rank=2)


def _labels(labels, count: int, examples: int) -> np.ndarray:
    array = np.asarray(labels)
    if array.shape != (examples,):
        raise ZooValueError(f"labels must be one number per example ({examples}), got shape {array.shape}")
    if array.min() < 0 or array.max() >= count:
        raise ZooValueError(f"labels must be from 0 to {count - 1}, got {array.min()} to {array.max()}")
    return array.astype("int64")


def _targets(targets, shape: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(targets)
    if array.shape != shape or not np.all((array == 0) | (array == 1)):
        raise ZooValueError(f"targets must be 0 and 1 of shape {shape}, got shape {array.shape}")
    return array.astype("int64")


def _precision_recall_f1(truth: np.ndarray, found: np.ndarray, **options) -> dict[str, float]:
    judge = need("sklearn.metrics", "train").precision_recall_fscore_support
    scores = {}
    for average in AVERAGES:
        values = judge(truth, found, average=average, zero_division=0.0, **options)
        for name, value in zip(("precision", "recall", "f1"), values):
            scores[f"{average}_{name}"] = float(value)
    return scores


def roc_auc(scores, targets) -> dict[str, float | None]:
    """Return the area under the ROC curve, each label against the rest, averaged over labels.

    Labels that are always or never true have no curve and are left out; with none left the value is None.

    Args:
        scores: [examples, labels], larger for more likely; any scale.
        targets: 0 and 1 of the same shape.

    Returns: `macro_roc_auc`, and `weighted_roc_auc` (by number of positives).
    """
    scores = _table("scores", scores)
    targets = _targets(targets, scores.shape)
    judge = need("sklearn.metrics", "train").roc_auc_score
    positives = targets.sum(axis=0)
    usable = np.flatnonzero((positives > 0) & (positives < len(targets)))
    if not len(usable):
        return {"macro_roc_auc": None, "weighted_roc_auc": None}
    areas = np.array([judge(targets[:, label], scores[:, label]) for label in usable])
    weighted = float(np.average(areas, weights=positives[usable]))
    return {"macro_roc_auc": float(areas.mean()), "weighted_roc_auc": weighted}


def confusion_matrix(found, labels, count: int) -> np.ndarray:
    """Return how often each true label (row) was given each label (column), [count, count]."""
    labels = _labels(labels, count, len(np.asarray(labels)))
    found = _labels(found, count, len(labels))
    return need("sklearn.metrics", "train").confusion_matrix(labels, found, labels=np.arange(count))


def single_label(probabilities, labels) -> dict[str, float | None]:
    """Judge probabilities of labels of which exactly one is true.

    Args:
        probabilities: [examples, labels], each row sums to 1.
        labels: true label numbers [examples].

    Returns: accuracy; precision, recall and f1 as macro_, micro_ and weighted_; macro_ and weighted_roc_auc (one
        against the rest; with two labels, the plain binary one); nll (nats) and calibration_error (0..1).

    Raises:
        ZooValueError: if shapes or values do not fit.
        ZooImportError: if scikit-learn is missing.
    """
    probabilities = _table("probabilities", probabilities)
    count = probabilities.shape[1]
    labels = _labels(labels, count, len(probabilities))
    found = probabilities.argmax(axis=1)
    scores = {"accuracy": float(np.mean(found == labels))}
    scores |= _precision_recall_f1(labels, found, labels=np.union1d(labels, found))
    scores |= roc_auc(probabilities, np.eye(count, dtype="int64")[labels])
    scores["nll"] = negative_log_likelihood(probabilities, labels)
    scores["calibration_error"] = calibration_error(probabilities, labels)
    return scores


def multi_label(probabilities, targets, thresholds=0.5) -> dict[str, float | None]:
    """Judge probabilities of labels of which any number is true.

    Args:
        probabilities: [examples, labels], each 0..1.
        targets: 0 and 1 of the same shape.
        thresholds: one for all labels or one per label; a label is given at or above its threshold.

    Returns: accuracy (all labels of an example right), label_accuracy (mean over labels), precision, recall and f1 as
        macro_, micro_ and weighted_, and macro_ and weighted_roc_auc.

    Raises:
        ZooValueError: if shapes or values do not fit.
        ZooImportError: if scikit-learn is missing.
    """
    probabilities = _table("probabilities", probabilities)
    targets = _targets(targets, probabilities.shape)
    found = (probabilities >= np.asarray(thresholds)).astype("int64")
    right = found == targets
    scores = {"accuracy": float(right.all(axis=1).mean()), "label_accuracy": float(right.mean())}
    scores |= _precision_recall_f1(targets, found)
    return scores | roc_auc(probabilities, targets)


def best_thresholds(probabilities, targets, default: float = 0.5) -> np.ndarray:
    """Return, for each label, the threshold of its best F1 on validation data.

    A threshold lies half way between two neighbouring probabilities; of equal F1 the one nearest `default` is taken.

    Args:
        probabilities: [examples, labels], each 0..1, of validation data (never of test data).
        targets: 0 and 1 of the same shape.
        default: threshold of labels without a positive example.
    """
    probabilities = _table("probabilities", probabilities)
    targets = _targets(targets, probabilities.shape)
    best = [_best_threshold(p, t, default) for p, t in zip(probabilities.T, targets.T)]
    return np.array(best, dtype="float64")


def _best_threshold(probability: np.ndarray, target: np.ndarray, default: float) -> float:
    if not target.any():
        return default
    order = np.argsort(-probability, kind="stable")
    ranked, hits = probability[order], np.cumsum(target[order])
    f1 = 2 * hits / (np.arange(1, len(ranked) + 1) + target.sum())
    cuts = (ranked + np.append(ranked[1:], 0.0)) / 2
    possible = np.append(ranked[:-1] > ranked[1:], True)  # equal probabilities are not told apart
    f1, cuts = f1[possible], cuts[possible]
    winners = cuts[f1 >= f1.max() - 1e-12]
    return float(winners[np.argmin(np.abs(winners - default))])


def negative_log_likelihood(probabilities, labels) -> float:
    """Return the mean of - log p[true label] (nats); a probability below 1e-12 counts as 1e-12."""
    probabilities = _table("probabilities", probabilities)
    labels = _labels(labels, probabilities.shape[1], len(probabilities))
    return float(-np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12)).mean())


def calibration_error(probabilities, labels, bins: int = 15) -> float:
    """Return how far confidence lies from accuracy, 0 (honest) to 1 (expected calibration error).

    error = sum_bins (examples in bin / examples) |accuracy - mean confidence|

    Args:
        probabilities: [examples, labels].
        labels: true label numbers [examples].
        bins: how many equal parts of 0..1.

    Source: Guo et al. 2017, arXiv:1706.04599, equation 3.
    """
    probabilities = _table("probabilities", probabilities)
    labels = _labels(labels, probabilities.shape[1], len(probabilities))
    return confidence_error(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels, bins)


def confidence_error(confidence: np.ndarray, right: np.ndarray, bins: int = 15) -> float:
    """Return the `calibration_error` of answers of any kind.

    Args:
        confidence: of each answer, 0..1.
        right: True, or 1, where the answer is right.
        bins: how many equal parts of 0..1.
    """
    place = np.clip(np.ceil(confidence * bins).astype("int64") - 1, 0, bins - 1)
    return float(np.abs(np.bincount(place, weights=right - confidence, minlength=bins)).sum() / len(confidence))


def softmax(logits, temperature: float = 1.0) -> np.ndarray:
    """Return softmax(logits / temperature) over the last axis."""
    logits = np.asarray(logits, dtype="float64") / temperature
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def sigmoid(logits) -> np.ndarray:
    """Return 1 / (1 + exp(-logits)), without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(logits, dtype="float64")))


def fit_temperature(logits, labels, smallest: float = 0.05, largest: float = 20.0) -> float:
    """Return the temperature T that makes softmax(logits / T) most likely on validation data.

    Args:
        logits: [examples, labels] of validation data.
        labels: true label numbers [examples].
        smallest: least temperature tried.
        largest: greatest temperature tried.

    Source: Guo et al. 2017, arXiv:1706.04599, section 4.2.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    logits = _table("logits", logits)
    labels = _labels(labels, logits.shape[1], len(logits))
    true = logits[np.arange(len(labels)), labels]

    def cost(log_temperature: float) -> float:
        scale = np.exp(-log_temperature)
        return float(np.mean(logsumexp(logits * scale, axis=1) - true * scale))

    bounds = (np.log(smallest), np.log(largest))
    return float(np.exp(minimize_scalar(cost, bounds=bounds, method="bounded", options={"xatol": 1e-4}).x))


def outlier_auroc(inside, outside) -> float:
    """Return how often an outlier scores above an inlier, 0..1 (area under the ROC curve; ties count half).

    Args:
        inside: scores of examples like the training data [examples].
        outside: scores of the others [examples]; larger should mean less alike.
    """
    inside, outside = _finite("inside", inside, 1), _finite("outside", outside, 1)
    truth = np.repeat([0, 1], [len(inside), len(outside)])
    return float(need("sklearn.metrics", "train").roc_auc_score(truth, np.concatenate([inside, outside])))
