"""Which past items moved a recommendation: where the network looked, and what the score loses without each item."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from attention_zoo.blocks.ranker import TARGET
from attention_zoo.calibrate.capture import output_name
from attention_zoo.errors import ZooValueError
from attention_zoo.models.recommender.config import RecommenderConfig
from attention_zoo.models.recommender.network import CANDIDATES, ENCODER, ITEMS, LOGITS, RANKER
from attention_zoo.models.recommender.ranking import Ranking, widened
from attention_zoo.models.versions import in_rows
from attention_zoo.recsys import Histories, ranks, top_scores
from attention_zoo.visualise import HistoryExplanation, attention_rollout


def explained(task: Any, history: Sequence[Any], item: Any = None) -> HistoryExplanation:
    """Put an explanation together.

    Args:
        task: a `Recommender`.
        history: one list of ids.
        item: id of the item whose score is explained; None takes the best that was not seen.

    Raises:
        ZooTypeError, ZooValueError: if an id cannot work, there are several histories, or none of its items is known.
    """
    encoded = one_history(task, history)
    index, ranking = task.preprocessor.index, task.ranking
    whole, read = encoded.numbers.seen(), encoded.numbers.newest(task.config.length)
    scores = ranking.scores(read, whole)
    number = int(top_scores(scores, 1, whole)[0][0, 0]) if item is None else index.number(item)
    if not number:
        raise ZooValueError("item must be given where the history holds the whole catalogue, got None")
    rank = int(ranks(scores, np.array([number]), [one[one != number] for one in whole])[0])
    numbers = read.array(0)
    kept, chances = _without(ranking, numbers, number, index.counts)
    weights, maps = looks(task, numbers, number)
    return HistoryExplanation(
        index.id(number),
        float(kept[0]),
        rank,
        [index.id(int(one)) for one in numbers],
        weights,
        kept[0] - kept[1:],
        1.0 - np.exp(chances[1:] - chances[0]),
        int(encoded.unknown[0]),
        maps,
    )


def one_history(task: Any, history: Sequence[Any]) -> Any:
    """Return a history as its preprocessor encodes it.

    Raises:
        ZooTypeError, ZooValueError: if an id cannot work, there are several histories, or none of its items is known.
    """
    encoded = task.preprocessor.encode(history)
    if len(encoded.numbers) != 1:
        raise ZooValueError(f"history must be one list of ids to be explained, got {len(encoded.numbers)}")
    if encoded.cold[0]:
        raise ZooValueError("history must hold at least one known item to be explained, got none")
    return encoded


def read_with(task: Any, histories: Any, best: Sequence[Any] | None) -> dict[str, np.ndarray]:
    """Return what a network reads of histories, and of a ranker one candidate for each.

    Args:
        task: a `Recommender`.
        histories: one or many.
        best: id of each candidate; None where there is no ranker.

    Raises:
        ZooTypeError, ZooValueError: if an id cannot work, or none of a history's items is known.
    """
    encoded = task.preprocessor.encode(histories)
    if encoded.cold.any():
        place = int(np.argmax(encoded.cold))
        raise ZooValueError(f"history {place} must hold at least one known item for its attention to be seen, got none")
    numbers = encoded.numbers.newest(task.config.length)
    inputs = {ITEMS: widened(task.preprocessor.arrays(numbers)[ITEMS])}
    if best is not None:
        inputs[CANDIDATES] = np.array([[task.preprocessor.index.number(one)] for one in best], np.int32)
    return inputs


def _without(ranking: Ranking, numbers: np.ndarray, number: int, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return score and log-probability of an item, of the whole history and then without each of its items."""
    rows = [numbers, *(np.delete(numbers, place) for place in range(len(numbers)))]
    return scored(ranking, rows, number, counts)


