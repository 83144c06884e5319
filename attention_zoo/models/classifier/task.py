"""What all classifiers do alike: raw inputs in, answers out; a family adds what it reads and its network."""

import abc
import warnings
from collections.abc import Sequence
from typing import Any, Self

import keras
import numpy as np

from attention_zoo.answers import Answer, decide, sigmoid, softmax
from attention_zoo.checks import whole_number
from attention_zoo.data import has_split
from attention_zoo.errors import unknown
from attention_zoo.models.classifier import examples as reading
from attention_zoo.models.classifier import judging
from attention_zoo.models.classifier.backbone import described, take_weights
from attention_zoo.models.classifier.examples import Examples
from attention_zoo.models.classifier.head import LOGITS
from attention_zoo.models.classifier.training import prior_bias, teach
from attention_zoo.models.classifier.watching import BATCH, Watching
from attention_zoo.models.learning import Learning
from attention_zoo.models.task import arrays
from attention_zoo.models.teaching import Lesson, card_after
from attention_zoo.training import set_seeds


class Classifier(Watching):
    """Classify inputs by one label each, or by any number of labels.

    A family says what it reads (`raw`), how its preprocessor comes from the first data (`learn_inputs`), how inputs
    become batches (`batches`), and builds its network, which ends in `head.classify`.
    """

    _given: Any = None  # a backbone with weights, until a model takes them over

    @property
    def returns(self) -> str:
        """What the outputs of the exported graph are, for a person who runs it by other means."""
        return f"`output`: logits, float32 [batch, {len(self.labels)} labels]"

    def _size(self) -> str:
        return f"{len(self.labels)} labels, {super()._size()}"

    @abc.abstractmethod
    def learn_inputs(self, inputs: Sequence) -> None:
        """Make the preprocessor, from the inputs of a training where it needs any."""

    @classmethod
    def _new(cls, labels: Any, inputs: Sequence | None, seed: int, dtype: str | None, config: dict[str, Any]) -> Self:
        """Make an untrained classifier; its model is built where labels and preprocessor can be known already."""
        if labels is not None:
            config["labels"] = (labels,) if isinstance(labels, str) else tuple(labels)
        config, given = described(config)
        task = cls(cls.config_class.of(**config), dtype=dtype)
        task._given = given
        if inputs is not None:
            task.learn_inputs(inputs)
        if task.labels and task._preprocessor is not None:
            task._start(seed)
        return task

    def _start(self, seed: int) -> None:
        """Build the model with new weights; rules stay."""
        set_seeds(seed)
        self._hold(self._ruled(self._built(self.config)))
        if self._given is not None:
            take_weights(self.network, self._given)
            self._given = None

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
            data: a Dataset (its "train" split), a Split, (inputs, labels), a path (texts: of a .csv, .tsv or .jsonl
                table; images: of such a table or of a folder with a folder for each label), or what `keras.Model.fit`
                takes: (arrays, targets), PyDataset, tf.data, torch DataLoader of such pairs.
            validation: the same; None takes the "val" split where `data` is a Dataset that has one, False takes none.
            epochs: how often all data is seen.
            batch_size: examples a step.
            learning_rate: the largest rate, or a Keras schedule.
            callbacks: any Keras callbacks.
            resume_folder: folder of a checkpoint after each epoch; a training that finds one there goes on from it.
            progress: whether to print a line an epoch (after two seconds).
            **options: fields of `models.learning.Learning` (schedule, warmup, weight_decay, clip, averaging, smoothing,
                balance, augment, patience, optimizer, loss, seed ...), and `class_weight`, `jit_compile`,
                `steps_per_epoch` ... for Keras.

        Returns:
            {measure: [value per epoch]}.

        Raises:
            ZooValueError, ZooTypeError, ZooFileError: if data, labels or an option cannot work; says which.
        """
        chosen = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate, **options}
        learning, passed = Learning.split(chosen)
        train = self._read(data, "train")
        if validation is None and has_split(data, "val"):
            validation = data
        held = None if validation in (None, False) else self._read(validation, "val")
        if train is not None:
            self._prepare(train, held, learning.seed)
        lesson = Lesson(learning, passed, tuple(callbacks), resume_folder, progress)
        train_batches = data if train is None else self._batches(train, learning, shuffle=True)
        if held is not None:
            validation = self._batches(held, learning, shuffle=False)
        validation = None if validation is False else validation
        history = self._teach(train_batches, validation, lesson)
        if validation is not None and learning.calibrate:
            self.config = judging.calibrated(self.config, *judging.judge_batches(self.answering, validation))
        self.card = card_after(self.card, self.config, train.source if train else None, learning.seed)
        return history

    def _teach(self, train: Any, validation: Any, lesson: Lesson) -> dict[str, list[float]]:
        """Train the model on batches, or on what Keras reads, and return its history."""
        return teach(self.model, train, validation, self.config, lesson)

    def _prepare(self, train: Examples, held: Examples | None, seed: int) -> None:
        """Make ready for the labels of the training data; change nothing before all labels are found to fit."""
        changed = not reading.found_labels(train) <= set(self.labels) or train.multi_label != self.config.multi_label
        for part in (train, held):
            if part is not None:
                reading.check_labels(part, train.names if changed else self.labels, train.multi_label)
        if changed:
            self._take_labels(train, seed)
        if self._preprocessor is None:
            self.learn_inputs(train.inputs)
        if self._model is None:
            self._start(seed)
            if self.config.multi_label:
                prior_bias(self.network.get_layer(LOGITS), reading.targets(train, self.labels))

    def _take_labels(self, train: Examples, seed: int) -> None:
        """Take over the labels of the data, with a new last layer where there is a model already."""
        before, old = self.labels, None if self._model is None else self.network
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
        for weight in self.network.weights:
            if not weight.path.startswith(f"{LOGITS}/"):
                weight.assign(weights[weight.path])
                continue
            value = keras.ops.convert_to_numpy(weight.value).copy()
            for label in kept:
                value[..., train.names.index(label)] = weights[weight.path][..., before.index(label)]
            weight.assign(value)

    def evaluate(self, data: Any, *, split: str = "test", batch_size: int = 64) -> dict[str, float | None]:
        """Judge the classifier.

        Args:
            data: as for `fit`.
            split: which split of a Dataset.
            batch_size: inputs run at once.

        Returns:
            accuracy; macro, micro and weighted precision, recall, F1 and ROC AUC; nll and calibration_error where each
            input has one label. Several labels are given where they pass their thresholds.

        Raises:
            ZooValueError: if a label is unknown, or inputs or labels cannot work.
            ZooImportError: if scikit-learn (extra `train`) is missing.
        """
        part = self._read(data, split)
        if part is not None:
            data = self._batches(part, Learning(batch_size=batch_size), shuffle=False)
        return judging.measures(*judging.judge_batches(self.answering, data), self.config)

    def logits(self, inputs: Any, batch_size: int = BATCH) -> np.ndarray:
        """Return the logits of inputs, float32 [inputs, labels].

        Args:
            inputs: as for `predict`.
            batch_size: inputs run at once.

        Raises:
            ZooTypeError, ZooValueError: as `predict`.
        """
        model = self.answering
        learning = Learning(batch_size=whole_number("batch_size", batch_size, unit=f"{self.raw.noun}s run at once"))
        return judging.logits_of(model, self.batches(self.raw.items(inputs), None, learning, shuffle=False))

    def predict(self, inputs: Any, all_scores: bool = False, *, batch_size: int = BATCH) -> list[Answer]:
        """Classify inputs.

        Args:
            inputs: what the family reads, one or many; texts: strings, or bytes that are UTF-8; images: paths, bytes,
                PIL images, arrays.
            all_scores: True also gives each label's probability.
            batch_size: inputs run at once.

        Returns:
            One `Answer` an input, in order.

        Raises:
            ZooTypeError: if something is nothing that the family reads.
            ZooValueError: if there is no input, one is empty or damaged, or `batch_size` is under 1.
        """
        return self._decide(self.logits(inputs, batch_size), all_scores)

    def _decide(self, logits: np.ndarray, all_scores: bool) -> list[Answer]:
        names = ("labels", "multi_label", "thresholds", "temperature")
        return decide(logits, **{name: getattr(self.config, name) for name in names}, all_scores=all_scores)

    def answered(self, given: Any, answer: str | None = None) -> str:
        """Return the label that is to be explained: the one that is asked for, else the best."""
        if answer is None:
            scores = self.predict([given], all_scores=True)[0].scores
            answer = max(scores, key=scores.get)
        return self._wanted_labels(answer)[0]

    def chances(self, logits: np.ndarray, label: str) -> np.ndarray:
        """Return the probability of a label.

        Args:
            logits: [versions, labels].
            label: a known one.

        Returns:
            [versions].
        """
        scaled = np.asarray(logits, np.float64) / self.config.temperature
        found = sigmoid(scaled) if self.config.multi_label else softmax(scaled)
        return found[:, self.labels.index(label)]

    def _wanted_labels(self, labels: Any) -> list[str] | None:
        """Return the labels that an explanation is asked for; None where it shall choose."""
        labels = [labels] if isinstance(labels, str) else None if labels is None else list(labels)
        for label in labels or ():
            if label not in self.labels:
                raise unknown("label", label, self.labels)
        return labels
