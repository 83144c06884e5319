"""Attention without products of queries and keys: the attention free transformer, simple and full."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Attended, Masks, Site, gate, site_path, tap
from attention_zoo.core.attend import MAP_AXES
from attention_zoo.core.masks import MASKED, hide_queries, pair_mask
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.efficient.base import EfficientAttention, within


@keras.saving.register_keras_serializable(package="attention_zoo")
class AFTSimple(EfficientAttention):
    """Average values by the exponentials of their keys, each channel by itself, and let the query gate the result.

    output[q] = sigmoid(Q_q) * sum_k exp(K_k) V_k / sum_k exp(K_k), all elementwise

    Args:
        num_heads: heads: they only share out the channels.
        key_dim: channels of each head of queries, keys and values.
        value_dim: None or `key_dim`.
        dropout: share of the heads' outputs dropped while training.
        causal: hide later keys.
        **kwargs: as for `MultiHeadAttention`; position "none", "sinusoidal" or "learned".

    Call:
        as `MultiHeadAttention`. Every channel is a head: the map is [batch, num_heads x key_dim, query, key].

    Returns:
        [batch, query, output width].

    Raises:
        ZooValueError: as `MultiHeadAttention`; if value_dim differs from key_dim.

    Cost: time and memory batch x length x channels; a map of each channel is formed while watched; an `attention_mask`
    costs batch x query x key x channels.
    Source: Zhai et al. 2021, arXiv:2105.14103, section 3 ("AFT-simple").
    """

    own = ("causal",)

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        causal: bool = False,
        **kwargs: Any,
    ):
        if value_dim not in (None, key_dim):
            raise ZooValueError(f"value_dim must be None or key_dim ({key_dim}), got {value_dim}")
        super().__init__(num_heads, key_dim, value_dim, dropout, **kwargs)
        self.causal = causal

    def bias(self, queries: Any, keys: Any) -> Any:
        """Return w for so many queries and keys, float32 [head or 1, query, key]; None for zero."""
        return None

    def sums(self, columns: Any, causal: bool) -> Any:
        """Return sum_k exp(w_qk) columns_k for columns [batch, head, length, channel], queries and keys as many."""
        if causal:
            return ops.cumsum(columns, axis=2)
        return ops.sum(columns, axis=2, keepdims=True) + ops.zeros_like(columns)

    def mix_heads(
        self, query: Any, key: Any, value: Any, *, masks: Masks, causal: bool, need_weights: bool
    ) -> Attended:
        causal = causal or self.causal
        key, values = ops.cast(key, "float32"), ops.cast(value, "float32")
        present = None if masks.keys is None else ops.expand_dims(ops.cast(masks.keys, "bool"), (1, 3))
        key = key if present is None else ops.where(present, key, MASKED)
        # A shift of a channel's keys cancels.
        powers = ops.exp(key - ops.stop_gradient(ops.max(key, axis=2, keepdims=True)))
        powers = powers if present is None else ops.where(present, powers, 0.0)
        weights = None
        if need_weights:
            weights = self.tapped(powers, ops.shape(query)[2], masks, causal)
            output = self.mixed(weights, values)
        else:
            columns = ops.concatenate([powers * values, powers], axis=-1)
            if masks.pairs is None and query.shape[2] == key.shape[2]:
                sums = self.sums(columns, causal)
            else:
                sums = ops.matmul(self.factors(ops.shape(query)[2], ops.shape(key)[2], masks, causal), columns)
            above, below = ops.split(sums, 2, axis=-1)
            output = ops.where(below > 0, above / ops.where(below > 0, below, 1.0), 0.0)
            output = hide_queries(output, masks)
        axes = ("batch", "head", "query", "channel")
        return Attended(gate(output, ops.cast(query, "float32"), path=f"{site_path(self)}/gate", axes=axes), weights)

    def factors(self, queries: Any, keys: Any, masks: Masks, causal: bool) -> Any:
        """Return exp(w), zero for hidden pairs: [batch or 1, head or 1, query, key]."""
        bias = self.bias(queries, keys)
        bias = ops.zeros((1, queries, keys), dtype="float32") if bias is None else bias
        allowed = None
        if causal:
            allowed = ops.expand_dims(ops.arange(keys), 0) <= ops.expand_dims(ops.arange(queries), 1)
        # Keys are hidden by their powers already.
        mask = pair_mask(masks._replace(keys=None), allowed)
        factors = ops.expand_dims(ops.exp(bias), 0)
        return factors if mask is None else ops.where(mask, factors, 0.0)

    def tapped(self, powers: Any, queries: Any, masks: Masks, causal: bool) -> Any:
        """Form the map of every channel [batch, head x channel, query, key] and pass it through the tap."""
        factors = self.factors(queries, ops.shape(powers)[2], masks, causal)
        products = ops.expand_dims(factors, 2) * ops.expand_dims(ops.swapaxes(powers, -1, -2), 3)
        total = ops.sum(products, axis=-1, keepdims=True)
        weights = ops.where(total > 0, products / ops.where(total > 0, total, 1.0), 0.0)
        shape = ops.shape(weights)
        weights = ops.reshape(weights, (shape[0], self.num_heads * self.key_dim, shape[3], shape[4]))
        return tap(Site(site_path(self), "mix", MAP_AXES), hide_queries(weights, masks))

    def mixed(self, weights: Any, values: Any) -> Any:
        """Multiply maps of channels with values: [batch, head, query, channel]."""
        shape = ops.shape(weights)
        weights = ops.reshape(weights, (shape[0], self.num_heads, self.key_dim, shape[2], shape[3]))
        return ops.einsum("bhcqk,bhkc->bhqc", weights, values)

    def compute_output_spec(
        self, query: Any, value: Any = None, key: Any = None, return_attention_scores: bool = False, **kwargs: Any
    ) -> Any:
        spec = super().compute_output_spec(query, value, key, return_attention_scores, **kwargs)
        if not return_attention_scores:
            return spec
        shape = list(spec[1].shape)
        shape[1] = self.num_heads * self.key_dim
        return spec[0], keras.KerasTensor(shape, dtype=self.compute_dtype)


@keras.saving.register_keras_serializable(package="attention_zoo")
class AFTFull(AFTSimple):
    """Add to every key a learned bias for its pair of positions before the exponential.

    output[q] = sigmoid(Q_q) * sum_k exp(K_k + w_qk) V_k / sum_k exp(K_k + w_qk), w = u v^T

    Args:
        num_heads: heads: they only share out the channels.
        key_dim: channels of each head of queries, keys and values.
        value_dim: None or `key_dim`.
        dropout: share of the heads' outputs dropped while training.
        causal: hide later keys.
        max_length: positions that have a bias (tokens); longer inputs are refused.
        rank: of w, at least 1; None learns every entry.
        **kwargs: as for `MultiHeadAttention`; position "none", "sinusoidal" or "learned".

    Call:
        as `AFTSimple`.

    Returns:
        [batch, query, output width].

    Raises:
        ZooValueError: as `AFTSimple`; if max_length or rank is under 1, or inputs are longer.

    Cost: time batch x query x key x channels, memory query x key and batch x length x channels.
    Source: Zhai et al. 2021, arXiv:2105.14103, section 3 ("AFT-full") and section 3.2 (the factors).
    """

    own = ("causal", "max_length", "rank")

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        causal: bool = False,
        max_length: int = 512,
        rank: int | None = 128,
        **kwargs: Any,
    ):
        super().__init__(num_heads, key_dim, value_dim, dropout, causal, **kwargs)
        self.max_length = whole_number("max_length", max_length, 1, "tokens")
        self.rank = None if rank is None else whole_number("rank", rank, 1)

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> None:
        super().build(query_shape, value_shape, key_shape)
        make = {"initializer": "random_normal"}
        if self.rank is None:
            self.table = self.add_weight(shape=(self.max_length, self.max_length), name="bias_pairs", **make)
            return
        self.left = self.add_weight(shape=(self.max_length, self.rank), name="bias_queries", **make)
        self.right = self.add_weight(shape=(self.max_length, self.rank), name="bias_keys", **make)

    def bias(self, queries: Any, keys: Any) -> Any:
        within(queries, self.max_length)
        within(keys, self.max_length)
        if self.rank is None:
            return ops.expand_dims(ops.cast(self.table[:queries, :keys], "float32"), 0)
        left, right = (ops.cast(side, "float32") for side in (self.left[:queries], self.right[:keys]))
        return ops.expand_dims(ops.matmul(left, ops.transpose(right)), 0)

    def sums(self, columns: Any, causal: bool) -> Any:
        length = ops.shape(columns)[2]
        return ops.matmul(self.factors(length, length, Masks(), causal), columns)
