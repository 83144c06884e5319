"""The listener of Listen, Attend and Spell: recurrent layers, each of which may hear slower than the one below."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from attention_zoo.blocks.convolution import hide
from attention_zoo.blocks.recurrent import bidirectional
from attention_zoo.blocks.subsampling import frame_mask, reduced
from attention_zoo.checks import share, whole_number
from attention_zoo.errors import ZooValueError


def lay_together(inputs: Any, factor: int) -> Any:
    """Make one step of each `factor` steps, channels side by side; zeros fill up the last.

    Args:
        inputs: [batch, time, width].
        factor: steps that become one.

    Returns:
        [batch, ceil(time / factor), factor x width].
    """
    if factor == 1:
        return inputs
    width = inputs.shape[-1]
    inputs = ops.pad(inputs, ((0, 0), (0, factor - 1), (0, 0)))
    steps = ops.shape(inputs)[1] // factor
    return ops.reshape(inputs[:, : steps * factor], (-1, steps, factor * width))


@keras.saving.register_keras_serializable(package="attention_zoo")
class PyramidEncoder(keras.layers.Layer):
    """Read frames both ways by recurrent layers that stand on each other, and lay steps together between them.

    h_i[t] = bidirectional_i([h_(i-1)[f t]; ...; h_(i-1)[f t + f - 1]]), f the factor of layer i

    Args:
        units: channels of each direction; a step has twice as many.
        factors: steps laid together before each layer; as many layers as there are. (1, 2, 2) is as published but for
            a third halving; (2, 2) is a small one, whose first layer is twice as fast.
        cell: "lstm" or "gru".
        dropout: share dropped while training, after each layer, 0 to 1.

    Call:
        features: [batch, frames, mels].
        frames: int [batch], how many frames of each are real. What stands beyond them has no effect.

    Returns:
        [batch, ceil(frames / product of factors), 2 x units]; zero at padding.

    Raises:
        ZooValueError: if a number is out of range, `factors` is empty or the cell is unknown.

    Cost: one step after another; time batch x steps x units x (units + channels below) for each layer and direction.
    Source: Chan et al. 2015, arXiv:1508.01211, section 3.1, equation 5.
    """

    def __init__(
        self, units: int, factors: Sequence[int] = (1, 2, 2), cell: str = "lstm", dropout: float = 0.0, **kwargs: Any
    ):
        super().__init__(**kwargs)
        if not factors:
            raise ZooValueError("factors must hold a number for each layer, got none")
        self.units, self.cell, self.dropout = units, cell, share("dropout", dropout)
        self.factors = tuple(whole_number("factors", factor, unit="steps") for factor in factors)
        self.layers = [
            bidirectional(cell, units, name=f"layer_{number}", dtype=self.dtype_policy)
            for number in range(1, len(self.factors) + 1)
        ]

    @property
    def factor(self) -> int:
        """Frames in a step."""
        return math.prod(self.factors)

    def get_config(self) -> dict:
        own = {"units": self.units, "factors": list(self.factors), "cell": self.cell, "dropout": self.dropout}
        return {**super().get_config(), **own}

    def build(self, features_shape: Any, frames_shape: Any = None) -> None:
        width = features_shape[-1]
        for factor, layer in zip(self.factors, self.layers):
            layer.build((None, None, factor * width))
            width = 2 * self.units
        self.dropping = keras.layers.Dropout(self.dropout, name="dropping", dtype=self.dtype_policy)

    def call(self, features: Any, frames: Any, training: bool | None = None) -> Any:
        current = hide(features, frame_mask(frames, ops.shape(features)[1]))
        for factor, layer in zip(self.factors, self.layers):
            current, frames = lay_together(current, factor), reduced(frames, factor)
            mask = frame_mask(frames, ops.shape(current)[1])
            current = hide(self.dropping(layer(current, mask=mask, training=training), training=training), mask)
        return current

    def compute_output_spec(self, features: Any, frames: Any, training: bool | None = None) -> Any:
        shape = (features.shape[0], reduced(features.shape[1], self.factor), 2 * self.units)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)
