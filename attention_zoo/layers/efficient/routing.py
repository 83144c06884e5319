"""Attention inside learned clusters: the routing transformer."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Attended, Masks, Site, site_path, tap
from attention_zoo.core.attend import MAP_AXES
from attention_zoo.core.masks import MASKED, both, hide_queries
from attention_zoo.core.projection import project
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.efficient.base import EfficientAttention, take_rows


@keras.saving.register_keras_serializable(package="attention_zoo")
class RoutingAttention(EfficientAttention):
    """Attend inside clusters: each takes the queries and the keys that lie nearest to its centroid.

    q, k are normalised (mean 0, variance 1 over the channels); cluster c takes its `members` queries and keys with the
    largest q.m_c and k.m_c; output[q] = mean over the clusters that took q of softmax(q.k / sqrt(d)) v over its keys;
    while training m_c <- decay m_c + (1 - decay) mean of its members

    Args:
        num_heads: heads of the queries.
        key_dim: channels of each head of queries and keys.
        value_dim: channels of each head of values; None is `key_dim`.
        dropout: share of the heads' outputs dropped while training.
        clusters: centroids of each head, at least 1.
        members: queries and keys of a cluster (tokens), at least 1; None is length / clusters, rounded up.
        decay: of the centroids' moving average, 0 to 1.
        **kwargs: as for `MultiHeadAttention`; position "none", "sinusoidal" or "learned".

    Call:
        as `MultiHeadAttention`, with `query` alone and without `attention_mask` and `use_causal_mask`: who is member
        depends on the whole sequence. A query that no cluster took gets zeros. The map is the mean over the clusters.

    Returns:
        [batch, query, output width].

    Raises:
        ZooValueError: as `MultiHeadAttention`; if a number is too small or decay is out of range.

    Cost: time batch x heads x clusters x (length x key_dim + members^2 x key_dim); a map is formed while watched, in
    memory batch x heads x clusters x length^2.
    Source: Roy et al. 2020, arXiv:2003.05997, algorithm 1. Differs: centroids follow the mean, not the
    sum, of their members; a query in several clusters gets the mean of their outputs.
    """

    crosses, hides_later, takes_pairs = False, False, False
    own = ("clusters", "members", "decay")

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        clusters: int = 16,
        members: int | None = None,
        decay: float = 0.999,
        **kwargs: Any,
    ):
        super().__init__(num_heads, key_dim, value_dim, dropout, **kwargs)
        self.clusters = whole_number("clusters", clusters, 1)
        self.members = None if members is None else whole_number("members", members, 1, "tokens")
        if not 0 <= decay <= 1:
            raise ZooValueError(f"decay must be between 0 and 1, got {decay}")
        self.decay = decay

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> None:
        super().build(query_shape, value_shape, key_shape)
        shape = (self.num_heads, self.clusters, self.key_dim)
        self.centroids = self.add_weight(shape=shape, initializer="random_normal", trainable=False, name="centroids")

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
        pairs = ((self.query_dense, query), (self.key_dense, key), (self.value_dense, value))
        query, key, value = (ops.transpose(project(dense, x), (0, 2, 1, 3)) for dense, x in pairs)
        query, key = _normal(query), _normal(key)
        present = both(masks.queries, masks.keys)
        present = None if present is None else ops.cast(present, "bool")
        query_near, key_near = (self.nearness(vectors, present) for vectors in (query, key))
        if need_weights:
            output, weights = self.with_map(query, key, value, query_near, key_near, present)
        else:
            output, weights = self.by_clusters(query, key, value, query_near, key_near, present)
        if training:
            self.follow(query, key, query_near, key_near, present)
        output = hide_queries(output, Masks(queries=present))
        return Attended(ops.transpose(output, (0, 2, 1, 3)), weights)

    def nearness(self, vectors: Any, present: Any) -> Any:
        """Return vector . centroid, [batch, head, cluster, length], very low for padding."""
        centroids = ops.expand_dims(ops.cast(self.centroids, "float32"), 0)
        found = ops.stop_gradient(ops.matmul(centroids, ops.transpose(vectors, (0, 1, 3, 2))))
        return found if present is None else ops.where(ops.expand_dims(present, (1, 2)), found, MASKED)

    def count(self, length: Any) -> Any:
        """Return the members of a cluster for a sequence of this length."""
        wanted = -(-length // self.clusters) if self.members is None else self.members
        return min(wanted, length) if isinstance(length, int) else ops.minimum(wanted, length)

    def taken(self, near: Any) -> Any:
        """Return the members of each cluster, int [batch, head, cluster, member]."""
        return ops.cast(ops.top_k(near, self.count(ops.shape(near)[3]))[1], "int32")

    def by_clusters(
        self, query: Any, key: Any, value: Any, query_near: Any, key_near: Any, present: Any
    ) -> tuple[Any, None]:
        """Attend inside each cluster, and bring the results back to their places."""
        queries, keys = self.taken(query_near), self.taken(key_near)
        scores = ops.matmul(take_rows(query, queries), ops.swapaxes(take_rows(key, keys), -1, -2)) * self.key_dim**-0.5
        if present is None:
            weights = ops.softmax(scores, axis=-1)
        else:
            column = ops.broadcast_to(ops.expand_dims(ops.cast(present, "float32"), (1, 3)), (*ops.shape(key)[:3], 1))
            weights = _softmax(scores, ops.swapaxes(take_rows(column, keys), -1, -2) > 0.5)
        mixed = ops.cast(ops.matmul(ops.cast(weights, value.dtype), take_rows(value, keys)), "float32")
        mixed = ops.concatenate([mixed, ops.ones_like(mixed[..., :1])], axis=-1)
        batch, length = ops.shape(query)[0], ops.shape(query)[2]
        start = ops.reshape(ops.arange(batch * self.num_heads) * length, (batch, self.num_heads, 1, 1))
        width = self.value_dim + 1
        places, rows = ops.reshape(queries + start, (-1,)), ops.reshape(mixed, (-1, width))
        sums = ops.segment_sum(rows, places, num_segments=batch * self.num_heads * length)
        sums = ops.reshape(sums, (batch, self.num_heads, length, width))
        return sums[..., :-1] / ops.maximum(sums[..., -1:], 1.0), None

    def with_map(
        self, query: Any, key: Any, value: Any, query_near: Any, key_near: Any, present: Any
    ) -> tuple[Any, Any]:
        """Form the maps of all clusters, pass their mean through the tap and mix."""
        mine, theirs = (self.chosen(near) for near in (query_near, key_near))
        theirs = theirs if present is None else ops.logical_and(theirs, ops.expand_dims(present, (1, 2)))
        scores = ops.expand_dims(ops.matmul(query, ops.swapaxes(key, -1, -2)) * self.key_dim**-0.5, 2)
        seen = ops.logical_and(ops.expand_dims(mine, 4), ops.expand_dims(theirs, 3))
        times = ops.expand_dims(ops.sum(ops.cast(mine, "float32"), axis=2), 3)
        weights = ops.sum(_softmax(scores, seen), axis=2) / ops.maximum(times, 1.0)
        weights = hide_queries(weights, Masks(queries=present))
        weights = tap(Site(site_path(self), "mix", MAP_AXES), ops.cast(weights, value.dtype))
        return ops.matmul(weights, value), weights

    def chosen(self, near: Any) -> Any:
        """Say whether a position is member of a cluster, bool [batch, head, cluster, length]."""
        found = ops.one_hot(self.taken(near), ops.shape(near)[3], dtype="float32")
        return ops.sum(found, axis=3) > 0.5

    def follow(self, query: Any, key: Any, query_near: Any, key_near: Any, present: Any) -> None:
        """Move the centroids towards the mean of their members."""
        sums = [_sums(vectors, self.taken(near), present) for vectors, near in ((query, query_near), (key, key_near))]
        totals, counts = (first + second for first, second in zip(*sums))
        old = ops.cast(self.centroids, "float32")
        means = ops.where(counts > 0, totals / ops.maximum(counts, 1.0), old)
        moved = ops.stop_gradient(self.decay * old + (1.0 - self.decay) * means)
        self.centroids.assign(ops.cast(moved, self.centroids.dtype))


def _normal(vectors: Any) -> Any:
    """Bring vectors to mean 0 and variance 1 over their channels, in float32."""
    vectors = ops.cast(vectors, "float32")
    vectors = vectors - ops.mean(vectors, axis=-1, keepdims=True)
    return vectors * ops.rsqrt(ops.mean(ops.square(vectors), axis=-1, keepdims=True) + 1e-5)


def _sums(vectors: Any, index: Any, present: Any) -> tuple[Any, Any]:
    """Return sum [head, cluster, channel] and number [head, cluster, 1] of the members that are no padding."""
    here = ops.ones_like(vectors[..., :1])
    here = here if present is None else here * ops.expand_dims(ops.cast(present, "float32"), (1, 3))
    here = take_rows(here, index)
    return ops.sum(take_rows(vectors, index) * here, axis=(0, 3)), ops.sum(here, axis=(0, 3))


def _softmax(scores: Any, seen: Any) -> Any:
    """Weigh what is seen; the rest is exactly zero."""
    return ops.where(seen, ops.softmax(ops.where(seen, scores, MASKED), axis=-1), 0.0)
