"""Mixing without a map: a kernel in place of the exponential lets the sum be taken over keys first."""

from collections.abc import Callable
from typing import Any

from keras import ops

from attention_zoo.core.attend import MAP_AXES, Attended
from attention_zoo.core.masks import Masks, hide_queries, pair_mask, seen_pairs
from attention_zoo.core.rows import compare_rows, mix_rows, share_heads
from attention_zoo.core.tape import Site, tap, watched

# Keys summed at a time where causal: between the blocks a running sum is kept, within one the small map is formed.
_BLOCK = 64


def elu_plus_one(vectors: Any) -> Any:
    """Map vectors to positive features: elu(x) + 1 (Katharopoulos et al. 2020, arXiv:2006.16236, section 3.2.1)."""
    return ops.elu(vectors) + 1.0


def attend_linear(
    query: Any,
    key: Any,
    value: Any,
    *,
    path: str,
    feature_map: Callable | tuple[Callable, Callable] = elu_plus_one,
    masks: Masks | None = None,
    causal: bool = False,
    need_weights: bool = False,
) -> Attended:
    """Mix values with weights f(q).f(k) / sum over k of f(q).f(k), in time linear in the length.

    The sum over keys of f(k) v is taken once and shared by all queries. Only while somebody looks is the implied map
    formed, in time and memory query x key.

    Args:
        query: [batch, query, head, channel].
        key: [batch, key, group, channel].
        value: [batch, key, group, value channel].
        path: name of the place in the model, for the tap.
        feature_map: maps vectors to positive features, along the last axis; a pair has one for queries, one for keys.
        masks: of queries and keys.
        causal: True hides later keys.
        need_weights: True to get the implied map back.

    Returns:
        The output [batch, query, head, value channel], and the implied map where it was asked for. A query that may
        see nothing gets zeros.

    Cost: time and memory batch x head x length x channel x value channel.
    Source: Katharopoulos et al. 2020, arXiv:2006.16236, sections 3.2 to 3.4.
    """
    masks = Masks() if masks is None else masks
    wide = (ops.cast(ops.transpose(array, (0, 2, 1, 3)), "float32") for array in (query, key, value))
    query, key, values = wide
    of_query, of_key = feature_map if isinstance(feature_map, tuple) else (feature_map, feature_map)
    query_features, key_features = of_query(query), of_key(key)
    if masks.keys is not None:
        present = ops.expand_dims(ops.cast(masks.keys, "bool"), (1, 3))
        key_features = ops.where(present, key_features, 0.0)
    if need_weights or watched() or masks.pairs is not None:
        output, weights = _with_map(query_features, key_features, values, path, masks, causal)
    else:
        ones = ops.ones_like(values[..., :1])
        sums = _sums(query_features, key_features, ops.concatenate([values, ones], axis=-1), causal)
        output, weights = _over(sums[..., :-1], sums[..., -1:]), None
        output = hide_queries(output, masks)
    return Attended(ops.cast(ops.transpose(output, (0, 2, 1, 3)), value.dtype), weights)


def _over(sums: Any, total: Any) -> Any:
    """Divide by totals; where nothing was seen they are zero, and so is the result."""
    some = total > 0
    return ops.where(some, sums / ops.where(some, total, 1.0), 0.0)


def sum_memory(key: Any, value: Any, *, feature_map: Callable = elu_plus_one, mask: Any = None) -> Any:
    """Return the sum over keys of f(k) [v; 1]: all that later queries need to know of them.

    Args:
        key: [batch, key, group, channel].
        value: [batch, key, group, value channel].
        feature_map: of the keys.
        mask: bool [batch, key]; False marks padding.

    Returns:
        float32 [batch, group, channel, value channel + 1].
    """
    features, value = _seen_features(key, value, feature_map, mask)
    return ops.matmul(ops.transpose(features, (0, 1, 3, 2)), value)


def read_memory(query: Any, sums: Any, *, feature_map: Callable = elu_plus_one, extra: Any = 0.0) -> Any:
    """Mix what `sum_memory` summed: f(q) S[:-1] / f(q) S[-1].

    Args:
        query: [batch, query, head, channel].
        sums: [batch, group, channel, value channel + 1].
        feature_map: of the queries.
        extra: [batch, head, query, value channel + 1]: what else there is to add above and below the line.

    Returns:
        float32 [batch, query, head, value channel].
    """
    features = feature_map(ops.cast(ops.transpose(query, (0, 2, 1, 3)), "float32"))
    mixed = share_heads(features, sums) + extra
    return ops.transpose(_over(mixed[..., :-1], mixed[..., -1:]), (0, 2, 1, 3))


