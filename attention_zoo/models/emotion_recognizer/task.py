"""The emotion recognizer: image, audio and text in, any of them missing, answers out."""

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Self

import keras
import numpy as np

from attention_zoo.answers import Answer, decide
from attention_zoo.audio.augmenting import SpecAugment
from attention_zoo.calibrate.capture import capture, output_name
from attention_zoo.calibrate.reweight import apart
from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooValueError
from attention_zoo.models.classifier import Classifier, judging
from attention_zoo.models.classifier import examples as reading
from attention_zoo.models.classifier.watching import BATCH
from attention_zoo.models.emotion_recognizer import examples
from attention_zoo.models.emotion_recognizer.config import LABEL, OUTPUT, EmotionRecognizerConfig
from attention_zoo.models.emotion_recognizer.examples import TaskExamples
from attention_zoo.models.emotion_recognizer.network import MAIN, build_network
from attention_zoo.models.emotion_recognizer.training import teach_tasks
from attention_zoo.models.emotion_recognizer.weighing import ModalityWeights, weigh
from attention_zoo.models.learning import Learning
from attention_zoo.models.teaching import Lesson
from attention_zoo.multimodal import FIELDS, MultimodalPreprocessor
from attention_zoo.multimodal.kinds import CONVERSATION, FEATURES, SOUND, steps_of
from attention_zoo.training import RowBatches

MASKED_SHARE = 27 / 80  # of the bands: the widest mask that SpecAugment was published with
VECTORS_MULTIPLE = 8  # vectors


