"""The image classifier: pictures of any kind and size in, answers out."""

import dataclasses
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np

from attention_zoo import data
from attention_zoo.errors import ZooValueError
from attention_zoo.interop import pixel_statistics
from attention_zoo.models.classifier import Classifier
from attention_zoo.models.classifier.examples import Raw
from attention_zoo.models.image_classifier.config import ImageClassifierConfig
from attention_zoo.models.image_classifier.network import build_network
from attention_zoo.models.learning import Learning
from attention_zoo.training import ImageBatches, augmentation
from attention_zoo.vision import ImagePreprocessor, as_items

HELD_BYTES = 2**30  # pictures that take more memory than this are read anew for each batch
FIELDS = ("height", "width", "channels", "resize", "fit")  # what config and preprocessor share


def _are_images(inputs: Any) -> bool:
    """Tell pictures from the arrays that the network reads, which are float and of rank 4."""
    kind = getattr(getattr(inputs, "dtype", None), "kind", "")
    if isinstance(inputs, np.ndarray):
        return not (kind == "f" and inputs.ndim == 4)
    return isinstance(inputs, Sequence) or hasattr(inputs, "to_list")


def _read_path(path: str | os.PathLike) -> data.Dataset:
    """Read a folder with a folder for each label, or a table with paths of pictures."""
    return data.read_image_folder(path) if Path(path).is_dir() else data.read_table(path, kind="image")


class ImageClassifier(Classifier):
    """Classify pictures by one label each, or by any number of labels.

    Make one by `new`, `load`, or `attention_zoo.load(name)`. A picture is a path, bytes, a PIL image or an array; see
    `attention_zoo.vision.as_image` for how each is read.
    """

    config_class = ImageClassifierConfig
    preprocessor_class = ImagePreprocessor
    raw = Raw("image", as_items, _read_path, _are_images, "the path of a folder with a folder for each label, a table")

    @classmethod
    def build(cls, config: ImageClassifierConfig) -> keras.Model:
        """Build the network of a config, with new weights."""
        return build_network(config)

    @classmethod
    def new(
        cls, labels: Iterable[str] | None = None, *, seed: int = 0, dtype: str | None = None, **config: Any
    ) -> Self:
        """Make an untrained classifier.

        Args:
            labels: names, in the order of the logits; None takes those of the first data that `fit` sees.
            seed: of the new weights.
            dtype: dtype policy ("mixed_bfloat16"); None is Keras's current one.
            **config: fields of `ImageClassifierConfig`. `backbone` may also be a backbone of keras-hub or keras-cv, or
                the local folder of a keras-hub preset, whose weights, mean and deviation are then taken over.

        Raises:
            ZooValueError: if a field is unknown (with the nearest names) or a value cannot work.
        """
        if isinstance(config.get("backbone"), str | os.PathLike):
            found = pixel_statistics(config["backbone"])
            config = {**(dict(zip(("mean", "std"), found)) if found else {}), **config}
        return cls._new(labels, (), seed, dtype, config)

    def check_fit(self) -> None:
        """Check that the preprocessor is the one that the config describes."""
        for name in FIELDS:
            found = getattr(self.preprocessor, name)
            if getattr(self.config, name) != found:
                raise ZooValueError(f"{name} is {getattr(self.config, name)!r}, but the preprocessor's is {found!r}")

    def learn_inputs(self, inputs: Sequence) -> None:
        """Make the preprocessor, which the config describes whole."""
        self._preprocessor = ImagePreprocessor(**{name: getattr(self.config, name) for name in FIELDS})

    def batches(self, inputs: Sequence, targets: Any, learning: Learning, shuffle: bool) -> ImageBatches:
        """Return pictures as batches of pixels; what does not fit into memory is read anew for each batch."""
        augment = augmentation(learning.augment) if shuffle and learning.augment is not None else None
        mixes = augment is not None and augment.mixes and not self.config.multi_label
        lazy = len(inputs) * int(np.prod(self.preprocessor.shape)) > HELD_BYTES
        return ImageBatches(
            inputs if lazy else self.preprocessor.pack(inputs),
            targets,
            batch_size=learning.batch_size,
            seed=learning.seed,
            shuffle=shuffle,
            augment=augment,
            labels=len(self.labels) if mixes else None,
            read=self.preprocessor.pack if lazy else None,
        )

    def trial(self, given: Any, label: str, method: str) -> Any:
        """Return what an explanation of a picture calls important, cell by cell, and how versions of it are scored."""
        from attention_zoo.models.image_classifier import explaining

        pixels = self.preprocessor([self.preprocessor.placed(given)])["pixels"]
        importance = explaining.importance(self, pixels, label, method)

        def score(shown: np.ndarray) -> np.ndarray:
            return self.chances(explaining.hidden_logits(self, pixels, shown, explaining.CELLS), label)

        return importance, score

    def explain(
        self, image: Any, labels: Iterable[str] | None = None, *, method: str = "occlusion", cells: int = 7
    ) -> Any:
        """Say where the classifier looked in a picture, and what each place does to the scores.

        Args:
            image: one picture.
            labels: the labels whose scores are explained; None takes the three best.
            method: "occlusion": how far a label's score falls when a cell is painted over with the mean colour; or
                "gradient": attention times the gradient of a label's logit in it, summed over queries and heads.
            cells: along each side of the picture, for "occlusion".

        Returns:
            An `ImageExplanation`, to be saved as .html, .png, .svg or .json: the maps of all attention and gates, where
            the answer came from (the map of the pooling, followed down through the layers where they are all
            self-attention of the same places), and the effects.

        Raises:
            ZooTypeError, ZooValueError: if the picture cannot work, or a label, method or number is unknown.

        Cost: "occlusion" one run of the model for each cell, "gradient" one run forward and back for each label.
        """
        # Imported here: it brings the drawing parts, which predictions can do without.
        from attention_zoo.models.image_classifier import explaining

        explaining.check(method, cells)
        labels = self._wanted_labels(labels)
        picture = self.preprocessor.placed(image)
        pixels = self.preprocessor([picture])["pixels"]
        answer = self._decide(np.asarray(self.model.predict(pixels, verbose=0), np.float32), all_scores=True)[0]
        told = dataclasses.replace(answer, scores=None)
        return explaining.explanation(
            self, picture, pixels, (told, explaining.best(answer, labels, self)), method, cells
        )
