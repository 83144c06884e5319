"""What `benchmarks/calibration.py` needs of a preset: arrays, other inputs, how good answers are, lessons.

Here is what all presets have, and classifiers, whose validation data is normal; sequences: `subjects_sequence.py`,
rows of several modalities and histories: `subjects_rows.py`.
"""

import abc
from typing import Any

import keras
import numpy as np

LIMIT = 2400  # inputs of a split, of classifiers and recognizers
BATCH = 32


def first(arrays: Any, count: int) -> Any:
    """Return the first examples of arrays: of one, or of each in a dict."""
    return chosen(arrays, slice(count))


def chosen(arrays: Any, numbers: Any) -> Any:
    """Return some examples of arrays."""
    if isinstance(arrays, dict):
        return {name: one[numbers] for name, one in arrays.items()}  # in order: sites stand as the model runs them
    return arrays[numbers]


def examples(arrays: Any) -> int:
    """Return how many examples arrays hold."""
    return len(next(iter(arrays.values())) if isinstance(arrays, dict) else arrays)


class Subject(abc.ABC):
    """A preset with arrays and truths of its normal data ("normal") and of its test data ("test").

    Args:
        task: the preset.
        dataset: what it was trained on.

    Attributes:
        inputs: by split, what a user gives.
        arrays: by split, what the network reads.
        truths: by split, what is right, one for each input.
        measure: name of the measure that says how good answers are; more is better.
        learns: whether `calibrate` can learn rules for it.
        explained: inputs whose explanations are judged.
        judged: inputs by which corrections are judged.
        epochs: for how long `calibrate` learns.
        held: arrays from which thresholds are set; None takes half of the normal ones.
        heads: how many heads of each site are broken; None is all.
    """

    measure = "accuracy"
    learns = False
    explained = 60
    judged = 400
    epochs = 15
    held: Any = None
    heads: int | None = None

    def __init__(self, task: Any, dataset: Any):
        from attention_zoo.calibrate import sites_of

        self.task, self.model = task, task.model
        self.sites = sites_of(self.model)
        self.inputs: dict[str, list] = {}
        self.arrays: dict[str, Any] = {}
        self.truths: dict[str, Any] = {}
        for split in ("normal", "test"):
            self.read(dataset, split)

    @abc.abstractmethod
    def read(self, dataset: Any, split: str) -> None:
        """Read inputs, arrays and truths of one split."""

    def statistics(self, model: keras.Model, arrays: Any, batch_size: int = 64) -> dict[str, np.ndarray]:
        """Return statistics of a model's attention, examples in order."""
        from attention_zoo.calibrate import collect

        return collect(model, arrays, batch_size=batch_size)

    def copied(self) -> keras.Model:
        """Return a model like the preset's, with weights of its own."""
        model = keras.models.clone_model(self.model)
        model.set_weights(self.model.get_weights())
        return model

    def even(self, arrays: Any) -> Any:
        """Return examples without padding, whose maps can be compared weight by weight."""
        return arrays

    @abc.abstractmethod
    def noisy(self, split: str) -> dict[str, Any]:
        """Return versions of the inputs, by name, for which the same answers are right."""

    @abc.abstractmethod
    def others(self) -> dict[str, Any]:
        """Return test inputs of another kind, by name."""

    @abc.abstractmethod
    def measures(self, model: keras.Model, split: str = "test", arrays: Any = None) -> dict[str, float]:
        """Return `measure` and the negative log likelihood ("nll", nats) of a model.

        Args:
            model: the preset's, or one that was changed.
            split: whose truths are right.
            arrays: the inputs, all of the split or the first of it; None takes those of the split.
        """

    @abc.abstractmethod
    def lessons(self) -> tuple[dict[str, Any], int]:
        """Return arguments for `fit`, and how many steps that is."""

    @abc.abstractmethod
    def loss(self) -> Any:
        """Return the loss that the preset was trained with."""


