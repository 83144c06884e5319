"""Positions that look at what stands there: relative terms of the scores that need queries and keys."""

from typing import Any

from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core.part import register
from attention_zoo.core.positions import Pairs, Places, Position, sinusoid
from attention_zoo.core.rows import share_heads
from attention_zoo.errors import ZooValueError


def _pick(by_place: Any, places: Any) -> Any:
    """Let each pair pick its entry: [batch, head, query, place] and int [query, key] to [batch, head, query, key]."""
    shape = (*ops.shape(by_place)[:3], ops.shape(places)[1])
    return ops.take_along_axis(by_place, ops.broadcast_to(ops.expand_dims(places, (0, 1)), shape), axis=-1)


def _for_heads(key: Any, heads: int) -> Any:
    """Give every head the keys of its group: [batch, group, key, channel] to [batch, head, key, channel]."""
    return key if key.shape[1] == heads else ops.repeat(key, heads // key.shape[1], axis=1)


@register("position", "shaw")
class Shaw(Position):
    """Give every clipped distance a learned key and a learned value, shared by the heads.

    score += q . a_(k-q) / sqrt(d); output += sum_k w_qk b_(k-q)

    Args:
        reach: distances are clipped to -reach ... reach (tokens), at least 1.

    Raises:
        ZooValueError: if reach < 1.

    Cost: memory batch x heads x queries x keys; the map is always formed.
    Source: Shaw, Uszkoreit, Vaswani 2018, arXiv:1803.02155, section 3. The score's scale is the score part's own.
    """

    by_content = True

    def __init__(self, reach: int = 16, **kwargs: Any):
        super().__init__(**kwargs)
        whole_number("reach", reach, unit="tokens")
        self.reach = reach

    def get_config(self) -> dict:
        return {**super().get_config(), "reach": self.reach}

    def build(self, heads_shape: tuple) -> None:
        size = 2 * self.reach + 1
        self.keys = self.add_weight(shape=(size, heads_shape[1]), initializer="glorot_uniform", name="keys")
        self.values = self.add_weight(shape=(size, heads_shape[3]), initializer="glorot_uniform", name="values")

    def place(self, distance: Any) -> Any:
        """Return the row of the tables for each distance."""
        return ops.clip(distance, -self.reach, self.reach) + self.reach

    def content(self, pairs: Pairs) -> Any:
        # One product with the small table, then each pair picks its entry: no [query, key, channel] array.
        by_place = ops.matmul(pairs.query, ops.cast(ops.transpose(self.keys), pairs.query.dtype))
        return _pick(by_place, self.place(pairs.places.distance))

    def mix(self, weights: Any, places: Places) -> Any:
        vectors = ops.take(self.values, self.place(places.distance), axis=0)
        return ops.einsum("bhqk,qkc->bhqc", weights, ops.cast(vectors, weights.dtype))


@register("position", "transformer_xl")
class TransformerXL(Position):
    """Score by content and by distance, each with a learned bias in place of the query's absolute position.

    score = ((q + u) . k + (q + v) . W r_(q-k)) / sqrt(d), r the sines and cosines of the distance

    Args:
        longest: wavelength of the slowest pair of waves over 2 pi (tokens).

    Cost: time and memory batch x heads x queries x (queries + keys); the map is always formed.
    Source: Dai et al. 2019, arXiv:1901.02860, section 3.3 and appendix B (the shift). Differs: distances have a sign,
    so that it also serves patterns that look ahead; the score's scale is the score part's own.
    """

    by_content = True

    def __init__(self, longest: float = 10000.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.longest = longest

    def get_config(self) -> dict:
        return {**super().get_config(), "longest": self.longest}

    def build(self, heads_shape: tuple) -> None:
        heads, channels, width = heads_shape[:3]
        self.width = width
        self.kernel = self.add_weight(shape=(width, heads, channels), initializer="glorot_uniform", name="kernel")
        self.content_bias = self.add_weight(shape=(heads, channels), initializer="zeros", name="content_bias")
        self.distance_bias = self.add_weight(shape=(heads, channels), initializer="zeros", name="distance_bias")

    def content(self, pairs: Pairs) -> Any:
        query, key, dtype = pairs.query, pairs.key, pairs.query.dtype
        first, second = (
            ops.expand_dims(ops.cast(bias, dtype) * pairs.factor, (0, 2))
            for bias in (self.content_bias, self.distance_bias)
        )
        shape = (ops.shape(key)[0], first.shape[1], 1, first.shape[3])
        of_keys = share_heads(ops.broadcast_to(first, shape), ops.transpose(key, (0, 1, 3, 2)))
        queries, keys = ops.shape(query)[2], ops.shape(key)[2]
        # One distance more than there are, so that the shift below can count in whole rows.
        distance = pairs.places.key[0, 0] - pairs.places.query[-1, 0] + ops.arange(queries + keys)
        waves = ops.cast(sinusoid(-distance, self.width, self.longest), dtype)
        vectors = ops.einsum("nw,whc->hcn", waves, ops.cast(self.kernel, dtype))
        return of_keys + self.shift(ops.matmul(query + second, ops.expand_dims(vectors, 0)), queries, keys)

    def shift(self, by_distance: Any, queries: Any, keys: Any) -> Any:
        """Let row q begin at its own first distance: entry [q, k] is column k - q + queries - 1.

        Written one after the other and cut into rows shorter by one, each row begins one column earlier than the one
        before: no entry is looked up.
        """
        batch, heads = ops.shape(by_distance)[0], by_distance.shape[1]
        row = queries + keys - 1
        flat = ops.reshape(by_distance, (batch, heads, queries * (row + 1)))
        flat = flat[:, :, queries - 1 : queries - 1 + queries * row]
        return ops.reshape(flat, (batch, heads, queries, row))[..., :keys]


@register("position", "cope")
class CoPE(Position):
    """Count what the query cares for between a key and itself, and give the count a learned vector.

    g_qk = sigmoid(score), p_qk = sum of g_qj over the visible j >= k, score += q . e[p_qk] / sqrt(d), e between whole
    counts by interpolation

    Args:
        positions: counts that have a vector, at least 2; larger ones take the last.

    Raises:
        ZooValueError: if positions < 2.

    Cost: memory batch x heads x queries x keys; the map is always formed.
    Source: Golovneva et al. 2024, arXiv:2405.18719, section 4. Differs: with a pattern that looks ahead the count goes
    to the end of what is visible; the score's scale is the score part's own, in the gates too.
    """

    by_content = True

    def __init__(self, positions: int = 64, **kwargs: Any):
        super().__init__(**kwargs)
        if positions < 2:
            raise ZooValueError(f"positions must be at least 2, got {positions}")
        self.positions = positions

    def get_config(self) -> dict:
        return {**super().get_config(), "positions": self.positions}

    def build(self, heads_shape: tuple) -> None:
        shape = (self.positions, heads_shape[1])
        self.table = self.add_weight(shape=shape, initializer="random_normal", name="table")

    def content(self, pairs: Pairs) -> Any:
        gates = ops.sigmoid(ops.cast(pairs.scores, "float32"))
        gates = gates if pairs.mask is None else ops.where(pairs.mask, gates, 0.0)
        counts = ops.flip(ops.cumsum(ops.flip(gates, axis=-1), axis=-1), axis=-1)
        counts = ops.minimum(counts, float(self.positions - 1))
        below = ops.stop_gradient(ops.floor(counts))
        share = counts - below
        low = ops.cast(below, "int32")
        high = ops.minimum(low + 1, self.positions - 1)
        table = ops.cast(ops.transpose(self.table), "float32")
        by_count = ops.matmul(ops.cast(pairs.query, "float32"), table)
        return (1.0 - share) * ops.take_along_axis(by_count, low, axis=-1) + share * ops.take_along_axis(
            by_count, high, axis=-1
        )


@register("position", "disentangled")
class Disentangled(Position):
    """Score content against content, content against distance and distance against content.

    score = (q . k + q . K_d(q, k) + k . Q_d(k, q)) / sqrt(3 d), K = P W_K, Q = P W_Q, with the distance
    d(i, j) = clip(i - j + reach, 0, 2 reach - 1)

    Args:
        reach: distances from -reach to reach - 1 (tokens) have a vector, at least 1; farther ones take the last.

    Raises:
        ZooValueError: if reach < 1.

    Cost: memory batch x heads x queries x keys; the map is always formed.
    Source: He et al. 2020, arXiv:2006.03654, section 3.1 (disentangled attention) and algorithm 1. Differs: without
    the enhanced mask decoder, which is no part of attention. Position-to-content terms go by key - query, as published;
    DeBERTa v2 of transformers goes by query - key.
    """

    by_content = True
    _SHARE = 3**-0.5

    def __init__(self, reach: int = 128, **kwargs: Any):
        super().__init__(**kwargs)
        whole_number("reach", reach, unit="tokens")
        self.reach = reach

    def get_config(self) -> dict:
        return {**super().get_config(), "reach": self.reach}

    def build(self, heads_shape: tuple) -> None:
        heads, channels, width = heads_shape[:3]
        size, shape = (2 * self.reach, width), (width, heads, channels)
        self.table = self.add_weight(shape=size, initializer="random_normal", name="table")
        self.query_kernel = self.add_weight(shape=shape, initializer="glorot_uniform", name="query_kernel")
        self.key_kernel = self.add_weight(shape=shape, initializer="glorot_uniform", name="key_kernel")

    def turn_query(self, query: Any, start: Any = 0) -> Any:
        # Three terms in place of one: the scores keep their size.
        return query * self._SHARE

    def content(self, pairs: Pairs) -> Any:
        query, dtype = pairs.query, pairs.query.dtype
        key_vectors, query_vectors = (
            ops.expand_dims(ops.einsum("pw,whc->hcp", ops.cast(self.table, dtype), ops.cast(kernel, dtype)), 0)
            for kernel in (self.key_kernel, self.query_kernel)
        )
        back = -pairs.places.distance
        of_query = _pick(ops.matmul(query, key_vectors), self.place(back))
        keys = _for_heads(pairs.key, query.shape[1]) * (pairs.factor * self._SHARE)
        of_key = _pick(ops.matmul(keys, query_vectors), ops.transpose(self.place(-back)))
        return of_query + ops.transpose(of_key, (0, 1, 3, 2))

    def place(self, distance: Any) -> Any:
        """Return the row of the table for each distance."""
        return ops.clip(distance + self.reach, 0, 2 * self.reach - 1)
