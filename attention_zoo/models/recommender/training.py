"""One training on what comes next."""

from typing import Any

import keras
import numpy as np

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooValueError, unknown
from attention_zoo.models.learning import Learning
from attention_zoo.models.recommender.config import RecommenderConfig
from attention_zoo.models.recommender.network import NEXT, RANKED
from attention_zoo.recsys import Histories
from attention_zoo.training import BinaryChoice, HistoryBatches, Negatives, SampledSoftmax, SequenceCrossEntropy
from attention_zoo.training.histories import LOSSES

# Items drawn where nothing else is said, and how much oftener popular ones are.
DRAWN = {"softmax": 0, "sampled_softmax": 512, "bce": 1}
POWERS = {"softmax": 0.75, "sampled_softmax": 0.75, "bce": 0.0}
NOT_FOR_ITEMS = ("focus", "balance", "augment", "loss")  # what `Learning` has for others


class Choice:
    """How right items are told from others while training.

    Args:
        loss: "softmax" (over all items), "sampled_softmax" or "bce".
        negatives: items drawn, for a batch or for each place; None is 512 or 1.
        power: how much oftener popular items are drawn: 0 not at all, 1 as often as they are chosen; None is 0 for
            "bce" (as published) and 0.75 else.
        candidates: items drawn for each row where there is a ranker.

    Raises:
        ZooValueError: if a value cannot work.
    """

    def __init__(
        self, loss: str = "softmax", negatives: int | None = None, power: float | None = None, candidates: int = 31
    ):
        if loss not in LOSSES:
            raise unknown("loss", loss, LOSSES)
        if loss == "softmax" and negatives is not None:
            raise ZooValueError(f"negatives must be left out for loss 'softmax', which draws none, got {negatives!r}")
        self.loss, self.power = loss, POWERS[loss] if power is None else power
        self.drawn = DRAWN[loss] if negatives is None else whole_number("negatives", negatives, unit="items")
        self.candidates = whole_number("candidates", candidates, unit="items")

    def losses(self, config: RecommenderConfig, smoothing: float) -> Any:
        """Return the losses of a training network, by output where it has several.

        Raises:
            ZooValueError: if `smoothing` is asked of a loss that has none.
        """
        if smoothing and self.loss != "softmax":
            raise ZooValueError(f"smoothing must be 0 for loss {self.loss!r}, got {smoothing!r}")
        # No truth has this number: fillers have the weight 0.
        made: dict[str, keras.losses.Loss] = {"softmax": SequenceCrossEntropy(smoothing, padding=-1)}
        made |= {"sampled_softmax": SampledSoftmax(), "bce": BinaryChoice()}
        return {NEXT: made[self.loss], RANKED: SampledSoftmax()} if config.ranks else made[self.loss]

    def batches(
        self,
        config: RecommenderConfig,
        learning: Learning,
        histories: Histories,
        counts: np.ndarray,
        targets: np.ndarray | None = None,
    ) -> HistoryBatches:
        """Return histories of numbers as batches.

        Args:
            config: of the network.
            learning: batch size and seed.
            histories: of numbers.
            counts: how often each item was chosen, by number.
            targets: number of what came after each, for validation; None learns from the histories themselves.

        Raises:
            ZooValueError: if there is nothing to learn from.
        """
        return HistoryBatches(
            histories,
            targets,
            length=config.length,
            kind="cloze" if config.hides else "next",
            hidden=config.items + 1,
            hide=config.hide,
            loss=self.loss,
            negatives=Negatives(counts, self.power) if self.loss != "softmax" or config.ranks else None,
            drawn=self.drawn,
            candidates=self.candidates if config.ranks else 0,
            batch_size=learning.batch_size,
            seed=learning.seed,
        )
