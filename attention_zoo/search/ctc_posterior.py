"""When each unit of a known text is said, as shares: over all paths that say it."""

from collections.abc import Sequence

import numpy as np

from attention_zoo.search.ctc import BLANK, checked
from attention_zoo.search.ctc_align import align


def posteriors(log_probabilities: np.ndarray, token_ids: Sequence[int], blank: int = BLANK) -> np.ndarray:
    """Return how probable it is that a unit is being said at each step, given that all of them are said in order.

    shares[u, t] = p(path is at unit u at step t | the path says the units) / sum over steps

    Args:
        log_probabilities: float [steps, vocabulary] of one utterance.
        token_ids: the units, without blanks, at least one.
        blank: id of the blank.

    Returns:
        float32 [units, steps]; each row sums to 1.

    Raises:
        ZooValueError: if an id is outside the vocabulary or the blank, or the units need more steps than there are.

    Cost: steps x units operations, in NumPy by steps, from both ends.
    Source: Graves et al. 2006, "Connectionist Temporal Classification", section 4.1, equations 7 to 14.
    """
    at = _paths(log_probabilities, token_ids, blank)[0][:, 1::2].T
    shares = np.exp(at - at.max(axis=1, keepdims=True))
    return (shares / shares.sum(axis=1, keepdims=True)).astype("float32")


def log_probability(log_probabilities: np.ndarray, token_ids: Sequence[int], blank: int = BLANK) -> np.ndarray:
    """Return how probable it is that units are said, the sum over all paths that say them: [versions].

    Args:
        log_probabilities: float [versions, steps, vocabulary].
        token_ids: the units, without blanks, at least one.
        blank: id of the blank.

    Cost: steps operations on versions x 2 units numbers, in NumPy.
    """
    labels = _places(token_ids, blank)
    led = _led(np.asarray(log_probabilities, "float64")[..., labels], labels, blank)
    return np.logaddexp(led[:, -1, -1], led[:, -1, -2])


def occupancies(log_probabilities: np.ndarray, token_ids: Sequence[int], blank: int = BLANK) -> np.ndarray:
    """Return where all paths are that say some units.

    shares[t, k] = p(path is at k at step t | the path says the units): the derivative of log p(units) with respect to
    log_probabilities[t, k]

    Args:
        log_probabilities: float [steps, vocabulary] of one utterance.
        token_ids: the units, without blanks, at least one.
        blank: id of the blank.

    Returns:
        float64 [steps, vocabulary]; each row sums to 1.

    Raises:
        ZooValueError: as `posteriors`.
    """
    at, labels = _paths(log_probabilities, token_ids, blank)
    shares = np.zeros(np.shape(log_probabilities))
    np.add.at(shares, (slice(None), labels), np.exp(at - np.logaddexp.reduce(at, axis=1, keepdims=True)))
    return shares


def _paths(log_probabilities: np.ndarray, token_ids: Sequence[int], blank: int) -> tuple[np.ndarray, np.ndarray]:
    """Return log p(units, path at place) [steps, places], and the id of each place."""
    align(log_probabilities, token_ids, blank)  # refuses what cannot be said
    chances = checked(log_probabilities, 2).astype("float64")
    labels = _places(token_ids, blank)
    values = chances[:, labels]
    forward = _led(values, labels, blank)
    backward = _led(values[::-1, ::-1], labels[::-1], blank)[::-1, ::-1]
    return forward + backward - values, labels


def _places(token_ids: Sequence[int], blank: int) -> np.ndarray:
    """Return units with blanks around each."""
    labels = np.full(2 * len(token_ids) + 1, blank)
    labels[1::2] = token_ids
    return labels


def _led(values: np.ndarray, labels: np.ndarray, blank: int) -> np.ndarray:
    """Return the log-probability of all that led to each place at each step: [..., steps, places]."""
    count = len(labels)
    skips = np.full(count, -np.inf)
    skips[2:][(labels[2:] != blank) & (labels[2:] != labels[:-2])] = 0.0
    found = np.full_like(values, -np.inf)
    found[..., 0, :2] = values[..., 0, :2]
    wide = np.full((*values.shape[:-2], count + 2), -np.inf)
    for step in range(1, values.shape[-2]):
        wide[..., 2:] = found[..., step - 1, :]
        reached = np.logaddexp(np.logaddexp(wide[..., 2:], wide[..., 1:-1]), wide[..., :-2] + skips)
        found[..., step, :] = reached + values[..., step, :]
    return found