class ClassifierSubject(Subject):
    """A classifier: its arrays are one array, its truths label numbers, or 0 and 1 for each label."""

    learns = True
    judged = LIMIT

    def read(self, dataset: Any, split: str) -> None:
        """Read validation or test data, 2,400 inputs of it at most."""
        from attention_zoo.models.classifier import examples as reading

        part = self.task._read(dataset, "val" if split == "normal" else split)
        self.epochs = 15 if isinstance(part.inputs[0], str) else 6  # a step on pictures takes long
        numbers = np.random.default_rng(0).permutation(len(part.inputs))[:LIMIT]
        self.inputs[split] = [part.inputs[number] for number in numbers]
        self.truths[split] = reading.targets(part, self.task.labels)[numbers]
        self.arrays[split] = self.prepared(self.inputs[split])

    def prepared(self, inputs: list) -> np.ndarray:
        """Return inputs as the one array that the network reads."""
        return next(iter(self.task.preprocessor(inputs).values()))

    def noisy(self, split: str) -> dict[str, Any]:
        """Return texts with typing errors, or pictures that are blurred or noisy."""
        random = np.random.default_rng(1)
        inputs = self.inputs[split]
        if isinstance(inputs[0], str):
            return {"typos": self.prepared([typed(text, random) for text in inputs])}
        from scipy.ndimage import gaussian_filter

        pixels = self.arrays[split]
        noise = np.clip(pixels + 0.15 * random.normal(size=pixels.shape), 0, 1).astype(np.float32)
        return {"blur": gaussian_filter(pixels, (0, 1.0, 1.0, 0)).astype(np.float32), "noise": noise}

    def others(self) -> dict[str, Any]:
        """Return words in random order, or pictures upside down and chance."""
        random = np.random.default_rng(2)
        if isinstance(self.inputs["test"][0], str):
            return {"words in random order": self.prepared(mixed(self.inputs["test"], random))}
        pixels = self.arrays["test"]
        chance = random.random(pixels.shape).astype(np.float32)
        return {"upside down": np.ascontiguousarray(pixels[:, ::-1]), "chance": chance}

    def measures(self, model: keras.Model, split: str = "test", arrays: Any = None) -> dict[str, float]:
        """Return accuracy and negative log likelihood; of several labels, means over labels."""
        from attention_zoo.calibrate.scores import outcomes

        arrays = self.arrays[split] if arrays is None else arrays
        logits = np.nan_to_num(model.predict(arrays, verbose=0, batch_size=256)) / self.task.temperature
        found = outcomes(logits, self.truths[split][: examples(arrays)])
        return {"accuracy": found.mean("accuracy"), "nll": found.mean("nll")}

    def lessons(self) -> tuple[dict[str, Any], int]:
        """Return 300 steps of 32 examples."""
        index = np.arange(300 * BATCH) % len(self.arrays["normal"])
        return {"x": self.arrays["normal"][index], "y": self.truths["normal"][index], "batch_size": BATCH}, 300

    def loss(self) -> Any:
        """Return cross-entropy of one label or of many."""
        if self.truths["normal"].ndim == 2:
            return keras.losses.BinaryCrossentropy(from_logits=True)
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def subject_of(name: str) -> Subject:
    """Load a preset with its data.

    Raises:
        SystemExit: if it is of a family that this benchmark does not know.
    """
    # Imported here: they are made of what stands in this file.
    from subjects_rows import EmotionSubject, RecommenderSubject
    from subjects_sequence import RecognizerSubject, TranslatorSubject

    import attention_zoo as az
    from attention_zoo import data

    families = {
        "text_classifier": ClassifierSubject,
        "image_classifier": ClassifierSubject,
        "translator": TranslatorSubject,
        "speech_recognizer": RecognizerSubject,
        "emotion_recognizer": EmotionSubject,
        "recommender": RecommenderSubject,
    }
    task = az.load(name)
    if task.card.family not in families:
        raise SystemExit(f"preset must be of one of {', '.join(families)}, got {task.card.family} ({name})")
    return families[task.card.family](task, data.load(task.card.data.split(" ")[0].rstrip(",")))


def mixed(texts: list[str], random: np.random.Generator) -> list[str]:
    """Return texts whose words stand in random order."""
    return [" ".join(random.permutation(text.split())) for text in texts]


def typed(text: str, random: np.random.Generator, rate: float = 0.08) -> str:
    """Return a text with wrong letters: left out, doubled, exchanged with the next."""
    letters, place = list(text), 0
    while place < len(letters) - 1:
        if random.random() < rate:
            way = random.integers(3)
            if way == 0:
                del letters[place]
            elif way == 1:
                letters.insert(place, letters[place])
                place += 1
            else:
                letters[place], letters[place + 1] = letters[place + 1], letters[place]
        place += 1
    return "".join(letters) or text
