"""Where tokens become one vector without attention, and where their mask comes from."""

from typing import Any

import keras
from keras import ops

from attention_zoo.blocks.embeddings import PAD_ID


@keras.saving.register_keras_serializable(package="attention_zoo")
class PaddingMask(keras.layers.Layer):
    """Tell tokens from padding.

    Args:
        groups: True tells, for each group of the last axis, whether there is any token in it.

    Call:
        token_ids: int [batch, ..., time].

    Returns:
        bool, True where there is a token: the shape of `token_ids`, without the last axis where `groups`.
    """

    def __init__(self, groups: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.groups = groups

    def get_config(self) -> dict:
        return {**super().get_config(), "groups": self.groups}

    def call(self, token_ids: Any) -> Any:
        mask = ops.not_equal(token_ids, PAD_ID)
        return ops.any(mask, axis=-1) if self.groups else mask

    def compute_output_spec(self, token_ids: Any) -> Any:
        shape = token_ids.shape[:-1] if self.groups else token_ids.shape
        return keras.KerasTensor(shape, dtype="bool")


@keras.saving.register_keras_serializable(package="attention_zoo")
class MaskedMaxPooling(keras.layers.Layer):
    """Take the largest value of each channel over time, padding left out.

    Call:
        inputs: [batch, ..., time, width].
        mask: bool [batch, ..., time]; False marks padding.

    Returns:
        [batch, ..., width]; zeros where all is padding.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return ops.max(inputs, axis=-2)
        shown = ops.expand_dims(mask, -1)
        # Not the lowest number of the dtype: its difference to a channel would overflow in half precision.
        largest = ops.max(ops.where(shown, inputs, ops.cast(-3e4, inputs.dtype)), axis=-2)
        return ops.where(ops.any(shown, axis=-2), largest, ops.zeros_like(largest))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Drop the axis that is gone; a group with nothing to see is masked in its turn."""
        return None if mask is None or len(mask.shape) == 2 else ops.any(mask, axis=-1)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return (*input_shape[:-2], input_shape[-1])
