"""Pictures in batches: whole arrays, or files that are read batch by batch while the last one is trained on."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.training.augmentation import augmentation
from attention_zoo.training.ordered import OrderedBatches


class ImageBatches(OrderedBatches):
    """Cut pictures into batches for `fit`, `evaluate` and `predict`: float32 of 0..1, targets, weights.

    The same (seed, epoch, batch) gives the same numbers in any process and on any backend, so a training can go on
    after a kill as if nothing had happened. Pictures are not resized here: the preprocessor did that, or `read` does.

    Args:
        pixels: uint8 [pictures, height, width, channels] (a memory map will do), or, with `read`, one thing for each
            picture: a path, bytes, an array of any size.
        targets: one per picture (label numbers, or a row of shares per label), or None for `predict`.
        batch_size: pictures per batch.
        seed: of the order and of `augment`.
        shuffle: False for validation and prediction.
        weights: one weight per picture, or None; where pictures are mixed, the first one's counts.
        augment: what `augmentation` takes or makes ("flip", `[{"name": "crop", "padding": 2}, "erase"]`), or None.
        labels: how many labels there are; label numbers then become rows [batch, labels] of 0 and 1. Needed where
            `augment` mixes labels and targets are label numbers.
        read: `read(list of things) -> uint8 [batch, height, width, channels]`, for folders larger than memory; called
            in a thread, so it must not change what others see.
        ahead: batches that a thread makes ahead while the network trains; 0 for none. It only helps where batches are
            asked for in order, as `attention_zoo.training.fit` does.

    Raises:
        ZooValueError: if columns do not fit together, pixels are not uint8 of rank 4, labels are missing or too few.
        ZooTypeError: if `read` cannot be called.

    Cost: time 1 to 3 ms for 128 pictures of 28 x 28 x 1 with flip, crop and erase on one core; memory `ahead` batches
    besides `pixels`. With rand_augment (7 to 16 ms a batch) on two busy cores, `ahead=1` took a step from 20 to 17 ms
    on JAX, from 26 to 25 on torch and changed nothing on TensorFlow, which makes batches ahead itself.
    """

    def __init__(
        self,
        pixels: Sequence,
        targets=None,
        *,
        batch_size: int = 32,
        seed: int = 0,
        shuffle: bool = True,
        weights=None,
        augment=None,
        labels: int | None = None,
        read: Callable | None = None,
        ahead: int = 1,
    ):
        super().__init__(len(pixels), targets, weights, batch_size=batch_size, seed=seed, shuffle=shuffle)
        if read is not None and not callable(read):
            raise ZooTypeError(f"read must be a function of a list, got {type(read).__name__}")
        if ahead < 0:
            raise ZooValueError(f"ahead must be at least 0 (batches), got {ahead}")
        self.pixels = pixels if read is not None else _checked(pixels, "pixels")
        self.read, self.labels, self.ahead = read, labels, ahead
        self.augment = None if augment is None else augmentation(augment)
        self._check_labels()
        self._shape: tuple[int, ...] | None = None
        self._lock, self._pool = threading.Lock(), None
        self._waiting: dict[tuple[int, int], Future] = {}
        self._last: tuple[int, int] | None = None

    def _check_labels(self) -> None:
        numbers = self.targets is not None and self.targets.ndim == 1
        if self.augment is not None and self.augment.mixes:
            if self.targets is None:
                raise ZooValueError("targets must be given where augment mixes labels, got None")
            if numbers and self.labels is None:
                raise ZooValueError("labels must say how many labels there are where augment mixes them, got None")
        if self.labels is None:
            return
        if not numbers or self.targets.dtype.kind not in "iu":
            raise ZooValueError("labels turns label numbers into rows; targets must be whole numbers [pictures]")
        if self.targets.min() < 0 or self.targets.max() >= self.labels:
            raise ZooValueError(
                f"targets must be 0 to {self.labels - 1} (labels), got {self.targets.min()} to {self.targets.max()}"
            )

    def __getitem__(self, index: int) -> tuple:
        place = (self.epoch, index)
        with self._lock:
            future = self._waiting.pop(place, None)
            if self._last == (self.epoch, index - 1):
                for following in range(index + 1, min(index + 1 + self.ahead, len(self))):
                    self._start((self.epoch, following))
            else:
                # Someone asks out of order: what was made ahead would stay for ever.
                self._waiting.clear()
            self._last = place
        return self._made(*place) if future is None else future.result()

    def _start(self, place: tuple[int, int]) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.ahead, thread_name_prefix="images")
        if place not in self._waiting:
            self._waiting[place] = self._pool.submit(self._made, *place)

    def _made(self, epoch: int, index: int) -> tuple:
        numbers = self.numbers(epoch, index)
        pixels = self._pixels(numbers)
        targets = None if self.targets is None else self.targets[numbers]
        if self.labels is not None:
            targets = np.eye(self.labels, dtype="float32")[targets]
        if self.augment is not None:
            pixels, targets = self.augment(pixels, targets, self.generator(epoch, index))
        columns = [targets, None if self.weights is None else self.weights[numbers]]
        # Divided, not multiplied by 1 / 255: so is what the preprocessor makes, to the last bit.
        inputs = np.divide(pixels, 255, dtype="float32")
        return (inputs, *[column for column in columns if column is not None])

    def _pixels(self, numbers: np.ndarray) -> np.ndarray:
        if self.read is None:
            return self.pixels[numbers]
        pixels = _checked(self.read([self.pixels[number] for number in numbers]), "what read returns")
        shape = self._shape = self._shape or pixels.shape[1:]
        if len(pixels) != len(numbers) or pixels.shape[1:] != shape:
            raise ZooValueError(f"what read returns must be {(len(numbers), *shape)}, got {pixels.shape}")
        return pixels


def _checked(pixels, name: str) -> np.ndarray:
    array = pixels if isinstance(pixels, np.ndarray) else np.asarray(pixels)
    if array.dtype != np.uint8 or array.ndim != 4:
        raise ZooValueError(
            f"{name} must be uint8 [pictures, height, width, channels], got {array.dtype} {array.shape}"
        )
    return array
