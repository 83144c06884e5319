"""One map for all pixels: what a whole image has to say is summed up once, and given to every pixel."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Site, gate, site_path, tap
from attention_zoo.core.attend import MAP_AXES
from attention_zoo.errors import unknown
from attention_zoo.layers.vision.image import ImageMixing, share_of

FUSIONS = ("add", "scale")


class _OneMap(ImageMixing):
    """Shared by the layers whose map does not depend on the query."""

    def sum_up(self, scores: Any, values: Any) -> Any:
        """Weigh images of values by the softmax of scores [batch, height, width, 1]; return [batch, 1, 1, channel]."""
        shape = ops.shape(values)
        scores = ops.reshape(scores, (shape[0], 1, 1, shape[1] * shape[2]))
        values = ops.reshape(values, (shape[0], 1, shape[1] * shape[2], values.shape[-1]))
        weights = ops.cast(self.normalizer.normalize(scores), values.dtype)
        return ops.matmul(tap(Site(site_path(self), "mix", MAP_AXES), weights), values)


@keras.saving.register_keras_serializable(package="attention_zoo")
class GlobalContext(_OneMap):
    """Sum the image up by one attention map, transform the sum, and add it to every pixel.

    output_i = x_i + W_2 relu(norm(W_1 sum_j a_j x_j)), a = softmax over pixels of w . x_j

    Args:
        ratio: W_1 reduces the channels by this factor.
        fusion: "add", or "scale": x_i sigmoid(W_2 ...), which is tapped as a gate at `<layer>/scale`.

    Call:
        inputs: [batch, height, width, channel].

    Returns:
        The same shape. The map is ("batch", "head", "query", "key"), with one head and one query for the whole image.

    Raises:
        ZooValueError: if ratio is under 1 or the fusion is unknown.

    Cost: time and memory batch x pixels x channels.
    Source: Cao et al. 2019, arXiv:1904.11492 (the global context block).
    """

    settings = ("ratio", "fusion")

    def __init__(self, ratio: int = 16, fusion: str = "add", **kwargs: Any):
        super().__init__(**kwargs)
        if fusion not in FUSIONS:
            raise unknown("fusion of the global context", fusion, FUSIONS)
        self.ratio, self.fusion = whole_number("ratio", ratio), fusion

    def build(self, inputs_shape: Any) -> None:
        width = inputs_shape[-1]
        units = share_of(width, self.ratio)
        self.score_dense = self.dense("score", width, 1, False)
        self.reduce = self.dense("reduce", width, units)
        self.reduced_norm = self.norm("norm", units)
        self.expand = self.dense("expand", units, width)

    def call(self, inputs: Any) -> Any:
        context = self.reduce(self.sum_up(self.score_dense(inputs), inputs))
        change = self.expand(ops.relu(self.reduced_norm(context)))
        if self.fusion == "add":
            return inputs + change
        return gate(inputs, change, path=f"{site_path(self)}/scale", axes=("batch", "height", "width", "channel"))


@keras.saving.register_keras_serializable(package="attention_zoo")
class SeparableSelfAttention(_OneMap):
    """Sum the pixels' keys up to one context vector, and scale every pixel's value by it.

    output_i = W_o (relu(W_v x_i) * sum_j a_j W_k x_j), a = softmax over pixels of w . x_j

    Args:
        units: channels of keys and values; None is the inputs'.

    Call:
        inputs: [batch, height, width, channel].

    Returns:
        The same shape. The map is ("batch", "head", "query", "key"), with one head and one query for the whole image.

    Raises:
        ZooValueError: if units is under 1.

    Cost: time and memory batch x pixels x channels.
    Source: Mehta, Rastegari 2022, arXiv:2206.02680, section 3.2. Differs: over the whole image, not over the pixels
    with one place in their patches; `MobileViTAttention` has those.
    """

    settings = ("units",)

    def __init__(self, units: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = None if units is None else whole_number("units", units, unit="channels")

    def build(self, inputs_shape: Any) -> None:
        width = inputs_shape[-1]
        units = self.units or width
        self.score_dense = self.dense("score", width, 1, False)
        self.key_dense, self.value_dense = self.dense("key", width, units), self.dense("value", width, units)
        self.output_dense = self.dense("output", units, width)

    def call(self, inputs: Any) -> Any:
        context = self.sum_up(self.score_dense(inputs), self.key_dense(inputs))
        return self.output_dense(ops.relu(self.value_dense(inputs)) * context)
