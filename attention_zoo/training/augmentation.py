"""More pictures out of the ones at hand: steps by name, or any layer of Keras, made to depend on a seed alone.

Why there are steps of our own, where Keras 3.15 has layers. Milliseconds for a batch of 128 pictures on one core, of
28 x 28 x 1 / 32 x 32 x 3, measured with other work on the machine (a small network's training step takes about 20):

    step            ours          Keras: torch    Keras: JAX      Keras: TensorFlow
    flip            0.0 / 0.4     0.3 / 0.8       0.5 / 0.7       1.3 / 3.8
    crop            0.2 / 0.3     0.3 / 0.3 (a)   0.7 / 1.0 (a)   1.6 / 1.7 (a)
    translation     as crop       52 / 93         21 / 27         2.7 / 9.0
    erase           0.3 / 0.4     1.4 / 3.9       9.4 / 14        5.9 / 22
    mixup           0.1 / 0.3     1.7 / 1.6       1.5 / 3.9       2.6 / 7.9
    cutmix          0.2 / 0.2     2.0 / 3.4       3.2 / 4.0       5.9 / 13
    rand_augment    8.2 / 15      391 / 590       292 / 960       57 / 142

(a) Keras's RandomCrop cuts all pictures of a batch at one place.

Keras's layers draw other numbers on each backend from one seed, so a run could not be told again elsewhere; its
RandAugment draws one set of operations for all pictures of a batch, and computes every operation to keep two; its
AugMix draws from Python's global generator. Ours give the same pixels on every backend. Any Keras layer can
still stand in the list: what it draws from is seeded for each batch, so it is the same after a resume.
"""

import contextlib
import random
import threading
from collections.abc import Sequence
from dataclasses import fields

import keras
import numpy as np

from attention_zoo.errors import ZooTypeError, ZooValueError, unknown
from attention_zoo.training.augmentation_policy import RandAugment
from attention_zoo.training.augmentation_steps import Crop, CutMix, Erase, Flip, MixUp, Step

MIXING_LAYERS = ("MixUp", "CutMix", "FourierMix")  # those that also change the labels, here and in keras-cv


class LayerStep(Step):
    """Call a Keras layer on pixels of 0..255, with what it draws from seeded by ours.

    What a layer draws from its backend's global state cannot be seeded here: a layer of yours should keep a
    `keras.random.SeedGenerator`. The layers of keras-cv 0.9 draw from TensorFlow's: they work, on TensorFlow and on
    torch too, but their pictures are not promised to be the same after a resume.

    Args:
        layer: any layer that keeps the shape; where it has a `value_range`, that must be (0, 255).

    Raises:
        ZooValueError: if its `value_range` is another one; in a call, if it changes the shape.
    """

    def __init__(self, layer: keras.Layer):
        self.layer = layer
        self._lock = threading.Lock()  # batches are made in threads, and a layer's generator is one state
        self.parts = list(layer._flatten_layers())
        self.mixes = any(type(part).__name__ in MIXING_LAYERS for part in self.parts)
        for part in self.parts:
            values = getattr(part, "value_range", (0, 255))
            if tuple(values) != (0, 255):
                raise ZooValueError(f"value_range of {layer.name} must be (0, 255), got {tuple(values)}")

    @contextlib.contextmanager
    def _seeded(self, generator: np.random.Generator):
        """Set what a layer draws from: its generators, and Python's own (AugMix), which is put back."""
        for part in self.parts:
            for value in vars(part).values():
                if isinstance(value, keras.random.SeedGenerator):
                    value.state.assign(np.array([generator.integers(2**31), 0], dtype="uint32"))
        state = random.getstate()
        random.seed(int(generator.integers(2**31)))
        try:
            yield
        finally:
            random.setstate(state)

    def settings(self) -> dict:
        """Return what `keras.layers.deserialize` reads."""
        return keras.layers.serialize(self.layer)

    def __call__(self, pixels, targets, generator):
        given = pixels.astype("float32")
        with self._lock, self._seeded(generator):
            if self.mixes:
                both = {"images": given, "labels": targets.astype("float32")}
                # keras-cv reads the type of a tensor, which an array does not say in its way.
                both = {name: keras.ops.convert_to_tensor(value) for name, value in both.items()}
                made = self.layer(both, training=True)
                made, targets = made["images"], keras.ops.convert_to_numpy(made["labels"])
            else:
                made = self.layer(given, training=True)
            made = keras.ops.convert_to_numpy(made)
        if made.shape != pixels.shape:
            raise ZooValueError(
                f"{self.layer.name} must keep the shape of the pictures {pixels.shape}, got {made.shape}"
            )
        return np.rint(np.clip(made, 0, 255)).astype(np.uint8), targets


