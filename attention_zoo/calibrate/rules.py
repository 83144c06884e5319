"""Rules: layers that change an attention map at the moment when it is made; each begins by changing nothing.

A rule sees maps as float32 [batch, head, query, key], none negative (of signed maps the magnitudes; signs stay as they
are), and keeps the sum of each row unless it says otherwise. Its parameters are one a head. With the parameters that
it begins with, its output is its input, bit by bit: what it adds is multiplied by exactly 0, what it multiplies with is
exactly 1.
"""

import abc
import math
from numbers import Real
from typing import Any

import keras
import numpy as np
from keras import ops

from attention_zoo.calibrate.layout import TINY, logarithm
from attention_zoo.core.capping import cap_weights
from attention_zoo.errors import ZooValueError


@keras.saving.register_keras_serializable(package="attention_zoo")
class Between(keras.constraints.Constraint):
    """Hold a weight within bounds.

    Args:
        low: the least.
        high: the most.
    """

    def __init__(self, low: float, high: float):
        self.low, self.high = low, high

    def __call__(self, w: Any) -> Any:
        return ops.clip(w, self.low, self.high)

    def get_config(self) -> dict:
        return {"low": self.low, "high": self.high}


class Rule(keras.layers.Layer, abc.ABC):
    """Base of rules: a layer with parameters for each head.

    Args:
        dtype: always float32; maps are cast.

    Call:
        weights: float32 [batch, head, query, key], none negative.
        allowed: bool, broadcasting to it: which pairs may meet.

    Returns:
        float32 [batch, head, query, key].
    """

    # True where the rule makes sense for gates, which sum to nothing: then it is called with [batch, 1, 1, value].
    for_gates = False
    # True where what becomes of a row depends on this row alone, and for gates where that of a value does. Only then
    # does a rule do the same to the whole map and to the few rows that a decoder or a stream makes at a time.
    by_row = False
    by_value = False

    def __init__(self, **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})

    def build(self, weights_shape: Any, allowed_shape: Any = None) -> None:
        self.heads = weights_shape[1]
        self.add_parameters()

    @abc.abstractmethod
    def add_parameters(self) -> None:
        """Create what the rule learns; `self.heads` is known."""

    def for_heads(self, name: str, initial: Any, low: float, high: float) -> Any:
        """Create a parameter for each head, [1, head, 1, 1], held within bounds while it learns.

        Raises:
            ZooValueError: if there are several numbers to begin with, but not one for each head.
        """
        start = np.atleast_1d(np.asarray(initial, np.float32))
        if start.shape not in ((1,), (self.heads,)):
            raise ZooValueError(f"{name} must be one number or one for each of {self.heads} heads, got {initial}")
        return self.add_weight(
            shape=(1, self.heads, 1, 1),
            initializer=_Start(np.broadcast_to(start, (self.heads,)).tolist()),
            constraint=Between(low, high),
            name=name,
        )

    def compute_output_shape(self, weights_shape: Any, allowed_shape: Any = None) -> Any:
        return weights_shape


def within(name: str, value: Any, low: float, high: float, unit: str) -> Any:
    """Return a number, or a list of one for each head, if all are within bounds.

    Raises:
        ZooValueError: if one is not.
    """
    values = value if isinstance(value, (list, tuple)) else [value]
    if not values or not all(isinstance(one, Real) and low * (1 - 1e-9) <= one <= high * (1 + 1e-9) for one in values):
        raise ZooValueError(f"{name} must be within {low:g} and {high:g} ({unit}), got {value!r}")
    return value


class _Start(keras.initializers.Initializer):
    """Begin with given numbers, one a head."""

    def __init__(self, values: list[float]):
        self.values = values

    def __call__(self, shape: Any, dtype: Any = None, **options: Any) -> Any:
        return ops.reshape(ops.convert_to_tensor(self.values, dtype=dtype), shape)


def multiplied(weights: Any, factors: Any) -> Any:
    """Multiply weights by factors and let each row keep its sum; factors of 1 change nothing."""
    changed = weights * factors
    before, after = ops.sum(weights, axis=-1, keepdims=True), ops.sum(changed, axis=-1, keepdims=True)
    return rescaled(changed, before, after)


