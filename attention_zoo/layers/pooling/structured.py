"""Sum a sequence up by learned questions that do not depend on it."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Site, get_part, site_path, tap
from attention_zoo.errors import ZooValueError


@keras.saving.register_keras_serializable(package="attention_zoo")
class StructuredSelfAttention(keras.layers.Layer):
    """Sum a sequence up several times, each hop with an eye of its own.

    A = normalize(W_2 tanh(W_1 H^T)), M = A H, and a penalty |A A^T - I|^2 that keeps the hops apart

    Args:
        hops: number of weighted sums, at least 1.
        units: hidden units of the scoring network; None is half the width of the inputs.
        penalty: factor of the penalty, averaged over the batch and added to the loss; 0 for none.
        normalizer: how scores become weights, by name, dict or object; None is "softmax".
        use_bias: whether W_1 has a bias.
        flatten: True joins the hops to one vector, False keeps them apart.

    Call:
        inputs: [batch, time, width]; more axes may stand between batch and time.
        mask: bool [batch, time]; False marks padding.

    Returns:
        [batch, hops x width], or [batch, hops, width] where `flatten` is False. A sequence that is all padding gives
        zeros.

    Raises:
        ZooValueError: if hops or units is under 1, or penalty is negative.

    Cost: time batch x time x width x units, memory batch x time x units.
    Source: Lin et al. 2017, arXiv:1703.03130, section 2. Differs: a bias in W_1 where asked for.
    """

    def __init__(
        self,
        hops: int = 4,
        units: int | None = None,
        penalty: float = 0.0,
        normalizer: Any = None,
        use_bias: bool = False,
        flatten: bool = True,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        whole_number("hops", hops)
        if units is not None:
            whole_number("units", units)
        if penalty < 0:
            raise ZooValueError(f"penalty must be at least 0, got {penalty}")
        self.supports_masking = True
        self.hops, self.units, self.penalty = hops, units, penalty
        self.use_bias, self.flatten = use_bias, flatten
        self.normalizer = get_part("normalizer", normalizer, "softmax", self.dtype_policy)

    def get_config(self) -> dict:
        names = ("hops", "units", "penalty", "use_bias", "flatten")
        config = {**super().get_config(), **{name: getattr(self, name) for name in names}}
        config["normalizer"] = keras.saving.serialize_keras_object(self.normalizer)
        return config

    def build(self, input_shape: Any) -> None:
        width = input_shape[-1]
        units = self.units or max(width // 2, 1)
        self.hidden = keras.layers.Dense(
            units, activation="tanh", use_bias=self.use_bias, name="hidden", dtype=self.dtype_policy
        )
        self.hidden.build(input_shape)
        self.questions = keras.layers.Dense(self.hops, use_bias=False, name="questions", dtype=self.dtype_policy)
        self.questions.build((*input_shape[:-1], units))
        for dense in (self.hidden, self.questions):
            dense.supports_masking = True
        if not self.normalizer.built:
            self.normalizer.build((self.hops, width, width, width))

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        pooled = ops.matmul(self.weigh(inputs, mask, training), inputs)
        if not self.flatten:
            return pooled
        return ops.reshape(pooled, (*ops.shape(pooled)[:-2], self.hops * inputs.shape[-1]))

    def features(self, inputs: Any) -> Any:
        """Return what the questions are asked of, [batch, time, unit]."""
        return self.hidden(inputs)

    def weigh(self, inputs: Any, mask: Any, training: bool | None) -> Any:
        """Return the weights of each hop, tapped: [batch, hop, time]."""
        scores = ops.swapaxes(self.questions(self.features(inputs)), -1, -2)
        if mask is not None:
            mask = ops.expand_dims(ops.expand_dims(ops.cast(mask, "bool"), -2), -2)
        weights = ops.squeeze(self.normalizer.normalize(ops.expand_dims(scores, -2), mask, training), -2)
        if self.penalty:
            self.add_loss(self.penalty * _overlap(weights))
        between = ("group",) * (len(inputs.shape) - 3)
        seen = None if mask is None else ops.squeeze(mask, -2)
        site = Site(site_path(self), "mix", ("batch", *between, "head", "key"))
        return tap(site, ops.cast(weights, inputs.dtype), seen)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Drop the mask of the time axis, which is gone; a group with nothing to see is masked in its turn."""
        return None if mask is None or len(mask.shape) == 2 else ops.any(mask, axis=-1)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        lead, width = input_shape[:-2], input_shape[-1]
        return (*lead, self.hops * width) if self.flatten else (*lead, self.hops, width)


def _overlap(weights: Any) -> Any:
    """Return the mean over the batch of |A A^T - I|^2 (Frobenius) for weights [..., hop, key]."""
    product = ops.matmul(weights, ops.swapaxes(weights, -1, -2))
    squares = ops.square(product - ops.eye(weights.shape[-2], dtype=product.dtype))
    return ops.mean(ops.sum(squares, axis=(-2, -1)))


@keras.saving.register_keras_serializable(package="attention_zoo")
class AttentionPooling(StructuredSelfAttention):
    """Sum a sequence up once, by weights from a small network on each step (feed-forward attention).

    output = sum_t a_t h_t, a = normalize(v . tanh(W h_t + b))

    Args:
        units: hidden units of the scoring network; None is half the width of the inputs.
        normalizer: how scores become weights, by name, dict or object; None is "softmax".

    Call:
        inputs: [batch, time, width]; more axes may stand between batch and time.
        mask: bool [batch, time]; False marks padding.

    Returns:
        [batch, width]. A sequence that is all padding gives zeros.

    Raises:
        ZooValueError: if units is under 1.

    Cost: time batch x time x width x units, memory batch x time x units.
    Source: Raffel, Ellis 2015, arXiv:1512.08756, section 1.2. `StructuredSelfAttention` with one hop and a bias.
    """

    def __init__(self, units: int | None = None, normalizer: Any = None, **kwargs: Any):
        super().__init__(hops=1, units=units, normalizer=normalizer, use_bias=True, **kwargs)

    def get_config(self) -> dict:
        config = super().get_config()
        for name in ("hops", "penalty", "use_bias", "flatten"):
            config.pop(name)
        return config
