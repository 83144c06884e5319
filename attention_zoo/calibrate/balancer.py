"""A closed loop: each head's entropy is held in the band that is normal for it."""

from typing import Any

import keras
from keras import ops

from attention_zoo.calibrate.layout import evenness, logarithm
from attention_zoo.calibrate.rules import Rule, within
from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooValueError


@keras.saving.register_keras_serializable(package="attention_zoo")
class AttentionBalancer(Rule):
    """Change the temperature of a head's map, example by example, until its entropy is within a band.

    output = softmax(log w / T), T = 1 where low <= H(w) <= high, else such that H is the nearer bound;
    H = mean over rows of entropy / log(keys that may be seen)

    Entropy grows with T, so T is found by halving, within 0.05 and 20. Weights under 1e-30 count as that much where
    they may be seen, so that a head which has collapsed on one key can be opened again.

    Args:
        low: the least entropy, 0 to 1; one number or one a head.
        high: the most; one number or one a head. 0 and 1 together change nothing.
        steps: of halving.

    Raises:
        ZooValueError: if an argument is outside its range, or low is over high.

    Cost: `steps` + 1 entropies of the map.
    Source: entropy as what to hold: Zhai et al. 2023, arXiv:2303.06296 (there by the norms of projections); the loop is
    the zoo's own.
    """

    def __init__(self, low: Any = 0.0, high: Any = 1.0, steps: int = 10, **kwargs: Any):
        super().__init__(**kwargs)
        self.low_start = within("low", low, 0.0, 1.0, "entropy / log keys")
        self.high_start = within("high", high, 0.0, 1.0, "entropy / log keys")
        if max(_listed(low)) > min(_listed(high)) and len(_listed(low)) == 1:
            raise ZooValueError(f"low must not be over high (entropy / log keys), got {low} and {high}")
        self.steps = whole_number("steps", steps, unit="of halving")

    def get_config(self) -> dict:
        return {**super().get_config(), "low": self.low_start, "high": self.high_start, "steps": self.steps}

    def add_parameters(self) -> None:
        self.low = self.for_heads("low", self.low_start, 0.0, 1.0)
        self.high = self.for_heads("high", self.high_start, 0.0, 1.0)
        # The band is what is normal, not what would be best for an answer.
        self.low.trainable = self.high.trainable = False

    def call(self, weights: Any, allowed: Any) -> Any:
        weights = ops.convert_to_tensor(weights)
        logs = ops.stop_gradient(logarithm(weights))
        seen = ops.cast(allowed, "float32") * ops.ones_like(logs)
        now = _entropy(logs, seen)
        target = ops.clip(now, ops.convert_to_tensor(self.low), ops.convert_to_tensor(self.high))
        low, high = ops.full_like(now, -3.0), ops.full_like(now, 3.0)
        for _ in range(self.steps):
            middle = 0.5 * (low + high)
            sharp = _entropy(logs * ops.exp(-middle), seen) < target
            low, high = ops.where(sharp, middle, low), ops.where(sharp, high, middle)
        held = _softmax(logs * ops.exp(-0.5 * (low + high)), seen) * ops.sum(weights, axis=-1, keepdims=True)
        return ops.where(ops.equal(target, now), weights, held)


def _softmax(logs: Any, seen: Any) -> Any:
    top = ops.max(ops.where(seen > 0, logs, -1e30), axis=-1, keepdims=True)
    powers = ops.exp(ops.minimum(logs - top, 0.0)) * seen
    total = ops.sum(powers, axis=-1, keepdims=True)
    return powers / ops.where(total > 0, total, 1.0)


def _entropy(logs: Any, seen: Any) -> Any:
    """Return the mean over rows of the entropy of softmax(logs) by log of the keys, [batch, head, 1, 1]."""
    even, several = evenness(_softmax(logs, seen), seen)
    mean = ops.sum(several * even, axis=-1) / ops.maximum(ops.sum(several, axis=-1), 1.0)
    return ops.expand_dims(mean, (2, 3))


def _listed(value: Any) -> list[float]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
