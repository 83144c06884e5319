"""Convolutions over time that padding cannot leak into."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooValueError


def hide(inputs: Any, mask: Any) -> Any:
    """Set to zero what stands at padding.

    Args:
        inputs: [batch, ..., width].
        mask: bool [batch, ...]; None returns the inputs as they are.
    """
    return inputs if mask is None else inputs * ops.cast(ops.expand_dims(mask, -1), inputs.dtype)


@keras.saving.register_keras_serializable(package="attention_zoo")
class Convolutions(keras.layers.Layer):
    """Look at neighbours through windows of several widths at once, and lay the findings side by side.

    Args:
        widths: tokens that each convolution sees; one convolution for each entry, all different.
        filters: channels of each convolution.
        activation: by name, as in Keras.

    Call:
        inputs: [batch, time, width].
        mask: bool [batch, time]; False marks padding, which counts as zero, as what lies beyond the ends does.

    Returns:
        [batch, time, len(widths) x filters]; zero at padding.

    Raises:
        ZooValueError: if `widths` is empty, holds a number twice or one under 1, or `filters` is under 1.

    Cost: time batch x time x sum(widths) x width x filters.
    Source: Kim 2014, arXiv:1408.5882, section 2.
    """

    def __init__(self, widths: Sequence[int], filters: int, activation: str = "gelu", **kwargs: Any):
        super().__init__(**kwargs)
        widths = tuple(widths)
        if not widths or min(widths) < 1 or len(set(widths)) < len(widths):
            raise ZooValueError(f"widths must be different numbers of tokens, each at least 1, got {widths}")
        whole_number("filters", filters, unit="channels")
        self.widths, self.filters, self.activation = widths, filters, activation
        self.supports_masking = True
        self.branches = [
            keras.layers.Conv1D(
                filters, width, padding="same", activation=activation, name=f"width_{width}", dtype=self.dtype_policy
            )
            for width in widths
        ]
        for branch in self.branches:
            branch.supports_masking = True

    def get_config(self) -> dict:
        own = {"widths": list(self.widths), "filters": self.filters, "activation": self.activation}
        return {**super().get_config(), **own}

    def build(self, input_shape: Any) -> None:
        for branch in self.branches:
            branch.build(input_shape)

    def call(self, inputs: Any, mask: Any = None) -> Any:
        shown = hide(inputs, mask)
        return hide(ops.concatenate([branch(shown) for branch in self.branches], axis=-1), mask)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return (*input_shape[:-1], len(self.widths) * self.filters)
