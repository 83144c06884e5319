"""From histories to recommendations: the one place that knows how, for Keras and for the runtime alike."""

import dataclasses
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.recsys.answers import Recommendation, Suggestion
from attention_zoo.recsys.ids import Id, ItemIndex, as_id
from attention_zoo.recsys.preprocessor import HistoryPreprocessor
from attention_zoo.recsys.retrieval import Found, check_k, top_k, top_scores

BATCH = 256  # histories ranked at once


@dataclass(frozen=True)
class Limits:
    """What may be recommended to each history of a batch.

    Args:
        k: how many items.
        excluded: for each history the numbers of items that it must not get; None is none.
        allowed: numbers of the only items that may be given, sorted; None is all.
    """

    k: int
    excluded: Sequence[np.ndarray] | None = None
    allowed: np.ndarray | None = None

    def of_scores(self, scores: np.ndarray) -> Found:
        """Return the best items of scores, float [batch, items + 1]: numbers and scores, each [batch, k]."""
        return top_scores(scores, self.k, self.excluded, self.allowed)

    def of_vectors(self, vectors: np.ndarray, retriever: Any) -> Found:
        """Return the best items for vectors, float [batch, width], by what has `top_k` (`Blocks`, `FaissIndex`)."""
        return retriever.top_k(vectors, self.k, self.excluded, self.allowed)


Rank = Callable[[dict[str, np.ndarray], Limits], Found]


def in_two_steps(
    first: Callable[[Limits], Found],
    score: Callable[[np.ndarray], np.ndarray],
    limits: Limits,
    candidates: int,
    items: int,
) -> Found:
    """Find candidates by one network, and order them by another.

    Args:
        first: from limits to the best items, numbers and scores, each [batch, k].
        score: from numbers int32 [batch, candidates], from 1, to scores of the same shape.
        limits: what may be recommended.
        candidates: how many the second one orders, or `limits.k` where that is more.
        items: of the catalogue.

    Returns:
        numbers and the second one's scores, [batch, k], best first; of equal scores what was better in the first step.
    """
    wide = dataclasses.replace(limits, k=min(max(limits.k, candidates), items))
    numbers, _ = first(wide)
    scores = np.asarray(score(np.maximum(numbers, 1).astype(np.int32)), np.float32)
    scores = np.where(numbers > 0, scores, -np.inf).astype(np.float32)
    order = np.argsort(-scores, axis=1, kind="stable")[:, : limits.k]
    return np.take_along_axis(numbers, order, axis=1), np.take_along_axis(scores, order, axis=1)


def recommend(
    preprocessor: HistoryPreprocessor,
    histories: Any,
    rank: Rank,
    *,
    k: int = 10,
    exclude_seen: bool = True,
    allowed: Iterable[Id] | None = None,
    batch_size: int = BATCH,
) -> list[Recommendation]:
    """Recommend items after histories.

    A history of no known item (it is empty, or all of it is new) gets the most popular items.

    Args:
        preprocessor: of the network.
        histories: in any of the ways of `as_histories`.
        rank: from the arrays of a batch and its limits to the numbers and scores of the best items, [batch, k], 0 where
            none is left.
        k: items for each history, at most as many as the catalogue has.
        exclude_seen: leave out what stands anywhere in the history.
        allowed: ids of the only items that may be recommended; None is all. Unknown ones are left out, with a warning.
        batch_size: histories ranked at once, at least 1.

    Returns:
        one `Recommendation` for each history, in order.

    Raises:
        ZooTypeError, ZooValueError: if a history, an id or a number cannot work, or nothing allowed is known.
    """
    check_k(k, len(preprocessor.index))
    batch_size = whole_number("batch_size", batch_size, unit="histories")
    chosen = None if allowed is None else allowed_numbers(preprocessor.index, allowed)
    encoded = preprocessor.encode(histories)
    cold, found = encoded.cold, {}
    warm = np.flatnonzero(~cold)
    for start in range(0, len(warm), batch_size):
        places = warm[start : start + batch_size]
        part = encoded.numbers.rows(places)
        limits = Limits(k, part.seen() if exclude_seen else None, chosen)
        numbers, scores = rank(preprocessor.arrays(part), limits)
        for place, row, worth in zip(places.tolist(), numbers, scores):
            found[place] = suggestions(preprocessor.index, row, worth)
    usual = popular(preprocessor.index, k, chosen) if cold.any() else ()
    return [
        Recommendation(usual if is_cold else found[place], is_cold, unknown)
        for place, (is_cold, unknown) in enumerate(zip(cold.tolist(), encoded.unknown.tolist()))
    ]


def popular(index: ItemIndex, k: int, allowed: np.ndarray | None = None) -> tuple[Suggestion, ...]:
    """Return the most chosen items; the score is an item's share of all choices.

    Args:
        index: the catalogue.
        k: how many.
        allowed: numbers of the only items that may be given; None is all.
    """
    shares = index.counts / max(int(index.counts.sum()), 1)
    numbers, scores = top_scores(shares[None], k, allowed=allowed)
    return suggestions(index, numbers[0], scores[0])


def suggestions(index: ItemIndex, numbers: np.ndarray, scores: np.ndarray) -> tuple[Suggestion, ...]:
    """Return numbers and scores of items, best first, as suggestions; what has the number 0 is left out."""
    there = [(number, score) for number, score in zip(numbers.tolist(), scores.tolist()) if number]
    return tuple(Suggestion(index.id(number), score, rank) for rank, (number, score) in enumerate(there, 1))


def allowed_numbers(index: ItemIndex, allowed: Iterable[Id]) -> np.ndarray:
    """Return the numbers of the items that may be recommended, sorted.

    Raises:
        ZooTypeError: if they are no ids.
        ZooValueError: if none of them is known.
    """
    if isinstance(allowed, str | bytes) or not isinstance(allowed, Iterable):
        raise ZooTypeError(f"allowed must be a list of ids of items, got {allowed!r:.60}")
    ids = [as_id(value, f"allowed[{place}]") for place, value in enumerate(allowed)]
    numbers = index.lookup(ids)
    lost = int((numbers == 0).sum())
    if lost == len(ids):
        raise ZooValueError(f"allowed must hold at least one item of the catalogue, got {len(ids)} that it lacks")
    if lost:
        warnings.warn(f"{lost:,} of {len(ids):,} allowed items are unknown and left out", UserWarning, stacklevel=3)
    return np.unique(numbers[numbers > 0])


def similar(index: ItemIndex, vectors: np.ndarray, item: Id, k: int = 10) -> tuple[Suggestion, ...]:
    """Return the items most like one, by the cosine of their vectors.

    Args:
        index: the catalogue.
        vectors: float [items + 1, width], by number.
        item: id of the item; it is not among the answers.
        k: how many, under the number of items.

    Raises:
        ZooTypeError, ZooValueError: if there is no such item, or `k` cannot work.
    """
    number = index.number(item)
    if whole_number("k", k, unit="items") >= len(index):
        raise ZooValueError(f"k must be under the {len(index):,} items of the catalogue, got {k:,}")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    directions = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    numbers, scores = top_k(directions[number][None], directions, k, excluded=[np.array([number])])
    return suggestions(index, numbers[0], scores[0])
