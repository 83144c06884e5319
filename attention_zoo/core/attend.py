"""Mixing: every output position is a weighted sum of value positions."""

from collections.abc import Callable
from typing import Any, NamedTuple

from keras import ops

from attention_zoo.core import paths
from attention_zoo.core.masks import Masks, both, evenly_spaced, hide_queries, pair_mask, seen_pairs
from attention_zoo.core.normalizers import Normalizer, Softmax
from attention_zoo.core.patterns import Full, Pattern
from attention_zoo.core.positions import NoPosition, Pairs, Places, Position, at_origin, places_from
from attention_zoo.core.rows import mix_rows, scaled, weigh_rows
from attention_zoo.core.scores import ScaledDot, Score
from attention_zoo.core.tape import Site, tap, watched, watched_rows

MAP_AXES = ("batch", "head", "query", "key")


class Attended(NamedTuple):
    """What `attend` gives back.

    Args:
        output: [batch, query, head, channel].
        weights: [batch, head, query, key], or None where no map was asked for.
    """

    output: Any
    weights: Any


class Parts(NamedTuple):
    """What attention is made of.

    Args:
        score: compares queries and keys.
        normalizer: turns scores into weights.
        position: tells where tokens stand.
        pattern: says which pairs may meet.
        dropout: a function of the weights, applied after the tap; None for none.
        mix_scores: a function of the scores [batch, head, query, key] before the normalizer; None for none.
        mix_weights: a function of the weights after the normalizer; None for none.
        flash: True insists on the backend's flash kernel.
    """

    score: Score
    normalizer: Normalizer
    position: Position
    pattern: Pattern
    dropout: Callable | None = None
    mix_scores: Callable | None = None
    mix_weights: Callable | None = None
    flash: bool | None = None

    @classmethod
    def plain(cls) -> "Parts":
        """Return the parts of Vaswani's attention."""
        return cls(ScaledDot(), Softmax(), NoPosition(), Full())

    @property
    def need_map(self) -> bool:
        """True where some part acts on the whole map."""
        parts = (self.dropout, self.mix_scores, self.mix_weights)
        return any(part is not None for part in parts) or not self.score.inner or self.position.by_content

    def prepare_query(self, query: Any, start: Any = 0) -> Any:
        """Make queries [batch, query, head, channel], the first at place `start`, ready for the product."""
        return self.position.turn_query(self.score.prepare_query(query), start)

    def prepare_key(self, key: Any, start: Any = 0) -> Any:
        """Make keys [batch, key, group, channel], the first at place `start`, ready for the product."""
        return self.position.turn_key(self.score.prepare_key(key), start)


def attend(
    query: Any,
    key: Any,
    value: Any,
    *,
    path: str,
    parts: Parts | None = None,
    masks: Masks | None = None,
    training: bool | None = False,
    need_weights: bool = False,
    start: Any = 0,
    prepared: bool = False,
) -> Attended:
    """Mix `value` by how well each query position matches each key position.

    output[q] = sum over k of normalize(score(q, k) + bias(k - q))[k] value[k]

    While nobody looks (no tape open, `need_weights` False) and the parts allow it, no map is formed: a bounded pattern
    runs by blocks, and the rest takes the path that `paths` measured to be fastest here. The result is the same.

    Args:
        query: [batch, query, head, channel].
        key: [batch, key, group, channel]; head must be a multiple of group.
        value: [batch, key, group, value channel].
        path: name of the place in the model, for the tap.
        parts: what the attention is made of; None is scaled dot product with softmax.
        masks: what may be seen; None is everything.
        training: True while fitting.
        need_weights: True to get the map back.
        start: place of the first query, where keys count from 0; int, or an int32 tensor.
        prepared: True where queries and keys come as `prepare_query` and `prepare_key` left them.

    Returns:
        The output, and the map where it was asked for. A query that may see nothing gets zeros.

    Cost: time batch x head x query x key x channel; memory of a map where one is formed.
    """
    parts = Parts.plain() if parts is None else parts
    masks = Masks() if masks is None else masks
    if not prepared:
        query, key = parts.prepare_query(query, start), parts.prepare_key(key)
    rows = watched_rows()
    if not (need_weights or parts.need_map or (watched() and rows is None)):
        output = _without_map(query, key, value, parts, masks, training, start)
        if output is not None:
            if rows is not None:
                _show_rows(query, key, value.dtype, path, parts, masks, start, rows)
            return Attended(output, None)
    query, key, value = (ops.transpose(array, (0, 2, 1, 3)) for array in (scaled(query, parts), key, value))
    places = _places(places_from(start, ops.shape(query)[2]), ops.shape(key)[2])
    weights = _weigh(query, key, value.dtype, path, parts, masks, training, places)
    mixed = weights if parts.dropout is None else parts.dropout(weights)
    output = mix_rows(mixed, value)
    extra = parts.position.mix(mixed, places)
    output = output if extra is None else output + extra
    return Attended(ops.transpose(output, (0, 2, 1, 3)), weights)


