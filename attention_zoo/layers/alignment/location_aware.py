"""Alignment that knows where it has looked: by filters over past weights, or by their sum."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import get_part
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.alignment.base import Prepared, RecurrentAlignment, initial_weights
from attention_zoo.layers.alignment.perceptron import Perceptron


class FeatureAlignment(RecurrentAlignment):
    """Base of additive alignments that take features of past weights into the hidden layer.

    weights[t] = normalize(v . tanh(W query[t] + U memory + features(past) + b))

    Args:
        units: of the hidden layer.
        normalizer: how scores become weights, by name, dict or object, without noise; None is "softmax".

    Raises:
        ZooValueError: if units is under 1 or the normalizer draws noise, which a loop may not.

    A subclass gives `features`; past is the sum of the weights so far where `cumulative`, else the last weights.
    """

    cumulative = True

    def __init__(self, units: int = 128, normalizer: Any = None, **kwargs: Any):
        super().__init__(**kwargs)
        whole_number("units", units)
        self.units = units
        self.normalizer = get_part("normalizer", normalizer, "softmax", self.dtype_policy)
        if hasattr(self.normalizer, "noise"):
            raise ZooValueError(f"normalizer must draw no noise, got {self.normalizer.zoo_name!r}")
        self.energy = Perceptron(units, name="energy", dtype=self.dtype_policy)

    def get_config(self) -> dict:
        normalizer = keras.saving.serialize_keras_object(self.normalizer)
        return {**super().get_config(), "units": self.units, "normalizer": normalizer}

    def build(self, query_shape: Any, memory_shape: Any) -> None:
        self.energy.build(query_shape, memory_shape)
        if not self.normalizer.built:
            self.normalizer.build((1, self.units, query_shape[-1], memory_shape[-1]))

    def features(self, past: Any) -> Any:
        """Return the part [batch, key, unit] of the hidden layer for past weights [batch, key, 1]."""

    def project_memory(self, memory: Any) -> Any:
        return self.energy.keys(memory)

    def initial_state(self, memory: Any) -> tuple:
        return (initial_weights(memory),)

    def read(self, query: Any, prepared: Prepared, training: bool | None) -> Any:
        return self.energy.read(query)

    def advance(self, read: Any, prepared: Prepared, state: tuple) -> tuple[Any, tuple]:
        features = self.features(ops.cast(ops.expand_dims(state[0], -1), self.compute_dtype))
        read = ops.expand_dims(ops.cast(read, self.compute_dtype), 1)
        scores = ops.expand_dims(self.energy.compare(read, prepared.keys + features), 1)
        weights = self.normalizer.normalize(scores, ops.expand_dims(prepared.mask > 0.5, (1, 2)))
        weights = ops.squeeze(weights, (1, 2))
        return weights, (state[0] + weights if self.cumulative else weights,)


@keras.saving.register_keras_serializable(package="attention_zoo")
class LocationAware(FeatureAlignment):
    """Look by content and by place: filters over the last weights tell the hidden layer where it looked.

    weights[t] = normalize(v . tanh(W query[t] + U memory + V (F * past) + b))

    Args:
        units: of the hidden layer.
        filters: of the convolution F.
        kernel_size: of the convolution (positions of the memory).
        cumulative: filter the sum of all weights so far, in place of the last ones.
        normalizer: how scores become weights; None is "softmax".

    Call:
        see `StepwiseAlignment`. Its state is past, [batch, key], zero before the first step.

    Raises:
        ZooValueError: if units, filters or kernel_size is under 1.

    Cost: time batch x queries x keys x (units + filters x (kernel_size + units)); one step after another.
    Source: Chorowski et al. 2015, arXiv:1506.07503, section 2.2; the sum: Shen et al. 2017, arXiv:1712.05884,
    section 2.2 (32 filters of length 31, 128 units).
    """

    def __init__(
        self,
        units: int = 128,
        filters: int = 10,
        kernel_size: int = 31,
        cumulative: bool = False,
        normalizer: Any = None,
        **kwargs: Any,
    ):
        super().__init__(units, normalizer, **kwargs)
        for name, value in (("filters", filters), ("kernel_size", kernel_size)):
            whole_number(name, value)
        self.filters, self.kernel_size, self.cumulative = filters, kernel_size, cumulative

    def get_config(self) -> dict:
        names = ("filters", "kernel_size", "cumulative")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def build(self, query_shape: Any, memory_shape: Any) -> None:
        super().build(query_shape, memory_shape)
        policy = {"use_bias": False, "dtype": self.dtype_policy}
        self.filter = keras.layers.Conv1D(self.filters, self.kernel_size, padding="same", name="filter", **policy)
        self.filter.build((None, None, 1))
        self.place = keras.layers.Dense(self.units, name="place", **policy)
        self.place.build((None, None, self.filters))

    def features(self, past: Any) -> Any:
        return self.place(self.filter(past))


@keras.saving.register_keras_serializable(package="attention_zoo")
class Coverage(FeatureAlignment):
    """Look by content and by how much of each place has been read; looking twice costs.

    weights[t] = normalize(v . tanh(W query[t] + U memory + w past + b)), past = sum of the weights before t,
    loss = factor mean over t of sum over k of min(weights[t, k], past[t, k])

    Args:
        units: of the hidden layer.
        factor: of the loss, averaged over the steps of a sequence and the batch; 0 for none.
        normalizer: how scores become weights; None is "softmax".

    Call:
        see `StepwiseAlignment`. Its state is past, [batch, key], zero before the first step. The loss is added by a
        call, not by steps: see `coverage_loss`.

    Raises:
        ZooValueError: if units is under 1 or factor is negative.

    Cost: time batch x queries x keys x units; one step after another.
    Source: See, Liu, Manning 2017, arXiv:1704.04368, section 2.3; the coverage vector: Tu et al. 2016,
    arXiv:1601.04811, section 3.
    """

    def __init__(self, units: int = 128, factor: float = 1.0, normalizer: Any = None, **kwargs: Any):
        super().__init__(units, normalizer, **kwargs)
        if factor < 0:
            raise ZooValueError(f"factor must be at least 0, got {factor}")
        self.factor = factor

    def get_config(self) -> dict:
        return {**super().get_config(), "factor": self.factor}

    def build(self, query_shape: Any, memory_shape: Any) -> None:
        super().build(query_shape, memory_shape)
        self.covered = keras.layers.Dense(self.units, use_bias=False, name="covered", dtype=self.dtype_policy)
        self.covered.build((None, None, 1))

    def features(self, past: Any) -> Any:
        return self.covered(past)

    def judge(self, weights: Any, query_mask: Any) -> None:
        if self.factor:
            self.add_loss(self.factor * coverage_loss(weights, query_mask))


def coverage_loss(weights: Any, query_mask: Any = None) -> Any:
    """Return how much each step looks where the steps before it looked, averaged over steps and batch.

    mean over t of sum over k of min(weights[t, k], weights[1, k] + ... + weights[t - 1, k])

    Args:
        weights: [batch, query, key].
        query_mask: bool [batch, query]; False leaves padded steps out.
    """
    past = ops.cumsum(weights, axis=1) - weights
    again = ops.sum(ops.minimum(weights, past), axis=-1)
    shown = ops.ones_like(again) if query_mask is None else ops.cast(query_mask, again.dtype)
    steps = ops.maximum(ops.sum(shown, axis=1), 1.0)
    return ops.mean(ops.sum(again * shown, axis=1) / steps)
