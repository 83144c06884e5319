"""How much each modality weighed for an answer."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from attention_zoo.answers import sigmoid


@dataclass(frozen=True)
class ModalityWeights:
    """What each modality did for one answer.

    prior + sum of effects = score

    Args:
        label: that was answered, and whose score is told apart.
        score: log-probability of the label, given all that the row has.
        prior: log-probability of the label where everything is missing.
        effects: by modality its Shapley value: what it adds to the log-probability, in the mean over all orders in
            which modalities could be shown; 0 where it is missing, below 0 where it speaks against the label.
        gates: by modality the share that the fusion gave it, in the mean over channels; None where the fusion has no
            such gates.
    """

    label: str
    score: float
    prior: float
    effects: dict[str, float]
    gates: dict[str, float] | None = None

    @property
    def shares(self) -> dict[str, float]:
        """The size of each effect as a share of all, 0..1; even shares of nothing where there is no effect at all."""
        total = sum(abs(effect) for effect in self.effects.values())
        return {name: abs(effect) / total if total else 0.0 for name, effect in self.effects.items()}


def subsets(modalities: Sequence[str]) -> list[frozenset[str]]:
    """Return all subsets of modalities, the empty one first."""
    return [frozenset(some) for count in range(len(modalities) + 1) for some in combinations(modalities, count)]


def shapley(values: Mapping[frozenset[str], np.ndarray], modalities: Sequence[str]) -> dict[str, np.ndarray]:
    """Share out what all modalities together are worth.

    effect_m = sum over subsets S without m of |S|! (n - |S| - 1)! / n! (value(S with m) - value(S))

    Args:
        values: of each subset, [rows].
        modalities: n names.

    Returns:
        By modality its effect, [rows].

    Source: Shapley 1953, A value for n-person games; Lundberg, Lee 2017, arXiv:1705.07874, equation 4.
    """
    count, effects = len(modalities), {}
    for name in modalities:
        effect = np.zeros_like(values[frozenset()])
        for some in subsets([other for other in modalities if other != name]):
            factor = math.factorial(len(some)) * math.factorial(count - len(some) - 1) / math.factorial(count)
            effect = effect + factor * (values[some | {name}] - values[some])
        effects[name] = effect
    return effects


def log_scores(logits: np.ndarray, labels: np.ndarray, temperature: float, multi_label: bool) -> np.ndarray:
    """Return the log-probability of one label of each row, float64 [rows].

    Args:
        logits: [rows, labels].
        labels: the number of the label of each row.
        temperature: divides the logits.
        multi_label: whether a row may have several labels.
    """
    scaled = np.asarray(logits, np.float64) / temperature
    rows = np.arange(len(scaled))
    if multi_label:
        return np.log(sigmoid(scaled[rows, labels]))
    return scaled[rows, labels] - np.logaddexp.reduce(scaled, axis=1)


def weigh(
    run: Callable[[frozenset[str]], np.ndarray], modalities: Sequence[str], temperature: float, multi_label: bool
) -> tuple[np.ndarray, dict[str, np.ndarray], dict[frozenset[str], np.ndarray]]:
    """Run a model with every subset of modalities.

    Args:
        run: returns the logits [rows, labels] where only these modalities are shown.
        modalities: of the model.
        temperature: divides the logits.
        multi_label: whether a row may have several labels.

    Returns:
        The number of each row's best label, the effect of each modality on it, and the score of each subset.
    """
    logits = {some: run(some) for some in subsets(modalities)}
    best = logits[frozenset(modalities)].argmax(axis=1)
    values = {some: log_scores(found, best, temperature, multi_label) for some, found in logits.items()}
    return best, shapley(values, modalities), values
