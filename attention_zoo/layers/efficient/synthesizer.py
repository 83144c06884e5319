"""Weights that compare nothing: the Synthesizer."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Attended, Masks, Site, site_path, tap
from attention_zoo.core.attend import MAP_AXES
from attention_zoo.core.masks import hide_queries, pair_mask
from attention_zoo.core.projection import project
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.efficient.base import EfficientAttention, within


class Synthesizer(EfficientAttention):
    """Base of both: scores that do not come from keys; a subclass writes `scores`."""

    takes = ("position", "normalizer")
    projects = ("value",)

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
        values = ops.transpose(project(self.value_dense, value), (0, 2, 1, 3))
        queries, keys = ops.shape(query)[1], within(ops.shape(value)[1], self.max_length)
        scores = ops.cast(self.scores(query, queries, keys), "float32")
        if need_weights:
            scores = scores + ops.zeros((ops.shape(value)[0], 1, 1, 1), dtype="float32")
        allowed = None
        if causal or self.causal:
            allowed = ops.expand_dims(ops.arange(keys), 0) <= ops.expand_dims(ops.arange(queries), 1)
        weights = self.normalizer.normalize(scores, pair_mask(masks, allowed), training)
        weights = ops.cast(hide_queries(weights, masks), values.dtype)
        if need_weights:
            weights = tap(Site(site_path(self), "mix", MAP_AXES), weights)
        output = ops.transpose(ops.matmul(weights, values), (0, 2, 1, 3))
        return Attended(output, weights if need_weights else None)


@keras.saving.register_keras_serializable(package="attention_zoo")
class DenseSynthesizer(Synthesizer):
    """Let each query say by itself where it looks: a small network gives a score for every position.

    output = softmax(relu(x W_1 + b_1) W_2 + b_2) V; factorised, the score of position k is A[k % a] B[k // a]

    Args:
        num_heads: heads.
        key_dim: hidden channels of each head's network.
        value_dim: channels of each head of values; None is `key_dim`.
        dropout: share of the heads' outputs dropped while training.
        max_length: positions that get a score (tokens); longer inputs are refused.
        factors: a of the factorised form, a divisor of max_length; None for the plain one.
        causal: hide later keys.
        **kwargs: as for `MultiHeadAttention`, with normalizer; position "none", "sinusoidal" or "learned".

    Call:
        as `MultiHeadAttention`.

    Returns:
        [batch, query, output width].

    Raises:
        ZooValueError: as `MultiHeadAttention`; if max_length is under 1, factors does not divide it, or inputs are
            longer.

    Cost: time and memory batch x heads x query x key.
    Source: Tay et al. 2020, arXiv:2005.00743, sections 3.1 and 3.3 (factorised). Differs: the network's hidden layer
    has a bias, as the projections have.
    """

    projects = ("query", "value")
    own = ("max_length", "factors", "causal")

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        max_length: int = 512,
        factors: int | None = None,
        causal: bool = False,
        **kwargs: Any,
    ):
        super().__init__(num_heads, key_dim, value_dim, dropout, **kwargs)
        self.max_length, self.causal = whole_number("max_length", max_length, 1, "tokens"), causal
        if factors is not None and max_length % whole_number("factors", factors, 1):
            raise ZooValueError(f"factors must divide max_length, got {factors} for {max_length}")
        self.factors = factors

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> None:
        super().build(query_shape, value_shape, key_shape)
        size = self.factors or self.max_length
        self.first = self._scorer("scores", size)
        if self.factors:
            self.second = self._scorer("scores_far", self.max_length // size)

    def _scorer(self, name: str, size: int) -> tuple[Any, Any]:
        """Make kernel [head, channel, size] and bias [head, 1, size]."""
        shape = (self.num_heads, self.key_dim, size)
        kernel = self.add_weight(shape=shape, initializer="glorot_uniform", name=f"{name}_kernel")
        return kernel, self.add_weight(shape=(self.num_heads, 1, size), initializer="zeros", name=f"{name}_bias")

    def scores(self, query: Any, queries: Any, keys: Any) -> Any:
        """Return the scores of every query for so many keys, [batch, head, query, key]."""
        hidden = ops.relu(ops.transpose(project(self.query_dense, query), (0, 2, 1, 3)))
        kernel, bias = (ops.cast(weight, hidden.dtype) for weight in self.first)
        if self.factors is None:
            return ops.matmul(hidden, kernel[:, :, :keys]) + bias[:, :, :keys]
        near = ops.matmul(hidden, kernel) + bias
        kernel, bias = (ops.cast(weight, hidden.dtype) for weight in self.second)
        far = ops.matmul(hidden, kernel) + bias
        product = ops.expand_dims(far, 4) * ops.expand_dims(near, 3)
        return ops.reshape(product, (*ops.shape(product)[:3], self.max_length))[..., :keys]


@keras.saving.register_keras_serializable(package="attention_zoo")
class RandomSynthesizer(Synthesizer):
    """Attend by a map that is learned, or only drawn, and the same for every input.

    output = softmax(R) V, R of shape [head, max_length, max_length], or R = R_1 R_2^T of low rank

    Args:
        num_heads: heads.
        key_dim: channels of each head of values, unless `value_dim` says otherwise.
        value_dim: channels of each head of values; None is `key_dim`.
        dropout: share of the heads' outputs dropped while training.
        max_length: positions of the map (tokens); longer inputs are refused.
        rank: of the factorised form, at least 1; None for the plain one.
        fixed: keep R as it was drawn.
        causal: hide later keys.
        **kwargs: as for `MultiHeadAttention`, with normalizer; position "none", "sinusoidal" or "learned".

    Call:
        as `MultiHeadAttention`.

    Returns:
        [batch, query, output width].

    Raises:
        ZooValueError: as `MultiHeadAttention`; if max_length or rank is under 1, or inputs are longer.

    Cost: time batch x heads x query x key; without masks memory heads x query x key.
    Source: Tay et al. 2020, arXiv:2005.00743, sections 3.2 and 3.3.
    """

    own = ("max_length", "rank", "fixed", "causal")

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        max_length: int = 512,
        rank: int | None = None,
        fixed: bool = False,
        causal: bool = False,
        **kwargs: Any,
    ):
        super().__init__(num_heads, key_dim, value_dim, dropout, **kwargs)
        self.max_length = whole_number("max_length", max_length, 1, "tokens")
        self.rank = None if rank is None else whole_number("rank", rank, 1)
        self.fixed, self.causal = fixed, causal

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> None:
        super().build(query_shape, value_shape, key_shape)
        made = {"initializer": "glorot_uniform", "trainable": not self.fixed}
        shape = (self.num_heads, self.max_length, self.rank or self.max_length)
        self.left = self.add_weight(shape=shape, name="scores", **made)
        if self.rank:
            self.right = self.add_weight(shape=shape, name="scores_keys", **made)

    def scores(self, query: Any, queries: Any, keys: Any) -> Any:
        """Return the scores of so many queries and keys, [1, head, query, key]."""
        rows = self.left[:, : within(queries, self.max_length)]
        if self.rank is None:
            return ops.expand_dims(rows[:, :, :keys], 0)
        return ops.expand_dims(ops.matmul(rows, ops.swapaxes(self.right[:, :keys], 1, 2)), 0)
