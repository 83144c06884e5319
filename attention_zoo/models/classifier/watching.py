"""What a classifier does with its own attention: how inputs become batches, rules that mend it."""

import abc
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from attention_zoo.calibrate import Calibration, calibrate
from attention_zoo.errors import ZooValueError
from attention_zoo.models.classifier import examples as reading
from attention_zoo.models.classifier.examples import Examples, Raw
from attention_zoo.models.inspecting import BATCH
from attention_zoo.models.learning import Learning
from attention_zoo.models.task import Task
from attention_zoo.training import OrderedBatches


class Watching(Task):
    """Base of `Classifier`: how raw inputs become batches, and what is done with its attention."""

    raw: Raw

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels, in the order of the logits."""
        return self.config.labels

    @property
    def temperature(self) -> float:
        """What logits are divided by before they become probabilities."""
        return self.config.temperature

    @property
    def answering(self) -> keras.Model:
        """The model from arrays to the logits of the labels alone."""
        return self.model

    @abc.abstractmethod
    def batches(self, inputs: Sequence, targets: Any, learning: Learning, shuffle: bool) -> OrderedBatches:
        """Return inputs as batches of arrays and targets.

        Args:
            inputs: what the family reads.
            targets: of `examples.targets`, or None.
            learning: has batch_size, seed and, where `shuffle`, augment.
            shuffle: True for a training.
        """

    def _read(self, data: Any, split: str) -> Examples | None:
        return reading.read_examples(data, self.raw, split)

    def _batches(self, part: Examples, learning: Learning, shuffle: bool) -> OrderedBatches:
        """Return examples as batches of arrays and targets."""
        reading.check_labels(part, self.labels, self.config.multi_label)
        return self.batches(part.inputs, reading.targets(part, self.labels), learning, shuffle)

    def network_inputs(self, inputs: Any) -> dict[str, np.ndarray]:
        """Return what the network reads of inputs, all in arrays of one width."""
        return self.preprocessor(self.raw.items(inputs))

    def observed(self, inputs: Any, batch_size: int) -> OrderedBatches:
        """Return inputs as batches, those of like length together."""
        return self.batches(self.raw.items(inputs), None, Learning(batch_size=batch_size), shuffle=False)

    def calibrate(self, data: Any, held_out: Any, *, rules: Any = "temperature", **options: Any) -> Calibration:
        """Learn rules of attention on data that the classifier was not trained on, and nothing else.

        Args:
            data: as for `fit`, of a Dataset its "val" split.
            held_out: the same, which tells whether the rules help; of a Dataset its "test" split.
            rules: as of `calibrate.reweight`.
            **options: of `calibrate.calibrate` (epochs, learning_rate, seed ...).

        Returns:
            What came of it, measured on `held_out`. Where accuracy fell or nll rose the classifier is as it was.

        Raises:
            ZooTypeError, ZooValueError, ZooFileError: as `fit` and `calibrate.reweight`.
        """
        if self.answering is not self.model:
            raise ZooValueError(
                f"a {self.config.family} has several outputs: calibrate(task.answering, ...) by yourself"
            )
        learning = Learning(batch_size=options.pop("batch_size", BATCH), seed=options.get("seed", 0))
        parts = (self._read(data, "val"), self._read(held_out, "test"))
        learned, judged = (
            given if part is None else self._batches(part, learning, shuffle=shuffle)
            for given, part, shuffle in zip((data, held_out), parts, (True, False))
        )
        found = calibrate(self.network, learned, judged, rules=rules, temperature=self.temperature, **options)
        if found.kept:
            self._hold(found.model)
        return found
