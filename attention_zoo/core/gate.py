"""Modulating: every value is scaled by a weight of its own, nothing is mixed."""

from collections.abc import Callable
from typing import Any

from keras import ops

from attention_zoo.core.tape import Site, tap


def gate(
    values: Any, logits: Any, *, path: str, axes: tuple[str, ...], squash: Callable = ops.sigmoid, mask: Any = None
) -> Any:
    """Scale `values` by squashed `logits`: values * squash(logits)

    Args:
        values: what is scaled, of any shape.
        logits: broadcasting to `values`.
        path: name of the place in the model, for the tap.
        axes: what each axis of `logits` means.
        squash: turns logits into weights; the sigmoid unless told.
        mask: bool, broadcasting to `logits`: False at padding, of which no statistic is told. None is no padding.

    Returns:
        The scaled values, in the shape of `values`.
    """
    weights = ops.cast(squash(ops.cast(logits, "float32")), values.dtype)
    return values * tap(Site(path, "gate", axes), weights, mask)
