"""Attention between the fields of an example: interactions that are learned, and weighed."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Masks, Parts, Site, attend, gate, get_part, site_path, tap
from attention_zoo.core.projection import project
from attention_zoo.errors import ZooValueError


@keras.saving.register_keras_serializable(package="attention_zoo")
class InteractingLayer(keras.layers.Layer):
    """Let the fields of an example read each other (AutoInt).

    output_m = relu([head_1; ...; head_h] + W_res e_m), head = sum_k softmax_k(W_q e_m . W_k e_k) W_v e_k

    Args:
        num_heads: heads, at least 1.
        key_dim: channels of each head, at least 1.
        use_residual: whether W_res is there.
        dropout: share of the weights dropped while training, 0 to 1.
        seed: of the dropout.

    Call:
        inputs: [batch, field, width], embedded fields.
        mask: bool [batch, field]; False marks a field that is absent.

    Returns:
        [batch, field, num_heads x key_dim].

    Raises:
        ZooValueError: if num_heads or key_dim is under 1, or dropout out of range.

    Cost: time batch x heads x field^2 x channels, memory batch x heads x field^2 where a map is formed.
    Source: Song et al. 2018, arXiv:1810.11921, section 4.4.
    """

    def __init__(
        self,
        num_heads: int = 2,
        key_dim: int = 32,
        use_residual: bool = True,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        for name, value in (("num_heads", num_heads), ("key_dim", key_dim)):
            whole_number(name, value)
        if not 0 <= dropout < 1:
            raise ZooValueError(f"dropout must be at least 0 and under 1, got {dropout}")
        self.supports_masking = True
        self.num_heads, self.key_dim, self.use_residual = num_heads, key_dim, use_residual
        self.dropout, self.seed = dropout, seed
        self.score = get_part("score", None, "dot", self.dtype_policy)

    def get_config(self) -> dict:
        names = ("num_heads", "key_dim", "use_residual", "dropout", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def build(self, input_shape: Any) -> None:
        heads, policy = (None, self.num_heads, self.key_dim), {"dtype": self.dtype_policy}
        self.projections = [
            keras.layers.EinsumDense("abc,cde->abde", heads, name=name, **policy) for name in ("query", "key", "value")
        ]
        self.drop = keras.layers.Dropout(self.dropout, seed=self.seed, name="drop", **policy)
        made = list(self.projections)
        if self.use_residual:
            width = self.num_heads * self.key_dim
            self.residual = keras.layers.Dense(width, use_bias=False, name="residual", **policy)
            made.append(self.residual)
        for layer in made:
            layer.build((None, None, input_shape[-1]))
            layer.supports_masking = True

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        drop = (lambda weights: self.drop(weights, training=True)) if training and self.dropout else None
        parts = Parts.plain()._replace(score=self.score, dropout=drop)
        query, key, value = (project(dense, inputs) for dense in self.projections)
        path, masks = site_path(self), Masks(mask, mask)
        heads = attend(query, key, value, path=path, parts=parts, masks=masks, training=training).output
        joined = ops.reshape(heads, (*ops.shape(inputs)[:2], self.num_heads * self.key_dim))
        return ops.relu(joined + self.residual(inputs) if self.use_residual else joined)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return (*input_shape[:2], self.num_heads * self.key_dim)


@keras.saving.register_keras_serializable(package="attention_zoo")
class AttentionalFactorization(keras.layers.Layer):
    """Sum the products of all pairs of fields, each weighed by a small network on it (AFM).

    output = sum over i < j of a_ij (e_i * e_j), a = normalize over the pairs of h . relu(W (e_i * e_j) + b)

    Args:
        units: hidden units of the network; None is the width of the inputs.
        normalizer: how scores become weights, by name, dict or object; None is "softmax".

    Call:
        inputs: [batch, field, width], embedded fields, times their values if they have any.
        mask: bool [batch, field]; False marks a field that is absent.

    Returns:
        [batch, width]. With fewer than two fields zeros. The map is [batch, field, field], zero unless i < j.

    Raises:
        ZooValueError: if units is under 1.

    Cost: time batch x field^2 x width x units, memory batch x field^2 x (width + units).
    Source: Xiao et al. 2017, arXiv:1708.04617, section 3.1. Differs: the linear part and the last product with p are
    the caller's.
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

    def build(self, input_shape: Any) -> None:
        width = input_shape[-1]
        units, policy = self.units or width, {"dtype": self.dtype_policy}
        self.hidden = keras.layers.Dense(units, "relu", name="hidden", **policy)
        self.question = keras.layers.Dense(1, use_bias=False, name="question", **policy)
        for layer, size in ((self.hidden, width), (self.question, units)):
            layer.build((None, None, None, size))
        if not self.normalizer.built:
            self.normalizer.build((1, width, width, width))

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        products = ops.expand_dims(inputs, 2) * ops.expand_dims(inputs, 1)
        batch, count = ops.shape(inputs)[0], ops.shape(inputs)[1]
        places = ops.arange(count)
        once = ops.expand_dims(ops.expand_dims(places, 1) < ops.expand_dims(places, 0), 0)
        if mask is not None:
            mask = ops.cast(mask, "bool")
            once = ops.logical_and(once, ops.logical_and(ops.expand_dims(mask, 2), ops.expand_dims(mask, 1)))
        scores = ops.reshape(self.question(self.hidden(products)), (batch, 1, 1, -1))
        once = ops.reshape(once, (-1, 1, 1, count * count))
        weights = ops.reshape(self.normalizer.normalize(scores, once, training), (batch, count, count))
        site = Site(site_path(self), "mix", ("batch", "field", "other"))
        weights = tap(site, ops.cast(weights, inputs.dtype))
        return ops.einsum("bij,bijc->bc", weights, products)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return None: no axis with padding is left."""
        return None

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return (input_shape[0], input_shape[-1])


@keras.saving.register_keras_serializable(package="attention_zoo")
class FieldGate(keras.layers.Layer):
    """Scale each field of an example by what the others are like (SENET of FiBiNET).

    z_f = mean over channels of e_f, output_f = e_f relu(W_2 relu(W_1 z))_f

    Args:
        ratio: fields over hidden units, at least 1.

    Call:
        inputs: [batch, field, width]; the number of fields is fixed.

    Returns:
        [batch, field, width].

    Raises:
        ZooValueError: if ratio is under 1, or the number of fields is open.

    Cost: time batch x field x (width + field), memory batch x field x width.
    Source: Huang, Zhang, Zhang 2019, arXiv:1905.09433, section 3.2.
    """

    def __init__(self, ratio: int = 3, **kwargs: Any):
        super().__init__(**kwargs)
        whole_number("ratio", ratio)
        self.ratio = ratio

    def get_config(self) -> dict:
        return {**super().get_config(), "ratio": self.ratio}

    def build(self, input_shape: Any) -> None:
        fields = input_shape[1]
        if fields is None:
            raise ZooValueError(f"inputs must have a fixed number of fields, got shape {tuple(input_shape)}")
        units, policy = max(fields // self.ratio, 1), {"dtype": self.dtype_policy}
        self.squeeze = keras.layers.Dense(units, "relu", use_bias=False, name="squeeze", **policy)
        self.excite = keras.layers.Dense(fields, use_bias=False, name="excite", **policy)
        self.squeeze.build((None, fields))
        self.excite.build((None, units))

    def call(self, inputs: Any) -> Any:
        logits = ops.expand_dims(self.excite(self.squeeze(ops.mean(inputs, axis=-1))), -1)
        return gate(inputs, logits, path=site_path(self), axes=("batch", "field", "channel"), squash=ops.relu)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return tuple(input_shape)