def scored(
    ranking: Ranking, rows: Sequence[np.ndarray], number: int, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return score and log-probability of an item after versions of a history, each [versions].

    Probabilities are among all items, or of a ranker among what it orders after the first version. A version without
    any item says nothing: the score is then the mean of all items' and the probability the item's share of all choices.

    Args:
        ranking: of the task.
        rows: numbers of items of each version; the first has some.
        number: of the item.
        counts: how often each item was chosen, by number.
    """
    there = np.array([len(row) > 0 for row in rows])
    versions = Histories.of([(row if len(row) else rows[0]).tolist() for row in rows])
    items = widened(ranking.preprocessor.arrays(versions)[ITEMS])
    found = in_rows(lambda chosen: _logits(ranking, items[chosen]), len(items))
    place = number
    if ranking.scorer is None:
        found = np.delete(found, 0, axis=1)
        place = number - 1
    else:
        best, _ = top_scores(found[:1], min(ranking.config.candidates, found.shape[1] - 1), [np.array([number])])
        asked, place = np.concatenate([[number], best[0][best[0] > 0]]), 0
        found = in_rows(
            lambda chosen: ranking.candidate_scores(items[chosen], np.tile(asked, (len(chosen), 1))), len(items)
        )
    scores, chances = found[:, place], found[:, place] - np.logaddexp.reduce(found, axis=1)
    share = np.log((counts[number] + 1.0) / (counts.sum() + len(counts) - 1.0))
    return np.where(there, scores, found[0].mean()), np.where(there, chances, share)


def _logits(ranking: Ranking, items: np.ndarray) -> np.ndarray:
    return np.asarray(ranking.scored.predict_on_batch({ITEMS: items})[LOGITS], np.float32)


def looks(task: Any, numbers: np.ndarray, number: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return how much the network looked at each item of a history, 1 in all, and all maps over it.

    Of a ranker with target attention, what it gave each item for the one that is explained. Of blocks, the rollout of
    all of them from the newest place, as each passes on half of what it reads; of a GRU, what the newest state looked
    back at. Heads count alike.

    Args:
        task: a `Recommender`.
        numbers: of the history, at most `length`.
        number: of the item that is explained.
    """
    items = widened(numbers[None].astype(np.int32))
    inputs = {ITEMS: items}
    if task.config.ranks:
        inputs[CANDIDATES] = np.array([[number]], np.int32)
    watched = task.ranking.watched
    found = watched.predict_on_batch(inputs)
    begin, end = items.shape[1] - len(numbers), items.shape[1]
    maps, weights, layers = {}, {}, []
    for site in watched.sites.values():
        if not site.path.startswith(telling(task.config)):
            continue
        map_ = np.asarray(found[output_name(site.path)], np.float32)[0]
        # Weights that no softmax has made have signs, and count by their size.
        map_ = np.abs(map_.reshape(-1, *map_.shape[-2:]))
        if map_.shape[1] == map_.shape[2] >= end:
            layers.append(shared(map_[:, begin:, begin:]))
        map_ = map_[..., begin:end]
        weights[site.path] = map_[:, -1].mean(axis=0)
        # Of places also the one behind the history, where a network has it.
        maps[site.path] = map_[:, begin:] if map_.shape[1] > 1 else map_
    # Sites come in the order in which they are run: a ranker's is the last, as is that of the last block.
    looked = list(weights.values())[-1]
    if task.config.network != "gru" and task.config.attention_name not in TARGET and len(layers) == len(weights):
        looked = attention_rollout(layers, readout=np.eye(len(layers[0][0]))[-1])[: len(numbers)]
    return shared(looked), maps


def telling(config: RecommenderConfig) -> tuple[str, ...]:
    """Return how the paths of sites begin whose maps are over the history."""
    return (f"{ENCODER}/", f"{RANKER}/") if config.attention_name in TARGET else (f"{ENCODER}/",)


def shared(weights: np.ndarray) -> np.ndarray:
    """Return weights as shares, 1 in all along the last axis; equal ones where there is nothing to share."""
    weights = np.asarray(weights, np.float64)
    total = weights.sum(axis=-1, keepdims=True)
    return np.divide(weights, total, out=np.full(weights.shape, 1.0 / weights.shape[-1]), where=total > 0)
