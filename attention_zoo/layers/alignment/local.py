"""Alignment within a window of the memory that moves with the steps, or to where the query says."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.layers.alignment.base import Prepared
from attention_zoo.layers.alignment.content import Alignment


@keras.saving.register_keras_serializable(package="attention_zoo")
class LocalAlignment(Alignment):
    """Look at what is like the query, within a window around one position of the memory.

    weights[t, k] = normalize(score(query[t], memory[k]) where |k - c[t]| <= reach); c[t] = t, or, where `predict`,
    c[t] = length sigmoid(v . tanh(W query[t])), and the weights are multiplied by exp(-(k - c[t])^2 / (2 s^2)),
    s = reach / 2

    Args:
        reach: positions to each side of the centre, at least 1.
        predict: let the query choose the centre ("local-p"); else the centre moves with the steps ("local-m").
        score: how queries and keys are compared, by name, dict or object; None is "additive".
        normalizer: how scores become weights; None is "softmax".
        units: see `Alignment`.

    Call:
        see `StepwiseAlignment`. Where the centre moves with the steps, the state is their number, [batch, 1]. A step
        past the end of the memory, by more than `reach`, sees nothing.

    Raises:
        ZooValueError: as `Alignment`, and if reach is under 1.

    Cost: as `Alignment`: all keys are compared and those outside of the window dropped.
    Source: Luong, Pham, Manning 2015, arXiv:1508.04025, section 3.2.
    """

    def __init__(self, reach: int = 10, predict: bool = False, score: Any = None, **kwargs: Any):
        super().__init__(score, **kwargs)
        whole_number("reach", reach, unit="positions")
        self.reach, self.predict = reach, predict

    def get_config(self) -> dict:
        return {**super().get_config(), "reach": self.reach, "predict": self.predict}

    def build(self, query_shape: Any, memory_shape: Any) -> None:
        super().build(query_shape, memory_shape)
        if self.predict:
            width = query_shape[-1]
            options = {"use_bias": False, "dtype": self.dtype_policy}
            self.place_hidden = keras.layers.Dense(width, activation="tanh", name="place_hidden", **options)
            self.place = keras.layers.Dense(1, name="place", **options)
            for dense in (self.place_hidden, self.place):
                dense.supports_masking = True
                dense.build((None, None, width))

    @property
    def state_count(self) -> int:
        return 0 if self.predict else 1

    def initial_state(self, memory: Any) -> tuple:
        if self.predict:
            return ()
        memory = memory.memory if isinstance(memory, Prepared) else memory
        return (ops.zeros_like(ops.cast(memory[:, 0, :1], "float32")),)

    def weigh(
        self, query: Any, prepared: Prepared, state: tuple, query_mask: Any, training: bool | None
    ) -> tuple[Any, tuple]:
        if self.predict:
            share = ops.sigmoid(ops.cast(self.place(self.place_hidden(query)), "float32"))
            centres = share * ops.expand_dims(ops.sum(prepared.mask, axis=1, keepdims=True), 1)
        else:
            ones = ops.ones_like(ops.cast(query[:, :, 0], "float32"))
            steps = ones if query_mask is None else ops.cast(query_mask, "float32")
            centres = ops.expand_dims(state[0] + ops.cumsum(steps, axis=1) - steps, -1)
            state = (state[0] + ops.sum(steps, axis=1, keepdims=True),)
        places = ops.cast(ops.arange(ops.shape(prepared.mask)[1]), "float32")
        distance = ops.reshape(places, (1, 1, -1)) - centres
        near = ops.logical_and(ops.abs(distance) <= self.reach, ops.expand_dims(prepared.mask, 1) > 0.5)
        weights = self.normalizer.normalize(self.scores(query, prepared), ops.expand_dims(near, 1), training)
        weights = ops.squeeze(weights, 1)
        if self.predict:
            weights = weights * ops.exp(-ops.square(distance) / (0.5 * self.reach**2))
        return weights, state
