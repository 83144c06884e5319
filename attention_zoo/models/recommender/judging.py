"""How well a recommender finds what came next, among all items; after each epoch too."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from attention_zoo.checks import whole_number
from attention_zoo.models.recommender.examples import read_chosen, read_judged
from attention_zoo.models.recommender.ranking import Ranking
from attention_zoo.recsys import Evaluation, Histories, ItemKNN, Markov, Popularity
from attention_zoo.training import averaged

KS = (5, 10, 20)
BATCH = 256  # histories scored at once
HELD = 1 << 25  # scores held at a time
BASELINES = {"popularity": Popularity, "item_knn": ItemKNN, "markov": Markov}
WATCHED = ("recall@10", "ndcg@10")  # measures of each epoch

Score = Callable[[Histories, Sequence[np.ndarray]], np.ndarray]


def evaluate(
    score: Score,
    counts: np.ndarray,
    histories: Histories,
    targets: np.ndarray,
    ks: Sequence[int] = KS,
    batch_size: int = BATCH,
) -> dict[str, float]:
    """Rank the whole catalogue after each history, what was seen left out.

    A history without any known item is answered by what is popular, as `recommend` does; a target that the catalogue
    lacks is a miss.

    Args:
        score: from histories, none of them empty, and what of each is not looked at, to scores, float32
            [histories, items + 1].
        counts: how often each item was chosen, by number.
        histories: of numbers.
        targets: number of what came after each, int [histories]; 0 where it is not known.
        ks: cut-offs of recall and ndcg.
        batch_size: histories scored at once at most.

    Returns:
        as `recsys.Evaluation.result`.

    Raises:
        ZooValueError: if a number cannot work.
    """
    judged = Evaluation(counts, ks)
    size = max(min(whole_number("batch_size", batch_size, unit="histories"), HELD // len(counts)), 1)
    order = np.argsort(histories.lengths, kind="stable")
    for start in range(0, len(order), size):
        places = order[start : start + size]
        part, wanted = histories.rows(places), targets[places]
        excluded = [numbers[numbers != target] for numbers, target in zip(part.seen(), wanted)]
        scores = np.tile(counts.astype(np.float32), (len(places), 1))
        warm = np.flatnonzero(part.lengths > 0)
        if len(warm):
            scores[warm] = score(part.rows(warm), [excluded[row] for row in warm])
        judged.add(scores, wanted, excluded)
    return judged.result()


def baselines(task: Any, data: Any, split: str = "test", ks: Sequence[int] = KS) -> dict[str, dict[str, float]]:
    """Judge what needs no network as `Recommender.evaluate` judges: popularity, item-kNN, a Markov chain.

    Args:
        task: a `Recommender`, whose catalogue is ranked.
        data: a Dataset; its split "train" is what they learn from.
        split: on which they are judged.
        ks: cut-offs.

    Returns:
        measures by the name of the baseline.

    Raises:
        ZooValueError, ZooTypeError: if the data cannot work.
    """
    index = task.preprocessor.index
    train, judged = read_chosen(data), read_judged(data, split)
    learned, histories = index.numbers(train.histories)[0], index.numbers(judged.histories)[0]
    targets, found = index.lookup(list(judged.targets)), {}
    for name, kind in BASELINES.items():
        model = kind.learn(learned, len(index))
        found[name] = evaluate(lambda part, _, model=model: model.scores(part), index.counts, histories, targets, ks)
    return found


class NextItemJudge(keras.callbacks.Callback):
    """Add `val_recall@10` and `val_ndcg@10` over the whole catalogue to the logs of each epoch.

    Put it before early stopping, which can then watch them. Averaged weights are judged where there are some.

    Args:
        ranking: of the network that is trained.
        histories: of numbers.
        targets: number of what came after each; 0 where it is not known.
        most: histories that are judged at most, the same in each epoch, drawn evenly.
    """

    def __init__(self, ranking: Ranking, histories: Histories, targets: np.ndarray, most: int = 2000):
        super().__init__()
        places = np.arange(len(histories))
        if len(places) > most:
            places = np.sort(np.random.default_rng(0).choice(len(places), most, replace=False))
        self.ranking, self.histories, self.targets = ranking, histories.rows(places), targets[places]

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        with averaged(self.model):
            counts = self.ranking.preprocessor.index.counts
            found = evaluate(self.ranking.scores, counts, self.histories, self.targets, (10,))
        if logs is not None:
            logs.update({f"val_{name}": found[name] for name in WATCHED})
