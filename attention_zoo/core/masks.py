"""Masks: True where one may look. Kept apart by what they know, so that the cheap ones stay cheap."""

from typing import Any, NamedTuple

from keras import ops

# Far below any real score, yet finite in float32: a fully masked row must not become 0/0.
MASKED = -1e9


class Masks(NamedTuple):
    """What may be looked at, apart from the pattern.

    Args:
        queries: bool [batch, query]; False marks padding, whose output is zero.
        keys: bool [batch, key]; False marks padding, which nobody sees.
        pairs: bool, broadcasting to [batch, head, query, key], as the user gave it.
    """

    queries: Any = None
    keys: Any = None
    pairs: Any = None


def both(first: Any, second: Any) -> Any:
    """Combine two masks, either of which may be None, by "and"."""
    if first is None or second is None:
        return second if first is None else first
    return ops.logical_and(first, second)


def as_pairs(attention_mask: Any) -> Any:
    """Bring a user's attention mask to four axes, [batch, head, query, key].

    Args:
        attention_mask: anything that casts to bool: [query, key], [batch, query, key] or [batch, head, query, key];
            axes of size 1 broadcast.
    """
    mask = ops.cast(attention_mask, "bool")
    if len(mask.shape) == 2:
        mask = ops.expand_dims(mask, 0)
    return ops.expand_dims(mask, 1) if len(mask.shape) == 3 else mask


def pair_mask(masks: Masks, allowed: Any) -> Any:
    """Combine the pattern's `allowed` [query, key] and all masks but the queries' to one that broadcasts to the map.

    Returns:
        bool, broadcasting to [batch, head, query, key], or None where everything may be seen.
    """
    mask = masks.pairs
    if masks.keys is not None:
        mask = both(mask, ops.expand_dims(ops.cast(masks.keys, "bool"), (1, 2)))
    return both(mask, allowed)


def seen_pairs(masks: Masks, allowed: Any = None) -> Any:
    """Return what `pair_mask` returns, but without the rows of padded queries: for who watches the map."""
    mask = pair_mask(masks, allowed)
    if masks.queries is None:
        return mask
    return both(mask, ops.expand_dims(ops.cast(masks.queries, "bool"), (1, 3)))


def hide_queries(rows: Any, masks: Masks) -> Any:
    """Set to zero what belongs to padded queries; `rows` is [batch, head, query, ...]."""
    if masks.queries is None:
        return rows
    shown = ops.expand_dims(ops.cast(masks.queries, rows.dtype), (1, 3))
    return rows * shown


def evenly_spaced(length: Any, rows: int) -> tuple[Any, Any]:
    """Return the places of evenly spaced rows of a map, the first and the last among them, and which of them count.

    Args:
        length: rows that there are; int or a tensor.
        rows: how many are taken. Where there are fewer, some come twice, and only the first of each counts.

    Returns:
        int [rows] and bool [rows].
    """
    gaps = max(rows - 1, 1)
    chosen = (2 * ops.arange(rows) * (length - 1) + gaps) // (2 * gaps)  # rounded
    return chosen, ops.concatenate([ops.ones_like(chosen[:1], dtype="bool"), chosen[1:] > chosen[:-1]], axis=0)
