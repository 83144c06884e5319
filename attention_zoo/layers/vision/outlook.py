"""Outlook attention: every pixel says, by itself, how the pixels around it mix."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Site, site_path, tap
from attention_zoo.core.grids import fold, unfold
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.vision.image import ImageMixing, head_width


@keras.saving.register_keras_serializable(package="attention_zoo")
class OutlookAttention(ImageMixing):
    """Mix the neighbours of every pixel by weights made of that pixel alone, and add up where neighbourhoods overlap.

    A_i = softmax over the last axis of (W_a x_i / sqrt(channels of a head)), for each head K^2 x K^2
    Y_i = A_i [W_v x_j for j in the K x K pixels around i], output_j = W_o sum of Y_i[j] over all i around j

    Args:
        num_heads: heads that share the channels.
        kernel: K, neighbours along each axis (pixels), odd.
        stride: steps between the pixels i (pixels); the weights are made of the mean of `stride` x `stride` pixels.

    Call:
        inputs: [batch, height, width, channel].

    Returns:
        The same shape. Maps are ("batch", "position", "head", "query", "key"): for each pixel i, queries and keys are
        its K^2 neighbours in order of rows. A neighbour beyond the image has zeros as its value.

    Raises:
        ZooValueError: if a number is under 1, kernel is even or less than stride, or the heads cannot share the
            channels.

    Cost: time batch x pixels x K^4 x channels / stride^2, memory batch x pixels x K^2 x (channels + heads x K^2) /
    stride^2.
    Source: Yuan et al. 2021, arXiv:2106.13112, section 3.1; the scale and the stride as in the authors' code.
    """

    settings = ("num_heads", "kernel", "stride")

    def __init__(self, num_heads: int = 4, kernel: int = 3, stride: int = 1, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_heads = whole_number("num_heads", num_heads)
        self.kernel, self.stride = (whole_number(*pair) for pair in (("kernel", kernel), ("stride", stride)))
        if kernel % 2 == 0 or kernel < stride:
            raise ZooValueError(f"kernel must be odd and at least stride (pixels), got {kernel} with stride {stride}")

    def build(self, inputs_shape: Any) -> None:
        width = inputs_shape[-1]
        self.channels = head_width(width, self.num_heads)
        self.value_dense = self.dense("value", width, width, False)
        self.weights_dense = self.dense("weights", width, self.num_heads * self.kernel**4)
        self.output_dense = self.dense("output", width, width)

    def call(self, inputs: Any) -> Any:
        area, sizes = self.kernel**2, ops.shape(inputs)[1:3]
        values = unfold(self.value_dense(inputs), self.kernel, self.stride)
        batch, rows, columns = ops.shape(values)[:3]
        values = ops.reshape(values, (batch, rows * columns, area, self.num_heads, self.channels))
        centres = inputs
        if self.stride > 1:
            centres = ops.average_pool(inputs, self.stride, self.stride, padding="same")
        scores = ops.cast(self.weights_dense(centres), "float32") * self.channels**-0.5
        weights = self.normalizer.normalize(ops.reshape(scores, (batch, rows * columns, self.num_heads, area, area)))
        axes = ("batch", "position", "head", "query", "key")
        weights = tap(Site(site_path(self), "mix", axes), ops.cast(weights, values.dtype))
        mixed = ops.matmul(weights, ops.transpose(values, (0, 1, 3, 2, 4)))
        mixed = ops.reshape(ops.transpose(mixed, (0, 1, 3, 2, 4)), (batch, rows, columns, area, inputs.shape[-1]))
        return self.output_dense(fold(mixed, sizes, self.kernel, self.stride))
