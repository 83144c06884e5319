"""Recommend with a bundle: from a history of the user's own ids to ids."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooFileError, ZooValueError
from attention_zoo.recsys import (
    Blocks,
    Id,
    Limits,
    Recommendation,
    Suggestion,
    in_two_steps,
    parse_history,
    recommend,
    similar,
)
from attention_zoo.recsys.retrieval import Found
from attention_zoo.runtime.runner import Runner

USER, ITEM, SCORER = "user", "item", "scorer"  # names of the graphs
LOGITS, VECTOR, BIAS, SCORES, CANDIDATES = "logits", "vector", "bias", "scores", "candidates"  # of inputs and outputs
VECTORS_AT_ONCE = 65_536  # items


class RecommenderRunner(Runner):
    """Answer with an exported recommender; made by `runtime.load`.

    The bundle has some of these graphs, "user" at least:

        "user":   items [batch, steps] -> logits [batch, items + 1], or vector [batch, width]
        "item":   item [numbers] -> vector [numbers, width], which those of users are met with, and perhaps bias
                  [numbers]
        "scorer": items [batch, steps], candidates [batch, candidates] -> scores [batch, candidates]; orders the best
                  `candidates` (of the description) by "user"

    Attributes:
        preprocessor: the bundle's; `preprocessor.index` is the catalogue.
        description: the contents of `bundle.json`.
    """

    keys = (CANDIDATES,)
    needs = (USER,)
    options = ("k",)

    def __init__(self, description: Mapping[str, Any], preprocessor: Any, sessions: Mapping[str, Any]) -> None:
        super().__init__(description, preprocessor, sessions)
        told = self._outputs[USER]
        if LOGITS not in told and ITEM not in sessions:
            raise ZooFileError(f"the bundle is damaged: it lacks the ONNX graph {ITEM!r}, which vectors of users want")
        self._gives_vectors = VECTOR in told and ITEM in sessions
        self._candidates = whole_number(CANDIDATES, description[CANDIDATES], 0, "items")
        self._table: tuple[np.ndarray, np.ndarray | None] | None = None
        self._blocks: Blocks | None = None

    def recommend(
        self,
        histories: Any,
        k: int = 10,
        exclude_seen: bool = True,
        allowed: Iterable[Id] | None = None,
        *,
        batch_size: int = 256,
    ) -> list[Recommendation]:
        """Recommend items after histories.

        Unknown ids are skipped and counted. A history of no known item gets the most popular items.

        Args:
            histories: one or many: lists of ids, oldest first.
            k: items for each, at most as many as the catalogue has.
            exclude_seen: leave out what stands in the history.
            allowed: ids of the only items that may be recommended; None is all.
            batch_size: histories run at once, at least 1.

        Returns:
            one `Recommendation` for each history.

        Raises:
            ZooTypeError: if an id is neither text nor a whole number.
            ZooValueError: if there is no history, or an argument cannot work.
        """
        return recommend(
            self.preprocessor,
            histories,
            self._rank,
            k=k,
            exclude_seen=exclude_seen,
            allowed=allowed,
            batch_size=batch_size,
        )

    def similar_items(self, item: Id, k: int = 10) -> tuple[Suggestion, ...]:
        """Return the items most like one, by the cosine of their vectors.

        Args:
            item: its id; it is not among the answers.
            k: how many, under the number of items.

        Raises:
            ZooTypeError, ZooValueError: if there is no such item, `k` cannot work, or the bundle has no graph "item".
        """
        if ITEM not in self.graphs:
            raise ZooValueError(f"this bundle has no vectors of items (graph {ITEM!r}), got {', '.join(self.graphs)}")
        return similar(self.preprocessor.index, self._vectors()[0], item, k)

    def records(self, inputs: Sequence[str], k: int = 10) -> Iterable[dict[str, Any]]:
        """Recommend after histories written as text, one dict each: a JSON list, or ids between commas or blanks."""
        histories = [parse_history(one) if isinstance(one, str) else one for one in inputs]
        for history, answer in zip(histories, self.recommend(histories, k)):
            yield {self.preprocessor.noun: history, **answer.record()}

    def _rank(self, arrays: dict[str, np.ndarray], limits: Limits) -> Found:
        if SCORER not in self.graphs:
            return self._by_user(arrays, limits)

        def score(numbers: np.ndarray) -> np.ndarray:
            return self.run({**arrays, CANDIDATES: numbers}, [SCORES], graph=SCORER)[SCORES]

        items = len(self.preprocessor.index)
        return in_two_steps(lambda wide: self._by_user(arrays, wide), score, limits, self._candidates, items)

    def _by_user(self, arrays: dict[str, np.ndarray], limits: Limits) -> Found:
        if not self._gives_vectors:
            return limits.of_scores(self.run(arrays, [LOGITS], graph=USER)[LOGITS])
        if self._blocks is None:
            self._blocks = Blocks(*self._vectors())
        return limits.of_vectors(self.run(arrays, [VECTOR], graph=USER)[VECTOR], self._blocks)

    def _vectors(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Return vectors [items + 1, width] and biases of all items, made once."""
        if self._table is None:
            count = len(self.preprocessor.index) + 1
            names = [name for name in (VECTOR, BIAS) if name in self._outputs[ITEM]]
            parts = [
                self.run(
                    {ITEM: np.arange(start, min(start + VECTORS_AT_ONCE, count), dtype=np.int32)}, names, graph=ITEM
                )
                for start in range(0, count, VECTORS_AT_ONCE)
            ]
            table = {name: np.concatenate([part[name] for part in parts]) for name in names}
            self._table = table[VECTOR], table.get(BIAS)
        return self._table
