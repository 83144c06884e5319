"""Alignment that never moves back: hard when used, its exact expectation while learning."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core.masks import MASKED
from attention_zoo.errors import ZooValueError, unknown
from attention_zoo.layers.alignment.base import Prepared, RecurrentAlignment, initial_weights
from attention_zoo.layers.alignment.perceptron import Perceptron
from attention_zoo.layers.alignment.stepping import linear_recurrence

_INFERENCE = ("hard", "soft")


@keras.saving.register_keras_serializable(package="attention_zoo")
class Monotonic(RecurrentAlignment):
    """Walk along the memory from where the last step stopped and stop at the first key that is good enough.

    p[t, k] = sigmoid(g v / |v| . tanh(W query[t] + U memory[k] + b) + r), the probability to stop at k;
    weights[t, k] = p[t, k] q[t, k], q[t, k] = (1 - p[t, k - 1]) q[t, k - 1] + weights[t - 1, k]

    That is the expectation over where the walk stops, used while training. At inference p is rounded, and the same
    recurrence then gives the walk itself: one key with weight 1. A walk that meets no such key ends: that step and all
    after it see nothing, which is what the expectation tends to.

    Args:
        units: of the hidden layer.
        offset: start value of r; the more negative, the further the walks at first.
        noise: standard deviation of the noise on the scores while training, which drives p to 0 or 1.
        inference: "hard", or "soft" to keep the expectation.
        seed: of the noise.

    Call:
        see `StepwiseAlignment`. Its state is the last weights, [batch, key]; before the first step 1 at the first key.

    Raises:
        ZooValueError: if units is under 1, noise is negative or inference is unknown.

    Cost: time batch x queries x keys x (units + log2(keys)), memory batch x queries x keys x units; also at inference,
    where the walk itself would be linear in queries + keys.
    Source: Raffel et al. 2017, arXiv:1704.00784, sections 2.2 to 2.5. Differs: the recurrence is
    solved by products and sums alone, where they divide by a product of probabilities that has to be clipped.
    """

    def __init__(
        self,
        units: int = 128,
        offset: float = -1.0,
        noise: float = 1.0,
        inference: str = "hard",
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        whole_number("units", units)
        if noise < 0:
            raise ZooValueError(f"noise must be at least 0 (score units), got {noise}")
        if inference not in _INFERENCE:
            raise unknown("inference", inference, _INFERENCE)
        self.units, self.offset, self.noise, self.inference, self.seed = units, offset, noise, inference, seed
        self.random = keras.random.SeedGenerator(seed)
        gain = units**-0.5
        self.energy = Perceptron(units, True, gain, offset, name="energy", dtype=self.dtype_policy)

    def get_config(self) -> dict:
        names = ("units", "offset", "noise", "inference", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def build(self, query_shape: Any, memory_shape: Any) -> None:
        self.energy.build(query_shape, memory_shape)

    def project_memory(self, memory: Any) -> Any:
        return self.energy.keys(memory)

    def initial_state(self, memory: Any) -> tuple:
        return (initial_weights(memory, 1.0),)

    def read(self, query: Any, prepared: Prepared, training: bool | None) -> Any:
        return self.stopping(self.energy.compare(self.energy.read(query), prepared.keys), prepared.mask, training)

    def stopping(self, scores: Any, mask: Any, training: bool | None) -> Any:
        """Return the probabilities to stop for float32 scores [batch, query, key]; 0 at padding."""
        if training and self.noise:
            scores = scores + self.noise * keras.random.normal(ops.shape(scores), dtype="float32", seed=self.random)
        hard = not training and self.inference == "hard"
        stop = ops.cast(scores > 0.0, "float32") if hard else ops.sigmoid(scores)
        return stop * ops.expand_dims(mask, 1)

    def advance(self, read: Any, prepared: Prepared, state: tuple) -> tuple[Any, tuple]:
        weights = monotonic_weights(read, state[0])
        return weights, (weights,)


def monotonic_weights(stop: Any, before: Any) -> Any:
    """Return where a walk stops, by the probability to stop at each key and the distribution of where it starts.

    Args:
        stop: [batch, key], 0 to 1.
        before: [batch, key], where the walk starts.
    """
    passed = ops.concatenate([ops.zeros_like(stop[:, :1]), 1.0 - stop[:, :-1]], axis=1)
    return stop * linear_recurrence(passed, before)


@keras.saving.register_keras_serializable(package="attention_zoo")
class MoChA(Monotonic):
    """Walk as `Monotonic` does, and attend softly to the few keys up to where the walk stops (monotonic chunkwise).

    weights[t, j] = sum over k from j to j + n - 1 of a[t, k] exp(u[t, j]) / sum over l from k - n + 1 to k of
    exp(u[t, l]), a by `Monotonic`, u[t, k] = v' . tanh(W' query[t] + U' memory[k] + b')

    Args:
        chunk: keys that are attended to, n, at least 1; 1 is `Monotonic`.
        units: of each of the two hidden layers.
        offset: see `Monotonic`.
        noise: see `Monotonic`.
        inference: see `Monotonic`.
        seed: of the noise.

    Call:
        see `StepwiseAlignment`. Its state is a, [batch, key].

    Raises:
        ZooValueError: as `Monotonic`, and if chunk is under 1.

    Cost: as `Monotonic`, with another batch x queries x keys x units and batch x queries x keys x chunk.
    Source: Chiu, Raffel 2017, arXiv:1712.05382. Differs: each chunk has a softmax of its own, so
    that no sum of exponentials can overflow or vanish.
    """

    def __init__(self, chunk: int = 2, units: int = 128, **kwargs: Any):
        super().__init__(units, **kwargs)
        whole_number("chunk", chunk, unit="keys")
        self.chunk = chunk
        self.chunk_energy = Perceptron(units, name="chunk_energy", dtype=self.dtype_policy)

    def get_config(self) -> dict:
        return {**super().get_config(), "chunk": self.chunk}

    def build(self, query_shape: Any, memory_shape: Any) -> None:
        super().build(query_shape, memory_shape)
        self.chunk_energy.build(query_shape, memory_shape)

    def project_memory(self, memory: Any) -> Any:
        return ops.concatenate([self.energy.keys(memory), self.chunk_energy.keys(memory)], axis=-1)

    def read(self, query: Any, prepared: Prepared, training: bool | None) -> Any:
        keys = prepared.keys
        scores = self.energy.compare(self.energy.read(query), keys[:, :, : self.units])
        chunk_scores = self.chunk_energy.compare(self.chunk_energy.read(query), keys[:, :, self.units :])
        visible = ops.expand_dims(prepared.mask, 1) > 0.5
        stop = self.stopping(scores, prepared.mask, training)
        return ops.concatenate([stop, ops.where(visible, chunk_scores, MASKED)], axis=-1)

    def advance(self, read: Any, prepared: Prepared, state: tuple) -> tuple[Any, tuple]:
        keys = ops.shape(prepared.mask)[1]
        ends = monotonic_weights(read[:, :keys], state[0])
        return chunk_weights(ends, read[:, keys:], self.chunk), (ends,)


def chunk_weights(ends: Any, scores: Any, chunk: int) -> Any:
    """Spread the weight of each end over the `chunk` keys up to it, by the softmax of their scores.

    Args:
        ends: [batch, key].
        scores: [batch, key].
        chunk: keys of a chunk.
    """

    def moved(rows: Any, steps: int, fill: float) -> Any:
        """Move rows to the right by `steps` (to the left if negative)."""
        edge = ops.zeros_like(rows[:, : abs(steps)]) + fill
        if steps >= 0:
            return ops.concatenate([edge, rows], axis=1)[:, : ops.shape(rows)[1]]
        return ops.concatenate([rows, edge], axis=1)[:, -ops.shape(rows)[1] :]

    shares = ops.softmax(ops.stack([moved(scores, back, MASKED) for back in range(chunk)], axis=-1), axis=-1)
    spread = ops.expand_dims(ends, -1) * shares
    return sum(moved(spread[:, :, back], -back, 0.0) for back in range(chunk))
