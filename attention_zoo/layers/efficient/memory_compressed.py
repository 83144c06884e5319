"""Fewer keys and values by a strided convolution: memory-compressed attention."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Attended, Masks, attend, site_path
from attention_zoo.core.projection import project
from attention_zoo.layers.efficient.base import EfficientAttention


@keras.saving.register_keras_serializable(package="attention_zoo")
class MemoryCompressedAttention(EfficientAttention):
    """Attend to blocks of `stride` keys, each made one key and one value by a convolution.

    k'_j = b + sum_s W_s k_(stride j + s), v' likewise, output = softmax(Q K'^T / sqrt(d)) V'

    Args:
        num_heads: heads of the queries.
        key_dim: channels of each head of queries and keys.
        value_dim: channels of each head of values; None is `key_dim`.
        dropout: share of the heads' outputs dropped while training.
        stride: keys made one (tokens), at least 1; also the width of the convolution.
        causal: let a query see a block only once all of it lies behind; the first queries then see nothing.
        **kwargs: as for `MultiHeadAttention`, with score and normalizer; position "none", "sinusoidal" or "learned".

    Call:
        as `MultiHeadAttention`, without `attention_mask`. The map is [batch, head, query, block].

    Returns:
        [batch, query, output width].

    Raises:
        ZooValueError: as `MultiHeadAttention`; if stride is under 1.

    Cost: time and memory batch x heads x query x key / stride.
    Source: Liu et al. 2018, arXiv:1801.10198, section 4.2.3. Differs: one convolution for each head, the last block is
    filled with zeros.
    """

    takes = ("position", "score", "normalizer")
    takes_pairs = False
    own = ("stride", "causal")

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        stride: int = 3,
        causal: bool = False,
        **kwargs: Any,
    ):
        super().__init__(num_heads, key_dim, value_dim, dropout, **kwargs)
        self.stride, self.causal = whole_number("stride", stride, 1, "tokens"), causal

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> None:
        super().build(query_shape, value_shape, key_shape)
        for name, channels in (("key", self.key_dim), ("value", self.value_dim)):
            shape = (self.num_heads, self.stride * channels, channels)
            weight = self.add_weight(shape=shape, initializer="glorot_uniform", name=f"compressed_{name}_kernel")
            bias = self.add_weight(
                shape=(self.num_heads, channels), initializer="zeros", name=f"compressed_{name}_bias"
            )
            setattr(self, f"_{name}_compression", (weight, bias))

    def compressed(self, heads: Any, compression: tuple, present: Any) -> Any:
        """Convolve [batch, length, head, channel] to [batch, block, head, channel]; `present`: bool [batch, length]."""
        kernel, bias = (ops.cast(weight, heads.dtype) for weight in compression)
        if present is not None:
            heads = ops.where(ops.expand_dims(present, (2, 3)), heads, ops.zeros_like(heads))
        heads, count = self.filled(heads)
        shape = (ops.shape(heads)[0], count, self.stride, self.num_heads, heads.shape[3])
        blocks = ops.transpose(ops.reshape(heads, shape), (0, 3, 1, 2, 4))
        blocks = ops.reshape(blocks, (shape[0], self.num_heads, count, self.stride * shape[4]))
        return ops.transpose(ops.matmul(blocks, kernel), (0, 2, 1, 3)) + bias

    def filled(self, array: Any) -> tuple[Any, Any]:
        """Fill axis 1 up to whole blocks with zeros; return also the number of blocks."""
        length = ops.shape(array)[1]
        count = -(-length // self.stride)
        return ops.pad(array, ((0, 0), (0, count * self.stride - length), *((0, 0),) * (len(array.shape) - 2))), count

    def mix_inputs(
        self,
        query: Any,
        value: Any,
        key: Any,
        *,
        masks: Masks,
        causal: bool,
        need_weights: bool,
        training: bool | None,
    ) -> Attended:
        present = None if masks.keys is None else ops.cast(masks.keys, "bool")
        keys = self.compressed(project(self.key_dense, key), self._key_compression, present)
        values = self.compressed(project(self.value_dense, value), self._value_compression, present)
        count = ops.shape(keys)[1]
        if present is not None:
            filled, _ = self.filled(ops.cast(present, "int32"))
            present = ops.any(ops.reshape(filled, (ops.shape(filled)[0], count, self.stride)) > 0, axis=2)
        pairs = None
        if causal or self.causal:
            last = (ops.arange(count) + 1) * self.stride - 1
            pairs = ops.expand_dims(last, 0) <= ops.expand_dims(ops.arange(ops.shape(query)[1]), 1)
            pairs = ops.expand_dims(pairs, (0, 1))
        return attend(
            project(self.query_dense, query),
            keys,
            values,
            path=site_path(self),
            parts=self._parts(False, False),
            masks=Masks(masks.queries, present, pairs),
            need_weights=need_weights,
        )

    def compute_output_spec(
        self, query: Any, value: Any = None, key: Any = None, return_attention_scores: bool = False, **kwargs: Any
    ) -> Any:
        spec = super().compute_output_spec(query, value, key, return_attention_scores, **kwargs)
        if not return_attention_scores:
            return spec
        *lead, keys = spec[1].shape
        blocks = None if keys is None else -(-keys // self.stride)
        return spec[0], keras.KerasTensor((*lead, blocks), dtype=self.compute_dtype)
