"""What a map is like, in a few numbers for each head, whose count does not depend on the length.

p is a row of a map divided by its sum; n the keys that the row may see; rows of padding do not count. Places are ranks
among what is no padding, scaled to 0 ... 1, of queries and keys alike; delta = place of the key - place of the query.

| statistic | formula, mean over rows where none is named | range |
|--|--|--|
| entropy | -sum p log p / log n, rows with n > 1 | 0 (one key) ... 1 (all alike) |
| peak | max p | 1/n ... 1 |
| top5 | sum of the 5 largest p | 5/n ... 1 |
| sink | p of the first key | 0 ... 1 |
| distance | sum p abs(delta) | 0 ... 1 |
| offset | sum p delta | -1 (looks back) ... 1 (looks ahead) |
| diagonality | sum p exp(-delta^2 / (2 0.2^2)) | 0 ... 1 |
| before, own, after | p of the key before the query's own, of that one, of the one after it; 0 of none | 0 ... 1 |
| coverage | entropy of the mean row / log(keys) | 0 ... 1 (all keys are looked at alike) |
| agreement | 1 - JS(p, mean of the heads' p) / log 2 | 0 ... 1 (all heads alike) |
| rank | (sum of squared singular values)^2 / sum of their fourth powers / min(rows, keys) of the map of p | 0 ... 1 |
| mass | sum of the row before it is divided | 1 for softmax, 0 for a dead head |
| profile_0 ... profile_7 | share of p by delta in 8 equal bins of -1 ... 1 | 0 ... 1, 1 in all |

Of a gate (one weight for each value): mean, spread (standard deviation), closed (share under 0.05), open (share over
0.95).

A statistic that is not defined (entropy where each row sees one key) is NaN, and so is all that a poisoned map has.

Source: entropy and its use: Zhai et al. 2023, arXiv:2303.06296; sinks: Xiao et al. 2023, arXiv:2309.17453; the width
0.2 of the diagonal: Tachibana et al. 2017, arXiv:1710.08969, section 4.1; divergence of heads: Clark et al. 2019,
arXiv:1906.04341, section 6; participation ratio in place of a rank: Gao et al. 2017, doi:10.1101/214262.
"""

import math
from typing import Any

from keras import ops

from attention_zoo.calibrate.layout import TINY, as_rows, entropy, evenness, places
from attention_zoo.core.masks import evenly_spaced
from attention_zoo.core.tape import Seen
from attention_zoo.watch.names import BINS

_WIDTH = 0.2  # of the diagonal, in places
# More than the error of rounding, less than any distance: which side of an edge a place is on must not hang on how a
# backend computes it.
_CLEAR_OF_EDGES, _CLEAR_OF_HALVES = 1e-5, 1e-3
TOP = 5
CLOSED, OPEN = 0.05, 0.95


def statistics_of(seen: Seen, most: int | None = None) -> Any:
    """Return the statistics of a map in the graph.

    Args:
        seen: the map, its site and its mask.
        most: rows that are looked at, evenly spaced, where there are more: the same that a layer shows which need not
            form the whole map. None looks at all.

    Returns:
        float32 [batch, head, statistics] in the order of `watch.names.MIX`, or of `GATE` with one head; where the map's
        first axis holds more than the batch (windows), so does this one's.
    """
    weights = ops.cast(seen.weights, "float32")
    if seen.site.kind == "gate":
        return gate_statistics(weights, seen.mask)
    rows, allowed = as_rows(weights, seen.mask, seen.site.axes)
    return mix_statistics(*(rows, allowed) if most is None else _thinned(rows, allowed, most))


def _thinned(rows: Any, allowed: Any, most: int) -> tuple[Any, Any]:
    """Return some rows of a long map, and of its mask."""
    length = ops.shape(rows)[2]
    if isinstance(length, int) and length <= most:
        return rows, allowed
    chosen, fresh = evenly_spaced(length, most)
    allowed = allowed if allowed.shape[2] == 1 else ops.take(allowed, chosen, axis=2)
    return ops.take(rows, chosen, axis=2), ops.logical_and(allowed, ops.reshape(fresh, (1, 1, -1, 1)))


def gate_statistics(weights: Any, mask: Any = None) -> Any:
    """Return mean, spread, closed and open of each example's gate weights.

    Args:
        weights: [batch, ...].
        mask: bool, broadcasting to it: False at padding; None counts all.

    Returns:
        [batch, 1, 4]; NaN where nothing counts.
    """
    axes = tuple(range(1, len(weights.shape)))
    present = ops.ones_like(weights) if mask is None else ops.cast(mask, "float32") * ops.ones_like(weights)
    total = ops.sum(present, axes)
    # Sums of what is NaN are NaN; comparisons would say that it is neither closed nor open.
    known = weights * 0.0

    def mean(values: Any) -> Any:
        return _divided(ops.sum((values + known) * present, axes), total, total > 0)

    middle = mean(weights)
    away = weights - ops.reshape(middle, (-1, *[1] * len(axes)))
    shut, wide = ops.cast(weights < CLOSED, "float32"), ops.cast(weights > OPEN, "float32")
    return ops.expand_dims(ops.stack((middle, ops.sqrt(mean(ops.square(away))), mean(shut), mean(wide)), axis=-1), 1)


