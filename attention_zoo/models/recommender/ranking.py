"""What answers with a network: vectors of users and items, scores of the whole catalogue, the best of it."""

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import keras
import numpy as np

from attention_zoo.calibrate.capture import Captured, capture
from attention_zoo.calibrate.reweight import apart
from attention_zoo.models.recommender.config import RecommenderConfig
from attention_zoo.models.recommender.network import CANDIDATES, ITEMS, LOGITS, SCORES, TABLE, VECTOR
from attention_zoo.recsys import Histories, HistoryPreprocessor, Limits, top_scores

MULTIPLE = 8  # steps that widths are rounded up to, so that few shapes are compiled

Found = tuple[np.ndarray, np.ndarray]


class Ranking:
    """Parts of a network that share its weights, each compiled by itself.

    Args:
        model: what `build_network` returned, with rules of attention or without.
        config: of the model.
        preprocessor: of the model.
    """

    def __init__(self, model: keras.Model, config: RecommenderConfig, preprocessor: HistoryPreprocessor):
        network, ruled = apart(model)
        self.model, self.config, self.preprocessor, self.table = model, config, preprocessor, network.get_layer(TABLE)
        inputs, told = {tensor.name: tensor for tensor in network.inputs}, network.output
        items = {ITEMS: inputs[ITEMS]}
        self.user = ruled(keras.Model(items, {VECTOR: told[VECTOR]}, name="user"))
        self.scored = ruled(keras.Model(items, {LOGITS: told[LOGITS], VECTOR: told[VECTOR]}, name="scored"))
        self.scorer = ruled(keras.Model(inputs, {SCORES: told[SCORES]}, name="scorer")) if config.ranks else None

    @cached_property
    def watched(self) -> Captured:
        """The network with its attention maps; without the scores of the catalogue where no ranker needs them."""
        return capture(self.model if self.config.ranks else self.user)

    def item_vectors(self) -> np.ndarray:
        """Return what items are scored with, float32 [items + 1, width], by number."""
        return np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(self.table.whole(), "float32")), np.float32)

    def best(self, retriever: Any, arrays: dict[str, np.ndarray], limits: Limits) -> Found:
        """Return the best items of a batch: numbers and scores, each [batch, k].

        Args:
            retriever: what has `top_k` for vectors of users (`recsys.Blocks`, `recsys.FaissIndex`).
            arrays: of the preprocessor.
            limits: what may be given.
        """
        items = widened(arrays[ITEMS])
        vectors = np.asarray(self.user.predict_on_batch({ITEMS: items})[VECTOR], np.float32)
        if self.scorer is None:
            return limits.of_vectors(vectors, retriever)
        wide = dataclasses.replace(limits, k=min(max(limits.k, self.config.candidates), len(self.preprocessor.index)))
        numbers, _ = wide.of_vectors(vectors, retriever)
        scores = self.candidate_scores(items, numbers)
        order = np.argsort(-scores, axis=1, kind="stable")[:, : limits.k]
        scores, numbers = np.take_along_axis(scores, order, 1), np.take_along_axis(numbers, order, 1)
        return np.where(np.isneginf(scores), 0, numbers), scores

    def candidate_scores(self, items: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Return the ranker's scores of candidates [batch, candidate]; -inf where the number is 0.

        Args:
            items: int32 [batch, steps].
            numbers: of the candidates, int [batch, candidate].
        """
        candidates = np.maximum(numbers, 1).astype(np.int32)
        found = self.scorer.predict_on_batch({ITEMS: widened(items), CANDIDATES: candidates})[SCORES]
        return np.where(numbers > 0, np.asarray(found, np.float32), -np.inf)

    def scores(self, numbers: Histories, excluded: Sequence[np.ndarray] | None = None) -> np.ndarray:
        """Return the scores of all items, float32 [histories, items + 1].

        Where there is a ranker, the items that it has ordered come before all others, which keep their order.

        Args:
            numbers: histories of numbers, none of them empty.
            excluded: of each history what is no candidate of the ranker.
        """
        items = widened(self.preprocessor.arrays(numbers)[ITEMS])
        logits = np.asarray(self.scored.predict_on_batch({ITEMS: items})[LOGITS], np.float32)
        if self.scorer is None:
            return logits
        count = min(self.config.candidates, logits.shape[1] - 1)
        chosen, _ = top_scores(logits, count, excluded)
        order = self.candidate_scores(items, chosen)
        logits, rows = np.array(logits), np.arange(len(logits))[:, None]
        there = ~np.isneginf(order)
        least = np.min(np.where(there, order, np.inf), axis=1, keepdims=True)
        above = logits[:, 1:].max(axis=1, keepdims=True) + 1.0 + order - least
        kept = logits[rows, chosen]
        logits[rows, chosen] = np.where(there, above, kept)
        return logits


def widened(items: np.ndarray) -> np.ndarray:
    """Pad numbers of items [batch, steps] at the left to a multiple."""
    return np.pad(items, ((0, 0), (-items.shape[1] % MULTIPLE, 0)))
