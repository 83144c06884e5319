"""Two self-attentions side by side: between pixels, and between channels."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.vision.image import ImageMixing, keep, like_image, share_of


@keras.saving.register_keras_serializable(package="attention_zoo")
class DualAttention(ImageMixing):
    """Attend between pixels and between channels, and add both to the inputs.

    position: s = softmax(B C^T) over pixels, E = a s D + x, B = W_b x, C = W_c x, D = W_d x
    channel: s = softmax(x^T x) over channels, F = b x s^T + x
    output = E + F, a = b = 0 at first

    Args:
        ratio: B and C have the inputs' channels over `ratio`.
        position_branch: whether to attend between pixels.
        channel_branch: whether to attend between channels.

    Call:
        inputs: [batch, height, width, channel].

    Returns:
        The same shape. Maps are ("batch", "head", "query", "key"), one head: at `<layer>/position` between pixels, at
        `<layer>/channel` between channels.

    Raises:
        ZooValueError: if ratio is under 1, or both branches are left out.

    Cost: time and memory batch x pixels x pixels for the first, batch x pixels x channels^2 for the second.
    Source: Fu et al. 2018, arXiv:1809.02983, section 3. Differs: the convolutions before and after each branch are
    left to the network; the channels of B and C are reduced as in the authors' code.
    Channels are mixed by softmax(scores), as published; the authors' code takes softmax(largest score - scores).
    """

    settings = ("ratio", "position_branch", "channel_branch")

    def __init__(self, ratio: int = 8, position_branch: bool = True, channel_branch: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        self.ratio = whole_number("ratio", ratio)
        if not (position_branch or channel_branch):
            raise ZooValueError("position_branch or channel_branch must be True, got False for both")
        self.position_branch, self.channel_branch = position_branch, channel_branch

    def build(self, inputs_shape: Any) -> None:
        width = inputs_shape[-1]
        if self.position_branch:
            units = share_of(width, self.ratio)
            self.query_dense, self.key_dense = self.dense("query", width, units), self.dense("key", width, units)
            self.value_dense = self.dense("value", width, width)
            self.position_share = self.add_weight(shape=(), initializer="zeros", name="position_share")
        if self.channel_branch:
            self.channel_share = self.add_weight(shape=(), initializer="zeros", name="channel_share")

    def call(self, inputs: Any) -> Any:
        output = 0.0
        if self.position_branch:
            query, key, value = (dense(inputs) for dense in (self.query_dense, self.key_dense, self.value_dense))
            mixed = self.mix(query, key, value, place="position")
            output = output + self.position_share * like_image(mixed, inputs) + inputs
        if self.channel_branch:
            shape = ops.shape(inputs)
            pixels = ops.reshape(inputs, (shape[0], shape[1] * shape[2], shape[3]))
            # In float32: products over all pixels of a large image would overflow float16.
            channels = ops.cast(ops.transpose(pixels, (0, 2, 1)), "float32")
            mixed = ops.transpose(self.mix(channels, channels, channels, mix_scores=keep, place="channel"), (0, 2, 1))
            mixed = ops.cast(like_image(mixed, inputs), inputs.dtype)
            output = output + self.channel_share * mixed + inputs
        return output
