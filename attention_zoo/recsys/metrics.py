"""How good rankings of the whole catalogue are; no negatives are drawn.

rank of a target = 1 + items that score higher + items of the same score and a lower number, seen ones left out
"""

from collections.abc import Sequence

import numpy as np

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooValueError
from attention_zoo.recsys.retrieval import top_scores

KS = (5, 10, 20)


def ranks(scores: np.ndarray, targets: np.ndarray, excluded: Sequence[np.ndarray] | None = None) -> np.ndarray:
    """Return the rank of each row's target among all items.

    Args:
        scores: float [batch, items + 1], by number; column 0 is not looked at. No NaN.
        targets: int [batch], numbers of the items that were chosen; 0 where that item is not in the catalogue.
        excluded: for each row the numbers of items that do not count; a target counts even if it is among them.

    Returns:
        int64 [batch], 1 is the best; 0 where the target is 0.

    Raises:
        ZooValueError: if shapes do not fit, a target is out of range, or a score is NaN.

    Cost: time batch x items.
    """
    scores, targets = _checked(scores, targets)
    rows = np.arange(len(targets))
    wanted = scores[rows, targets][:, None]
    before = scores > wanted
    before |= (scores == wanted) & (np.arange(scores.shape[1]) < targets[:, None])
    before[:, 0] = False
    if excluded is not None:
        if len(excluded) != len(targets):
            raise ZooValueError(f"excluded must be one for each of the {len(targets)} rows, got {len(excluded)}")
        for row, numbers in enumerate(excluded):
            before[row, numbers] = False
    return np.where(targets > 0, 1 + before.sum(axis=1), 0)


def measures(found: np.ndarray, ks: Sequence[int] = KS) -> dict[str, float]:
    """Return the measures of ranks of one target each.

        recall@k = share of ranks of at most k;  ndcg@k = mean of 1 / log2(1 + rank) where it is at most k, else 0
        mrr      = mean of 1 / rank

    Args:
        found: int [rows], 1 is the best; 0 where the target could not be ranked, which counts as missed.
        ks: cut-offs.

    Raises:
        ZooValueError: if there is no rank.

    Source: Krichene, Rendle 2020, "On Sampled Metrics for Item Recommendation": why all items are ranked.
    """
    found = np.asarray(found)
    if not len(found):
        raise ZooValueError("ranks must be at least one, got none")
    told = {}
    safe = np.maximum(found, 1)
    for k in ks:
        hits = (found > 0) & (found <= k)
        told[f"recall@{k}"] = float(hits.mean())
        told[f"ndcg@{k}"] = float(np.where(hits, 1 / np.log2(1 + safe), 0.0).mean())
    return {**told, "mrr": float(np.where(found > 0, 1 / safe, 0.0).mean())}


class Evaluation:
    """Gather batches of scores, then tell how good they are.

        coverage@top        = different items in all lists of `top` items / items of the catalogue
        popularity_bias@top = mean count of the items in the lists / mean count of the targets

    A bias over 1 says that more popular items are recommended than people choose.

    Args:
        counts: int [items + 1], how often each item was chosen in the training data, by number.
        ks: cut-offs of recall and ndcg.
        top: length of the lists that coverage and bias are of, at most the number of items.

    Raises:
        ZooValueError: if a cut-off or `top` is below 1.
    """

    def __init__(self, counts: np.ndarray, ks: Sequence[int] = KS, top: int = 10):
        self.counts = np.asarray(counts)
        self.ks = tuple(whole_number("ks", k) for k in ks)
        self.top = min(whole_number("top", top), len(self.counts) - 1)
        self._ranks: list[np.ndarray] = []
        self._given = np.zeros(len(self.counts), np.int64)
        self._chosen = np.zeros(len(self.counts), np.int64)

    def add(self, scores: np.ndarray, targets: np.ndarray, excluded: Sequence[np.ndarray] | None = None) -> np.ndarray:
        """Take a batch in.

        Args:
            scores, targets, excluded: as for `ranks`.

        Returns:
            the ranks, int64 [batch].

        Raises:
            ZooValueError: as `ranks`.
        """
        if scores.shape[1:] != self.counts.shape:
            raise ZooValueError(f"scores must be [batch, {len(self.counts):,}], got {list(scores.shape)}")
        found = ranks(scores, targets, excluded)
        if excluded is not None:
            excluded = [numbers[numbers != target] for numbers, target in zip(excluded, targets)]
        lists, _ = top_scores(scores, self.top, excluded)
        np.add.at(self._given, lists.ravel(), 1)
        np.add.at(self._chosen, np.asarray(targets), 1)
        self._ranks.append(found)
        return found

    @property
    def ranks(self) -> np.ndarray:
        """All ranks so far, int64, in the order of the batches."""
        return np.concatenate(self._ranks) if self._ranks else np.zeros(0, np.int64)

    def result(self) -> dict[str, float]:
        """Return recall, ndcg, mrr, coverage, popularity bias, and how many rows there were ("users").

        Raises:
            ZooValueError: if nothing was added.
        """
        told = measures(self.ranks, self.ks)
        told[f"coverage@{self.top}"] = float((self._given[1:] > 0).mean())
        told[f"popularity_bias@{self.top}"] = _mean(self.counts, self._given) / max(
            _mean(self.counts, self._chosen), 1e-12
        )
        return {**told, "users": len(self.ranks)}


def _mean(counts: np.ndarray, times: np.ndarray) -> float:
    """Return the mean count of items that were named so many times; 0 where none was."""
    return float(counts[1:] @ times[1:] / max(int(times[1:].sum()), 1))


def _checked(scores: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scores, targets = np.asarray(scores), np.asarray(targets)
    if scores.ndim != 2 or targets.shape != scores.shape[:1] or targets.dtype.kind not in "iu":
        raise ZooValueError(
            f"scores must be [batch, items + 1] and targets whole numbers [batch], got {list(scores.shape)} and "
            f"{targets.dtype} {list(targets.shape)}"
        )
    if len(targets) and (targets.min() < 0 or targets.max() >= scores.shape[1]):
        raise ZooValueError(
            f"targets must be from 0 to {scores.shape[1] - 1:,}, got {targets.min()} to {targets.max()}"
        )
    if np.isnan(scores[:, 1:]).any():
        raise ZooValueError("scores must be numbers, got NaN")
    return scores, targets
