"""Whether an explanation of a recommendation is true: past items are left out, and the item is scored again."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from attention_zoo.calibrate.faithfulness import occlusion
from attention_zoo.calibrate.gradients import attention_gradients
from attention_zoo.models.inspecting import Score
from attention_zoo.models.recommender.explaining import looks, one_history, scored, telling
from attention_zoo.models.recommender.network import CANDIDATES, ITEMS, LOGITS, SCORES
from attention_zoo.models.recommender.ranking import widened


def trial(task: Any, history: Sequence[Any], item: Any, method: str) -> tuple[np.ndarray, Score]:
    """Return what an explanation says of each item of a history, and how versions of the history are scored.

    Items that are hidden are left out, so that the others stand nearer to the end.

    Args:
        task: a `Recommender`.
        history: one list of ids.
        item: id of the item that is recommended.
        method: of the task's.

    Raises:
        ZooTypeError, ZooValueError: if an id cannot work, there are several histories, or none of its items is known.
    """
    index = task.preprocessor.index
    number = index.number(item)
    numbers = one_history(task, history).numbers.newest(task.config.length).array(0)

    def score(shown: np.ndarray) -> np.ndarray:
        # The first version that is run is the whole history, whose candidates all are compared with.
        rows = [numbers, *(numbers[one] for one in shown)]
        return np.exp(scored(task.ranking, rows, number, index.counts)[1][1:])

    if method == "attention":
        return looks(task, numbers, number)[0], score
    if method == "occlusion":
        return occlusion(score, len(numbers)), score
    return _gradient(task, numbers, number), score


def _gradient(task: Any, numbers: np.ndarray, number: int) -> np.ndarray:
    """Return attention times gradient of the item's score, at the last site over the history, of each item."""
    items = widened(numbers[None].astype(np.int32))
    inputs, output, toward = {ITEMS: items}, LOGITS, np.zeros((1, task.config.items + 1))
    toward[0, number] = 1.0
    if task.config.ranks:
        inputs[CANDIDATES] = np.array([[number]], np.int32)
        output, toward = SCORES, np.ones((1, 1))
    found = attention_gradients(task.model, inputs, toward, output)
    sites = [path for path in found if path.startswith(telling(task.config))]
    end = items.shape[1]  # behind it is the place that is asked, where a network has one
    values = found[sites[-1]]
    return values.reshape(-1, values.shape[-1]).sum(axis=0)[end - len(numbers) : end]