class EmotionRecognizer(Classifier):
    """Tell the emotion of a row of image, audio and text, any of which may be missing.

    Make one by `new`, `load`, or `attention_zoo.load(name)`. Rows are a dict of lists, a list of dicts, or a Split; see
    `attention_zoo.multimodal.as_rows`. Beside emotions it may tell other things of a row (`tasks`); then `fit` takes
    (rows, {"label": a list, task: a list ...}), or data with a column for each task.
    """

    config_class = EmotionRecognizerConfig
    preprocessor_class = MultimodalPreprocessor
    raw = examples.RAW
    config: EmotionRecognizerConfig
    _answering: tuple[keras.Model, keras.Model] | None = None

    @classmethod
    def build(cls, config: EmotionRecognizerConfig) -> keras.Model:
        """Build the network of a config, with new weights."""
        return build_network(config)

    @classmethod
    def new(
        cls,
        labels: Iterable[str] | None = None,
        rows: Any = None,
        *,
        seed: int = 0,
        dtype: str | None = None,
        **config: Any,
    ) -> Self:
        """Make an untrained recognizer.

        Args:
            labels: names, in the order of the logits; None takes those of the first data that `fit` sees.
            rows: what vocabulary and statistics are learned from; None takes the rows of the first data that `fit`
                sees.
            seed: of the new weights.
            dtype: dtype policy ("mixed_bfloat16"); None is Keras's current one.
            **config: fields of `EmotionRecognizerConfig`.

        Raises:
            ZooValueError: if a field is unknown (with the nearest names) or a value cannot work.
        """
        if rows is not None:
            rows = cls.raw.items(examples.narrowed(rows, config.get("modalities", ())))
        return cls._new(labels, rows, seed, dtype, config)

    def check_fit(self) -> None:
        """Check that the preprocessor is the one that the config describes."""
        wanted, found = self.config.settings().to_dict(), self.preprocessor.settings.to_dict()
        for name, value in wanted.items():
            if found[name] != value:
                raise ZooValueError(f"{name} is {value!r}, but the preprocessor's is {found[name]!r}")

    def learn_inputs(self, inputs: Sequence) -> None:
        """Learn vocabulary and statistics; without modalities in the config, take those that occur."""
        settings = self.config.settings().to_dict()
        if not self.config.modalities:
            settings.pop("modalities")
        self._preprocessor = MultimodalPreprocessor.learn(inputs, **settings)
        learned = self._preprocessor.settings
        self.config = self.config.change(**{name: getattr(learned, name) for name in FIELDS})

    @property
    def answering(self) -> keras.Model:
        """The model from arrays to the logits of the labels alone; of a single task the model itself."""
        model = self.model
        if not self.config.tasks:
            return model
        if self._answering is None or self._answering[0] is not model:
            network, ruled = apart(model)
            part = keras.Model(network.input, network.get_layer(OUTPUT).output, name="answering")
            self._answering = (model, ruled(part))
        return self._answering[1]

    def _read(self, data: Any, split: str) -> TaskExamples | None:
        return examples.read_tasks(data, split, tuple(self.config.task_labels), self.config.modalities)

    def _rows(self, inputs: Any) -> Sequence:
        """Check what a user gave as inputs, and return it as rows."""
        return self.raw.items(examples.narrowed(inputs, self.config.modalities))

    def logits(self, inputs: Any, batch_size: int = BATCH) -> np.ndarray:
        """Return the logits of rows, float32 [rows, labels]; see `Classifier.logits`."""
        return super().logits(examples.narrowed(inputs, self.config.modalities), batch_size)

    def _prepare(self, train: TaskExamples, held: TaskExamples | None, seed: int) -> None:
        tasks = examples.known_labels(self.config.task_labels, train)
        for part in (train, held):
            if part is not None:
                examples.check_tasks(part, tasks)
        self.config = self.config.change(tasks=tasks)
        super()._prepare(train, held, seed)

    def _batches(self, part: TaskExamples, learning: Learning, shuffle: bool) -> RowBatches:
        reading.check_labels(part, self.labels, self.config.multi_label)
        tasks = self.config.task_labels
        examples.check_tasks(part, tasks)
        targets = {OUTPUT: reading.targets(part, self.labels), **examples.task_targets(part, tasks)}
        return self.batches(part.inputs, targets, learning, shuffle)

    def batches(self, inputs: Sequence, targets: Any, learning: Learning, shuffle: bool) -> RowBatches:
        """Return rows as padded batches: each row is read once, and those of a conversation stay together.

        Args:
            inputs: rows.
            targets: by output, "logits" for the labels; or None.
            learning: has batch_size, seed and, where `shuffle`, augment.
            shuffle: True for a training, whose rows are kept in 16 bits a number.
        """
        encoded = self.preprocessor.encode(inputs)
        augment = self._augment(learning.augment) if shuffle else {}
        others = {name: column for name, column in (targets or {}).items() if name != OUTPUT}
        return self._cut(
            [_in_half(row) for row in encoded] if shuffle else encoded,
            learning,
            targets=(targets or {}).get(OUTPUT),
            others=others,
            shuffle=shuffle,
            augment=augment,
        )

    def _cut(
        self,
        encoded: Sequence[dict[str, Any]],
        learning: Learning,
        shown: Collection[str] | None = None,
        **options: Any,
    ) -> RowBatches:
        """Cut encoded rows into batches; with `shown` only these modalities are there, in arrays of one shape."""
        talks = self.config.context != "none"

        def arrays(rows: Sequence[dict[str, Any]], widths: Mapping[str, int]) -> dict[str, np.ndarray]:
            batch = self.preprocessor.arrays(rows, widths)
            for name in self.config.modalities:
                if shown is not None and name not in shown:
                    batch[steps_of(name)] = np.zeros_like(batch[steps_of(name)])
            return batch

        return RowBatches(
            encoded,
            arrays,
            multiples={name: self._multiple(name) for name in self.config.modalities},
            groups=[row.get(CONVERSATION) for row in encoded] if talks else None,
            batch_size=learning.batch_size,
            seed=learning.seed,
            **options,
        )

    def _multiple(self, modality: str) -> int:
        """Return to which the steps of a modality are rounded up, so that few shapes are compiled."""
        least = VECTORS_MULTIPLE if self.config.kind(modality) == FEATURES else 1
        return max(self.preprocessor.readers[modality].multiple, least)

    def _augment(self, augment: Any) -> dict[str, Any]:
        """Return what is done to each modality while training."""
        if augment is None or augment is False:
            return {}
        if "audio" not in self.config.modalities or self.config.audio != SOUND:
            raise ZooValueError("augment is for recorded sounds, which this model does not read; leave it out")
        if augment is True:
            augment = SpecAugment(frequency_width=max(round(MASKED_SHARE * self.config.mels), 1))
        return {"audio": augment}

    def _teach(self, train: Any, validation: Any, lesson: Lesson) -> dict[str, list[float]]:
        if not self.config.tasks:
            return super()._teach(train, validation, lesson)
        return teach_tasks(self.model, train, validation, self.config, lesson)

    def evaluate(self, data: Any, *, split: str = "test", batch_size: int = 64) -> dict[str, float | None]:
        """Judge the recognizer; measures of other tasks have the task's name before them ("sex_accuracy").

        Args:
            data: as for `fit`.
            split: which split of a Dataset.
            batch_size: rows run at once.

        Returns:
            The measures of `Classifier.evaluate`; of data that Keras reads, those of the labels alone.

        Raises:
            ZooValueError, ZooTypeError, ZooFileError: if a label is unknown, or rows or labels cannot work.
            ZooImportError: if scikit-learn (extra `train`) is missing.
        """
        part = self._read(data, split) if self.config.tasks else None
        if part is None:
            return super().evaluate(data, split=split, batch_size=batch_size)
        batches = self._batches(part, Learning(batch_size=batch_size), shuffle=False)
        found = self._outputs(batches)
        measures = judging.measures(found[OUTPUT], batches.targets, self.config)
        for task, labels in self.config.tasks:
            own = judging.measures(found[task], batches.others[task], EmotionRecognizerConfig(labels=labels))
            measures |= {f"{task}_{name}": value for name, value in own.items()}
        return measures

    def _outputs(self, batches: RowBatches) -> dict[str, np.ndarray]:
        """Return the logits of each task, float32 [rows, labels]."""
        found = self.model.predict(batches, verbose=0)
        found = found if isinstance(found, dict) else {OUTPUT: found}
        return {name: batches.restore(np.asarray(logits, np.float32)) for name, logits in found.items()}

    def predict_tasks(
        self, inputs: Any, all_scores: bool = False, *, batch_size: int = BATCH
    ) -> dict[str, list[Answer]]:
        """Answer all tasks.

        Args:
            inputs: rows, as for `predict`.
            all_scores: True also gives each label's probability.
            batch_size: rows run at once.

        Returns:
            {"label": what `predict` returns, task: one `Answer` a row ...}.

        Raises:
            ZooTypeError, ZooValueError, ZooFileError: as `predict`.
        """
        learning = Learning(batch_size=whole_number("batch_size", batch_size, unit="rows run at once"))
        found = self._outputs(self.batches(self._rows(inputs), None, learning, shuffle=False))
        answers = {LABEL: self._decide(found[OUTPUT], all_scores)}
        for task, labels in self.config.tasks:
            answers[task] = decide(found[task], labels, all_scores=all_scores)
        return answers

    def modality_weights(self, inputs: Any, *, batch_size: int = BATCH) -> list[ModalityWeights]:
        """Say how much each modality weighed for the answer to each row.

        Exact Shapley values of the log-probability of the best label over all subsets of modalities; and the gates of
        the fusion, where it has some. In a conversation a modality is hidden in all of its rows.

        Args:
            inputs: rows, as for `predict`.
            batch_size: rows run at once.

        Returns:
            One `ModalityWeights` a row.

        Raises:
            ZooTypeError, ZooValueError, ZooFileError: as `predict`.

        Cost: a run of the model for each subset of its modalities, at most 8, and one more for gates.
        """
        learning = Learning(batch_size=whole_number("batch_size", batch_size, unit="rows run at once"))
        encoded = self.preprocessor.encode(self._rows(inputs))
        names, config = self.config.modalities, self.config

        def run(shown: frozenset[str]) -> np.ndarray:
            return judging.logits_of(self.answering, self._cut(encoded, learning, shown=shown, shuffle=False))

        best, effects, values = weigh(run, names, config.temperature, config.multi_label)
        gates = self._gates(self._cut(encoded, learning, shuffle=False))
        return [
            ModalityWeights(
                self.labels[label],
                float(values[frozenset(names)][row]),
                float(values[frozenset()][row]),
                {name: float(effects[name][row]) for name in names},
                None if gates is None else dict(zip(names, gates[row].tolist())),
            )
            for row, label in enumerate(best)
        ]

    def _gates(self, batches: RowBatches) -> np.ndarray | None:
        """Return what share the fusion gives each modality, [rows, modalities]; None where it has no gates for them."""
        site = "fusion" if self.config.sharing == "shared" else f"{MAIN}_fusion"
        watched = capture(self.answering, only=site)
        found = watched.predict(batches, verbose=0)
        name = output_name(site)
        if name not in found or "modality" not in watched.sites[name].axes:
            return None
        axes = watched.sites[name].axes
        others = tuple(axis for axis, what in enumerate(axes) if what not in ("batch", "modality"))
        weights = batches.restore(np.asarray(found[name], np.float32)).mean(axis=others)
        return weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)

    def explain(self, row: Any, label: str | None = None, *, names: Mapping[str, Sequence[str]] | None = None) -> Any:
        """Say how much each modality weighed for the answer to a row, and where the recognizer looked in each.

        Args:
            row: one row, in any form that `predict` takes ([{...}] where it holds several pictures or vectors); of a
                conversation it is read alone.
            label: whose score is explained; None takes the best.
            names: by modality the names of the numbers of its vectors ({"image": ["smile", ...]}), for the picture.

        Returns:
            A `ModalityExplanation`, to be saved as .html, .png, .svg or .json: what each modality adds to the label's
            log-probability (Shapley values), the gates of the fusion where it has some, and for each modality the
            attention that sums it up; of vectors also how far the score falls without each number.

        Raises:
            ZooTypeError, ZooValueError, ZooFileError: if the row cannot work, there are several, or the label is
                unknown.

        Cost: a run of the model for each subset of its modalities and each number of a vector, at most 64 at a time.
        """
        # Imported here: it brings the drawing parts, which predictions can do without.
        from attention_zoo.models.emotion_recognizer import explaining

        return explaining.explanation(self, row, label, names)

    def answered(self, given: Any, answer: str | None = None) -> str:
        """Return the label that is to be explained: the one that is asked for, else the best."""
        if answer is not None:
            return self._wanted_labels(answer)[0]
        scores = self.predict(given, all_scores=True)[0].scores
        return max(scores, key=scores.get)

    def trial(self, given: Any, answer: str, method: str) -> Any:
        """Return what an explanation calls important, stretch by stretch, and how versions of a row are scored."""
        from attention_zoo.models.emotion_recognizer import hiding

        return hiding.Trial(self, given, answer).tried(method)

    @property
    def returns(self) -> str:
        """What the outputs of the exported graph are, for a person who runs it by other means."""
        told = [super().returns]
        told += [f"`{task}`: logits, float32 [batch, {len(labels)} labels]" for task, labels in self.config.tasks]
        return "; ".join(told)

    def graphs(self) -> dict[str, Any]:
        """Return the graph that an export writes; the logits of the labels are "output" there, as in any family."""
        found = super().graphs()
        if not self.config.tasks:
            return found
        network, ruled = apart(self.model)
        outputs = {"output" if name == OUTPUT else name: value for name, value in network.output.items()}
        model = ruled(keras.Model(network.input, outputs, name=network.name))
        return {name: dataclasses.replace(graph, model=model) for name, graph in found.items()}


def _in_half(row: dict[str, Any]) -> dict[str, Any]:
    """Return an encoded row with 16 bits for each number of 32."""
    return {
        name: value.astype(np.float16) if getattr(value, "dtype", None) == np.float32 else value
        for name, value in row.items()
    }
