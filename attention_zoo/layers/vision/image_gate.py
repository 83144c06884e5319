"""What the gates of images share: sub-layers with fixed names, statistics in float32, one door."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import gate, site_path
from attention_zoo.errors import ZooValueError

IMAGE = ("batch", "height", "width", "channel")
BRANCHES = ("batch", "branch", "height", "width", "channel")


class ImageGate(keras.layers.Layer):
    """Hold what every gate of an image needs; images are [batch, height, width, channel], whatever Keras's setting.

    A subclass names its constructor's arguments in `arguments`, makes its sub-layers in `build` and scales through
    `scale`. Heights and widths may be open and of any size from 1; only channels must be known. An image has no mask.
    """

    arguments: tuple[str, ...] = ()

    def get_config(self) -> dict:
        return {**super().get_config(), **{name: getattr(self, name) for name in self.arguments}}

    def compute_output_shape(self, inputs_shape: Any) -> tuple:
        return tuple(inputs_shape)

    def dense(self, name: str, width: int, units: int, use_bias: bool = True) -> Any:
        """Make a built map of the last axis of an image: a convolution of 1 x 1."""
        layer = keras.layers.Dense(units, use_bias=use_bias, name=name, dtype=self.dtype_policy)
        layer.build((None, None, None, width))
        return layer

    def convolution(self, name: str, width: int, filters: int, kernel: Any, **options: Any) -> Any:
        """Make a built convolution that keeps height and width; without bias unless told."""
        settings = {"use_bias": False, "padding": "same", **options}
        layer = keras.layers.Conv2D(
            filters, kernel, data_format="channels_last", name=name, dtype=self.dtype_policy, **settings
        )
        layer.build((None, None, None, width))
        return layer

    def depthwise(self, name: str, width: int, kernel: Any, **options: Any) -> Any:
        """Make a built convolution of each channel by itself that keeps height and width."""
        layer = keras.layers.DepthwiseConv2D(
            kernel, padding="same", data_format="channels_last", name=name, dtype=self.dtype_policy, **options
        )
        layer.build((None, None, None, width))
        return layer

    def batch_norm(self, name: str, width: int) -> Any:
        """Make a built batch norm; at inference it takes its moving statistics (momentum 0.9, epsilon 1e-5)."""
        layer = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name, dtype=self.dtype_policy)
        layer.build((None, None, None, width))
        return layer

    def group_norm(self, name: str, width: int, groups: int) -> Any:
        """Make a built group norm over height, width and the channels of a group (epsilon 1e-5)."""
        layer = keras.layers.GroupNormalization(groups, epsilon=1e-5, name=name, dtype=self.dtype_policy)
        layer.build((None, None, None, width))
        return layer

    def scale(
        self,
        values: Any,
        logits: Any,
        where: str = "",
        axes: tuple[str, ...] = IMAGE,
        squash: Callable = ops.sigmoid,
    ) -> Any:
        """Scale `values` by squashed `logits`; `where` tells one gate of a layer from another."""
        path = f"{site_path(self)}/{where}" if where else site_path(self)
        return gate(values, logits, path=path, axes=axes, squash=squash)


def channels_of(inputs_shape: Any, layer: Any) -> int:
    """Return the channels of an image, or say what is wrong with its shape.

    Raises:
        ZooValueError: if the shape has not four axes, or its last is open.
    """
    if len(inputs_shape) != 4 or inputs_shape[-1] is None:
        raise ZooValueError(
            f"inputs of {type(layer).__name__} must be [batch, height, width, channel] with known channels, "
            f"got a shape of {tuple(inputs_shape)}"
        )
    return inputs_shape[-1]


def at_least(least: int, /, **given: Any) -> None:
    """Refuse whole numbers under `least`.

    Raises:
        ZooValueError: for the first that is smaller, or no whole number.
    """
    for name, value in given.items():
        whole_number(name, value, least)


def odd(**given: Any) -> None:
    """Refuse kernels without a centre.

    Raises:
        ZooValueError: for the first that is not odd and positive.
    """
    for name, value in given.items():
        if not isinstance(value, int) or value < 1 or value % 2 == 0:
            raise ZooValueError(f"{name} must be odd and positive (pixels), got {value!r}")


def divides(name: str, parts: int, channels: int) -> None:
    """Refuse a number of parts into which channels cannot be cut.

    Raises:
        ZooValueError: if `parts` does not divide `channels`.
    """
    if channels % parts:
        raise ZooValueError(f"{name} must divide the {channels} channels, got {parts}")


def mean(inputs: Any, axis: Any) -> Any:
    """Average in float32 along axes that are kept: many small numbers are lost in half precision."""
    return ops.cast(ops.mean(ops.cast(inputs, "float32"), axis=axis, keepdims=True), inputs.dtype)


def plain(weights: Any) -> Any:
    """Leave weights as they are: for gates whose logits are their weights."""
    return weights


def over_branches(logits: Any) -> Any:
    """Share one among the branches, axis 1: they sum to 1 for each channel."""
    return ops.softmax(logits, axis=1)
