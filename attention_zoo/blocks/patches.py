"""From pixels to places: standardised images, patches merged."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from attention_zoo.blocks.normalizing import make_norm
from attention_zoo.errors import ZooValueError


@keras.saving.register_keras_serializable(package="attention_zoo")
class Standardize(keras.layers.Layer):
    """Bring each channel to mean 0 and deviation 1 of the data that the network learns from.

    output = (x - mean) / std, in float32 under any policy: 8 bits of a pixel are lost in bfloat16

    Args:
        mean: of each channel, or one number for all.
        std: deviation of each channel, above 0, or one number for all.

    Call:
        inputs: [batch, height, width, channel].

    Returns:
        The same shape, in the dtype that the layer computes in.

    Raises:
        ZooValueError: if a deviation is not above 0.
    """

    def __init__(self, mean: float | Sequence[float] = 0.0, std: float | Sequence[float] = 1.0, **kwargs: Any):
        super().__init__(**{"autocast": False, **kwargs})
        if not np.all(np.asarray(std) > 0):
            raise ZooValueError(f"std must be above 0, got {std!r}")
        self.mean, self.std = mean, std

    def get_config(self) -> dict:
        plain = {name: np.asarray(getattr(self, name)).tolist() for name in ("mean", "std")}
        return {**super().get_config(), **plain}

    def call(self, inputs: Any) -> Any:
        mean, std = (ops.convert_to_tensor(np.asarray(part, "float32")) for part in (self.mean, self.std))
        return ops.cast((ops.cast(inputs, "float32") - mean) / std, self.compute_dtype)

    def compute_output_spec(self, inputs: Any) -> Any:
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)


@keras.saving.register_keras_serializable(package="attention_zoo")
class PatchMerging(keras.layers.Layer):
    """Join the pixels of each small square to one place of a coarser map.

    output = W norm([x_1; x_2; ...]) over the pixels of a square

    Args:
        width: channels of the output.
        stride: pixels along each side of a square; 1 only changes the channels.

    Call:
        inputs: [batch, height, width, channel]; an edge that is no whole square is filled with zeros.

    Returns:
        [batch, height / stride, width / stride, `width`], rounded up.

    Raises:
        ZooValueError: if width or stride is under 1.

    Source: Liu et al. 2021, arXiv:2103.14030, section 3.1.
    """

    def __init__(self, width: int, stride: int = 2, **kwargs: Any):
        super().__init__(**kwargs)
        if width < 1 or stride < 1:
            raise ZooValueError(f"width and stride must be at least 1, got {width} and {stride}")
        self.width, self.stride = width, stride

    def get_config(self) -> dict:
        return {**super().get_config(), "width": self.width, "stride": self.stride}

    def build(self, input_shape: Any) -> None:
        joined = input_shape[-1] * self.stride**2
        self.norm = make_norm("layer", "norm", joined, self.dtype_policy)
        self.dense = keras.layers.Dense(self.width, use_bias=False, name="dense", dtype=self.dtype_policy)
        self.dense.build((None, None, None, joined))

    def call(self, inputs: Any) -> Any:
        return self.dense(self.norm(inputs if self.stride == 1 else self._join(inputs)))

    def _join(self, inputs: Any) -> Any:
        """Bring the pixels of each square into the channels, row by row."""
        side, channels = self.stride, inputs.shape[-1]
        batch, height, width = ops.shape(inputs)[:3]
        rows, columns = -(-height // side), -(-width // side)
        missing = (rows * side - height, columns * side - width)
        if any(not isinstance(count, int) or count for count in missing):
            inputs = ops.pad(inputs, ((0, 0), (0, missing[0]), (0, missing[1]), (0, 0)))
        squares = ops.reshape(inputs, (batch, rows, side, columns, side * channels))
        squares = ops.transpose(squares, (0, 1, 3, 2, 4))
        return ops.reshape(squares, (batch, rows, columns, side * side * channels))

    def compute_output_shape(self, input_shape: Any) -> tuple:
        sizes = (None if size is None else -(-size // self.stride) for size in input_shape[1:3])
        return (input_shape[0], *sizes, self.width)
