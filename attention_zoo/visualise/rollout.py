"""Attention rollout: what all layers of self-attention together took from each place of the input."""

from collections.abc import Callable, Sequence

import numpy as np

from attention_zoo.errors import ZooValueError, unknown

HEADS: dict[str, Callable] = {"mean": np.mean, "max": np.max, "min": np.min}


def attention_rollout(
    maps: Sequence[np.ndarray],
    *,
    heads: str = "mean",
    residual: float = 0.5,
    readout: str | np.ndarray = "mean",
) -> np.ndarray:
    """Follow attention through all layers down to the input.

    A_l = residual I + (1 - residual) heads(maps_l), its rows scaled to 1
    weights = readout A_L ... A_2 A_1

    Args:
        maps: one for each layer, the first layer first, each [head, query, key] (or [query, key]) with as many queries
            as keys, and the same number in all layers; not negative.
        heads: "mean", "max" or "min" over the heads of a layer.
        residual: share of a token that comes from itself, past the attention, 0..1.
        readout: how the last layer's tokens become the answer: "mean" of all, "class" for the first token (which is
            left out of the result), or the map of the pooling on top, [key] or [head or hop, key].

    Returns:
        float64 [key], 1 in all; without the class token where `readout` is "class".

    Raises:
        ZooValueError: if there is no map, shapes do not fit, a number is negative or not finite, or a name is unknown.

    Cost: time layers x tokens^2.
    Source: Abnar and Zuidema 2020, arXiv:2005.00928, section 3. Differs: `heads` and `readout` may be chosen.
    """
    if heads not in HEADS:
        raise unknown("heads", heads, HEADS)
    if not 0 <= residual <= 1:
        raise ZooValueError(f"residual must be from 0 to 1, got {residual!r}")
    layers = [_square(value, f"maps[{place}]", heads) for place, value in enumerate(maps)]
    if not layers or len({len(layer) for layer in layers}) != 1:
        raise ZooValueError(
            f"maps must be one or more, all of the same number of tokens, got {[len(layer) for layer in layers]}"
        )
    count = len(layers[0])
    flow = _readout(readout, count)
    for layer in reversed(layers):
        flow = flow @ _shares(residual * np.eye(count) + (1 - residual) * layer)
    if isinstance(readout, str) and readout == "class":
        flow = flow[1:]
    return _shares(flow)


def _square(value: np.ndarray, name: str, heads: str) -> np.ndarray:
    array = np.asarray(value, dtype=np.float64)
    if array.ndim < 2 or array.shape[-1] != array.shape[-2] or not array.size:
        raise ZooValueError(f"{name} must be [head, query, key] with as many queries as keys, got {array.shape}")
    if not np.isfinite(array).all() or array.min() < 0:
        raise ZooValueError(f"{name} must be finite and not below 0")
    array = array.reshape(-1, *array.shape[-2:])
    return HEADS[heads](array, axis=0)


def _readout(readout: str | np.ndarray, count: int) -> np.ndarray:
    if isinstance(readout, str):
        if readout not in ("mean", "class"):
            raise unknown("readout", readout, ["mean", "class"])
        if readout == "class" and count < 2:
            raise ZooValueError(f"maps must have a class token and at least one more, got {count} tokens")
        return np.full(count, 1 / count) if readout == "mean" else np.eye(count)[0]
    array = np.asarray(readout, dtype=np.float64)
    if array.ndim < 1 or array.shape[-1] != count or not np.isfinite(array).all() or array.min() < 0:
        raise ZooValueError(f"readout must be [{count}] or [head, {count}], finite and not below 0, got {array.shape}")
    return _shares(array.reshape(-1, count).mean(axis=0))


def _shares(values: np.ndarray) -> np.ndarray:
    """Scale the last axis to 1 in all; what is 0 everywhere (a masked row) becomes even shares."""
    total = values.sum(axis=-1, keepdims=True)
    even = np.full_like(values, 1 / values.shape[-1])
    return np.divide(values, total, out=even, where=total > 0)


def grid_of(count: int, height: int, width: int) -> tuple[int, int] | None:
    """Return how `count` places lie on a picture of `height` x `width`, with nearly square patches.

    Args:
        count: places, without a class token.
        height: of the picture, in pixels.
        width: of the picture, in pixels.

    Returns:
        (rows, columns) with rows x columns = count, or None where no such grid has patches that are at most a fifth
        longer than wide or wider than long.
    """
    pairs = [(rows, count // rows) for rows in range(1, count + 1) if count % rows == 0]
    skew = [abs(np.log((height / rows) / (width / columns))) for rows, columns in pairs]
    best = int(np.argmin(skew)) if pairs else 0
    return pairs[best] if pairs and skew[best] <= np.log(1.2) + 1e-9 else None
