"""Whether an explanation says what the model does: hide what it calls important, and see whether the answer falls.

Attention by itself is no explanation (Jain, Wallace 2019, arXiv:1902.10186; Wiegreffe, Pinter 2019, arXiv:1908.04626):
these numbers tell for one model and one kind of input how much of one it is.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooValueError

STEPS, ORDERS = 10, 5


@dataclass(frozen=True)
class Faithfulness:
    """How an order of importance does against chance.

    Args:
        deletion: mean score while parts are hidden, the most important first; lower is better.
        insertion: mean score while parts are shown, the most important first; higher is better.
        random_deletion: the same of random orders, their mean.
        random_insertion: likewise.
        share: hidden (or shown) at each step, 0 ... 1.
        deleted: score at each step of the deletion.
        inserted: score at each step of the insertion.
    """

    deletion: float
    insertion: float
    random_deletion: float
    random_insertion: float
    share: tuple[float, ...]
    deleted: tuple[float, ...]
    inserted: tuple[float, ...]

    @property
    def gain(self) -> float:
        """How much better than chance both are together, 0 for chance: insertion and deletion against random."""
        return (self.insertion - self.random_insertion) + (self.random_deletion - self.deletion)


def faithfulness(
    score: Callable[[np.ndarray], np.ndarray],
    importance: np.ndarray,
    *,
    steps: int = STEPS,
    orders: int = ORDERS,
    seed: int = 0,
) -> Faithfulness:
    """Judge an explanation of one answer by deletion and insertion.

    The area under a curve is its mean by the trapezoid rule over shares 0 ... 1.

    Args:
        score: gets bool [versions, parts], True where a part is shown, and returns the score of the answer of each
            version [versions].
        importance: of each part [parts]; parts of equal importance come in random order.
        steps: points of a curve besides its start; not more than there are parts.
        orders: random orders to compare with.
        seed: of the random orders.

    Raises:
        ZooValueError: if there are no parts, an importance is not finite, or a number is out of range.

    Cost: 2 (orders + 1) (steps + 1) versions, all given to `score` at once.
    Source: Petsiuk, Das, Saenko 2018, arXiv:1806.07421, section 3.3.
    """
    importance = np.asarray(importance, np.float64).reshape(-1)
    if not len(importance) or not np.isfinite(importance).all():
        raise ZooValueError(f"importance must be finite numbers, one for each part, got {importance[:5]}")
    steps = min(whole_number("steps", steps), len(importance))
    random = np.random.default_rng(seed)
    ties = random.permutation(len(importance))
    ranked = ties[np.argsort(-importance[ties], kind="stable")]
    ranks = [ranked, *(random.permutation(len(importance)) for _ in range(whole_number("orders", orders)))]
    counts = np.linspace(0, len(importance), steps + 1).round().astype(int)
    shown = np.stack([_first(order, counts) for order in ranks])
    versions = np.concatenate([~shown, shown]).reshape(-1, len(importance))
    scores = np.asarray(score(versions), np.float64).reshape(2, len(ranks), steps + 1)
    share = counts / len(importance)
    areas = np.trapezoid(scores, share, axis=2)
    return Faithfulness(
        float(areas[0, 0]),
        float(areas[1, 0]),
        float(areas[0, 1:].mean()),
        float(areas[1, 1:].mean()),
        tuple(share.tolist()),
        tuple(scores[0, 0].tolist()),
        tuple(scores[1, 0].tolist()),
    )


def occlusion(score: Callable[[np.ndarray], np.ndarray], parts: int) -> np.ndarray:
    """Return what the score of an answer loses when one part alone is hidden, for each: [parts].

    Args:
        score: as of `faithfulness`.
        parts: how many there are.

    Cost: 1 + parts versions, all given to `score` at once.
    """
    shown = np.concatenate([np.ones((1, parts), bool), ~np.eye(parts, dtype=bool)])
    scores = np.asarray(score(shown), np.float64)
    return scores[0] - scores[1:]


def _first(order: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return which parts are the first of an order, for each count: bool [counts, parts]."""
    place = np.empty(len(order), int)
    place[order] = np.arange(len(order))
    return place < counts[:, None]
