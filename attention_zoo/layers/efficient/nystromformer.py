"""The map from a few landmarks: Nystromformer."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Attended, Masks, Site, site_path, tap
from attention_zoo.core.attend import MAP_AXES
from attention_zoo.core.masks import MASKED, hide_queries
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.efficient.base import EfficientAttention


@keras.saving.register_keras_serializable(package="attention_zoo")
class Nystromformer(EfficientAttention):
    """Approximate the map of softmax attention from landmarks, the means of equal segments of queries and keys.

    output = softmax(Q K~^T) pinv(softmax(Q~ K~^T)) softmax(Q~ K^T) V + convolution(V), scores over sqrt(d),
    pinv by Z <- Z (13 I - A Z (15 I - A Z (7 I - A Z))) / 4 from A^T / (|A|_1 |A|_inf)

    Args:
        num_heads: heads of the queries.
        key_dim: channels of each head of queries and keys.
        value_dim: channels of each head of values; None is `key_dim`.
        dropout: share of the heads' outputs dropped while training.
        landmarks: segments, at least 1.
        iterations: steps towards the inverse, at least 1.
        kernel_size: odd width (tokens) of the depthwise convolution over the values; None for none. With it the layer
            reads one sequence only.
        **kwargs: as for `MultiHeadAttention`; position "none", "sinusoidal" or "learned".

    Call:
        as `MultiHeadAttention`, without `attention_mask` and `use_causal_mask`: a landmark holds a whole segment. The
        map is the product of the three, without the convolution; its entries may be negative.

    Returns:
        [batch, query, output width].

    Raises:
        ZooValueError: as `MultiHeadAttention`; if landmarks or iterations is under 1, or kernel_size is even.

    Cost: time and memory batch x heads x length x landmarks; a map is formed while watched.
    Source: Xiong et al. 2021, arXiv:2102.03902, section 3. Differs: padding is left out of the means,
    empty segments out of the landmarks, and the inverse starts from each matrix's own norms.
    """

    hides_later, takes_pairs = False, False
    own = ("landmarks", "iterations", "kernel_size")

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        landmarks: int = 64,
        iterations: int = 6,
        kernel_size: int | None = 33,
        **kwargs: Any,
    ):
        super().__init__(num_heads, key_dim, value_dim, dropout, **kwargs)
        self.landmarks, self.iterations = (
            whole_number("landmarks", landmarks, 1),
            whole_number("iterations", iterations, 1),
        )
        if kernel_size is not None and not whole_number("kernel_size", kernel_size, 1, "tokens") % 2:
            raise ZooValueError(f"kernel_size must be odd (tokens), got {kernel_size}")
        self.kernel_size = kernel_size
        self.crosses = kernel_size is None

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> None:
        super().build(query_shape, value_shape, key_shape)
        if self.kernel_size is not None:
            shape = (self.kernel_size, self.num_heads)
            self.taps = self.add_weight(shape=shape, initializer="glorot_uniform", name="convolution")

    def mix_heads(
        self, query: Any, key: Any, value: Any, *, masks: Masks, causal: bool, need_weights: bool
    ) -> Attended:
        query = ops.cast(query, "float32") * self.key_dim**-0.5
        key, values = ops.cast(key, "float32"), ops.cast(value, "float32")
        query_marks, some_queries = self.means(query, masks.queries)
        key_marks, some_keys = self.means(key, masks.keys)
        present = None if masks.keys is None else ops.expand_dims(ops.cast(masks.keys, "bool"), 1)
        left = _softmax(query, key_marks, some_keys)
        middle = _softmax(query_marks, key_marks, some_keys) * ops.cast(
            ops.expand_dims(some_queries, (1, 3)), "float32"
        )
        right = _softmax(query_marks, key, present)
        if need_weights:
            weights = ops.matmul(ops.matmul(left, self.inverse(middle)), right)
            weights = tap(Site(site_path(self), "mix", MAP_AXES), hide_queries(weights, masks))
            output = ops.matmul(weights, values)
        else:
            weights = None
            output = hide_queries(ops.matmul(left, ops.matmul(self.inverse(middle), ops.matmul(right, values))), masks)
        if self.kernel_size is not None:
            output = output + hide_queries(self.convolved(values, masks), masks)
        return Attended(output, weights)

    def means(self, vectors: Any, present: Any) -> tuple[Any, Any]:
        """Return the mean of each segment [batch, head, landmark, channel], and which segments hold any token."""
        batch, heads, length, channels = (*ops.shape(vectors)[:3], vectors.shape[3])
        if present is None:
            present = ops.ones((batch, length), dtype="float32")
        present = ops.expand_dims(ops.cast(present, "float32"), (1, 3))
        size = -(-length // self.landmarks)
        pad = ((0, 0), (0, 0), (0, size * self.landmarks - length), (0, 0))
        vectors, present = ops.pad(ops.where(present > 0, vectors, 0.0), pad), ops.pad(present, pad)
        totals = ops.sum(ops.reshape(vectors, (batch, heads, self.landmarks, size, channels)), axis=3)
        counts = ops.sum(ops.reshape(present, (batch, 1, self.landmarks, size, 1)), axis=3)
        return totals / ops.maximum(counts, 1.0), ops.reshape(counts > 0, (batch, self.landmarks))

    def inverse(self, matrix: Any) -> Any:
        """Return the pseudo-inverse of [batch, head, landmark, landmark], nearly."""
        rows = ops.max(ops.sum(matrix, axis=-1, keepdims=True), axis=-2, keepdims=True)
        columns = ops.max(ops.sum(matrix, axis=-2, keepdims=True), axis=-1, keepdims=True)
        found = ops.transpose(matrix, (0, 1, 3, 2)) / ops.maximum(rows * columns, 1e-6)
        one = ops.eye(self.landmarks, dtype="float32")
        for _ in range(self.iterations):
            product = ops.matmul(matrix, found)
            inner = 15.0 * one - ops.matmul(product, 7.0 * one - product)
            found = 0.25 * ops.matmul(found, 13.0 * one - ops.matmul(product, inner))
        return found

    def convolved(self, values: Any, masks: Masks) -> Any:
        """Convolve values [batch, head, length, channel] along the length, each head with its own kernel."""
        if masks.keys is not None:
            values = ops.where(ops.expand_dims(ops.cast(masks.keys, "bool"), (1, 3)), values, 0.0)
        image = ops.transpose(values, (0, 2, 3, 1))
        kernel = ops.reshape(ops.cast(self.taps, "float32"), (self.kernel_size, 1, self.num_heads, 1))
        image = ops.depthwise_conv(image, kernel, padding="same", data_format="channels_last")
        return ops.transpose(image, (0, 3, 1, 2))


def _softmax(query: Any, key: Any, some: Any) -> Any:
    """Return softmax(query key^T), zero for keys that are not there; `some` is bool [batch, 1 or none, key] or None."""
    scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
    if some is None:
        return ops.softmax(scores, axis=-1)
    some = ops.expand_dims(some, 1) if len(some.shape) == 3 else ops.expand_dims(some, (1, 2))
    return ops.where(some, ops.softmax(ops.where(some, scores, MASKED), axis=-1), 0.0)
