"""An average of the past that fades channel by channel: the time mixing of RWKV."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Attended, Masks, Site, gate, site_path, tap
from attention_zoo.core.attend import MAP_AXES
from attention_zoo.core.masks import MASKED, hide_queries
from attention_zoo.core.projection import project
from attention_zoo.core.recurrence import cut, running_sum, shifted
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.efficient.base import EfficientAttention


@keras.saving.register_keras_serializable(package="attention_zoo")
class RWKV(EfficientAttention):
    """Average values by the exponentials of their keys and of their age, each channel by itself; the input gates.

    wkv[q] = (sum over k < q of exp(K_k - (q - 1 - k) w) V_k + exp(u + K_q) V_q) / (the same without V),
    output[q] = sigmoid(R_q) * wkv[q], with R, K, V from m x_q + (1 - m) x_(q-1), m for each of them, w = exp(decay)

    Args:
        num_heads: heads: they only share out the channels.
        key_dim: channels of each head.
        value_dim: None or `key_dim`.
        dropout: share of the heads' outputs dropped while training.
        chunk: tokens in a chunk; the result does not depend on it.
        use_bias: whether the projections have biases.
        **kwargs: as for `MultiHeadAttention`.

    Call:
        as `MultiHeadAttention`, with `query` alone and without `attention_mask`; later keys are always hidden. Every
        channel is a head of its own: the map is [batch, num_heads x key_dim, query, key].

    Returns:
        [batch, query, output width].

    Raises:
        ZooValueError: as `MultiHeadAttention`; if value_dim differs from key_dim or chunk is under 1.

    Cost: time batch x length x channels x chunk; a map of each channel is formed while watched.
    Source: Peng et al. 2023, arXiv:2305.13048, section 3 (version 4, time mixing). Differs: padding counts for nothing,
    the shift over a padded token included.
    """

    takes = ()
    crosses, takes_pairs = False, False
    own = ("chunk",)

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        chunk: int = 32,
        use_bias: bool = False,
        **kwargs: Any,
    ):
        if value_dim not in (None, key_dim):
            raise ZooValueError(f"value_dim must be None or key_dim ({key_dim}), got {value_dim}")
        super().__init__(num_heads, key_dim, value_dim, dropout, use_bias=use_bias, **kwargs)
        self.chunk = whole_number("chunk", chunk, 1, "tokens")

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> None:
        super().build(query_shape, value_shape, key_shape)
        shape = (self.num_heads, self.key_dim)
        slow_to_fast = keras.initializers.RandomUniform(-6.0, 0.0, seed=self.seed)
        self.decay = self.add_weight(shape=shape, initializer=slow_to_fast, name="decay")
        self.first = self.add_weight(shape=shape, initializer="zeros", name="first")
        half = keras.initializers.Constant(0.5)
        self.shares = self.add_weight(shape=(3, query_shape[-1]), initializer=half, name="shares")

    def heads(self, inputs: Any, present: Any) -> list[Any]:
        """Return gates, keys and values, each [batch, head, length, channel]."""
        seen = inputs if present is None else ops.where(ops.expand_dims(present, 2), inputs, ops.zeros_like(inputs))
        last = ops.pad(seen, ((0, 0), (1, 0), (0, 0)))[:, :-1]
        found = []
        for index, dense in enumerate((self.query_dense, self.key_dense, self.value_dense)):
            share = ops.cast(self.shares[index], inputs.dtype)
            found.append(ops.transpose(project(dense, inputs * share + last * (1.0 - share)), (0, 2, 1, 3)))
        return found

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
        gates, keys, values = (ops.cast(array, "float32") for array in self.heads(query, present))
        if present is not None:
            keys = ops.where(ops.expand_dims(present, (1, 3)), keys, MASKED)
        # A shift of a channel's keys cancels.
        keys = keys - ops.stop_gradient(ops.max(keys, axis=2, keepdims=True))
        powers = ops.exp(keys)
        if present is not None:
            powers = ops.where(ops.expand_dims(present, (1, 3)), powers, 0.0)
        if need_weights:
            weights = self.tapped(powers, masks)
            output = ops.einsum("bhcqk,bhkc->bhqc", weights, values)
            weights = ops.reshape(weights, (ops.shape(weights)[0], -1, *ops.shape(weights)[3:]))
        else:
            weights = None
            above, below = ops.split(self.sums(ops.concatenate([powers * values, powers], axis=-1)), 2, axis=-1)
            output = hide_queries(ops.where(below > 0, above / ops.where(below > 0, below, 1.0), 0.0), masks)
        axes = ("batch", "head", "query", "channel")
        output = gate(output, gates, path=f"{site_path(self)}/gate", axes=axes)
        return Attended(ops.transpose(output, (0, 2, 1, 3)), weights)

    def factors(self, size: Any) -> Any:
        """Return what the age makes of a key, float32 [head, channel, query, key] for `size` places in a row."""
        rate = ops.expand_dims(ops.exp(ops.cast(self.decay, "float32")), (2, 3))
        places = ops.cast(ops.arange(size), "float32")
        age = ops.expand_dims(places, 1) - ops.expand_dims(places, 0)
        fade = ops.where(age > 0, ops.exp(-rate * ops.maximum(age - 1.0, 0.0)), 0.0)
        here = ops.exp(ops.expand_dims(ops.cast(self.first, "float32"), (2, 3)))
        return fade + ops.where(ops.equal(age, 0.0), here, 0.0)

    def sums(self, columns: Any) -> Any:
        """Return the sums over the past of columns [batch, head, length, 2 x channel], chunk by chunk."""
        length, size, channels = ops.shape(columns)[2], self.chunk, self.key_dim
        count = -(-length // size)
        pieces = cut(columns, count, size)
        batch, many = ops.shape(pieces)[0], self.num_heads * channels
        pieces = ops.reshape(pieces, (batch, self.num_heads, count, size, 2, channels))
        pieces = ops.reshape(ops.transpose(pieces, (0, 1, 5, 2, 3, 4)), (batch, many, count, size, 2))
        inside = ops.matmul(ops.reshape(self.factors(size), (many, 1, size, size)), pieces)
        rate = ops.reshape(ops.exp(ops.cast(self.decay, "float32")), (many, 1, 1, 1))
        places = ops.reshape(ops.cast(ops.arange(size), "float32"), (size, 1))
        states = ops.sum(pieces * ops.exp(-rate * (size - 1.0 - places)), axis=3, keepdims=True)
        before = shifted(running_sum(states, ops.exp(-rate * float(size))), 1, count)
        # Unlike in `decayed_sums` the newest key of the past has not faded yet.
        sums = ops.reshape(
            inside + before * ops.exp(-rate * places), (batch, self.num_heads, channels, count * size, 2)
        )
        sums = ops.transpose(sums, (0, 1, 3, 4, 2))
        return ops.reshape(sums, (batch, self.num_heads, count * size, 2 * channels))[:, :, :length]

    def tapped(self, powers: Any, masks: Masks) -> Any:
        """Form the maps of all channels, pass them through the tap: [batch, head, channel, query, key]."""
        factors = self.factors(ops.shape(powers)[2])
        products = factors * ops.expand_dims(ops.swapaxes(powers, -1, -2), 3)
        total = ops.sum(products, axis=-1, keepdims=True)
        weights = ops.where(total > 0, products / ops.where(total > 0, total, 1.0), 0.0)
        shape = ops.shape(weights)
        flat = ops.reshape(weights, (shape[0], self.num_heads * self.key_dim, shape[3], shape[4]))
        return ops.reshape(tap(Site(site_path(self), "mix", MAP_AXES), hide_queries(flat, masks)), shape)

    def compute_output_spec(self, query: Any, *args: Any, return_attention_scores: bool = False, **kwargs: Any) -> Any:
        spec = super().compute_output_spec(query, *args, return_attention_scores=return_attention_scores, **kwargs)
        if not return_attention_scores:
            return spec
        shape = list(spec[1].shape)
        shape[1] = self.num_heads * self.key_dim
        return spec[0], keras.KerasTensor(shape, dtype=self.compute_dtype)
