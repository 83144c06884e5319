"""One layout for maps of any axes: [batch, head, query, key], and back."""

from typing import Any

from keras import ops

TINY = 1e-30  # the least share of which a logarithm is taken


def as_rows(weights: Any, mask: Any, axes: tuple[str, ...]) -> tuple[Any, Any]:
    """Bring a map of any axes to [batch, head, query, key], and say what of it may be seen.

    Args:
        weights: the map.
        mask: bool, broadcasting to it; None takes for hidden what no head gives any weight, unless nothing has any.
        axes: what each axis means; the last is taken for the key, what is neither batch, head nor key for queries.

    Returns:
        The map, and bool [batch or 1, head or 1, query or 1, key or 1].
    """
    if mask is None:
        allowed = ops.not_equal(weights, 0.0)
        mask = ops.any(allowed, axis=axes.index("head"), keepdims=True) if "head" in axes else allowed
        # Where nothing at all has weight the layer is dead, not hidden.
        nothing = ops.logical_not(ops.any(mask, axis=tuple(range(1, len(axes))), keepdims=True))
        mask = ops.logical_or(mask, nothing)
    if len(mask.shape) < len(axes):
        mask = ops.expand_dims(mask, tuple(range(len(axes) - len(mask.shape))))
    if len(_others(axes)) > 1:
        mask = ops.logical_and(mask, ops.ones_like(weights, dtype="bool"))
    return _to_rows(weights, axes), _to_rows(mask, axes)


def from_rows(rows: Any, weights: Any, axes: tuple[str, ...]) -> Any:
    """Bring [batch, head, query, key] back to the axes that a map had.

    Args:
        rows: what `as_rows` made, or what became of it.
        weights: the map as it was.
        axes: what each of its axes means.
    """
    order = _order(axes)
    if len(_others(axes)) == 0:
        rows = ops.squeeze(rows, 2)
    if len(_others(axes)) > 1:
        shape = ops.shape(weights)
        lead = [shape[place] for place in order if axes[place] != "head"]
        rows = ops.reshape(rows, (lead[0], ops.shape(rows)[1], *lead[1:]))
    rows = rows if "head" in axes else ops.squeeze(rows, 1)
    return ops.transpose(rows, [order.index(place) for place in range(len(axes))])


def places(present: Any) -> Any:
    """Return where each entry stands among what is no padding: its rank along the last axis, scaled to 0 ... 1.

    Args:
        present: float32, 1 where an entry counts, 0 for padding, whose place means nothing.
    """
    ranks = ops.cumsum(present, axis=-1) - 1.0
    last = ops.sum(present, axis=-1, keepdims=True) - 1.0
    return ops.clip(ranks / ops.maximum(last, 1.0), 0.0, 1.0)


def logarithm(shares: Any) -> Any:
    """Return log p, of no less than 1e-30."""
    return ops.log(ops.maximum(shares, TINY))


def entropy(shares: Any) -> Any:
    """Return -sum p log p over the last axis, in nats; of shares that are NaN it is NaN."""
    return -ops.sum(shares * logarithm(shares), axis=-1)


def evenness(shares: Any, seen: Any) -> tuple[Any, Any]:
    """Return how evenly each row looks at the keys it may see: entropy / log(keys), 0 (one key) to 1 (all alike).

    Args:
        shares: [batch, head, query, key], rows sum to 1.
        seen: float32 of the same shape: 1 where a pair may meet.

    Returns:
        [batch, head, query], and 1 for rows of more than one key, 0 for the others, where it is not defined.
    """
    count = ops.sum(seen, axis=-1)
    return entropy(shares) / ops.log(ops.maximum(count, 2.0)), ops.cast(count > 1, "float32")


def _others(axes: tuple[str, ...]) -> list[int]:
    """Return the places of the axes that stand for queries."""
    return [place for place, axis in enumerate(axes) if 0 < place < len(axes) - 1 and axis != "head"]


def _order(axes: tuple[str, ...]) -> list[int]:
    head = [axes.index("head")] if "head" in axes else []
    return [0, *head, *_others(axes), len(axes) - 1]


def _to_rows(array: Any, axes: tuple[str, ...]) -> Any:
    array = ops.transpose(array, _order(axes))
    array = array if "head" in axes else ops.expand_dims(array, 1)
    if len(_others(axes)) == 0:
        return ops.expand_dims(array, 2)
    if len(_others(axes)) == 1:
        return array
    shape = ops.shape(array)
    return ops.reshape(array, (shape[0], shape[1], -1, shape[-1]))
