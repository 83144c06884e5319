"""What attention over an image must be told: where each place of a map lies, and where the class is gathered."""

from typing import Any

import keras
from keras import ops

from attention_zoo.core.positions import sinusoid
from attention_zoo.errors import ZooValueError, unknown

PLACES = ("sinusoidal_2d", "learned", "convolution")
SPREAD = 0.02  # standard deviation of new vectors


@keras.saving.register_keras_serializable(package="attention_zoo")
class PlaceEmbedding(keras.layers.Layer):
    """Mark where each place of a map lies.

    sinusoidal_2d: x + [waves of the row; waves of the column]; learned: x + table; convolution: x + depthwise(x)

    Args:
        kind: "sinusoidal_2d", "learned" (a vector for each place) or "convolution" (3 x 3; zeros beyond the edge tell
            where it is).

    Call:
        inputs: [batch, height, width, channel]; "learned" wants known height and width.

    Returns:
        The same shape.

    Raises:
        ZooValueError: if the kind is unknown, "sinusoidal_2d" gets fewer than 4 channels or an odd number, or "learned"
            an open size.

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.5, half of the channels for each axis; Dosovitskiy et al.
    2020, arXiv:2010.11929, section 3.1 (learned); Chu et al. 2021, arXiv:2102.10882 (convolution).
    """

    def __init__(self, kind: str = "sinusoidal_2d", **kwargs: Any):
        super().__init__(**kwargs)
        if kind not in PLACES:
            raise unknown("position of an image's places", kind, PLACES)
        self.kind = kind

    def get_config(self) -> dict:
        return {**super().get_config(), "kind": self.kind}

    def build(self, input_shape: Any) -> None:
        width = input_shape[-1]
        if self.kind == "learned":
            if None in input_shape[1:3]:
                raise ZooValueError(f"position 'learned' wants a known height and width, got {tuple(input_shape)}")
            spread = keras.initializers.RandomNormal(stddev=SPREAD)
            self.table = self.add_weight(shape=tuple(input_shape[1:]), initializer=spread, name="table")
        elif self.kind == "convolution":
            self.near = keras.layers.DepthwiseConv2D(
                3, padding="same", data_format="channels_last", name="near", dtype=self.dtype_policy
            )
            self.near.build(input_shape)
        elif width % 2 or width < 4:
            raise ZooValueError(f"position 'sinusoidal_2d' wants an even number of at least 4 channels, got {width}")

    def call(self, inputs: Any) -> Any:
        if self.kind == "convolution":
            return inputs + self.near(inputs)
        marks = self.table if self.kind == "learned" else self._waves(inputs)
        return inputs + ops.cast(ops.expand_dims(marks, 0), inputs.dtype)

    def _waves(self, inputs: Any) -> Any:
        """Return the marks of rows and columns, [height, width, channel]."""
        height, width, channels = ops.shape(inputs)[1:]
        rows = ops.expand_dims(sinusoid(ops.arange(height), channels // 2), 1)
        columns = ops.expand_dims(sinusoid(ops.arange(width), channels // 2), 0)
        rows, columns = ops.repeat(rows, width, axis=1), ops.repeat(columns, height, axis=0)
        return ops.concatenate([rows, columns], axis=-1)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return tuple(input_shape)


@keras.saving.register_keras_serializable(package="attention_zoo")
class ClassToken(keras.layers.Layer):
    """Append a learned token, in which attention gathers what the class depends on.

    It comes last, so that the places of a grid keep their numbers.

    Call:
        inputs: [batch, time, width].

    Returns:
        [batch, time + 1, width].

    Source: Dosovitskiy et al. 2020, arXiv:2010.11929, section 3.1. Differs: it comes last, not first.
    """

    def build(self, input_shape: Any) -> None:
        spread = keras.initializers.RandomNormal(stddev=SPREAD)
        self.token = self.add_weight(shape=(1, 1, input_shape[-1]), initializer=spread, name="token")

    def call(self, inputs: Any) -> Any:
        token = ops.repeat(ops.cast(self.token, inputs.dtype), ops.shape(inputs)[0], axis=0)
        return ops.concatenate([inputs, token], axis=1)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        length = None if input_shape[1] is None else input_shape[1] + 1
        return (input_shape[0], length, input_shape[2])


@keras.saving.register_keras_serializable(package="attention_zoo")
class LastToken(keras.layers.Layer):
    """Return the last token of a sequence: [batch, time, width] to [batch, width]."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return None: no axis with padding is left."""
        return None

    def call(self, inputs: Any) -> Any:
        return inputs[:, -1]

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return (input_shape[0], input_shape[2])
