"""The gradients of a layer in its weights and inputs."""

import contextlib
from typing import Any

import keras
import numpy as np

from attention_zoo.calibrate.gradients import slopes
from attention_zoo.core.tape import Tape
from attention_zoo.testing.subject import Subject, weight_names


class _Shifted(keras.Model):
    """Call a layer with inputs to which a trainable zero is added: its gradient is the inputs' gradient."""

    def __init__(self, subject: Subject, inputs: dict, visible: Any, training: bool, watched: bool):
        super().__init__()
        self.layer, self.form, self.visible = subject.layer, subject.form, visible
        self.mode, self.watched = training, watched
        self.shifts = {
            name: self.add_weight(shape=array.shape, initializer="zeros", name=f"shift_{name}", dtype="float32")
            for name, array in inputs.items()
            if array.dtype == np.float32
        }

    def call(self, arrays: Any, training: bool | None = None) -> Any:
        shifted = {name: array + self.shifts[name] if name in self.shifts else array for name, array in arrays.items()}
        with Tape() if self.watched else contextlib.nullcontext():
            result = self.form.call(self.layer, shifted, self.visible, self.mode)
        return keras.ops.cast(keras.tree.flatten(result)[0], "float32")


def gradients(
    subject: Subject, inputs: dict, visible: Any, *, training: bool = False, watched: bool = False
) -> dict[str, np.ndarray]:
    """Return the gradient of sum(direction * output) in every weight and every input, exactly.

    The weights are put back.

    Args:
        subject: whose layer it is.
        inputs: what it is called with.
        visible: the masks.
        training: passed to the layer.
        watched: True to open a tape, so that the path with a map is taken.

    Returns:
        by name of the weight, and "input.<argument>" for each that holds no whole numbers.
    """
    layer = subject.layer
    before = layer.get_weights()
    model = _Shifted(subject, inputs, visible, training, watched)
    shape = keras.tree.flatten(subject.form.call(layer, inputs, visible))[0].shape
    direction = np.random.default_rng(4).normal(size=tuple(shape)).astype("float32")
    found = slopes(model, inputs, direction)
    layer.set_weights(before)
    names = {id(weight): name for weight, name in zip(layer.weights, weight_names(layer))}
    names |= {id(shift): shift.name.replace("shift_", "input.") for shift in model.shifts.values()}
    return {names[id(variable)]: slope for variable, slope in zip(model.trainable_variables, found)}
