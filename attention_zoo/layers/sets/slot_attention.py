"""Slots that compete for the members of a set."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Site, site_path, tap
from attention_zoo.core.queries import for_each
from attention_zoo.errors import ZooValueError

_EPSILON = 1e-6


@keras.saving.register_keras_serializable(package="attention_zoo")
class SlotAttention(keras.layers.Layer):
    """Explain a set by a few slots: each member shares itself out among the slots, several times over.

    a_sn = softmax over the slots s of q_s k_n / sqrt(d), w_sn = a_sn / sum_n a_sn, u_s = sum_n w_sn v_n,
    slot_s = GRU(slot_s, u_s), slot_s = slot_s + W_2 relu(W_1 norm(slot_s)); q of norm(slots), k and v of norm(inputs)

    Args:
        slots: number of slots, at least 1.
        width: channels of the slots; None is the width of the inputs.
        units: hidden units of the network; None is twice the width of the slots.
        iterations: how often the slots read, at least 1.
        noise: deviation of the noise added to the first slots while training, at least 0.
        seed: of the noise.

    Call:
        inputs: [batch, time, input width].
        mask: bool [batch, time]; False marks padding.

    Returns:
        [batch, slots, width]. One map [batch, slot, key] for each iteration.

    Raises:
        ZooValueError: if slots, width, units or iterations is under 1, or noise under 0.

    Cost: time and memory batch x iterations x slots x time x width.
    Source: Locatello et al. 2020, arXiv:2006.15055, section 2.1, algorithm 1. Differs: each slot starts at a learned
    place of its own and noise is added in training alone, so that an answer does not depend on chance.
    """

    def __init__(
        self,
        slots: int = 4,
        width: int | None = None,
        units: int | None = None,
        iterations: int = 3,
        noise: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        numbers = {"slots": slots, "width": width, "units": units, "iterations": iterations}
        for name, value in numbers.items():
            if value is not None:
                whole_number(name, value)
        if noise < 0:
            raise ZooValueError(f"noise must be at least 0, got {noise}")
        self.supports_masking = True
        self.slots, self.width, self.units, self.iterations = slots, width, units, iterations
        self.noise, self.seed = noise, seed
        self.generator = keras.random.SeedGenerator(seed)

    def get_config(self) -> dict:
        names = ("slots", "width", "units", "iterations", "noise", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def build(self, input_shape: Any) -> None:
        given, policy = input_shape[-1], {"dtype": self.dtype_policy}
        width = self.width or given
        units = self.units or 2 * width
        self.start = self.add_weight(shape=(1, self.slots, width), initializer="glorot_uniform", name="start")
        self.input_norm, self.slot_norm, self.network_norm = (
            keras.layers.LayerNormalization(epsilon=_EPSILON, name=name, **policy)
            for name in ("input_norm", "slot_norm", "network_norm")
        )
        self.query_dense, self.key_dense, self.value_dense = (
            keras.layers.Dense(width, use_bias=False, name=name, **policy) for name in ("query", "key", "value")
        )
        self.inner = keras.layers.Dense(units, "relu", name="inner", **policy)
        self.outer = keras.layers.Dense(width, name="outer", **policy)
        # Keras's own start, an orthogonal matrix, cannot be drawn in half precision everywhere.
        self.cell = keras.layers.GRUCell(width, recurrent_initializer="glorot_uniform", name="cell", **policy)
        self.cell.build((None, width))
        widths = ((self.input_norm, given), (self.key_dense, given), (self.value_dense, given), (self.slot_norm, width))
        widths += ((self.query_dense, width), (self.network_norm, width), (self.inner, width), (self.outer, units))
        for layer, size in widths:
            layer.build((None, None, size))
            layer.supports_masking = True

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        read = self.input_norm(inputs)
        keys, values = self.key_dense(read), self.value_dense(read)
        slots = for_each(self.start, keys)
        if training and self.noise:
            draw = keras.random.normal(ops.shape(slots), dtype="float32", seed=self.generator)
            slots = slots + ops.cast(self.noise * draw, slots.dtype)
        shown = None if mask is None else ops.expand_dims(ops.cast(mask, "float32"), 1)
        for step in range(self.iterations):
            slots = self._step(step, slots, keys, values, shown)
        return slots

    def _step(self, step: int, slots: Any, keys: Any, values: Any, shown: Any) -> Any:
        """Let the slots read once; `shown` is float32 [batch, 1, key]."""
        width = slots.shape[-1]
        query = self.query_dense(self.slot_norm(slots)) * width**-0.5
        shares = ops.softmax(ops.cast(ops.matmul(query, ops.transpose(keys, (0, 2, 1))), "float32"), axis=1)
        shares = shares if shown is None else shares * shown
        # The floor only meets sets of which nothing is seen.
        weights = shares / ops.maximum(ops.sum(shares, axis=-1, keepdims=True), 1e-12)
        site = Site(f"{site_path(self)}/step_{step + 1}", "mix", ("batch", "slot", "key"))
        weights = tap(site, ops.cast(weights, values.dtype))
        found = ops.reshape(ops.matmul(weights, values), (-1, width))
        flat, _ = self.cell(found, [ops.reshape(slots, (-1, width))])
        slots = ops.reshape(flat, (-1, self.slots, width))
        return slots + self.outer(self.inner(self.network_norm(slots)))

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return None: no axis with padding is left."""
        return None

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return (input_shape[0], self.slots, self.width or input_shape[-1])
