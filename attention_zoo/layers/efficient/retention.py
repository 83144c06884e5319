"""Attention that fades with distance, and is a recurrence: retention (RetNet)."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Attended, Masks, Site, gate, site_path, tap
from attention_zoo.core.attend import MAP_AXES
from attention_zoo.core.masks import hide_queries
from attention_zoo.core.projection import project
from attention_zoo.core.recurrence import decayed_sums, turn
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.efficient.base import EfficientAttention
from attention_zoo.layers.incremental import cast_weights

_EPSILON = 1e-6


@keras.saving.register_keras_serializable(package="attention_zoo")
class Retention(EfficientAttention):
    """Sum the past with weights that fade by a factor of each head's own; a step needs only a state of fixed size.

    whole:  output[q] = swish(x_q W_g) * norm(sum over k <= q of g^(q - k) (R_q q . R_k k / sqrt(d)) v_k)
    by step: S_q = g S_(q-1) + (R_q k_q / sqrt(d)) v_q^T, output[q] = swish(x_q W_g) * norm((R_q q_q) S_q)
    with g = 1 - 2^(-5 - h) for h = 0, 1, ..., R the rotation of `Rotary` and norm over the channels of a head

    Args:
        num_heads: heads.
        key_dim: channels of each head of queries and keys, even.
        value_dim: channels of each head of values; None is `key_dim` (the paper takes twice as many).
        dropout: share of the heads' outputs dropped while training.
        chunk: tokens in a chunk; the result does not depend on it.
        use_bias: whether the projections have biases.
        **kwargs: as for `MultiHeadAttention`.

    Call:
        as `MultiHeadAttention`, with `query` alone and without `attention_mask`; later keys are always hidden. The map
        is what is multiplied with the values, before the norm: its rows sum to anything, entries may be negative.

    Returns:
        [batch, query, output width].

    Raises:
        ZooValueError: as `MultiHeadAttention`; if key_dim is odd or chunk is under 1.

    Cost: time batch x heads x length x (chunk + value_dim) x key_dim; a map is formed while watched.
    Source: Sun et al. 2023, arXiv:2307.08621, section 2. Differs: no normalisation of scores, which the norm undoes.
    The norm takes off the mean, angles are base^(-2 i / d); torchscale has RMSNorm and even exponents from 0 to 1.
    """

    steps = True
    takes = ()
    crosses, takes_pairs = False, False
    own = ("chunk",)

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        chunk: int = 64,
        use_bias: bool = False,
        **kwargs: Any,
    ):
        if isinstance(key_dim, int) and key_dim % 2:
            raise ZooValueError(f"key_dim must be even (channels), got {key_dim}")
        super().__init__(num_heads, key_dim, value_dim, dropout, use_bias=use_bias, **kwargs)
        self.chunk = whole_number("chunk", chunk, 1, "tokens")

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> None:
        super().build(query_shape, value_shape, key_shape)
        self.swish_dense = self._projection("swish", query_shape[-1], self.num_heads, self.value_dim)

    def rates(self) -> Any:
        """Return log(g) of each head, float32 [head]."""
        return ops.log(1.0 - ops.power(2.0, -5.0 - ops.cast(ops.arange(self.num_heads), "float32")))

    def heads(self, inputs: Any, place: Any) -> list[Any]:
        """Return turned queries, turned and scaled keys, and values, float32 [batch, head, length, channel]."""
        dense = (self.query_dense, self.key_dense, self.value_dense)
        query, key, value = (ops.transpose(project(one, inputs), (0, 2, 1, 3)) for one in dense)
        places = ops.cast(ops.arange(ops.shape(inputs)[1]) + place, "float32")
        query, key = (turn(ops.cast(array, "float32"), places) for array in (query, key))
        return [query, key * self.key_dim**-0.5, ops.cast(value, "float32")]

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
        queries, keys, values = self.heads(query, 0)
        if masks.keys is not None:
            keys = ops.where(ops.expand_dims(ops.cast(masks.keys, "bool"), (1, 3)), keys, 0.0)
        if need_weights:
            place = ops.cast(ops.arange(ops.shape(query)[1]), "float32")
            age = ops.expand_dims(place, 1) - ops.expand_dims(place, 0)
            fade = ops.exp(ops.reshape(self.rates(), (-1, 1, 1)) * ops.maximum(age, 0.0))
            weights = ops.matmul(queries, ops.swapaxes(keys, -1, -2)) * ops.where(age >= 0, fade, 0.0)
            weights = tap(Site(site_path(self), "mix", MAP_AXES), hide_queries(weights, masks))
            output = ops.matmul(weights, values)
        else:
            weights, output = None, decayed_sums(queries, keys, values, self.rates(), self.chunk)
        return Attended(self.finished(hide_queries(output, masks), query), weights)

    def finished(self, sums: Any, inputs: Any) -> Any:
        """Norm sums [batch, head, length, channel] and gate them: [batch, length, head, channel]."""
        sums = sums - ops.mean(sums, axis=-1, keepdims=True)
        sums = sums * ops.rsqrt(ops.mean(ops.square(sums), axis=-1, keepdims=True) + _EPSILON)
        sums = ops.cast(ops.transpose(sums, (0, 2, 1, 3)), self.compute_dtype)
        axes = ("batch", "query", "head", "channel")
        logits = project(self.swish_dense, inputs)
        return gate(sums, logits, path=f"{site_path(self)}/swish", axes=axes, squash=ops.silu)

    def empty_cache(self, batch: Any, length: int | None = None) -> dict[str, Any]:
        """Return the state before the first token: the sum of keys times values, whatever the length will be."""
        self._refuse_steps()
        shape = (batch, self.num_heads, self.key_dim, self.value_dim)
        return {"memory": ops.zeros(shape, dtype="float32")}

    @cast_weights
    def step(self, query: Any, state: dict[str, Any], index: Any, *, value_mask: Any = None) -> tuple[Any, dict]:
        """Read the next tokens, with a state in place of the past: the same outputs as of the whole sequence.

        Args:
            query: [batch, new, width].
            state: what `empty_cache`, or the last step, gave.
            index: place of the first new token; int, or int32 tensor without axes.
            value_mask: bool [batch, new]; False marks padding among the new tokens.

        Returns:
            [batch, new, output width], and the state after these tokens.
        """
        query = ops.cast(query, self.compute_dtype)
        queries, keys, values = self.heads(query, index)
        if value_mask is not None:
            keys = ops.where(ops.expand_dims(ops.cast(value_mask, "bool"), (1, 3)), keys, 0.0)
        length, rates = ops.shape(query)[1], ops.reshape(self.rates(), (-1, 1, 1))
        column = ops.expand_dims(ops.cast(ops.arange(length), "float32"), 1)
        sums = decayed_sums(queries, keys, values, self.rates(), self.chunk)
        sums = sums + ops.matmul(queries * ops.exp(rates * (column + 1.0)), state["memory"])
        size = ops.cast(length, "float32")
        new = ops.matmul(ops.swapaxes(keys, -1, -2), values * ops.exp(rates * (size - 1.0 - column)))
        output = self.finish_heads(self.finished(sums, query), query)
        return output, {"memory": state["memory"] * ops.exp(rates * size) + new}
