"""Deep interest evolution network: a recurrent network that only listens to what bears on the offered item."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Site, get_part, site_path, tap


@keras.saving.register_keras_serializable(package="attention_zoo")
class AttentionalUpdateCell(keras.layers.Layer):
    """Run one step of a GRU whose update gate is scaled by an attention weight (AUGRU), for `keras.layers.RNN`.

    u = a sigmoid(W_u x + U_u h + b_u), r = sigmoid(W_r x + U_r h + b_r), c = tanh(W_c x + r * U_c h + b_c),
    h' = (1 - u) * h + u * c

    Args:
        units: channels of the state, at least 1.

    Call:
        inputs: [batch, width + 1]; the last channel is the weight a.
        states: a list with the state h [batch, units].

    Returns:
        h', and a list with h'.

    Raises:
        ZooValueError: if units is under 1.

    Cost: time batch x (width + units) x units a step.
    Source: Zhou et al. 2018, arXiv:1809.03672 (AUGRU).
    """

    def __init__(self, units: int, **kwargs: Any):
        super().__init__(**kwargs)
        whole_number("units", units)
        self.units = self.state_size = self.output_size = units

    def get_config(self) -> dict:
        return {**super().get_config(), "units": self.units}

    def build(self, input_shape: Any) -> None:
        gates = 3 * self.units
        self.kernel = self.add_weight(shape=(input_shape[-1] - 1, gates), initializer="glorot_uniform", name="kernel")
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, gates), initializer="glorot_uniform", name="recurrent_kernel"
        )
        self.bias = self.add_weight(shape=(gates,), initializer="zeros", name="bias")

    def call(self, inputs: Any, states: Any, training: bool | None = None) -> Any:
        state = states[0] if isinstance(states, (list, tuple)) else states
        inputs, weight = inputs[..., :-1], inputs[..., -1:]
        read = ops.split(ops.matmul(inputs, self.kernel) + self.bias, 3, axis=-1)
        kept = ops.split(ops.matmul(state, self.recurrent_kernel), 3, axis=-1)
        update = weight * ops.sigmoid(read[0] + kept[0])
        reset = ops.sigmoid(read[1] + kept[1])
        state = (1.0 - update) * state + update * ops.tanh(read[2] + reset * kept[2])
        return state, [state]


@keras.saving.register_keras_serializable(package="attention_zoo")
class InterestEvolution(keras.layers.Layer):
    """Follow how a user's interest in the offered item evolves (DIEN).

    h = GRU(keys), a = normalize over t of h_t W q, output = the last state of AUGRU(h, a)

    Args:
        units: channels of the states; None is the width of the keys.
        normalizer: how scores become weights, by name, dict or object; None is "softmax".

    Call:
        query: [batch, query width], the offered item.
        keys: [batch, time, width], the history in order.
        keys_mask: bool [batch, time]; False marks padding.

    Returns:
        [batch, units]. A history that is all padding gives zeros.

    Raises:
        ZooValueError: if units is under 1.

    Cost: time batch x time x (width + units) x units, one step after the other; memory batch x time x units.
    Source: Zhou et al. 2018, arXiv:1809.03672, equations 2 to 5 (the GRU) and its AUGRU. Differs: the auxiliary loss on
    the next item is the caller's, who has the items that were not chosen.
    """

    def __init__(self, units: int | None = None, normalizer: Any = None, **kwargs: Any):
        super().__init__(**kwargs)
        if units is not None:
            whole_number("units", units)
        self.supports_masking = True
        self.units = units
        self.normalizer = get_part("normalizer", normalizer, "softmax", self.dtype_policy)

    def get_config(self) -> dict:
        part = keras.saving.serialize_keras_object(self.normalizer)
        return {**super().get_config(), "units": self.units, "normalizer": part}

    def build(self, query_shape: Any, keys_shape: Any) -> None:
        units, policy = self.units or keys_shape[-1], {"dtype": self.dtype_policy}
        # Keras's own start, an orthogonal matrix, cannot be drawn in half precision everywhere.
        start = {"recurrent_initializer": "glorot_uniform"}
        self.extractor = keras.layers.GRU(units, return_sequences=True, name="extractor", **start, **policy)
        self.extractor.build(keys_shape)
        self.query_dense = keras.layers.Dense(units, use_bias=False, name="query", **policy)
        self.query_dense.build(query_shape)
        cell = AttentionalUpdateCell(units, name="cell", **policy)
        self.evolution = keras.layers.RNN(cell, name="evolution", **policy)
        self.evolution.build((*keys_shape[:-1], units + 1))
        if not self.normalizer.built:
            self.normalizer.build((1, units, query_shape[-1], units))

    def call(self, query: Any, keys: Any, keys_mask: Any = None, training: bool | None = None) -> Any:
        interests = self.extractor(keys, mask=keys_mask, training=training)
        scores = ops.matmul(interests, ops.expand_dims(self.query_dense(query), -1))
        scores = ops.expand_dims(ops.transpose(scores, (0, 2, 1)), 1)
        mask = None if keys_mask is None else ops.expand_dims(ops.cast(keys_mask, "bool"), (1, 2))
        weights = ops.squeeze(self.normalizer.normalize(scores, mask, training), (1, 2))
        weights = tap(Site(site_path(self), "mix", ("batch", "key")), ops.cast(weights, interests.dtype), keys_mask)
        weighed = ops.concatenate([interests, ops.expand_dims(weights, -1)], axis=-1)
        return self.evolution(weighed, mask=keys_mask, training=training)

    def compute_mask(self, query: Any, mask: Any = None) -> None:
        """Return None: no axis with padding is left."""
        return None

    def compute_output_shape(self, query_shape: Any, keys_shape: Any) -> tuple:
        return (query_shape[0], self.units or keys_shape[-1])
