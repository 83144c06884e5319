"""The recommender: histories in, what comes next out."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, Self

import keras
import numpy as np

from attention_zoo.data import has_split
from attention_zoo.errors import ZooValueError
from attention_zoo.models.learning import Learning
from attention_zoo.models.recommender import examples as reading
from attention_zoo.models.recommender import judging
from attention_zoo.models.recommender.config import RecommenderConfig
from attention_zoo.models.recommender.examples import Chosen
from attention_zoo.models.recommender.growing import carry_over, grown, tell_features
from attention_zoo.models.recommender.network import build_network, training_network
from attention_zoo.models.recommender.ranking import Ranking
from attention_zoo.models.recommender.training import NOT_FOR_ITEMS, Choice
from attention_zoo.models.task import Task
from attention_zoo.models.teaching import Lesson, card_after, teach
from attention_zoo.recsys import (
    Blocks,
    Histories,
    HistoryPreprocessor,
    ItemFeatures,
    ItemIndex,
    Recommendation,
    Suggestion,
    as_histories,
    recommend,
    similar,
)
from attention_zoo.training import precision, set_seeds

BATCH = 256  # histories answered at once where nothing else is said


class Recommender(Task):
    """Recommend items after what somebody chose.

    Make one by `new`, `load`, or `attention_zoo.load(name)`. A history is a list of ids of items, oldest first, text or
    whole numbers as the user wrote them.
    """

    config_class = RecommenderConfig
    preprocessor_class = HistoryPreprocessor
    config: RecommenderConfig
    verb = "recommend"

    def _forget(self) -> None:
        self._ranking: Ranking | None = None

    @property
    def ranking(self) -> Ranking:
        """What answers with the network."""
        model = self.model
        if self._ranking is None:
            self._ranking = Ranking(model, self.config, self.preprocessor)
        return self._ranking

    @classmethod
    def build(cls, config: RecommenderConfig) -> keras.Model:
        """Build the network of a config, with new weights."""
        return build_network(config)

    @classmethod
    def new(
        cls,
        histories: Any = None,
        catalogue: Iterable[Any] = (),
        *,
        seed: int = 0,
        dtype: str | None = None,
        **config: Any,
    ) -> Self:
        """Make an untrained recommender.

        Args:
            histories: what the catalogue and its counts are learned from; None takes the first data that `fit` sees.
            catalogue: ids of all items there are, chosen or not; with `histories` only.
            seed: of the new weights.
            dtype: dtype policy ("mixed_bfloat16"); None is Keras's current one.
            **config: fields of `RecommenderConfig`.

        Raises:
            ZooValueError: if a field is unknown (with the nearest names) or a value cannot work.
        """
        task = cls(cls.config_class.of(**config), dtype=dtype)
        if histories is not None:
            task._start(Chosen(as_histories(histories), catalogue=list(catalogue)), seed)
        elif list(catalogue):
            raise ZooValueError("catalogue must come with histories, which count its items; got it alone")
        return task

    def _start(self, chosen: Chosen, seed: int) -> None:
        """Learn the catalogue and what is known of it, and build the model with new weights."""
        index = ItemIndex.learn(chosen.histories, chosen.catalogue)
        features = ItemFeatures.learn(index, chosen.catalogue, chosen.columns) if chosen.columns else None
        self._preprocessor = HistoryPreprocessor(index, self.config.length, fixed=False, features=features)
        known = () if features is None else zip(features.names, features.sizes)
        self.config = self.config.change(items=len(index), features=tuple(known))
        set_seeds(seed)
        self._hold(self._built(self.config))
        tell_features(self.network, features)

    def _grow(self, chosen: Chosen, seed: int) -> None:
        """Learn new items, and count all choices; the rows of known items and rules stay as they are."""
        self._preprocessor, self._ranking = grown(self.preprocessor, chosen), None
        items = len(self._preprocessor.index)
        if items > self.config.items:
            self.config = self.config.change(items=items)
            set_seeds(seed)
            network = self._built(self.config)
            carry_over(self.network, network)
            tell_features(network, self._preprocessor.features)
            self._hold(self._ruled(network))

    def check_fit(self) -> None:
        """Check that the preprocessor is the one that the config describes."""
        preprocessor, features = self.preprocessor, self.preprocessor.features
        known = () if features is None else tuple(zip(features.names, features.sizes))
        found = {"items": len(preprocessor.index), "length": preprocessor.length, "features": known}
        for name, value in found.items():
            if getattr(self.config, name) != value:
                raise ZooValueError(f"{name} is {getattr(self.config, name)!r}, but the preprocessor's is {value!r}")
        if preprocessor.padding != "left":
            raise ZooValueError(f"padding of the preprocessor must be 'left', got {preprocessor.padding!r}")

    def _size(self) -> str:
        items = f", {self.config.items:,} items" if self.config.items else ""
        return super()._size() + items

    def fit(
        self,
        data: Any,
        validation: Any = None,
        *,
        epochs: int = 30,
        batch_size: int = 256,
        learning_rate: Any = 1e-3,
        choice: Choice | str = "softmax",
        judged: int = 2000,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        resume_folder: Any = None,
        progress: bool = True,
        **options: Any,
    ) -> dict[str, list[float]]:
        """Train on histories; on an already trained recommender, fine-tune, with new items where the data have some.

        Args:
            data: a Dataset (its "train" split) or Split with a column "history", histories, or the path of a table of
                interactions.
            validation: the same with what came after each history: a Dataset (its "val" split), a Split with a column
                "target", or a tuple (histories, targets); None takes the "val" split where `data` has one, False none.
            epochs: how often all data is seen.
            batch_size: histories a step.
            learning_rate: the largest rate, or a Keras schedule.
            choice: how right items are told from others: "softmax" over all items, "sampled_softmax", "bce", or a
                `models.recommender.training.Choice` with its numbers.
            judged: validation histories after which the whole catalogue is ranked at the end of each epoch, at most;
                0 leaves out `val_recall@10` and `val_ndcg@10`.
            callbacks: any Keras callbacks.
            resume_folder: folder of a checkpoint after each epoch; a training that finds one there goes on from it.
            progress: whether to print a line an epoch (after two seconds).
            **options: fields of `models.learning.Learning` (schedule, warmup, weight_decay, clip, averaging, smoothing,
                patience, monitor, optimizer, seed ...), and `jit_compile`, `steps_per_epoch` ... for Keras.

        Returns:
            {measure: [value per epoch]}.

        Raises:
            ZooValueError, ZooTypeError, ZooFileError: if data or an option cannot work; says which.
        """
        chosen = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate, **options}
        learning, passed = Learning.split(chosen)
        for name in NOT_FOR_ITEMS:
            if getattr(learning, name):
                raise ZooValueError(f"{name} must be left out for a recommender, got {getattr(learning, name)!r}")
        choice = Choice(choice) if isinstance(choice, str) else choice
        data = reading.opened(data)
        train = reading.read_chosen(data)
        if validation is None and has_split(data, "val") and len(data["val"]):
            validation = data
        held = None if validation in (None, False) else reading.read_judged(validation, "val")
        if self._model is None:
            self._start(train, learning.seed)
        else:
            self._grow(train, learning.seed)
        lesson = Lesson(learning, passed, tuple(callbacks), resume_folder, progress)
        history = self._teach(train, held, choice, lesson, judged)
        self.card = card_after(self.card, self.config, train.origin, learning.seed)
        return history

    def _teach(
        self, train: Chosen, held: Chosen | None, choice: Choice, lesson: Lesson, judged: int
    ) -> dict[str, list[float]]:
        config, learning, index = self.config, lesson.learning, self.preprocessor.index
        losses = choice.losses(config, learning.smoothing)
        batches = choice.batches(config, learning, self._numbers(train.histories), index.counts)
        validation = None
        if held is not None:
            numbers, targets = self._numbers(held.histories), index.lookup(list(held.targets))
            validation = choice.batches(config, learning, numbers, index.counts, targets)
            judges = [judging.NextItemJudge(self.ranking, numbers, targets, judged)] if judged else []
            lesson = dataclasses.replace(lesson, callbacks=(*judges, *lesson.callbacks))
        with precision(self.dtype):
            model = training_network(self.model, config, choice.loss, choice.drawn)
        return teach(model, batches, validation, losses, {}, lesson)

    def _numbers(self, histories: Histories) -> Histories:
        """Return histories of ids as numbers; whole numbers that are the numbers already are left where they lie."""
        index = self.preprocessor.index
        if histories.values.dtype.kind in "iu" and index.ids == tuple(range(1, len(index) + 1)):
            return histories
        return index.numbers(histories)[0]

    def evaluate(
        self, data: Any, *, split: str = "test", ks: Sequence[int] = judging.KS, batch_size: int = BATCH
    ) -> dict[str, float]:
        """Judge the recommender by the rank of what came next among all items; no negatives are drawn.

        Args:
            data: as `validation` of `fit`.
            split: which split of a Dataset.
            ks: cut-offs of recall and ndcg.
            batch_size: histories scored at once at most.

        Returns:
            recall@k, ndcg@k, mrr, coverage@10, popularity_bias@10 and users; see `recsys.Evaluation`. What was seen is
            left out; cold users get popular items; a target that the catalogue lacks is a miss.

        Raises:
            ZooValueError, ZooTypeError, ZooFileError: if the data cannot work.
        """
        judged = reading.read_judged(data, split)
        index = self.preprocessor.index
        targets = index.lookup(list(judged.targets))
        numbers = self._numbers(judged.histories)
        return judging.evaluate(self.ranking.scores, index.counts, numbers, targets, ks, batch_size)

    def recommend(
        self,
        histories: Any,
        k: int = 10,
        exclude_seen: bool = True,
        allowed: Iterable[Any] | None = None,
        *,
        batch_size: int = BATCH,
        retriever: Any = None,
    ) -> list[Recommendation]:
        """Recommend items after histories.

        Items are searched by blocks, so that users x items is never held. Unknown ids are skipped and counted; a
        history without any known one gets popular items.

        Args:
            histories: one or many lists of ids, oldest first; the newest `length` are read.
            k: items for each, at most as many as the catalogue has.
            exclude_seen: leave out what stands anywhere in the history.
            allowed: ids of the only items that may be recommended; None is all.
            batch_size: histories run at once, at least 1.
            retriever: what searches the table of items, made once for many calls: what `retriever()` returned, or a
                `recsys.FaissIndex` of `item_vectors`. None reads the table anew, as weights may have changed.

        Returns:
            One `recsys.Recommendation` for each history, in order.

        Raises:
            ZooTypeError, ZooValueError: if a history, an id or a number cannot work.
        """
        ranking = self.ranking
        searched = self.retriever() if retriever is None else retriever

        def rank(arrays: dict[str, np.ndarray], limits: Any) -> tuple[np.ndarray, np.ndarray]:
            return ranking.best(searched, arrays, limits)

        options = {"k": k, "exclude_seen": exclude_seen, "allowed": allowed, "batch_size": batch_size}
        return recommend(self.preprocessor, histories, rank, **options)

    def predict(self, histories: Any, **options: Any) -> list[Recommendation]:
        """Recommend items: the verb that all families have; see `recommend`."""
        return self.recommend(histories, **options)

    def similar_items(self, item: Any, k: int = 10) -> tuple[Suggestion, ...]:
        """Return the items most like one, by the cosine of their vectors.

        Args:
            item: its id.
            k: how many, under the number of items.

        Raises:
            ZooTypeError, ZooValueError: if there is no such item (names the nearest), or `k` cannot work.
        """
        return similar(self.preprocessor.index, self.item_vectors, item, k)

    @property
    def item_vectors(self) -> np.ndarray:
        """What items are scored with, float32 [items + 1, width], by number; row 0 is that of padding."""
        return self.ranking.item_vectors()

    def retriever(self) -> Blocks:
        """Return what searches the table of items as it is now, exactly and by blocks; serves many calls."""
        return Blocks(self.item_vectors)

    def explain(self, history: Sequence[Any], item: Any = None) -> Any:
        """Say which past items moved a recommendation.

        Args:
            history: one list of ids, oldest first; the newest `length` are read.
            item: whose score is explained, any id of the catalogue; None takes the best that was not seen.

        Returns:
            A `HistoryExplanation`, to be saved as .html, .png, .svg or .json: for each item of the history how much the
            network looked at it, and how far the score falls when the history is without it.

        Raises:
            ZooTypeError, ZooValueError: if an id cannot work, there are several histories, or none of its items is
                known.

        Cost: a run of the network for each item of the history, at once.
        """
        # Imported here: it brings the drawing parts, which recommendations can do without.
        from attention_zoo.models.recommender.explaining import explained

        return explained(self, history, item)

    def network_inputs(self, inputs: Any) -> dict[str, np.ndarray]:
        """Return what the network reads of histories; a ranker beside them the item that each recommends."""
        from attention_zoo.models.recommender.explaining import read_with

        best = [each.items[0] for each in self.recommend(inputs, 1)] if self.config.ranks else None
        return read_with(self, inputs, best)

    def answered(self, given: Sequence[Any], answer: Any = None) -> Any:
        """Return the id of the item whose recommendation is to be explained: what is asked for, else the best."""
        return self.recommend(given, 1)[0].items[0] if answer is None else answer

    def trial(self, given: Sequence[Any], answer: Any, method: str) -> Any:
        """Return what an explanation calls important, item by item, and how versions of a history are scored."""
        from attention_zoo.models.recommender import hiding

        return hiding.trial(self, given, answer, method)

    @property
    def returns(self) -> str:
        """What the outputs of the exported graphs are, for a person who runs them by other means."""
        told = (
            "of `user`: `vector`, float32 [batch, width]; of `item`: `vector`, float32 [batch, width], the product of "
        )
        told += (
            "both is an item's score; of `catalogue`: `logits`, float32 [batch, items + 1], all scores by number (0 "
        )
        told += "says nothing)"
        return told + ("; of `scorer`: `scores`, float32 [batch, candidate]" if self.config.ranks else "")

    def settings(self) -> dict[str, Any]:
        """Return what the description of a bundle holds beside its graphs."""
        own = {"network": self.config.network, "candidates": self.config.candidates if self.config.ranks else 0}
        return {**super().settings(), **own}

    def graphs(self) -> dict[str, Any]:
        """Return the graphs that an export writes."""
        from attention_zoo.models.recommender.graphs import recommender_graphs

        return recommender_graphs(self.model, self.config.items, self.probes())