def step_linear(
    query: Any, key: Any, value: Any, sums: Any, *, feature_maps: tuple[Callable, Callable], mask: Any = None
) -> tuple[Any, Any]:
    """Attend causally from new tokens to themselves and to those that `sums` holds.

    Args:
        query: [batch, new, head, channel].
        key: [batch, new, group, channel].
        value: [batch, new, group, value channel].
        sums: [batch, group, channel, value channel + 1]; zeros before the first token.
        feature_maps: of queries and of keys.
        mask: bool [batch, new]; False marks padding.

    Returns:
        float32 [batch, new, head, value channel], and the new sums.

    Cost: time batch x head x new x channel x value channel; memory of the sums alone.
    Source: Katharopoulos et al. 2020, arXiv:2006.16236, section 3.4.
    """
    of_query, of_key = feature_maps
    new = sums + sum_memory(key, value, feature_map=of_key, mask=mask)
    if query.shape[1] == 1:
        return read_memory(query, new, feature_map=of_query), new
    features, value = _seen_features(key, value, of_key, mask)
    queries = of_query(ops.cast(ops.transpose(query, (0, 2, 1, 3)), "float32"))
    inside = _sums(queries, features, value, causal=True)
    return read_memory(query, sums, feature_map=of_query, extra=inside), new


def _seen_features(key: Any, value: Any, feature_map: Callable, mask: Any) -> tuple[Any, Any]:
    """Return f(k) [batch, group, key, channel], zero for padding, and [v; 1], both float32."""
    key, value = (ops.cast(ops.transpose(array, (0, 2, 1, 3)), "float32") for array in (key, value))
    features = feature_map(key)
    if mask is not None:
        features = ops.where(ops.expand_dims(ops.cast(mask, "bool"), (1, 3)), features, 0.0)
    return features, ops.concatenate([value, ops.ones_like(value[..., :1])], axis=-1)


def _with_map(query: Any, key: Any, value: Any, path: str, masks: Masks, causal: bool) -> tuple[Any, Any]:
    """Form the implied map, pass it through the tap and mix."""
    products = compare_rows(query, key)
    allowed = None
    if causal:
        places = ops.arange(ops.shape(key)[2])
        allowed = ops.expand_dims(places, 0) <= ops.expand_dims(ops.arange(ops.shape(query)[2]), 1)
    mask = pair_mask(masks._replace(keys=None), allowed)
    seen = seen_pairs(masks, allowed) if watched() else None
    products = products if mask is None else ops.where(mask, products, 0.0)
    weights = _over(products, ops.sum(products, axis=-1, keepdims=True))
    weights = tap(Site(path, "mix", MAP_AXES), hide_queries(weights, masks), seen)
    return mix_rows(weights, value), weights


def _sums(query: Any, key: Any, value: Any, causal: bool) -> Any:
    """Return for each query the sum of f(q).f(k) v over the keys it may see, [batch, head, query, channel]."""
    if not causal:
        return share_heads(query, ops.matmul(ops.transpose(key, (0, 1, 3, 2)), value))
    heads, groups, length = query.shape[1], key.shape[1], ops.shape(query)[2]
    lengths = (length, ops.shape(key)[2])
    longest = max(lengths) if all(isinstance(size, int) for size in lengths) else ops.maximum(*lengths)
    if heads != groups:
        key, value = (ops.repeat(array, heads // groups, axis=1) for array in (key, value))
    count = -(-longest // _BLOCK)

    def cut(array: Any) -> Any:
        end = ops.zeros_like(array[:, :, :1])
        missing = count * _BLOCK - ops.shape(array)[2]
        array = ops.concatenate([array, ops.repeat(end, missing, axis=2)], axis=2)
        return ops.reshape(array, (ops.shape(array)[0], heads, count, _BLOCK, array.shape[3]))

    query, key, value = cut(query), cut(key), cut(value)
    states = ops.matmul(ops.transpose(key, (0, 1, 2, 4, 3)), value)
    before = ops.cumsum(states, axis=2) - states
    inside = ops.tril(ops.matmul(query, ops.transpose(key, (0, 1, 2, 4, 3))))
    sums = ops.matmul(query, before) + ops.matmul(inside, value)
    return ops.reshape(sums, (ops.shape(sums)[0], heads, count * _BLOCK, value.shape[4]))[:, :, :length]
