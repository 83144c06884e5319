"""The text classifier: raw strings in, answers out."""

import dataclasses
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, Self

import keras
import numpy as np

from attention_zoo.answers import Answer, decide
from attention_zoo.core.numbers import whole_number
from attention_zoo.errors import ZooValueError, unknown
from attention_zoo.models.learning import Learning
from attention_zoo.models.task import Task, arrays
from attention_zoo.models.text_classifier import examples as reading
from attention_zoo.models.text_classifier import judging
from attention_zoo.models.text_classifier.config import TextClassifierConfig
from attention_zoo.models.text_classifier.examples import Examples
from attention_zoo.models.text_classifier.network import LOGITS, build_network
from attention_zoo.models.text_classifier.training import Lesson, card_after, prior_bias, teach
from attention_zoo.text import TextPreprocessor
from attention_zoo.text.strings import as_text, as_texts
from attention_zoo.training import Batches, set_seeds

BATCH = 32  # texts run at once where nothing else is said


class TextClassifier(Task):
    """Classify texts by one label each, or by any number of labels.

    Make one by `new`, `load`, or `attention_zoo.load(name)`.
    """

    config_class = TextClassifierConfig
    preprocessor_class = TextPreprocessor

    @classmethod
    def build(cls, config: TextClassifierConfig) -> keras.Model:
        """Build the network of a config, with new weights."""
        return build_network(config)

    @classmethod
    def new(
        cls,
        labels: Iterable[str] | None = None,
        texts: Iterable[str] | None = None,
        *,
        seed: int = 0,
        dtype: str | None = None,
        **config: Any,
    ) -> Self:
        """Make an untrained classifier.

        Args:
            labels: names, in the order of the logits; None takes those of the first data that `fit` sees.
            texts: what the tokenizer is trained on; None takes the texts of the first data that `fit` sees.
            seed: of the new weights.
            dtype: dtype policy ("mixed_bfloat16"); None is Keras's current one.
            **config: fields of `TextClassifierConfig`.

        Raises:
            ZooValueError: if a field is unknown (with the nearest names) or a value cannot work.
        """
        if labels is not None:
            config["labels"] = (labels,) if isinstance(labels, str) else tuple(labels)
        task = cls(TextClassifierConfig.of(**config), dtype=dtype)
        if texts is not None:
            task._learn_tokens(as_texts(texts))
        if task.labels and texts is not None:
            task._start(seed)
        return task

    def check_fit(self) -> None:
        """Check that the preprocessor is the one that the config describes."""
        found = {"vocabulary_size": self.preprocessor.vocabulary_size, "layout": self.preprocessor.layout}
        for name, value in found.items():
            if getattr(self.config, name) != value:
                raise ZooValueError(f"{name} is {getattr(self.config, name)!r}, but the preprocessor's is {value!r}")

    def _learn_tokens(self, texts: Sequence[str]) -> None:
        """Train the tokenizer."""
        config = self.config
        self._preprocessor = TextPreprocessor.train(
            texts,
            kind=config.tokens,
            vocabulary_size=config.vocabulary_size,
            lowercase=config.lowercase,
            max_length=config.max_length,
            layout=config.layout,
            max_sentences=config.max_sentences,
            min_frequency=config.min_frequency,
        )
        self.config = config.change(vocabulary_size=self._preprocessor.vocabulary_size)

    def _start(self, seed: int) -> None:
        """Build the model with new weights."""
        set_seeds(seed)
        self._model = self._built(self.config)

    def fit(
        self,
        data: Any,
        validation: Any = None,
        *,
        epochs: int = 10,
        batch_size: int = 32,
        learning_rate: Any = 1e-3,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        resume_folder: Any = None,
        progress: bool = True,
        **options: Any,
    ) -> dict[str, list[float]]:
        """Train on data; on an already trained classifier, fine-tune.

        Labels that the classifier does not know replace its last layer (rows of labels that it does know are kept), and
        a warning says so. With validation data the temperature (several labels: the thresholds) is set at the end.

        Args:
            data: a Dataset (its "train" split), a Split, (texts, labels), the path of a .csv, .tsv or .jsonl table, or
                what `keras.Model.fit` takes: (token ids, targets), PyDataset, tf.data, torch DataLoader of such pairs.
            validation: the same; None takes the "val" split where `data` is a Dataset that has one, False takes none.
            epochs: how often all data is seen.
            batch_size: texts a step.
            learning_rate: the largest rate, or a Keras schedule.
            callbacks: any Keras callbacks.
            resume_folder: folder of a checkpoint after each epoch; a training that finds one there goes on from it.
            progress: whether to print a line an epoch (after two seconds).
            **options: fields of `models.learning.Learning` (schedule, warmup, weight_decay, clip, averaging, smoothing,
                balance, patience, optimizer, loss, seed ...), and `class_weight`, `jit_compile`, `steps_per_epoch` ...
                for Keras.

        Returns:
            {measure: [value per epoch]}.

        Raises:
            ZooValueError, ZooTypeError, ZooFileError: if data, labels or an option cannot work; says which.
        """
        chosen = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate, **options}
        learning, passed = Learning.split(chosen)
        train = reading.read_examples(data)
        if validation is None and reading.has_split(data, "val"):
            validation = data
        held = None if validation in (None, False) else reading.read_examples(validation, "val")
        if train is not None:
            self._prepare(train, held, learning.seed)
        lesson = Lesson(learning, passed, tuple(callbacks), resume_folder, progress)
        train_batches = data if train is None else self._batches(train, learning, shuffle=True)
        if held is not None:
            validation = self._batches(held, learning, shuffle=False)
        validation = None if validation is False else validation
        history = teach(self.model, train_batches, validation, self.config, lesson)
        if validation is not None and learning.calibrate:
            self.config = judging.calibrated(self.config, *judging.judge_batches(self.model, validation))
        self.card = card_after(self.card, self.config, train.source if train else None, learning.seed)
        return history

    def _prepare(self, train: Examples, held: Examples | None, seed: int) -> None:
        """Make ready for the labels of the training data; change nothing before all labels are found to fit."""
        changed = not reading.found_labels(train) <= set(self.labels) or train.multi_label != self.config.multi_label
        for part in (train, held):
            if part is not None:
                reading.check_labels(part, train.names if changed else self.labels, train.multi_label)
        if changed:
            self._take_labels(train, seed)
        if self._preprocessor is None:
            self._learn_tokens(train.texts)
        if self._model is None:
            self._start(seed)
            if self.config.multi_label:
                prior_bias(self._model.get_layer(LOGITS), reading.targets(train, self.labels))

    def _take_labels(self, train: Examples, seed: int) -> None:
        """Take over the labels of the data, with a new last layer where there is a model already."""
        before, old = self.labels, self._model
        self.config = self.config.change(
            labels=train.names, multi_label=train.multi_label, thresholds=None, temperature=1.0
        )
        if not before:
            return
        kept = [label for label in train.names if label in before]
        warnings.warn(
            f"the labels changed, so the last layer is new: {len(train.names)} labels in place of {len(before)}, "
            f"{len(kept)} of them known before",
            UserWarning,
            stacklevel=4,
        )
        if old is None:
            return
        self._start(seed)
        weights = dict(arrays(old))
        for weight in self._model.weights:
            if not weight.path.startswith(f"{LOGITS}/"):
                weight.assign(weights[weight.path])
                continue
            value = keras.ops.convert_to_numpy(weight.value).copy()
            for label in kept:
                value[..., train.names.index(label)] = weights[weight.path][..., before.index(label)]
            weight.assign(value)

    def _batches(self, part: Examples, learning: Learning, shuffle: bool) -> Batches:
        """Return texts as batches of token ids and targets."""
        reading.check_labels(part, self.labels, self.config.multi_label)
        return Batches(
            reading.rows(self.preprocessor, part.texts),
            reading.targets(part, self.labels),
            batch_size=learning.batch_size,
            seed=learning.seed,
            shuffle=shuffle,
            longest=self.preprocessor.max_length,
        )

    def evaluate(self, data: Any, *, split: str = "test", batch_size: int = 64) -> dict[str, float | None]:
        """Judge the classifier.

        Args:
            data: as for `fit`.
            split: which split of a Dataset.
            batch_size: texts run at once.

        Returns:
            accuracy; macro, micro and weighted precision, recall, F1 and ROC AUC; nll and calibration_error where each
            text has one label. Several labels are given where they pass their thresholds.

        Raises:
            ZooValueError: if a label is unknown, or texts or labels cannot work.
            ZooImportError: if scikit-learn (extra `train`) is missing.
        """
        part = reading.read_examples(data, split)
        if part is not None:
            data = self._batches(part, Learning(batch_size=batch_size), shuffle=False)
        return judging.measures(*judging.judge_batches(self.model, data), self.config)

    def logits(self, texts: str | Iterable[str], batch_size: int = BATCH) -> np.ndarray:
        """Return the logits of texts, float32 [texts, labels].

        Args:
            texts: strings, or bytes that are UTF-8; a single one is a batch of one.
            batch_size: texts run at once.

        Raises:
            ZooTypeError: if something is no string.
            ZooValueError: if there is no text, one is blank or not UTF-8, or `batch_size` is under 1.
        """
        whole_number("batch_size", batch_size, 1, "texts run at once")
        model, rows = self.model, reading.rows(self.preprocessor, as_texts(texts))
        return judging.logits_of(model, rows, self.preprocessor.max_length, batch_size)

    def predict(self, texts: str | Iterable[str], all_scores: bool = False, *, batch_size: int = BATCH) -> list[Answer]:
        """Classify texts.

        Args:
            texts: strings, or bytes that are UTF-8; a single one is a list of one.
            all_scores: True also gives each label's probability.
            batch_size: texts run at once.

        Returns:
            One `Answer` a text, in order.

        Raises:
            ZooTypeError: if something is no string.
            ZooValueError: if there is no text, one is blank or not UTF-8, or `batch_size` is under 1.
        """
        return self._decide(self.logits(texts, batch_size), all_scores)

    def _decide(self, logits: np.ndarray, all_scores: bool) -> list[Answer]:
        names = ("labels", "multi_label", "thresholds", "temperature")
        return decide(logits, **{name: getattr(self.config, name) for name in names}, all_scores=all_scores)

    def explain(self, text: str, labels: Iterable[str] | None = None) -> Any:
        """Say where the classifier looked in a text, and what each token does to the scores.

        Args:
            text: one string.
            labels: the labels whose scores are explained; None takes the three best.

        Returns:
            An `Explanation`, to be saved as .html, .png, .svg or .json. Attention is not a reason by itself (Jain,
            Wallace 2019, arXiv:1902.10186), so it also holds the effects: how far a label's score falls when a token
            is masked.

        Raises:
            ZooTypeError, ZooValueError: if the text cannot work or a label is unknown.

        Cost: one run of the model for each token.
        """
        # Imported here: it brings the drawing parts, which predictions can do without.
        from attention_zoo.models.text_classifier import explaining

        text = as_text(text, "text")
        labels = [labels] if isinstance(labels, str) else None if labels is None else list(labels)
        for label in labels or ():
            if label not in self.labels:
                raise unknown("label", label, self.labels)
        token_ids = self.preprocessor([text])["token_ids"]
        tokens = self.preprocessor.tokens(text)
        logits = explaining.masked_logits(self.model, token_ids, tokens)
        answer = self._decide(logits[:1], all_scores=True)[0]
        effects = explaining.effects_of(logits, self.config)
        chosen = explaining.chosen_labels(answer, labels, self.labels)
        maps = explaining.maps_of(self.model, token_ids)
        return explaining.explanation(
            text,
            tokens,
            dataclasses.replace(answer, scores=None),
            maps,
            {label: effects[self.labels.index(label)] for label in chosen},
            token_ids.shape[1:],
        )
