"""Attention in linear time: by features at several scales, by one query for all, by functions of queries."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Site, attend_linear, site_path, tap
from attention_zoo.core.attend import MAP_AXES
from attention_zoo.core.grids import unfold
from attention_zoo.core.scores import unit_length
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.vision.image import ImageMixing, head_width, like_image, split_heads


@keras.saving.register_keras_serializable(package="attention_zoo")
class MultiScaleLinearAttention(ImageMixing):
    """Attend by relu(q) . relu(k), over the pixels and over what depthwise convolutions make of them (LiteMLA).

    output = W_o [heads of every scale], head_i = relu(q_i) (sum_j relu(k_j) v_j) / relu(q_i) . (sum_j relu(k_j));
    q, k, v of a further scale are a depthwise convolution of all three, mixed within each head

    Args:
        num_heads: heads that share the channels, at each scale.
        scales: kernel of the convolution of each further scale (pixels); none leaves the pixels alone.

    Call:
        inputs: [batch, height, width, channel].

    Returns:
        The same shape. Maps are ("batch", "head", "query", "key"), the heads scale by scale; formed only while somebody
        looks.

    Raises:
        ZooValueError: if a number is under 1, or the heads cannot share the channels.

    Cost: time batch x pixels x scales x channels^2 / heads, memory batch x pixels x scales x channels.
    Source: Cai et al. 2022, arXiv:2205.14756, section 3.1. Differs: no batch normalisation after the projection.
    """

    settings = ("num_heads", "scales")

    def __init__(self, num_heads: int = 4, scales: Any = (5,), **kwargs: Any):
        super().__init__(**kwargs)
        self.num_heads = whole_number("num_heads", num_heads)
        self.scales = [whole_number("scales", kernel, unit="pixels") for kernel in scales]

    def build(self, inputs_shape: Any) -> None:
        width = inputs_shape[-1]
        channels = head_width(width, self.num_heads)
        self.project_dense = self.dense("project", width, 3 * width, False)
        self.convolutions, self.kernels = [], []
        for number, kernel in enumerate(self.scales, start=1):
            convolution = keras.layers.DepthwiseConv2D(
                kernel, padding="same", use_bias=False, name=f"scale_{number}", dtype=self.dtype_policy
            )
            convolution.build((None, None, None, 3 * width))
            self.convolutions.append(convolution)
            shape = (3 * self.num_heads, channels, channels)
            self.kernels.append(self.add_weight(name=f"mix_{number}", shape=shape, initializer="glorot_uniform"))
        self.output_dense = self.dense("output", (1 + len(self.scales)) * width, width, False)

    def call(self, inputs: Any) -> Any:
        projected = self.project_dense(inputs)
        scales = [split_heads(projected, 3 * self.num_heads)]
        for convolution, kernel in zip(self.convolutions, self.kernels):
            heads = split_heads(convolution(projected), 3 * self.num_heads)
            scales.append(ops.einsum("bnhc,hcd->bnhd", heads, kernel))
        # The heads of a scale lie as all queries, then all keys, then all values.
        parts = [ops.split(heads, 3, axis=2) for heads in scales]
        query, key, value = (ops.concatenate([part[place] for part in parts], axis=2) for place in range(3))
        mixed = attend_linear(query, key, value, path=site_path(self), feature_map=ops.relu).output
        shape = ops.shape(mixed)
        mixed = ops.reshape(mixed, (shape[0], shape[1], mixed.shape[2] * mixed.shape[3]))
        return self.output_dense(like_image(mixed, inputs))


@keras.saving.register_keras_serializable(package="attention_zoo")
class EfficientAdditiveAttention(ImageMixing):
    """Sum the queries up to one, and let it meet every key by a product of their channels.

    g = sum_i a_i q_i, a = s / |s|, s_i = w . q_i / sqrt(units), output_i = W_o (q_i + T (g * k_i)), |q_i| = |k_i| = 1

    Args:
        units: channels of queries and keys; None is the inputs'.

    Call:
        inputs: [batch, height, width, channel].

    Returns:
        The same shape. The map is ("batch", "head", "query", "key"), with one head and one query for the whole image;
        the squares of its weights sum to 1, and weights may be negative.

    Raises:
        ZooValueError: if units is under 1.

    Cost: time batch x pixels x units x channels, memory batch x pixels x units.
    Source: Shaker et al. 2023, arXiv:2303.15446, section 3.2; the norms of s, q and k as in the authors' code.
    """

    settings = ("units",)

    def __init__(self, units: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = None if units is None else whole_number("units", units, unit="channels")

    def build(self, inputs_shape: Any) -> None:
        width = inputs_shape[-1]
        units = self.units or width
        self.query_dense, self.key_dense = self.dense("query", width, units), self.dense("key", width, units)
        self.score_dense = self.dense("score", units, 1, False)
        self.transform = self.dense("transform", units, units)
        self.output_dense = self.dense("output", units, width)

    def call(self, inputs: Any) -> Any:
        query, key = (
            ops.cast(unit_length(dense(inputs)), inputs.dtype) for dense in (self.query_dense, self.key_dense)
        )
        shape, units = ops.shape(inputs), query.shape[-1]
        scores = ops.reshape(self.score_dense(query), (shape[0], 1, 1, shape[1] * shape[2])) * units**-0.5
        weights = tap(Site(site_path(self), "mix", MAP_AXES), ops.cast(unit_length(scores), query.dtype))
        queries = ops.reshape(query, (shape[0], 1, shape[1] * shape[2], units))
        return self.output_dense(query + self.transform(ops.matmul(weights, queries) * key))


@keras.saving.register_keras_serializable(package="attention_zoo")
class LambdaLayer(ImageMixing):
    """Make of the whole image, and of each pixel's surroundings, a linear function, and apply it to the pixel's query.

    output_i = (K^T V + sum over the pixels m around i of e_(m - i) v_m^T)^T q_i, K = softmax over pixels of W_k x

    Args:
        num_heads: queries of each pixel; the heads share keys and values.
        units: channels of queries and keys.
        kernel: of the surroundings (pixels), odd.

    Call:
        inputs: [batch, height, width, channel].

    Returns:
        The same shape. The map is ("batch", "channel", "key"): the weights of the pixels for each channel of K.

    Raises:
        ZooValueError: if a number is under 1, kernel is even, or the heads cannot share the channels.

    Cost: time batch x pixels x kernel^2 x units x channels / heads, memory batch x pixels x (units + kernel^2) x
    channels / heads.
    Source: Bello 2021, arXiv:2102.08602, section 3 (with the lambda convolution). Differs: no batch normalisation of
    queries and values.
    """

    settings = ("num_heads", "units", "kernel")

    def __init__(self, num_heads: int = 4, units: int = 16, kernel: int = 7, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_heads, self.units = whole_number("num_heads", num_heads), whole_number("units", units)
        self.kernel = whole_number("kernel", kernel)
        if kernel % 2 == 0:
            raise ZooValueError(f"kernel must be odd (pixels), got {kernel}")

    def build(self, inputs_shape: Any) -> None:
        width = inputs_shape[-1]
        channels = head_width(width, self.num_heads)
        self.query_dense = self.dense("query", width, self.num_heads * self.units, False)
        self.key_dense = self.dense("key", width, self.units, False)
        self.value_dense = self.dense("value", width, channels, False)
        start = keras.initializers.RandomNormal(stddev=0.02)
        self.places = self.add_weight(name="places", shape=(self.units, self.kernel**2), initializer=start)

    def call(self, inputs: Any) -> Any:
        shape, value = ops.shape(inputs), self.value_dense(inputs)
        count, channels = shape[1] * shape[2], value.shape[-1]
        scores = ops.transpose(ops.reshape(self.key_dense(inputs), (shape[0], count, self.units)), (0, 2, 1))
        weights = ops.cast(self.normalizer.normalize(scores), value.dtype)
        weights = tap(Site(site_path(self), "mix", ("batch", "channel", "key")), weights)
        content = ops.matmul(weights, ops.reshape(value, (shape[0], count, channels)))
        around = ops.reshape(unfold(value, self.kernel), (shape[0], count, self.kernel**2, channels))
        functions = ops.expand_dims(content, 1) + ops.matmul(ops.cast(self.places, value.dtype), around)
        query = ops.reshape(self.query_dense(inputs), (shape[0], count, self.num_heads, self.units))
        return like_image(ops.reshape(ops.matmul(query, functions), (shape[0], count, inputs.shape[-1])), inputs)
