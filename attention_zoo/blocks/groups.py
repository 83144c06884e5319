"""A layer for sequences, applied to sequences of sequences."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="attention_zoo")
class OverGroups(keras.layers.Wrapper):
    """Apply a layer that reads [batch, time, width] to every group of [batch, group, time, width].

    In place of `keras.layers.TimeDistributed`, which wants to know how many groups there are, or loops.

    Args:
        layer: takes `layer(inputs, mask=mask)` and keeps batch and time.

    Call:
        inputs: [batch, group, time, width].
        mask: bool [batch, group, time]; False marks padding.

    Returns:
        [batch, group, time, channels of the layer].
    """

    def __init__(self, layer: keras.layers.Layer, **kwargs: Any):
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    def build(self, input_shape: Any = None) -> None:
        # A wrapped layer that was read from a file has been built there.
        if not self.layer.built:
            self.layer.build((None, *input_shape[2:]))
        self.built = True

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        batch, groups, time = ops.shape(inputs)[:3]
        folded = ops.reshape(inputs, (batch * groups, time, inputs.shape[-1]))
        mask = None if mask is None else ops.reshape(mask, (batch * groups, time))
        arguments = {"training": training} if self.layer._call_has_training_arg else {}
        output = self.layer(folded, mask=mask, **arguments)
        return ops.reshape(output, (batch, groups, time, output.shape[-1]))

    def compute_output_shape(self, input_shape: Any) -> tuple:
        inner = self.layer.compute_output_shape((None, *input_shape[2:]))
        return (*input_shape[:3], inner[-1])
