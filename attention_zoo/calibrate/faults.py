"""Faults on purpose: to see that a detector finds them and that a correction mends them."""

from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

from attention_zoo.calibrate.rules import Rule, uniform
from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooValueError, unknown

BY_ROW = ("flat", "dead", "nan")  # faults that need to know no other row
SINK = 0.9  # share of a row that the fault "sink" moves to the first key


def _one_key(weights: Any, seen: Any) -> Any:
    """Give all to the key that the head likes best, for every query that may see it."""
    liked = ops.sum(weights, axis=2, keepdims=True)
    best = ops.one_hot(ops.argmax(liked, axis=-1), liked.shape[-1] or ops.shape(liked)[-1])
    return _to_sums(best * seen, weights)


def _first_key(weights: Any, seen: Any) -> Any:
    first = seen * ops.cast(ops.cumsum(ops.max(seen, axis=2, keepdims=True), axis=-1) < 1.5, "float32")
    return (1.0 - SINK) * weights + SINK * _to_sums(first, weights)


def _next_key(weights: Any, seen: Any) -> Any:
    return _to_sums(ops.roll(weights, 1, axis=-1) * seen, weights)


def _to_sums(changed: Any, weights: Any) -> Any:
    """Scale rows to the sums that they had; rows with nothing left stay as they were."""
    total, after = ops.sum(weights, axis=-1, keepdims=True), ops.sum(changed, axis=-1, keepdims=True)
    some = after > 0
    return ops.where(some, changed * (total / ops.where(some, after, 1.0)), weights)


FAULTS: dict[str, Callable[[Any, Any], Any]] = {
    "collapsed": _one_key,
    "flat": lambda weights, seen: uniform(weights, seen > 0),
    "sink": _first_key,
    "shifted": _next_key,
    "dead": lambda weights, seen: weights * 0.0,
    "nan": lambda weights, seen: weights * float("nan"),
}


@keras.saving.register_keras_serializable(package="attention_zoo")
class FaultRule(Rule):
    """Break heads in a known way.

    Args:
        kind: "collapsed" (all weight of all queries on one key), "flat" (all keys alike), "sink" (nine tenths move to
            the first key), "shifted" (each weight moves to the next key), "dead" (no weight at all), "nan".
        heads: numbers of the heads that are broken; None breaks all.

    Raises:
        ZooValueError: if the kind is unknown, a head is no whole number, or the model has no such head.
    """

    def __init__(self, kind: str, heads: Iterable[int] | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        if kind not in FAULTS:
            raise unknown("fault", kind, FAULTS)
        self.kind = kind
        self.broken = None if heads is None else [whole_number("heads", head, 0) for head in heads]

    @property
    def by_row(self) -> bool:
        """True where the fault looks at no other row."""
        return self.kind in BY_ROW

    def get_config(self) -> dict:
        return {**super().get_config(), "kind": self.kind, "heads": self.broken}

    def add_parameters(self) -> None:
        wanted = range(self.heads) if self.broken is None else self.broken
        if not all(0 <= head < self.heads for head in wanted):
            raise ZooValueError(f"heads must be within 0 and {self.heads - 1}, got {self.broken}")
        chosen = np.zeros((1, self.heads, 1, 1), bool)
        chosen[:, list(wanted)] = True
        self.chosen = chosen

    def call(self, weights: Any, allowed: Any) -> Any:
        seen = ops.cast(allowed, "float32") * ops.ones_like(weights)
        return ops.where(self.chosen, FAULTS[self.kind](weights, seen), weights)
