"""Judge and keep the running average of the weights (Keras optimizers with `use_ema=True`)."""

import contextlib
from collections.abc import Iterator

import keras
from keras import ops


def averages(model: keras.Model) -> list[tuple]:
    """Return the pairs (weight, its running average); empty if the optimizer keeps none or has not begun.

    Under mixed_float16 Keras wraps the optimizer to scale the loss: the averages are those of the inner one.
    """
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if not getattr(optimizer, "use_ema", False) or not optimizer.built:
        return []
    pairs = zip(optimizer._trainable_variables, optimizer._model_variables_moving_average)
    return [(weight, average) for weight, average in pairs if average is not None]


def _exchange(pairs: list[tuple]) -> None:
    for weight, average in pairs:
        kept = ops.convert_to_numpy(weight)
        weight.assign(ops.convert_to_numpy(average))
        average.assign(kept)


@contextlib.contextmanager
def averaged(model: keras.Model) -> Iterator[None]:
    """Put the averaged weights into `model` for the length of the block; does nothing where there are none."""
    pairs = averages(model)
    _exchange(pairs)
    try:
        yield
    finally:
        _exchange(pairs)


class AveragedValidation(keras.callbacks.Callback):
    """Validate with the averaged weights, train on with the plain ones.

    In place of `keras.callbacks.SwapEMAWeights`, which exchanges by adding and subtracting on TensorFlow (it rounds),
    and leaves the weights exchanged after a `predict`.
    """

    def __init__(self):
        super().__init__()
        self._exchanged: list[tuple] = []

    def on_test_begin(self, logs=None):
        self._exchanged = averages(self.model)
        _exchange(self._exchanged)

    def on_test_end(self, logs=None):
        _exchange(self._exchanged)
        self._exchanged = []
