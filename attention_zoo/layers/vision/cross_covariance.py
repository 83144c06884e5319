"""Attention between channels, in time linear in the number of pixels."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.layers.vision.image import ImageMixing, head_width, keep, split_heads


class _Channels(ImageMixing):
    """Shared by the layers in which the channels of a group attend to each other."""

    def make(self, width: int, groups: int, name: str) -> None:
        """Create the projections of channels in `groups`."""
        channels = head_width(width, groups, name)
        if not self.score.built:
            self.score.build((groups, channels, width, channels))
        for projection in ("query", "key", "value", "output"):
            setattr(self, f"{projection}_dense", self.dense(projection, width, width))

    def mix_channels(self, inputs: Any, groups: int) -> Any:
        """Project, attend between the channels of each group, and project back."""
        # In float32: the products are sums over all pixels, which may overflow float16.
        denses = (self.query_dense, self.key_dense, self.value_dense)
        query, key, value = (ops.cast(_turned(dense(inputs), groups), "float32") for dense in denses)
        mixed, shape = self.mix(query, key, value, heads=groups, mix_scores=keep), ops.shape(inputs)
        mixed = ops.reshape(mixed, (shape[0], inputs.shape[-1] // groups, groups, shape[1], shape[2]))
        mixed = ops.reshape(ops.transpose(mixed, (0, 3, 4, 2, 1)), shape)
        return self.output_dense(ops.cast(mixed, inputs.dtype))


def _turned(image: Any, groups: int) -> Any:
    """Bring [batch, height, width, group x channel] to [batch, channel, group x pixel]: channels are the positions."""
    array = ops.transpose(split_heads(image, groups), (0, 3, 2, 1))
    shape = ops.shape(array)
    return ops.reshape(array, (shape[0], shape[1], shape[2] * shape[3]))


@keras.saving.register_keras_serializable(package="attention_zoo")
class CrossCovarianceAttention(_Channels):
    """Let the channels of each head attend to each other, by the cosine of what they hold over all pixels.

    output = W_o [V A^T], A = softmax over the second channel of (exp(b) cos(q_c, k_d)), for each head a map of
    channels x channels; q_c is channel c of W_q x over all pixels

    Args:
        num_heads: heads that share the channels.

    Call:
        inputs: [batch, height, width, channel].

    Returns:
        The same shape. Maps are ("batch", "head", "query", "key"), queries and keys being the channels of a head.

    Raises:
        ZooValueError: if num_heads is under 1, or the heads cannot share the channels.

    Cost: time batch x pixels x channels^2 / heads, memory batch x (pixels x channels + channels^2 / heads).
    Source: El-Nouby et al. 2021, arXiv:2106.09681, section 3.2. Differs: the temperature is exp(-b), learned for each
    head from 1 on.
    """

    settings = ("num_heads",)

    def __init__(self, num_heads: int = 4, **kwargs: Any):
        super().__init__(score={"name": "cosine", "sharpness": 1.0}, **kwargs)
        self.num_heads = whole_number("num_heads", num_heads)

    def build(self, inputs_shape: Any) -> None:
        self.make(inputs_shape[-1], self.num_heads, "num_heads")

    def call(self, inputs: Any) -> Any:
        return self.mix_channels(inputs, self.num_heads)


@keras.saving.register_keras_serializable(package="attention_zoo")
class ChannelGroupAttention(_Channels):
    """Let the channels of each group attend to each other, by the product of what they hold over all pixels.

    output = W_o [V A^T], A = softmax over the second channel of (q_c . k_d / sqrt(channels of a group))

    Args:
        groups: that share the channels.

    Call:
        inputs: [batch, height, width, channel].

    Returns:
        The same shape. Maps are ("batch", "head", "query", "key"), a head for each group, queries and keys being the
        channels of a group.

    Raises:
        ZooValueError: if groups is under 1, or cannot share the channels.

    Cost: time batch x pixels x channels^2 / groups, memory batch x (pixels x channels + channels^2 / groups).
    Source: Ding et al. 2022, arXiv:2204.03645.
    """

    settings = ("groups",)

    def __init__(self, groups: int = 4, **kwargs: Any):
        super().__init__(**kwargs)
        self.groups = whole_number("groups", groups)

    def build(self, inputs_shape: Any) -> None:
        self.make(inputs_shape[-1], self.groups, "groups")

    def call(self, inputs: Any) -> Any:
        return self.mix_channels(inputs, self.groups)

    def mix(self, query: Any, key: Any, value: Any, **options: Any) -> Any:
        # The factor is of the channels of a group; the score itself would count pixels.
        return super().mix(query * ops.shape(query)[1] ** -0.5, key, value, **options)


@keras.saving.register_keras_serializable(package="attention_zoo")
class SplitDepthAttention(_Channels):
    """Widen what pixels see split by split, then let channels attend to each other (SDTA).

    y_1 = x_1, y_2 = D_2 x_2, y_i = D_i (x_i + y_(i-1)) with D a 3 x 3 depthwise convolution of each split i of the
    channels; output = y + XCA(norm(y)), XCA as `CrossCovarianceAttention`

    Args:
        num_heads: heads that share the channels.
        splits: parts of equal width that the channels are cut into.

    Call:
        inputs: [batch, height, width, channel].

    Returns:
        The same shape. Maps are ("batch", "head", "query", "key"), queries and keys being the channels of a head.

    Raises:
        ZooValueError: if a number is under 1, or does not divide the channels.

    Cost: time batch x pixels x channels^2 / heads, memory batch x (pixels x channels + channels^2 / heads).
    Source: Maaz et al. 2022, arXiv:2206.10589. Differs: the perceptron and the shortcut around the whole
    encoder are left to the network.
    """

    settings = ("num_heads", "splits")

    def __init__(self, num_heads: int = 4, splits: int = 4, **kwargs: Any):
        super().__init__(score={"name": "cosine", "sharpness": 1.0}, **kwargs)
        self.num_heads, self.splits = whole_number("num_heads", num_heads), whole_number("splits", splits)

    def build(self, inputs_shape: Any) -> None:
        width = inputs_shape[-1]
        self.make(width, self.num_heads, "num_heads")
        self.mixed_norm, part = self.norm("norm", width), head_width(width, self.splits, "splits")
        self.convolutions = []
        for number in range(2, self.splits + 1):
            name = f"depthwise_{number}"
            convolution = keras.layers.DepthwiseConv2D(3, padding="same", name=name, dtype=self.dtype_policy)
            convolution.build((None, None, None, part))
            self.convolutions.append(convolution)

    def call(self, inputs: Any) -> Any:
        first, *parts = ops.split(inputs, self.splits, axis=-1)
        widened = [first]
        for number, (part, convolution) in enumerate(zip(parts, self.convolutions)):
            widened.append(convolution(part + widened[-1] if number else part))
        image = ops.concatenate(widened, axis=-1)
        return image + self.mix_channels(self.mixed_norm(image), self.num_heads)