class OneOf(Step):
    """Take one of several steps for each batch, all equally often; the usual way to have both MixUp and CutMix.

    Args:
        steps: at least two, each as `augmentation` takes them.
    """

    def __init__(self, steps: Sequence):
        self.steps = _steps(steps)
        if len(self.steps) < 2:
            raise ZooValueError(f"steps of one_of must be at least two, got {len(self.steps)}")
        self.mixes = any(step.mixes for step in self.steps)

    def settings(self) -> dict:
        """Return the settings of all steps."""
        return {"steps": [_described(step) for step in self.steps]}

    def __call__(self, pixels, targets, generator):
        return self.steps[generator.integers(len(self.steps))](pixels, targets, generator)


AUGMENTATIONS: dict[str, type[Step]] = {
    "crop": Crop,
    "cutmix": CutMix,
    "erase": Erase,
    "flip": Flip,
    "mixup": MixUp,
    "one_of": OneOf,
    "rand_augment": RandAugment,
}


class Augmentation:
    """Steps in a row: `(pixels, targets, generator) -> (pixels, targets)`; make it with `augmentation`.

    Attributes:
        steps: the steps as plain dictionaries, which `augmentation` takes again.
        mixes: whether targets become shares of several labels, and so must be [batch, labels].
    """

    def __init__(self, parts: Sequence[Step]):
        self.parts = tuple(parts)
        self.mixes = any(part.mixes for part in self.parts)

    @property
    def steps(self) -> list[dict]:
        """The steps as plain dictionaries."""
        return [_described(part) for part in self.parts]

    def __call__(
        self, pixels: np.ndarray, targets: np.ndarray | None, generator: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Change a batch.

        Args:
            pixels: uint8 [batch, height, width, channels].
            targets: [batch, labels] of shares where a step mixes; else anything, which is passed through.
            generator: what is drawn from, and nothing else is.

        Returns:
            New pixels of the same shape, and targets.

        Raises:
            ZooValueError: if a step mixes and targets are not [batch, labels].
        """
        if self.mixes and (targets is None or np.ndim(targets) != 2):
            came = "None" if targets is None else f"shape {np.shape(targets)}"
            raise ZooValueError(f"targets must be [batch, labels] where labels are mixed, got {came}")
        for part in self.parts:
            pixels, targets = part(pixels, targets, generator)
        return pixels, targets


def augmentation(steps) -> Augmentation:
    """Make an augmentation of steps.

    Args:
        steps: one of these, or a list of them, applied in its order: a name of `AUGMENTATIONS`; a dictionary with the
            name and settings, `{"name": "crop", "padding": 2}`; a Keras layer (`keras.layers.RandomRotation(0.05)`,
            keras-cv's), which gets pixels of 0..255; or a dictionary of `keras.layers.serialize`.

    Returns:
        A function of (pixels, targets, generator); put it into `ImageBatches(augment=...)`.

    Raises:
        ZooValueError: if a name or a setting is unknown or out of its range.
        ZooTypeError: if a step is none of these.
    """
    if isinstance(steps, Augmentation):
        return steps
    return Augmentation(_steps(steps if isinstance(steps, list | tuple) else [steps]))


def _steps(given: Sequence) -> tuple[Step, ...]:
    return tuple(_step(one) for one in given)


def _step(given) -> Step:
    if isinstance(given, Step):
        return given
    if isinstance(given, keras.Layer):
        return LayerStep(given)
    if isinstance(given, str):
        return _named(given, {})
    if isinstance(given, dict) and "class_name" in given:
        return LayerStep(keras.layers.deserialize(given))
    if isinstance(given, dict) and "name" in given:
        return _named(given["name"], {key: value for key, value in given.items() if key != "name"})
    raise ZooTypeError(
        f'steps must hold names, {{"name": ..., settings}} or Keras layers, got {type(given).__name__} {given!r:.60}'
    )


def _named(name: str, settings: dict) -> Step:
    if name not in AUGMENTATIONS:
        raise unknown("augmentation", name, AUGMENTATIONS)
    kind = AUGMENTATIONS[name]
    known = ["steps"] if kind is OneOf else [field.name for field in fields(kind)]
    for setting in settings:
        if setting not in known:
            raise unknown(f"setting of {name}", setting, known)
    if kind is OneOf and "steps" not in settings:
        raise ZooValueError("one_of must be given steps, got none")
    return kind(**settings)


def _described(step: Step) -> dict:
    if isinstance(step, LayerStep):
        return step.settings()
    name = next(name for name, kind in AUGMENTATIONS.items() if kind is type(step))
    return {"name": name, **step.settings()}
