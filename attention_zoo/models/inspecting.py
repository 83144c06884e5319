"""What every task tells of its own attention: statistics, what is on record, and whether an explanation is true."""

import abc
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from attention_zoo.calibrate.faithfulness import Faithfulness, faithfulness
from attention_zoo.calibrate.probe import collect
from attention_zoo.checks import whole_number
from attention_zoo.errors import unknown
from attention_zoo.watch import SelfTest

BATCH = 32  # inputs run at once where nothing else is said

Score = Callable[[np.ndarray], np.ndarray]


class Inspecting(abc.ABC):
    """Base of `Task`: a family says what its network reads of inputs, and how an explanation of it can be tried.

    Attributes:
        methods: names of the explanations that `faithfulness` judges.
    """

    methods: tuple[str, ...] = ("attention", "gradient", "occlusion")
    model: keras.Model

    @abc.abstractmethod
    def network_inputs(self, inputs: Any) -> dict[str, np.ndarray]:
        """Return what the network reads of inputs, all in arrays of one width.

        What generates reads its own answers beside: a translator what it writes.

        Args:
            inputs: as for `predict`.

        Raises:
            ZooTypeError, ZooValueError: as `predict`.
        """

    @abc.abstractmethod
    def answered(self, given: Any, answer: Any = None) -> Any:
        """Return the answer that is to be explained.

        Args:
            given: one input of the family.
            answer: a label, a translation, a transcript, an item; None takes the model's own.

        Raises:
            ZooTypeError, ZooValueError: if the input or the answer cannot work.
        """

    @abc.abstractmethod
    def trial(self, given: Any, answer: Any, method: str) -> tuple[np.ndarray, Score]:
        """Return what an explanation calls important, and how the answer is scored with parts of the input hidden.

        Args:
            given: one input of the family.
            answer: what `answered` returned.
            method: of `methods`.

        Returns:
            The importance of each part [parts]; and a function from bool [versions, parts], True where a part is shown,
            to the probability of the answer [versions]: of several units, the geometric mean of theirs.

        Raises:
            ZooTypeError, ZooValueError: if the input cannot work.
        """

    def observed(self, inputs: Any, batch_size: int) -> Any:
        """Return inputs as `collect` reads them: arrays, or batches that can bring rows back into their order."""
        return self.network_inputs(inputs)

    def statistics(self, inputs: Any, only: str = "*", *, batch_size: int = BATCH) -> dict[str, np.ndarray]:
        """Return statistics of the attention on inputs, for a detector or a baseline of `attention_zoo.watch`.

        Args:
            inputs: as for `predict`.
            only: a glob on sites.
            batch_size: inputs run at once.

        Returns:
            By site, float32 [inputs, heads, statistics], in the order of the inputs.

        Raises:
            ZooTypeError, ZooValueError: as `predict`.
        """
        size = whole_number("batch_size", batch_size, unit="inputs run at once")
        given = self.observed(inputs, size)
        found = collect(self.model, given, only, batch_size=size)
        restore = getattr(given, "restore", None)
        return {site: values if restore is None else restore(values) for site, values in found.items()}

    def self_test(self, inputs: Any, **options: Any) -> SelfTest:
        """Put on record what the attention does on inputs, so that a change of the model can be told.

        Args:
            inputs: as for `predict`; a few dozen are enough.
            **options: `tolerance`, of `watch.SelfTest`.

        Returns:
            A test that holds the inputs as the network reads them.

        Raises:
            ZooTypeError, ZooValueError: as `predict`; as `watch.SelfTest`.
        """
        read = self.network_inputs(inputs)
        return SelfTest(collect(self.model, read), read, **options)

    def faithfulness(
        self, given: Any, method: str = "attention", *, answer: Any = None, **options: Any
    ) -> Faithfulness:
        """Say whether an explanation of one answer says what the model does, by deletion and insertion.

        Args:
            given: one input of the family.
            method: of `methods`; "attention" (where the model looked), "gradient" (attention times gradient),
                "occlusion" (what the score loses when the part alone is hidden).
            answer: what is explained (a label, a translation, a transcript, an item); None takes the model's own.
            **options: of `calibrate.faithfulness` (steps, orders, seed).

        Returns:
            A `calibrate.Faithfulness`, to be compared with its random orders.

        Raises:
            ZooTypeError, ZooValueError: if the input cannot work, or the answer, the method or a number is unknown.
        """
        if method not in self.methods:
            raise unknown("method", method, self.methods)
        importance, score = self.trial(given, self.answered(given, answer), method)
        return faithfulness(score, importance, **options)
