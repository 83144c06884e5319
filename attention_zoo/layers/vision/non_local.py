"""Attention of every pixel to every pixel: the non-local block, and its form in generative networks."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Site, site_path, tap
from attention_zoo.core.attend import MAP_AXES
from attention_zoo.core.rows import compare_rows, mix_rows
from attention_zoo.errors import unknown
from attention_zoo.layers.vision.image import ImageMixing, like_image, share_of, split_heads

MODES = ("embedded_gaussian", "gaussian", "dot", "concat")


def pooled(image: Any, pool: int) -> Any:
    """Keep the largest of every `pool` x `pool` pixels; what is left at the end counts as a whole."""
    return image if pool == 1 else ops.max_pool(image, pool, strides=pool, padding="same")


@keras.saving.register_keras_serializable(package="attention_zoo")
class NonLocal(ImageMixing):
    """Add to every pixel a mean over all pixels, weighed by how they match.

    output_i = x_i + W_z sum_j f(x_i, x_j) g(x_j) / C; g(x) = W_g x, t(x) = W_t x, p(x) = W_p x, and by `mode`

    * "embedded_gaussian": f = exp(t(x_i) . p(x_j)), C = sum_j f
    * "gaussian": f = exp(x_i . x_j), C = sum_j f
    * "dot": f = t(x_i) . p(x_j), C = number of keys
    * "concat": f = relu(w . [t(x_i); p(x_j)]), C = number of keys

    Args:
        mode: how two pixels are compared, one of the above.
        units: channels of t, p and g; None is half of the inputs'.
        pool: keys and values are the largest of `pool` x `pool` pixels (section 3.3, subsampling); 1 keeps all.

    Call:
        inputs: [batch, height, width, channel].

    Returns:
        The same shape. Maps are ("batch", "head", "query", "key"), one head; their rows sum to 1 in the Gaussian modes.

    Raises:
        ZooValueError: if the mode is unknown, or units or pool is under 1.

    Cost: time and memory batch x pixels x pixels / pool^2.
    Source: Wang et al. 2017, arXiv:1711.07971, sections 3.1 to 3.3. Differs: no batch normalisation after W_z; its
    kernel starts at zero instead, so that the block starts as the identity.
    """

    settings = ("mode", "units", "pool")

    def __init__(self, mode: str = "embedded_gaussian", units: int | None = None, pool: int = 1, **kwargs: Any):
        super().__init__(**kwargs)
        if mode not in MODES:
            raise unknown("mode of the non-local block", mode, MODES)
        self.mode = mode
        self.units = None if units is None else whole_number("units", units, unit="channels")
        self.pool = whole_number("pool", pool, unit="pixels")

    def build(self, inputs_shape: Any) -> None:
        width = inputs_shape[-1]
        units = self.units or share_of(width, 2)
        if self.mode != "gaussian":
            self.query_dense, self.key_dense = self.dense("query", width, units), self.dense("key", width, units)
        if self.mode == "concat":
            self.query_score = self.dense("query_score", units, 1, False)
            self.key_score = self.dense("key_score", units, 1, False)
        self.value_dense = self.dense("value", width, units)
        self.output_dense = self.dense("output", units, width, kernel_initializer="zeros")

    def call(self, inputs: Any) -> Any:
        keys, value = pooled(inputs, self.pool), pooled(self.value_dense(inputs), self.pool)
        if self.mode == "gaussian":
            mixed = self.mix(inputs, keys, value)
        else:
            query, key = self.query_dense(inputs), pooled(self.key_dense(inputs), self.pool)
            mixed = self.mix(query, key, value) if self.mode == "embedded_gaussian" else self._mean(query, key, value)
        return inputs + self.output_dense(like_image(mixed, inputs))

    def _mean(self, query: Any, key: Any, value: Any) -> Any:
        """Mix by scores over the number of keys."""
        if self.mode == "concat":
            query, key = self.query_score(query), self.key_score(key)
        query, key, value = (ops.transpose(split_heads(array, 1), (0, 2, 1, 3)) for array in (query, key, value))
        if self.mode == "concat":
            scores = ops.relu(ops.cast(query, "float32") + ops.cast(ops.swapaxes(key, 2, 3), "float32"))
        else:
            scores = ops.cast(compare_rows(query, key), "float32")
        weights = ops.cast(scores / ops.cast(ops.shape(key)[2], "float32"), value.dtype)
        return mix_rows(tap(Site(site_path(self), "mix", MAP_AXES), weights), value)[:, 0]


@keras.saving.register_keras_serializable(package="attention_zoo")
class SAGANAttention(ImageMixing):
    """Add to every pixel, by a learned share that starts at nothing, what it attends to in the whole image.

    output = x + g W_v (softmax(F K^T) H), F = W_f x, K = W_g x, H = W_h x, g = 0 at first

    Args:
        ratio: queries, keys and values have the inputs' channels over `ratio`.
        pool: keys and values are the largest of `pool` x `pool` pixels; 1 keeps all.

    Call:
        inputs: [batch, height, width, channel].

    Returns:
        The same shape. Maps are ("batch", "head", "query", "key"), one head.

    Raises:
        ZooValueError: if ratio or pool is under 1.

    Cost: time and memory batch x pixels x pixels / pool^2.
    Source: Zhang et al. 2018, arXiv:1805.08318, section 3. Differs: no spectral normalisation, which a user may wrap
    around the projections; the pooled keys are those of the authors' code.
    """

    settings = ("ratio", "pool")

    def __init__(self, ratio: int = 8, pool: int = 1, **kwargs: Any):
        super().__init__(**kwargs)
        self.ratio, self.pool = whole_number("ratio", ratio), whole_number("pool", pool, unit="pixels")

    def build(self, inputs_shape: Any) -> None:
        width = inputs_shape[-1]
        units = share_of(width, self.ratio)
        self.query_dense = self.dense("query", width, units, False)
        self.key_dense = self.dense("key", width, units, False)
        self.value_dense = self.dense("value", width, units, False)
        self.output_dense = self.dense("output", units, width, False)
        self.gamma = self.add_weight(shape=(), initializer="zeros", name="gamma")

    def call(self, inputs: Any) -> Any:
        key, value = (pooled(dense(inputs), self.pool) for dense in (self.key_dense, self.value_dense))
        mixed = self.mix(self.query_dense(inputs), key, value)
        return inputs + self.gamma * self.output_dense(like_image(mixed, inputs))
