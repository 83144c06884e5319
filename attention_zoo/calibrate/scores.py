"""What logits are worth, with intervals: means over examples, and how far chance alone would move them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from attention_zoo.errors import ZooValueError
from attention_zoo.training.metrics import confidence_error, sigmoid, softmax

DRAWS, LEVEL = 1000, 0.95
_LEAST = 1e-12  # probability


@dataclass(frozen=True)
class Interval:
    """A value, and the interval in which 95 of 100 redrawn sets of examples have it.

    Args:
        value: of the examples as they are.
        low: lower end.
        high: upper end.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True)
class Outcomes:
    """What each example came to.

    Args:
        accuracy: [examples], 1 where right; of several labels, the share of labels that are.
        nll: [examples], nats; of several labels, the mean over labels.
        confidence: of each answer, [answers]: one for each example, or for each label of it.
        right: [answers], 1 where the answer is right.
        multi_label: whether each example may have any number of labels.
    """

    accuracy: np.ndarray
    nll: np.ndarray
    confidence: np.ndarray
    right: np.ndarray
    multi_label: bool

    def mean(self, name: str) -> float:
        """Return the mean of "accuracy" or "nll"."""
        return float(getattr(self, name).mean())

    def measures(self, chosen: np.ndarray) -> dict[str, float]:
        """Return all measures of some of the examples.

        Args:
            chosen: their numbers; one may come several times.
        """
        return {
            "accuracy": float(self.accuracy[chosen].mean()),
            "nll": float(self.nll[chosen].mean()),
            "calibration_error": confidence_error(self.confidence[chosen].reshape(-1), self.right[chosen].reshape(-1)),
        }


def outcomes(logits: Any, targets: Any) -> Outcomes:
    """Judge logits example by example.

    Args:
        logits: [examples, labels].
        targets: label numbers [examples], or 0 and 1 [examples, labels].

    Raises:
        ZooValueError: if shapes do not fit.
    """
    logits, targets = np.asarray(logits, np.float64), np.asarray(targets)
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if logits.ndim != 2 or targets.shape not in (logits.shape, logits.shape[:1]):
        raise ZooValueError(
            f"targets must be [examples] or [examples, labels] of logits {list(logits.shape)}, "
            f"got {list(targets.shape)}"
        )
    if targets.ndim == 2:
        chances, wanted = sigmoid(logits), targets > 0.5
        right = ((chances >= 0.5) == wanted).astype(np.float64)
        likely = np.where(wanted, chances, 1.0 - chances)
        nll = -np.log(np.maximum(likely, _LEAST)).mean(axis=1)
        return Outcomes(right.mean(axis=1), nll, np.maximum(chances, 1.0 - chances), right, True)
    chances = softmax(logits)
    right = (chances.argmax(axis=1) == targets).astype(np.float64)
    nll = -np.log(np.maximum(chances[np.arange(len(targets)), targets.astype(np.int64)], _LEAST))
    return Outcomes(right, nll, chances.max(axis=1), right, False)


def intervals(found: Outcomes, seed: int = 0) -> dict[str, Interval]:
    """Return accuracy, nll and calibration_error, each with its interval.

    Args:
        found: of `outcomes`.
        seed: of the draws.

    Source: percentile bootstrap, Efron 1979.
    """
    return _spread(lambda chosen: found.measures(chosen), len(found.nll), seed)


def differences(before: Outcomes, after: Outcomes, seed: int = 0) -> dict[str, Interval]:
    """Return after - before for the same examples, each with its interval.

    Args:
        before: of `outcomes`.
        after: of the same examples.
        seed: of the draws.
    """

    def change(chosen: np.ndarray) -> dict[str, float]:
        old, new = before.measures(chosen), after.measures(chosen)
        return {name: new[name] - old[name] for name in old}

    return _spread(change, len(before.nll), seed)


def _spread(measure: Any, count: int, seed: int) -> dict[str, Interval]:
    random = np.random.default_rng(seed)
    whole = measure(np.arange(count))
    drawn = [measure(random.integers(0, count, count)) for _ in range(DRAWS)]
    ends = (0.5 - LEVEL / 2, 0.5 + LEVEL / 2)
    found = {}
    for name, value in whole.items():
        low, high = np.quantile([one[name] for one in drawn], ends)
        found[name] = Interval(value, float(low), float(high))
    return found
