"""Bilinear attention: one map over all pairs of positions of two modalities."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Site, get_part, site_path, tap
from attention_zoo.layers.fusion.dense import project, shown


@keras.saving.register_keras_serializable(package="attention_zoo")
class BilinearAttention(keras.layers.Layer):
    """Weigh all pairs of positions of two modalities together, and add to the first what the pairs say (BAN).

    A_g = normalize over all pairs (i, j) of  sum_k p_(g,k) relu(x_i U)_k relu(y_j V)_k
    f_(g+1),i = f_g,i + P_g z_g,  z_(g,k) = sum_(i,j) A_g,ij relu(f_g,i U_g)_k relu(y_j V_g)_k,  f_0 = x

    Args:
        units: joint channels k.
        glimpses: maps, read one after the other.
        normalizer: how scores become weights, by name, dict or object; None is "softmax".

    Call:
        first: x, [batch, length of first, width of first].
        second: y, [batch, length of second, width of second].
        first_mask, second_mask: bool [batch, length]; False marks padding. All False is a missing modality: nothing is
            added to the first.

    Returns:
        [batch, length of first, width of first]; zero at the padding of the first.

    Raises:
        ZooValueError: if units or glimpses is under 1.

    Cost: time batch x glimpses x length of first x length of second x units, memory without the units.
    Source: Kim et al. 2018, arXiv:1805.07932, section 3. Differs: biases in U and V;
    none in P, so that nothing seen adds nothing.
    """

    def __init__(self, units: int, glimpses: int = 2, normalizer: Any = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.units, self.glimpses = whole_number("units", units, unit="channels"), whole_number("glimpses", glimpses)
        self.normalizer = get_part("normalizer", normalizer, "softmax", self.dtype_policy)

    def get_config(self) -> dict:
        own = {"units": self.units, "glimpses": self.glimpses}
        own["normalizer"] = keras.saving.serialize_keras_object(self.normalizer)
        return {**super().get_config(), **own}

    def build(self, first_shape: Any, second_shape: Any) -> None:
        first, second, relu = first_shape[-1], second_shape[-1], {"activation": "relu"}
        self.first_score = project(self, "first_score", self.units, first, **relu)
        self.second_score = project(self, "second_score", self.units, second, **relu)
        self.glance = self.add_weight(shape=(self.glimpses, self.units), name="glance")
        names = range(self.glimpses)
        self.first_values = [project(self, f"first_value_{g}", self.units, first, **relu) for g in names]
        self.second_values = [project(self, f"second_value_{g}", self.units, second, **relu) for g in names]
        self.outputs = [project(self, f"output_{g}", first, self.units, use_bias=False) for g in names]
        if not self.normalizer.built:
            self.normalizer.build((self.glimpses, self.units, first, second))

    def call(
        self,
        first: Any,
        second: Any,
        first_mask: Any = None,
        second_mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        first, second = shown(first, first_mask), shown(second, second_mask)
        weights = self._weights(first, second, self._pairs(first, second, first_mask, second_mask), training)
        for glimpse in range(self.glimpses):
            left, right = self.first_values[glimpse](first), self.second_values[glimpse](second)
            joint = ops.sum(left * ops.matmul(weights[:, glimpse], right), axis=1, keepdims=True)
            first = shown(first + self.outputs[glimpse](joint), first_mask)
        return first

    def _weights(self, first: Any, second: Any, pairs: Any, training: bool | None) -> Any:
        """Return the maps [batch, glimpse, length of first, length of second], each normalised as a whole."""
        glance = ops.expand_dims(ops.cast(self.glance, first.dtype), 1)
        left = ops.expand_dims(self.first_score(first), 1) * glance
        right = ops.expand_dims(ops.swapaxes(self.second_score(second), 1, 2), 1)
        scores = ops.matmul(left, right)
        shape = ops.shape(scores)
        flat = ops.reshape(scores, (shape[0], self.glimpses, 1, shape[2] * shape[3]))
        weights = ops.reshape(self.normalizer.normalize(flat, pairs, training), shape)
        return tap(Site(site_path(self), "mix", ("batch", "head", "query", "key")), ops.cast(weights, first.dtype))

    def _pairs(self, first: Any, second: Any, first_mask: Any, second_mask: Any) -> Any:
        """Return the mask of all pairs, bool [batch, 1, 1, pairs], or None."""
        if first_mask is None and second_mask is None:
            return None
        left, right = (
            ops.ones_like(inputs[:, :, 0], dtype="bool") if mask is None else ops.cast(mask, "bool")
            for inputs, mask in ((first, first_mask), (second, second_mask))
        )
        pairs = ops.logical_and(ops.expand_dims(left, 2), ops.expand_dims(right, 1))
        shape = ops.shape(pairs)
        return ops.reshape(pairs, (shape[0], 1, 1, shape[1] * shape[2]))

    def compute_mask(self, first: Any, second: Any = None, first_mask: Any = None, second_mask: Any = None) -> Any:
        """Pass on the mask of the first."""
        return first_mask

    def compute_output_shape(self, first_shape: Any, second_shape: Any) -> tuple:
        return tuple(first_shape)