def mix_statistics(weights: Any, allowed: Any) -> Any:
    """Return the statistics of float32 maps.

    Args:
        weights: [batch, head, query, key].
        allowed: bool, broadcasting to it.

    Returns:
        [batch, head, statistics], in the order of `watch.names.MIX`.

    Cost: about 30 passes over the map, and query x query x key for the rank.
    """
    weights = ops.abs(weights)
    ones = ops.ones_like(weights[:, :1])
    seen = ops.cast(allowed, "float32") * ones
    total = ops.sum(weights, axis=-1, keepdims=True)
    # Not `total > 0`: of NaN that is False, and the poison would be hidden.
    shares = weights / ops.where(total <= TINY, 1.0, total)
    count = ops.sum(seen, axis=-1)
    rows = ops.cast(count > 0, "float32")
    values = [
        _mean(*evenness(shares, seen)),
        _mean(ops.max(shares, axis=-1), rows),
        _mean(ops.sum(_largest(shares), axis=-1), rows),
        *_by_place(shares, seen, rows),
    ]
    by_place, profile = values[3:-BINS], values[-BINS:]
    mean_row = ops.sum(shares * ops.expand_dims(rows, -1), axis=2) / ops.maximum(
        ops.sum(rows, axis=2, keepdims=True), 1.0
    )
    keys = ops.sum(ops.cast(ops.any(seen > 0, axis=2), "float32"), axis=-1)
    coverage = _divided(entropy(mean_row) * ops.cast(keys > 1, "float32"), ops.log(ops.maximum(keys, 2.0)), keys > 1)
    ordered = [
        *values[:3],
        *by_place,
        coverage,
        _mean(_agreement(shares), rows),
        _rank(shares * ops.expand_dims(rows, -1), ops.minimum(ops.sum(rows, axis=-1), keys)),
        _mean(ops.squeeze(total, -1), rows),
        *profile,
    ]
    return ops.stack(ordered, axis=-1)


def _mean(values: Any, rows: Any) -> Any:
    """Return the mean of [batch, head, query] over the rows that count; NaN where none does."""
    count = ops.sum(rows, axis=-1)
    return _divided(ops.sum(values * rows, axis=-1), count, count > 0)


def _divided(above: Any, below: Any, defined: Any) -> Any:
    return ops.where(defined, above / ops.where(defined, below, 1.0), math.nan)


def _largest(shares: Any) -> Any:
    """Return the largest shares of each row; zeros where there are fewer keys."""
    few = ops.repeat(ops.zeros_like(shares[..., :1]), TOP, axis=-1)
    return ops.top_k(ops.concatenate([shares, few], axis=-1), TOP)[0]


def _by_place(shares: Any, seen: Any, rows: Any) -> list[Any]:
    """Return sink, distance, offset, diagonality, before, own, after and the profile, each [batch, head]."""
    keys = ops.cast(ops.any(seen > 0, axis=2), "float32")
    ranks, last = ops.cumsum(keys, axis=-1), ops.sum(keys, axis=-1, keepdims=True) - 1.0
    first = keys * ops.cast(ranks < 1.5, "float32")
    at = places(rows)
    delta = ops.expand_dims(places(keys), 2) - ops.expand_dims(at, 3)
    # In whole keys from the one at the query's place, which is its own where both are of one sequence.
    steps = ops.expand_dims(ranks - 1.0, 2) - ops.expand_dims(ops.round(at * last - _CLEAR_OF_HALVES), 3)
    real = shares * ops.expand_dims(keys, 2)
    diagonal = ops.exp(ops.square(delta) * (-0.5 / _WIDTH**2))
    below = [_mean(ops.sum(shares * ops.cast(delta < edge, "float32"), axis=-1), rows) for edge in _edges()]
    whole = _mean(ops.sum(shares, axis=-1), rows)
    return [
        _mean(ops.sum(shares * ops.expand_dims(first, 2), axis=-1), rows),
        _mean(ops.sum(shares * ops.abs(delta), axis=-1), rows),
        _mean(ops.sum(shares * delta, axis=-1), rows),
        _mean(ops.sum(shares * diagonal, axis=-1), rows),
        *(_mean(ops.sum(real * ops.cast(ops.equal(steps, one), "float32"), axis=-1), rows) for one in (-1.0, 0.0, 1.0)),
        below[0],
        *(after - before for before, after in zip(below, (*below[1:], whole))),
    ]


def _edges() -> list[float]:
    """Return the upper edges of all bins but the last, just under the quarters on which many distances lie."""
    return [2.0 * number / BINS - 1.0 - _CLEAR_OF_EDGES for number in range(1, BINS)]


def _agreement(shares: Any) -> Any:
    """Return how much each head looks like the mean of all, [batch, head, query]."""
    mean = ops.mean(shares, axis=1, keepdims=True)
    divergence = entropy(0.5 * (shares + mean)) - 0.5 * (entropy(shares) + entropy(mean))
    return 1.0 - divergence / math.log(2.0)


def _rank(shares: Any, size: Any) -> Any:
    """Return the participation ratio of the squared singular values, as a share of the largest it can be."""
    products = ops.matmul(shares, ops.transpose(shares, (0, 1, 3, 2)))
    trace = ops.sum(ops.square(shares), axis=(-2, -1))
    fourth = ops.sum(ops.square(products), axis=(-2, -1))
    ratio = ops.square(trace) / ops.where(fourth <= TINY, 1.0, fourth)
    return ratio / ops.maximum(size, 1.0)