def rescaled(changed: Any, before: Any, after: Any) -> Any:
    """Multiply rows by before / after, where after is more than nothing."""
    nothing = after <= TINY
    return changed * ops.where(nothing, 1.0, before / ops.where(nothing, 1.0, after))


def uniform(weights: Any, allowed: Any) -> Any:
    """Return the map that spreads each row's sum evenly over what may be seen."""
    seen = ops.cast(allowed, "float32") * ops.ones_like(weights)
    count = ops.sum(seen, axis=-1, keepdims=True)
    return seen * (ops.sum(weights, axis=-1, keepdims=True) / ops.maximum(count, 1.0))


@keras.saving.register_keras_serializable(package="attention_zoo")
class TemperatureRule(Rule):
    """Make each head sharper or more even: the softmax of log w / T.

    output = w^(1/T) sum(w) / sum(w^(1/T)), T = exp(t)

    For weights of a softmax that is the softmax of its scores divided by T.

    Args:
        initial: T at the beginning, one number or one a head, within 0.05 and 20; 1 changes nothing.

    Raises:
        ZooValueError: if it is outside.

    Source: Guo et al. 2017, arXiv:1706.04599, section 4.2 (of logits; here of each head).
    """

    by_row = True

    def __init__(self, initial: Any = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.initial = within("initial", initial, math.exp(-3), math.exp(3), "temperature")

    def get_config(self) -> dict:
        return {**super().get_config(), "initial": self.initial}

    def add_parameters(self) -> None:
        self.log_temperature = self.for_heads("log_temperature", np.log(self.initial), -3.0, 3.0)

    def call(self, weights: Any, allowed: Any) -> Any:
        return tempered(weights, ops.convert_to_tensor(self.log_temperature))


def tempered(weights: Any, log_temperature: Any) -> Any:
    """Return weights of the same sums at another temperature; log T = 0 changes nothing."""
    return multiplied(weights, ops.exp((ops.exp(-log_temperature) - 1.0) * logarithm(weights)))


class Towards(Rule):
    """Base of rules that move a map towards another: output = w + strength (other(w) - w).

    Args:
        strength: how far at the beginning, 0 (not at all) to 1; one number or one a head.

    Raises:
        ZooValueError: if it is not within 0 ... 1.
    """

    def __init__(self, strength: Any = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.start = within("strength", strength, 0.0, 1.0, "share of the other map")

    def get_config(self) -> dict:
        return {**super().get_config(), "strength": self.start}

    def add_parameters(self) -> None:
        self.strength = self.for_heads("strength", self.start, 0.0, 1.0)

    @abc.abstractmethod
    def other(self, weights: Any, allowed: Any) -> Any:
        """Return the map to move to."""

    def call(self, weights: Any, allowed: Any) -> Any:
        return weights + ops.convert_to_tensor(self.strength) * (self.other(weights, allowed) - weights)


def share_of_row(name: str, value: float) -> float:
    """Return `value` if it is over 0 and at most 1.

    Raises:
        ZooValueError: if it is not.
    """
    if isinstance(value, bool) or not 0 < value <= 1:
        raise ZooValueError(f"{name} must be over 0 and at most 1 (share of a row), got {value!r}")
    return value


@keras.saving.register_keras_serializable(package="attention_zoo")
class WeightCapRule(Towards):
    """Let no key take more than a share of its row; the rest gets what was cut, in proportion.

    Args:
        maximum: the largest share, over 0 and at most 1.
        strength: as `Towards`.

    Raises:
        ZooValueError: if an argument is outside its range.

    Source: `core.capping.cap_weights`.
    """

    by_row = True

    def __init__(self, maximum: float = 0.9, strength: Any = 0.0, **kwargs: Any):
        super().__init__(strength, **kwargs)
        self.maximum = share_of_row("maximum", maximum)

    def get_config(self) -> dict:
        return {**super().get_config(), "maximum": self.maximum}

    def other(self, weights: Any, allowed: Any) -> Any:
        return cap_weights(weights, self.maximum)


@keras.saving.register_keras_serializable(package="attention_zoo")
class LogitCapRule(Towards):
    """Squash the scores behind the weights: the softmax of cap tanh(z / cap), z = log w - mean of log w.

    Scores are known up to a constant for each row; they are taken to have the mean 0 over what the row may see.

    Args:
        cap: how far a score can be from the mean of its row; positive.
        strength: as `Towards`; here it scales the change of the scores.

    Raises:
        ZooValueError: if an argument is outside its range.

    Source: Gemma 2, arXiv:2408.00118, section 2 (of raw scores).
    """

    by_row = True

    def __init__(self, cap: float = 5.0, strength: Any = 0.0, **kwargs: Any):
        super().__init__(strength, **kwargs)
        if not cap > 0:
            raise ZooValueError(f"cap must be positive (logarithm of weights), got {cap}")
        self.cap = cap

    def get_config(self) -> dict:
        return {**super().get_config(), "cap": self.cap}

    def other(self, weights: Any, allowed: Any) -> Any:
        return multiplied(weights, ops.exp(self._change(weights, allowed)))

    def _change(self, weights: Any, allowed: Any) -> Any:
        seen = ops.cast(allowed, "float32") * ops.ones_like(weights)
        logs = logarithm(weights)
        mean = ops.sum(logs * seen, axis=-1, keepdims=True) / ops.maximum(ops.sum(seen, axis=-1, keepdims=True), 1.0)
        scores = (logs - mean) * seen
        return self.cap * ops.tanh(scores / self.cap) - scores

    def call(self, weights: Any, allowed: Any) -> Any:
        return multiplied(weights, ops.exp(ops.convert_to_tensor(self.strength) * self._change(weights, allowed)))


@keras.saving.register_keras_serializable(package="attention_zoo")
class FloorRule(Towards):
    """Let no key that may be seen get less than a share of what it would get if all were alike.

    other = max(w, least sum(w) / n), scaled to the row's sum

    Args:
        least: the share, over 0 and at most 1.
        strength: as `Towards`.

    Raises:
        ZooValueError: if an argument is outside its range.

    Source: a floor as in label smoothing (Szegedy et al. 2016, arXiv:1512.00567, section 7), of maps.
    """

    by_row = True

    def __init__(self, least: float = 0.1, strength: Any = 0.0, **kwargs: Any):
        super().__init__(strength, **kwargs)
        self.least = share_of_row("least", least)

    def get_config(self) -> dict:
        return {**super().get_config(), "least": self.least}

    def other(self, weights: Any, allowed: Any) -> Any:
        raised = ops.maximum(weights, self.least * uniform(weights, allowed))
        total, after = ops.sum(weights, axis=-1, keepdims=True), ops.sum(raised, axis=-1, keepdims=True)
        return rescaled(raised, total, after)


@keras.saving.register_keras_serializable(package="attention_zoo")
class HeadGateRule(Rule):
    """Scale all weights of a head: 0 switches it off. Rows do not keep their sums. For gates it scales all of a gate.

    output = g w

    Args:
        initial: g at the beginning, one number or one a head, within 0 and 4; 1 changes nothing.

    Raises:
        ZooValueError: if it is not within 0 and 4.

    Source: Michel et al. 2019, arXiv:1905.10650, section 2.2.
    """

    for_gates = by_row = by_value = True

    def __init__(self, initial: Any = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.initial = within("initial", initial, 0.0, 4.0, "factor of a head")

    def get_config(self) -> dict:
        return {**super().get_config(), "initial": self.initial}

    def add_parameters(self) -> None:
        self.factor = self.for_heads("factor", self.initial, 0.0, 4.0)

    def call(self, weights: Any, allowed: Any) -> Any:
        return weights * ops.convert_to_tensor(self.factor)


@keras.saving.register_keras_serializable(package="attention_zoo")
class RepairRule(Rule):
    """Spread a row evenly where one of its weights is no finite number; all other rows stay as they are."""

    for_gates = by_row = True

    def add_parameters(self) -> None:
        pass

    def call(self, weights: Any, allowed: Any) -> Any:
        fine = ops.all(ops.isfinite(weights), axis=-1, keepdims=True)
        seen = ops.cast(allowed, "float32") * ops.ones_like(ops.where(fine, weights, 0.0))
        even = seen / ops.maximum(ops.sum(seen, axis=-1, keepdims=True), 1.0)
        return ops.where(fine, weights, even)
