"""Auto-correlation: whole series are compared at every delay, and values are mixed by delay, not by position."""

import math
from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Site, site_path, tap
from attention_zoo.core.fourier import TRANSFORMS, circular_correlate
from attention_zoo.core.masks import MASKED
from attention_zoo.errors import ZooValueError, unknown


@keras.saving.register_keras_serializable(package="attention_zoo")
class AutoCorrelation(keras.layers.Layer):
    """Find the delays at which queries and keys agree, and sum the values shifted by them.

    R(s) = mean over t and channels of q[t + s] k[t], the delays s of the k largest R weighed by softmax(R)
    output[t] = sum over these s of weight(s) v[t + s], k = floor(factor ln length); positions wrap around

    Args:
        num_heads: heads; each finds delays of its own.
        key_dim: channels of each head.
        factor: how many times ln length delays are kept, over 0.
        use_bias: whether the projections have biases.
        output_shape: channels of an output position; None is the width of `query`.
        transform: "matmul" exports everywhere; "fft" is faster (some 30 times at 16,384 steps on one core) and gives
            the same numbers, but cannot be written as ONNX. Weights fit both.

    Call:
        query: [batch, time, width].
        value: [batch, own time, own width], cut or filled with zeros to the time of the query; None is `query`.
        query_mask, value_mask: bool; False marks padding, which counts as zero. The circle has the padded length.

    Returns:
        [batch, time, output width]. The map at the tap is [batch, head, delay].

    Raises:
        ZooValueError: if num_heads or key_dim is under 1, or factor is not over 0, or transform is unknown.

    Cost: memory batch x heads x key_dim x length; time that times ln(length) by "fft", as published, and times the root
    of the length by "matmul".
    Source: Wu et al. 2021, arXiv:2106.13008, section 3.2, equations 5 to 7. Differs: delays are mixed by a second
    correlation in place of gathering; each head chooses delays of its own,
    by a mean over time; some code takes the mean of all heads first.
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        factor: float = 1.0,
        use_bias: bool = True,
        output_shape: int | None = None,
        transform: str = "matmul",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        for name, value in (("num_heads", num_heads), ("key_dim", key_dim)):
            whole_number(name, value)
        if factor <= 0:
            raise ZooValueError(f"factor must be over 0, got {factor}")
        if transform not in TRANSFORMS:
            raise unknown("transform", transform, TRANSFORMS)
        self.supports_masking = True
        self.num_heads, self.key_dim, self.factor = num_heads, key_dim, factor
        self.use_bias, self.out_width = use_bias, output_shape
        self.transform, self.fast = transform, transform == "fft"

    def get_config(self) -> dict:
        names = ("num_heads", "key_dim", "factor", "use_bias", "transform")
        own = {name: getattr(self, name) for name in names}
        return {**super().get_config(), **own, "output_shape": self.out_width}

    def build(self, query_shape: Any, value_shape: Any = None) -> None:
        value_shape = query_shape if value_shape is None else value_shape
        heads = {"output_shape": (None, self.num_heads, self.key_dim), "bias_axes": "hc" if self.use_bias else None}
        into = "btw,whc->bthc"
        self.query_dense = self._einsum("query", into, (None, None, query_shape[-1]), **heads)
        self.key_dense = self._einsum("key", into, (None, None, value_shape[-1]), **heads)
        self.value_dense = self._einsum("value", into, (None, None, value_shape[-1]), **heads)
        back = {
            "output_shape": (None, self.out_width or query_shape[-1]),
            "bias_axes": "w" if self.use_bias else None,
        }
        shape = (None, None, self.num_heads, self.key_dim)
        self.output_dense = self._einsum("attention_output", "bthc,hcw->btw", shape, **back)

    def _einsum(self, name: str, equation: str, shape: tuple, **arguments: Any) -> keras.layers.Layer:
        """Make and build a projection."""
        dense = keras.layers.EinsumDense(equation, name=name, dtype=self.dtype_policy, **arguments)
        dense.supports_masking = True
        dense.build(shape)
        return dense

    def call(
        self, query: Any, value: Any = None, query_mask: Any = None, value_mask: Any = None, mask: Any = None
    ) -> Any:
        if value is None:
            # Keras fills `query_mask` only where there are several tensors, and `mask` where there is one.
            query_mask = mask if query_mask is None else query_mask
            value, value_mask = query, query_mask if value_mask is None else value_mask
        length = ops.shape(query)[1]
        queries = _signals(self.query_dense(query), query_mask, length)
        keys = _signals(self.key_dense(value), value_mask, length)
        values = _signals(self.value_dense(value), value_mask, length)
        size = ops.cast(length, "float32") * self.key_dim
        agreement = circular_correlate(queries, keys, channels=True, fast=self.fast) / size
        weights = self._delays(agreement, length)
        if value_mask is not None:
            some = ops.any(ops.cast(value_mask, "bool"), axis=1)
            weights = weights * ops.expand_dims(ops.cast(some, "float32"), (1, 2))
        weights = tap(Site(site_path(self), "mix", ("batch", "head", "delay")), weights)
        mixed = circular_correlate(values, ops.expand_dims(ops.cast(weights, "float32"), 2), fast=self.fast)
        mixed = ops.cast(ops.transpose(mixed, (0, 3, 1, 2)), self.compute_dtype)
        output = self.output_dense(mixed)
        return output if query_mask is None else output * ops.expand_dims(ops.cast(query_mask, output.dtype), -1)

    def _delays(self, agreement: Any, length: Any) -> Any:
        """Weigh the delays at which the agreement is largest, [batch, head, delay]; all others weigh nothing."""
        if isinstance(length, int):
            count = max(1, min(length, int(self.factor * math.log(length))))
        else:
            count = ops.cast(ops.floor(self.factor * ops.log(ops.cast(length, "float32"))), "int32")
            count = ops.maximum(ops.minimum(count, length), 1)
        ordered = ops.sort(agreement, axis=-1)
        least = ordered[..., length - count : length - count + 1]
        kept = agreement >= least
        return ops.where(kept, ops.softmax(ops.where(kept, agreement, MASKED), axis=-1), 0.0)

    def compute_mask(self, query: Any, value: Any = None, query_mask: Any = None, value_mask: Any = None) -> Any:
        """Pass on the mask of the query."""
        return query_mask

    def compute_output_shape(self, query_shape: Any, value_shape: Any = None) -> tuple:
        return (*query_shape[:-1], self.out_width or query_shape[-1])


def _signals(heads: Any, mask: Any, length: Any) -> Any:
    """Bring [batch, time, head, channel] to float32 [batch, head, channel, length], zeros at padding and beyond."""
    heads = ops.cast(heads, "float32")
    if mask is not None:
        heads = heads * ops.expand_dims(ops.cast(mask, "float32"), (2, 3))
    shape = ops.shape(heads)
    end = ops.zeros((shape[0], length, *shape[2:]), dtype="float32")
    return ops.transpose(ops.concatenate([heads, end], axis=1)[:, :length], (0, 2, 3, 1))