def _places(queries: Any, keys: Any) -> Places:
    return Places(ops.expand_dims(queries, 1), ops.expand_dims(ops.arange(keys), 0))


def _weigh(
    query: Any, key: Any, dtype: str, path: str, parts: Parts, masks: Masks, training: bool | None, places: Places
) -> Any:
    """Form the map of queries and keys [batch, head, length, channel] and pass it through the tap."""
    mask = pair_mask(masks, parts.pattern.allowed(*places))
    scores = parts.score.compare(query, key)
    if parts.position.by_content:
        pairs = Pairs(query, key, scores, parts.score.factor(query.shape[-1]), places, mask)
        scores = scores + ops.cast(parts.position.content(pairs), scores.dtype)
    if parts.mix_scores is not None:
        scores = parts.mix_scores(scores)
    weights = weigh_rows(scores, parts, parts.position.bias(places), mask, training)
    if parts.mix_weights is not None:
        weights = parts.mix_weights(weights)
    weights = hide_queries(weights, masks)
    seen = seen_pairs(masks, parts.pattern.allowed(*places)) if watched() else None
    weights = tap(Site(path, "mix", MAP_AXES), ops.cast(weights, dtype), seen)
    return weights


def _show_rows(query: Any, key: Any, dtype: str, path: str, parts: Parts, masks: Masks, start: Any, rows: int) -> None:
    """Form evenly spaced rows of the map for who watches: memory grows with the keys alone."""
    length = ops.shape(query)[1]
    query, key = (ops.transpose(array, (0, 2, 1, 3)) for array in (scaled(query, parts), key))
    queries = places_from(start, length)
    if not isinstance(length, int) or length > rows:
        chosen, fresh = evenly_spaced(length, rows)
        fresh = ops.expand_dims(fresh, 0)
        shown = masks.queries
        shown = fresh if shown is None else both(fresh, ops.cast(ops.take(shown, chosen, axis=1), "bool"))
        masks = masks._replace(queries=shown, pairs=None if masks.pairs is None else _rows_of(masks.pairs, chosen))
        query, queries = ops.take(query, chosen, axis=2), ops.take(queries, chosen)
    _weigh(query, key, dtype, path, parts, masks, False, _places(queries, ops.shape(key)[2]))


def _rows_of(pairs: Any, chosen: Any) -> Any:
    """Return the chosen rows of a mask [batch, head, query, key]; one row stands for all."""
    return pairs if pairs.shape[-2] == 1 else ops.take(pairs, chosen, axis=-2)


def _without_map(
    query: Any, key: Any, value: Any, parts: Parts, masks: Masks, training: bool | None, start: Any
) -> Any:
    """Take a path that forms no whole map, or return None where there is none."""
    aligned = masks.pairs is None and query.shape[1] == key.shape[1] and at_origin(start)
    if aligned and parts.pattern.window is not None and not parts.position.by_place:
        return paths.attend_blocks(query, key, value, parts, masks, training)
    if not parts.normalizer.plain or parts.score.soft_cap is not None:
        return None
    return paths.attend_plain(query, key, value, parts, masks, start)
