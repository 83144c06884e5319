"""Attention inside buckets of similar positions, found by hashing: Reformer."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Attended, Masks, Site, SlidingWindow, site_path, tap
from attention_zoo.core.attend import MAP_AXES
from attention_zoo.core.masks import MASKED, both, hide_queries
from attention_zoo.core.windows import Blocks
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.efficient.base import EfficientAttention, take_rows

# What is taken from the score of a position with itself: it then counts only where nothing else is seen.
_SELF = 1e5


@keras.saving.register_keras_serializable(package="attention_zoo")
class ReformerAttention(EfficientAttention):
    """Attend to positions in the same bucket of a random hash: keys are the queries at length 1.

    bucket(q) = argmax [q R; -q R]; the positions are sorted by bucket and place, and each sees those of its bucket at
    most `reach` places away, itself only if alone; output = softmax over all rounds together of (q.k / sqrt(d)) v

    Args:
        num_heads: heads of the queries.
        key_dim: channels of each head of queries and keys.
        value_dim: channels of each head of values; None is `key_dim`.
        dropout: share of the heads' outputs dropped while training.
        buckets: an even number of at least 2.
        reach: places seen to each side in the sorted sequence (tokens), at least 1.
        rounds: hashes, each with rotations of its own, at least 1.
        causal: hide later keys.
        seed: of the dropout; the rotations R are drawn when the layer is built, and saved with it.
        **kwargs: as for `MultiHeadAttention`; position "none", "sinusoidal" or "learned".

    Call:
        as `MultiHeadAttention`, with `query` alone and without `attention_mask`. The map is the sum over the rounds.

    Returns:
        [batch, query, output width].

    Raises:
        ZooValueError: as `MultiHeadAttention`; if buckets is odd, or a number is too small.

    Cost: time and memory batch x heads x rounds x length x 3 reach, and the sort; a map is formed while watched.
    Source: Kitaev, Kaiser, Levskaya 2020, arXiv:2001.04451, section 2. Differs: a window in the sorted order in place
    of chunks, so that what is seen does not depend on where chunks are cut nor, where causal, on what comes later; a
    pair that meets in several rounds counts as often.
    """

    projects = ("query", "value")
    crosses, takes_pairs = False, False
    own = ("buckets", "reach", "rounds", "causal")

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        buckets: int = 32,
        reach: int = 64,
        rounds: int = 2,
        causal: bool = False,
        **kwargs: Any,
    ):
        super().__init__(num_heads, key_dim, value_dim, dropout, **kwargs)
        if whole_number("buckets", buckets, 2) % 2:
            raise ZooValueError(f"buckets must be an even number, got {buckets}")
        self.buckets, self.reach = buckets, whole_number("reach", reach, 1, "tokens")
        self.rounds, self.causal = whole_number("rounds", rounds, 1), causal

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> None:
        super().build(query_shape, value_shape, key_shape)
        shape = (self.num_heads, self.key_dim, self.rounds * self.buckets // 2)
        self.rotations = self.add_weight(shape=shape, initializer="random_normal", trainable=False, name="rotations")

    def hashed(self, vectors: Any, present: Any) -> Any:
        """Return the bucket of each vector, int [batch, head, round, length]; padding has one of its own."""
        turned = ops.matmul(ops.cast(vectors, "float32"), ops.cast(self.rotations, "float32"))
        batch, length = ops.shape(turned)[0], ops.shape(turned)[2]
        turned = ops.reshape(turned, (batch, self.num_heads, length, self.rounds, self.buckets // 2))
        # The first of the largest; unlike `argmax` it exports everywhere.
        found = ops.cast(ops.top_k(ops.concatenate([turned, -turned], axis=-1), 1)[1][..., 0], "int32")
        if present is not None:
            found = ops.where(ops.expand_dims(present, (1, 3)), found, self.buckets)
        return ops.transpose(found, (0, 1, 3, 2))

    def mix_heads(
        self, query: Any, key: Any, value: Any, *, masks: Masks, causal: bool, need_weights: bool
    ) -> Attended:
        causal, present = causal or self.causal, both(masks.queries, masks.keys)
        present = None if present is None else ops.cast(present, "bool")
        buckets = self.hashed(query, present)
        # Equal numbers keep their order. As floats, which every runtime can sort.
        order = ops.cast(ops.argsort(ops.cast(buckets, "float32"), axis=-1), "int32")
        rank = ops.cast(ops.argsort(ops.cast(order, "float32"), axis=-1), "int32")
        mix = self.with_map if need_weights else self.by_blocks
        output, weights = mix(query, value, buckets, order, rank, present, causal)
        return Attended(hide_queries(output, Masks(queries=present)), weights)

    def with_map(
        self, query: Any, value: Any, buckets: Any, order: Any, rank: Any, present: Any, causal: bool
    ) -> tuple[Any, Any]:
        """Form the map of all rounds, pass it through the tap and mix."""
        scores = ops.expand_dims(self.scores(query, query), 2)
        place = ops.arange(ops.shape(query)[2])
        ahead = ops.expand_dims(place, 0) - ops.expand_dims(place, 1)
        seen = ops.abs(ops.expand_dims(rank, 4) - ops.expand_dims(rank, 3)) <= self.reach
        seen = ops.logical_and(seen, ops.equal(ops.expand_dims(buckets, 4), ops.expand_dims(buckets, 3)))
        seen = ops.logical_and(seen, ahead <= 0) if causal else seen
        scores = ops.where(ops.equal(ahead, 0), scores - _SELF, scores)
        scores = ops.where(seen, scores, MASKED)
        top = ops.stop_gradient(ops.max(scores, axis=(2, 4), keepdims=True))
        powers = ops.sum(ops.where(seen, ops.exp(scores - top), 0.0), axis=2)
        weights = powers / ops.sum(powers, axis=-1, keepdims=True)
        if present is not None:
            weights = ops.where(ops.expand_dims(present, (1, 3)), weights, 0.0)
        weights = tap(Site(site_path(self), "mix", MAP_AXES), ops.cast(weights, value.dtype))
        return ops.matmul(weights, value), weights

    def scores(self, query: Any, key: Any) -> Any:
        """Compare queries with keys, which are brought to length 1, in float32."""
        key = ops.cast(key, "float32")
        key = key * ops.rsqrt(ops.maximum(ops.sum(ops.square(key), axis=-1, keepdims=True), 1e-12))
        query = ops.cast(query, "float32") * self.key_dim**-0.5
        return ops.matmul(query, ops.swapaxes(key, -1, -2))

    def by_blocks(
        self, query: Any, value: Any, buckets: Any, order: Any, rank: Any, present: Any, causal: bool
    ) -> tuple[Any, None]:
        """Mix within a window over the sorted positions, and bring the results back into their order."""
        batch, length = ops.shape(query)[0], ops.shape(query)[2]
        many = batch * self.num_heads
        window = SlidingWindow(self.reach, one_sided=causal)
        blocks = Blocks(window.window, many * self.rounds, length)

        def sort(array: Any) -> Any:
            """Put rows of [batch, head, length, channel] in the order of each round."""
            return ops.reshape(take_rows(array, order), (many * self.rounds, length, 1, array.shape[3]))

        queries, values = blocks.cut(sort(query)), blocks.cut(sort(value))
        held = ops.reshape(ops.cast(ops.take_along_axis(buckets, order, axis=3), "float32"), (-1, length, 1, 1))
        held = blocks.cut(held + 1.0)
        mine, theirs = (blocks.fold(array) for array in (held, blocks.around(held)))
        seen = ops.logical_and(ops.equal(mine, ops.swapaxes(theirs, -1, -2)), blocks.mask(window, Masks()))
        scores = self.scores(blocks.fold(queries), blocks.fold(blocks.around(queries)))
        scores = ops.where(ops.equal(blocks.distance(), 0), scores - _SELF, scores)
        scores = ops.where(seen, scores, MASKED)
        total = ops.logsumexp(scores, axis=-1, keepdims=True)
        weights = ops.where(seen, ops.exp(scores - total), 0.0)
        mixed = blocks.join(ops.matmul(ops.cast(weights, value.dtype), blocks.fold(blocks.around(values))))
        return self.rounds_together(mixed, blocks.join(total), rank, batch, length), None

    def rounds_together(self, mixed: Any, total: Any, rank: Any, batch: Any, length: Any) -> Any:
        """Undo the sort, and weigh the rounds by the totals of their exponentials."""
        lead, channels = batch * self.num_heads * self.rounds, mixed.shape[3]
        start = ops.reshape(ops.arange(lead) * length, (batch, self.num_heads, self.rounds, 1))
        mixed = ops.take(ops.reshape(mixed, (lead * length, channels)), rank + start, axis=0)
        total = ops.take(ops.reshape(total, (lead * length, 1)), rank + start, axis=0)
        return ops.sum(mixed * ops.cast(ops.softmax(total, axis=2), mixed.dtype), axis=2)
