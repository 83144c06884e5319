"""Deep interest network: what of a user's history matters depends on the item that is offered."""

from typing import Any

import keras
from keras import ops

from attention_zoo.core import Site, get_part, site_path, tap
from attention_zoo.errors import ZooValueError


@keras.saving.register_keras_serializable(package="attention_zoo")
class Dice(keras.layers.Layer):
    """Activate with a corner that sits where the data are (data adaptive activation).

    output = p x + (1 - p) a x, p = sigmoid((x - mean) / sqrt(variance + epsilon)), a learned for each channel

    Args:
        momentum: of the running mean and variance, which stand in for the batch's at inference.
        epsilon: added to the variance.

    Call:
        inputs: [batch, <any>, width].
        mask: bool [batch, <any>]; False leaves a place out of the statistics.

    Returns:
        of the shape of the inputs.

    Cost: time and memory as the inputs.
    Source: Zhou et al. 2017, arXiv:1706.06978, section 5.2.
    """

    def __init__(self, momentum: float = 0.99, epsilon: float = 1e-8, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.momentum, self.epsilon = momentum, epsilon

    def get_config(self) -> dict:
        return {**super().get_config(), "momentum": self.momentum, "epsilon": self.epsilon}

    def build(self, input_shape: Any) -> None:
        self.standard = keras.layers.BatchNormalization(
            momentum=self.momentum,
            epsilon=self.epsilon,
            center=False,
            scale=False,
            name="standard",
            dtype=self.dtype_policy,
        )
        self.standard.build(input_shape)
        self.slope = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="slope")

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        share = ops.sigmoid(self.standard(inputs, training=training, mask=mask))
        slope = ops.cast(self.slope, inputs.dtype)
        return inputs * (slope + share * (1.0 - slope))

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return tuple(input_shape)


@keras.saving.register_keras_serializable(package="attention_zoo")
class TargetAttention(keras.layers.Layer):
    """Sum a history up for each candidate, by a small network on the pair (the activation unit of DIN).

    a_k = network([q; k; q - k; q * k]), output = sum_k a_k k

    As they come the weights are not normalised: their sum tells how strongly the history speaks for the candidate.

    Args:
        units: hidden units of each layer of the network.
        activation: of the hidden layers: "prelu", "dice" or a name that Keras knows.
        normalizer: how scores become weights, by name, dict or object; None takes the scores as they are.

    Call:
        query: [batch, width], or several candidates [batch, query, width].
        keys: [batch, key, width], the history.
        query_mask: bool [batch, query]; passed on, changes nothing here.
        keys_mask: bool [batch, key]; False marks padding.

    Returns:
        [batch, width] or [batch, query, width]. A history that is all padding gives zeros.

    Raises:
        ZooValueError: if units is empty or has a number under 1, or query and keys differ in width.

    Cost: time batch x query x key x width x units, memory batch x query x key x (width + units).
    Source: Zhou et al. 2017, arXiv:1706.06978, section 4.3. Differs: q - k and q * k stand in for the outer product,
    as in the authors' code.
    """

    def __init__(
        self, units: tuple[int, ...] = (80, 40), activation: str = "prelu", normalizer: Any = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        if not units or any(count < 1 for count in units):
            raise ZooValueError(f"units must hold numbers of at least 1, got {units}")
        self.supports_masking = True
        self.units, self.activation = tuple(units), activation
        self.normalizer = None
        if normalizer is not None:
            self.normalizer = get_part("normalizer", normalizer, "softmax", self.dtype_policy)

    def get_config(self) -> dict:
        config = {**super().get_config(), "units": list(self.units), "activation": self.activation}
        part = self.normalizer
        return {**config, "normalizer": None if part is None else keras.saving.serialize_keras_object(part)}

    def build(self, query_shape: Any, keys_shape: Any) -> None:
        width = keys_shape[-1]
        if query_shape[-1] != width:
            raise ZooValueError(f"query and keys must have one width, got {query_shape[-1]} and {width}")
        self.build_network(width)
        if self.normalizer is not None and not self.normalizer.built:
            self.normalizer.build((1, width, width, width))

    def build_network(self, width: int) -> None:
        """Create what `compare` uses, for queries and keys of `width` channels."""
        policy = {"dtype": self.dtype_policy}
        self.hidden = [
            keras.layers.Dense(count, name=f"hidden_{place + 1}", **policy) for place, count in enumerate(self.units)
        ]
        self.corners = [
            _activation(self.activation, f"activation_{place + 1}", policy) for place in range(len(self.units))
        ]
        self.score = keras.layers.Dense(1, name="score", **policy)
        widths = (4 * width, *self.units)
        for layer, channels in zip((*self.hidden, self.score), widths):
            layer.build((None, None, None, channels))
        for layer, channels in zip(self.corners, self.units):
            layer.build((None, None, None, channels))

    def call(
        self, query: Any, keys: Any, query_mask: Any = None, keys_mask: Any = None, training: bool | None = None
    ) -> Any:
        asked = ops.expand_dims(query, 1) if len(query.shape) == 2 else query
        mask = None if keys_mask is None else ops.expand_dims(ops.cast(keys_mask, "bool"), 1)
        scores = ops.cast(self.compare(asked, keys, mask, training), "float32")
        weights = self.weigh(scores, mask, training)
        weights = tap(Site(site_path(self), "mix", ("batch", "query", "key")), ops.cast(weights, keys.dtype), mask)
        output = ops.matmul(weights, keys)
        return ops.squeeze(output, 1) if len(query.shape) == 2 else output

    def weigh(self, scores: Any, mask: Any, training: bool | None) -> Any:
        """Turn float32 scores [batch, query, key] into weights, zero where the mask [batch, 1, key] is False."""
        if self.normalizer is None:
            return scores if mask is None else ops.where(mask, scores, 0.0)
        pairs = None if mask is None else ops.expand_dims(mask, 1)
        return ops.squeeze(self.normalizer.normalize(ops.expand_dims(scores, 1), pairs, training), 1)

    def compare(self, query: Any, keys: Any, mask: Any, training: bool | None) -> Any:
        """Score every pair: [batch, query, width] and [batch, key, width] to [batch, query, key]."""
        query, keys = ops.expand_dims(query, 2), ops.expand_dims(keys, 1)
        apart = query - keys
        nothing = ops.zeros_like(apart)
        pairs = ops.concatenate([query + nothing, keys + nothing, apart, query * keys], axis=-1)
        shown = None if mask is None else ops.logical_or(mask, ops.zeros_like(apart[..., 0], dtype="bool"))
        for dense, corner in zip(self.hidden, self.corners):
            pairs = dense(pairs)
            options = {"mask": shown, "training": training} if isinstance(corner, Dice) else {}
            pairs = corner(pairs, **options)
        return ops.squeeze(self.score(pairs), -1)

    def compute_output_shape(self, query_shape: Any, keys_shape: Any = None) -> tuple:
        return tuple(query_shape)


def _activation(name: str, layer_name: str, policy: dict) -> keras.layers.Layer:
    """Make an activation for pairs [batch, query, key, unit]; what is learned is learned for each unit."""
    if name == "dice":
        return Dice(name=layer_name, **policy)
    if name == "prelu":
        return keras.layers.PReLU(shared_axes=(1, 2), name=layer_name, **policy)
    return keras.layers.Activation(name, name=layer_name, **policy)
