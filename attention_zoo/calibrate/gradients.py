"""Gradients without naming a backend: one step of gradient descent, read from the optimiser's own memory."""

from typing import Any

import keras
import numpy as np

from attention_zoo.calibrate.capture import by_name, capture, output_name
from attention_zoo.core.tape import Seen, Tape


def slopes(model: keras.Model, inputs: Any, direction: Any) -> list[np.ndarray]:
    """Return the gradient of sum(direction * output) in each trainable variable of a model, exactly.

    A first step of gradient descent with momentum leaves minus the gradient in the optimiser's memory. The step also
    changes the variables: a caller that needs them puts them back.

    Args:
        model: built; it is compiled anew.
        inputs: what it reads.
        direction: of the shape of its output.

    Returns:
        In the order of `model.trainable_variables`.
    """
    optimizer = keras.optimizers.SGD(learning_rate=1.0, momentum=0.5)
    model.compile(optimizer=optimizer, loss=_inner, run_eagerly=True, jit_compile=False, auto_scale_loss=False)
    model.train_on_batch(inputs, direction)
    return [-keras.ops.convert_to_numpy(moment) for moment in optimizer.momentums]


def _inner(wanted: Any, output: Any) -> Any:
    return keras.ops.sum(wanted * output)


class _Scaled(keras.Model):
    """Run a model whose attention weights are multiplied by 1 + a trainable zero.

    The gradient in that zero is the attention weight times the gradient in it.
    """

    def __init__(self, model: keras.Model, shapes: dict[str, tuple[int, ...]], output: str):
        super().__init__()
        self.inner, self.told = model, output
        self.shifts = {
            name: self.add_weight(shape=shape, initializer="zeros", name=f"shift_{number}", dtype="float32")
            for number, (name, shape) in enumerate(shapes.items())
        }

    # The weights of the model itself are none of ours: they are neither changed nor differentiated.
    @property
    def trainable_variables(self) -> list[Any]:
        return list(self.shifts.values())

    @property
    def trainable_weights(self) -> list[Any]:
        return list(self.shifts.values())

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        def scaled(seen: Seen) -> Any:
            if seen.name not in self.shifts:
                return seen.weights
            return seen.weights * (1.0 + keras.ops.cast(self.shifts[seen.name], seen.weights.dtype))

        with Tape(rewrite=scaled):
            output = keras.ops.cast(by_name(self.inner(inputs, training=False))[self.told], "float32")
        # Maps that nothing was read by have a gradient too: 0.
        return output + 0.0 * sum(keras.ops.sum(shift) for shift in self.shifts.values())


def attention_gradients(
    model: keras.Model, inputs: Any, toward: int | np.ndarray, output: str = "output"
) -> dict[str, np.ndarray]:
    """Return each attention weight times the gradient of a logit in it: what the weight adds to the logit.

    value = weight * d sum(toward * logits) / d weight

    Args:
        model: from arrays to logits, with layers of the zoo in it.
        inputs: what it reads, with a batch axis.
        toward: number of the logit, or a number for each logit, of the shape of the output.
        output: which output, where the model names them.

    Returns:
        By site, in the shape of the map, batch axis included. Weights that do not matter to the logit get 0.

    Cost: one run to see the maps, one forward and back.
    Source: Barkan et al. 2021, arXiv:2204.11073 (Grad-SAM). Differs: signed, without its rectification.
    """
    found = capture(model)
    maps = found.predict(inputs, verbose=0)
    shapes = {site.path: tuple(np.shape(maps[output_name(site.path)])) for site in found.sites.values()}
    direction = np.asarray(toward, np.float32)
    if not direction.ndim:
        direction = np.zeros(np.shape(maps[output]), np.float32)
        direction[..., toward] = 1.0
    values = slopes(_Scaled(model, shapes, output), inputs, direction)
    return dict(zip(shapes, values))
