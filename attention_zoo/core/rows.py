"""The two halves of every path: queries and keys to weights, and weights times values."""

from typing import Any

from keras import ops


def share_heads(left: Any, right: Any) -> Any:
    """Multiply [batch, head, length, n] by [batch, group, n, m], where the heads of a group share the right side.

    The heads of a group are stacked as more rows: what they share is read once and never copied.

    Args:
        left: [batch, head, length, n].
        right: [batch, group, n, m].

    Returns:
        [batch, head, length, m].
    """
    heads, groups = left.shape[1], right.shape[1]
    if heads == groups:
        return ops.matmul(left, right)
    batch, length = ops.shape(left)[0], ops.shape(left)[2]
    stacked = ops.reshape(left, (batch, groups, (heads // groups) * length, ops.shape(left)[3]))
    return ops.reshape(ops.matmul(stacked, right), (batch, heads, length, ops.shape(right)[3]))


def scaled(query: Any, parts: Any) -> Any:
    """Multiply queries by the score's factor: before the product, which in float16 might overflow without it."""
    factor = parts.score.factor(query.shape[-1])
    return query if factor == 1.0 else query * factor


def compare_rows(query: Any, key: Any) -> Any:
    """Multiply every query [batch, head, query, channel] with every key [batch, group, key, channel]."""
    return share_heads(query, ops.transpose(key, (0, 1, 3, 2)))


def softmax_rows(scores: Any) -> Any:
    """Return the softmax over the last axis; of a single entry 1, without the warning that Keras has for that."""
    return ops.exp(scores - scores) if scores.shape[-1] == 1 else ops.softmax(scores, axis=-1)


def weigh_rows(scores: Any, parts: Any, bias: Any, mask: Any, training: bool | None) -> Any:
    """Turn scores into weights, in float32.

    Args:
        scores: [batch, head, query, key], before the cap.
        parts: the `Parts` in use.
        bias: float32, broadcasting to the scores, or None.
        mask: bool, broadcasting to the scores, or None.
        training: True while fitting.
    """
    scores = parts.score.cap(ops.cast(scores, "float32"))
    scores = scores if bias is None else scores + bias
    return parts.normalizer.normalize(scores, mask, training)


def mix_rows(weights: Any, value: Any) -> Any:
    """Multiply weights [batch, head, query, key] with values [batch, group, key, channel]."""
    return share_heads(weights, value)
