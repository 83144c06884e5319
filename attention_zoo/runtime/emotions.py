"""Answer with a bundle that reads image, audio and text, any of them missing."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from attention_zoo.answers import Answer, decide
from attention_zoo.runtime.classifying import ClassifierRunner
from attention_zoo.runtime.runner import MODEL

_LOGITS, _OUTPUT = "logits", "output"  # name of the answer among several tasks, and of the only one


class EmotionRunner(ClassifierRunner):
    """Answer with an exported emotion recognizer; made by `runtime.load`.

    Inputs are rows: a dict of lists by image, audio and text, a list of dicts, a table (see
    `attention_zoo.multimodal.as_rows`). Rows of one conversation are run together where the model reads conversations.

    Attributes:
        tasks: labels of each further task, by its name.
    """

    keys = (*ClassifierRunner.keys, "tasks")

    def __init__(self, description: Mapping[str, Any], preprocessor: Any, sessions: Mapping[str, Any]) -> None:
        super().__init__(description, preprocessor, sessions)
        self.tasks = {name: tuple(labels) for name, labels in description["tasks"]}
        self._main = _LOGITS if _LOGITS in self._outputs[MODEL] else _OUTPUT

    def predict(self, inputs: Any, all_scores: bool = False, *, batch_size: int = 32) -> list[Answer]:
        """Classify rows; arguments as for `ClassifierRunner.predict`."""
        return self._decide(self._run_all(inputs, [self._main], batch_size)[self._main], all_scores)

    def predict_tasks(self, inputs: Any, all_scores: bool = False, *, batch_size: int = 32) -> dict[str, list[Answer]]:
        """Classify rows in each task that the model has learned.

        Args:
            inputs: rows.
            all_scores: True also gives each label's probability.
            batch_size: rows run at once, at least 1.

        Returns:
            one `Answer` for each row, by task; the main one is called "label".

        Raises:
            ZooValueError, ZooTypeError, ZooFileError: as `predict`.
        """
        logits = self._run_all(inputs, [self._main, *self.tasks], batch_size)
        others = {name: decide(logits[name], labels, all_scores=all_scores) for name, labels in self.tasks.items()}
        return {"label": self._decide(logits[self._main], all_scores), **others}

    def records(self, inputs: Sequence[str], all_scores: bool = False) -> Iterable[dict[str, Any]]:
        """Classify rows, one dict each; a table among the inputs stands for its rows."""
        rows = self.preprocessor.items(inputs)
        for row, answer in zip(rows, self.predict(rows, all_scores)):
            yield {
                self.preprocessor.noun: {key: _told(value) for key, value in row.items()},
                **dataclasses.asdict(answer),
            }

    def _batches(self, inputs: Sequence[Any], batch_size: int) -> list[list[int]]:
        return self.preprocessor.batches(inputs, batch_size)


def _told(value: Any) -> Any:
    """Return a value of a row as JSON holds it."""
    return value.tolist() if isinstance(value, np.ndarray) else value
