"""Bilinear pooling: the outer product of two vectors, by factors or by sketches, in few channels."""

import random
from typing import Any

import keras
from keras import ops

from attention_zoo.checks import share, whole_number
from attention_zoo.core import Site, site_path, tap
from attention_zoo.core.fourier import TRANSFORMS, circular_convolve
from attention_zoo.errors import unknown
from attention_zoo.layers.fusion.dense import project, shown

# Inside the root, whose gradient at 0 is infinite.
_TINY = 1e-6


class _Pooling(keras.layers.Layer):
    """Shared by the two kinds: the power and length normalisation, masks and shapes."""

    def __init__(self, units: int, normalized: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.units, self.normalized = whole_number("units", units, unit="channels"), normalized

    def get_config(self) -> dict:
        return {**super().get_config(), "units": self.units, "normalized": self.normalized}

    def _finished(self, pooled: Any) -> Any:
        """Take the signed root of each number and scale the vector to length 1."""
        if not self.normalized:
            return pooled
        wide = ops.cast(pooled, "float32")
        wide = wide / ops.sqrt(ops.abs(wide) + _TINY)
        wide = wide / ops.sqrt(ops.sum(ops.square(wide), axis=-1, keepdims=True) + _TINY)
        return ops.cast(wide, pooled.dtype)

    def _tapped(self, factor: Any) -> Any:
        """Pass the second factor, by which the first is scaled, through the tap."""
        between = tuple(f"axis_{i}" for i in range(1, len(factor.shape) - 1))
        return tap(Site(site_path(self), "gate", ("batch", *between, "channel")), factor)

    def compute_mask(self, first: Any, second: Any = None, first_mask: Any = None, second_mask: Any = None) -> Any:
        """Hide nothing: a missing modality is neutral."""
        return None

    def compute_output_shape(self, first_shape: Any, second_shape: Any) -> tuple:
        return (*first_shape[:-1], self.units)


@keras.saving.register_keras_serializable(package="attention_zoo")
class FactorizedBilinearPooling(_Pooling):
    """Multiply the projections of two vectors channel by channel and sum groups of channels (MFB).

    z_o = sum_(i <= factors) (U_(o,i) . x) (V_(o,i) . y), output = root(z) / |root(z)|, root(z) = sign(z) sqrt |z|

    Args:
        units: channels of the output.
        factors: products summed for each channel.
        dropout: share of the products dropped while training, 0 to 1.
        normalized: False leaves out the root and the scaling to length 1.

    Call:
        first: x, [batch, ..., width of first].
        second: y, [batch, ..., width of second], with the same axes in between.
        first_mask, second_mask: bool [batch, ...]; False marks a missing modality: its factors are 1, the neutral
            element of the product.

    Returns:
        [batch, ..., units].

    Raises:
        ZooValueError: if units or factors is under 1, or dropout is out of range.

    Cost: time batch x factors x units x the sum of widths.
    Source: Yu et al. 2017, arXiv:1708.01471, section 3. Differs: biases.
    """

    def __init__(self, units: int, factors: int = 5, dropout: float = 0.0, normalized: bool = True, **kwargs: Any):
        super().__init__(units, normalized, **kwargs)
        self.factors, self.dropout = whole_number("factors", factors), share("dropout", dropout)

    def get_config(self) -> dict:
        return {**super().get_config(), "factors": self.factors, "dropout": self.dropout}

    def build(self, first_shape: Any, second_shape: Any) -> None:
        size = self.units * self.factors
        self.first_factor = project(self, "first_factor", size, first_shape[-1])
        self.second_factor = project(self, "second_factor", size, second_shape[-1])
        self.dropping = keras.layers.Dropout(self.dropout, name="dropping", dtype=self.dtype_policy)

    def call(
        self,
        first: Any,
        second: Any,
        first_mask: Any = None,
        second_mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        left = shown(self.first_factor(shown(first, first_mask)), first_mask, 1.0)
        right = shown(self.second_factor(shown(second, second_mask)), second_mask, 1.0)
        product = self.dropping(left * self._tapped(right), training=training)
        groups = ops.reshape(product, (*ops.shape(product)[:-1], self.units, self.factors))
        return self._finished(ops.sum(groups, axis=-1))


@keras.saving.register_keras_serializable(package="attention_zoo")
class CompactBilinearPooling(_Pooling):
    """Sketch the outer product of two vectors: convolve their count sketches on a circle (MCB).

    sketch(x)_j = sum over i with h(i) = j of s(i) x_i, z = sketch_1(x) * sketch_2(y), output = root(z) / |root(z)|

    The places h and signs s are drawn once and never trained; the inner product of two sketches is, in the mean, that
    of the outer products.

    Args:
        units: channels of the sketch and of the output.
        seed: of the places and signs; the same seed gives the same sketch everywhere.
        normalized: False leaves out the root and the scaling to length 1.
        transform: "matmul" exports everywhere; "fft" is faster and gives the same numbers, but cannot be written as
            ONNX.

    Call:
        first: x, [batch, ..., width of first].
        second: y, [batch, ..., width of second], with the same axes in between.
        first_mask, second_mask: bool [batch, ...]; False marks a missing modality: its sketch is (1, 0, ..., 0), the
            neutral element of the convolution.

    Returns:
        [batch, ..., units].

    Raises:
        ZooValueError: if units < 1 or transform is unknown.

    Cost: time batch x units ln(units) by "fft", as published, or units^1.5 by "matmul"; and units x the sum of widths
    for the sketches.
    Source: Fukui et al. 2016, arXiv:1606.01847, section 3.1, algorithm 1.
    """

    def __init__(self, units: int, seed: int = 0, normalized: bool = True, transform: str = "matmul", **kwargs: Any):
        super().__init__(units, normalized, **kwargs)
        if transform not in TRANSFORMS:
            raise unknown("transform", transform, TRANSFORMS)
        self.seed, self.transform, self.fast = seed, transform, transform == "fft"

    def get_config(self) -> dict:
        return {**super().get_config(), "seed": self.seed, "transform": self.transform}

    def build(self, first_shape: Any, second_shape: Any) -> None:
        draw = random.Random(self.seed)
        self.first_sketch = self._sketch("first_sketch", first_shape[-1], draw)
        self.second_sketch = self._sketch("second_sketch", second_shape[-1], draw)

    def _sketch(self, name: str, width: int, draw: random.Random) -> Any:
        """Draw the place and the sign of each channel, as a matrix [width, units] that is saved and not trained."""
        rows = [[0.0] * self.units for _ in range(width)]
        for row in rows:
            row[draw.randrange(self.units)] = draw.choice((-1.0, 1.0))

        def drawn(shape: Any, dtype: Any = None) -> Any:
            return ops.convert_to_tensor(rows, dtype=dtype)

        return self.add_weight(shape=(width, self.units), initializer=drawn, trainable=False, name=name)

    def call(self, first: Any, second: Any, first_mask: Any = None, second_mask: Any = None) -> Any:
        left = self._sketched(first, self.first_sketch, first_mask)
        right = self._tapped(self._sketched(second, self.second_sketch, second_mask))
        pooled = circular_convolve(ops.cast(left, "float32"), ops.cast(right, "float32"), self.fast)
        return self._finished(ops.cast(pooled, first.dtype))

    def _sketched(self, inputs: Any, sketch: Any, mask: Any) -> Any:
        """Sketch inputs; what is missing becomes a 1 at the first place."""
        sketched = ops.matmul(shown(inputs, mask), ops.cast(sketch, inputs.dtype))
        if mask is None:
            return sketched
        neutral = ops.cast(ops.equal(ops.arange(self.units), 0), sketched.dtype)
        return sketched + ops.where(ops.expand_dims(ops.cast(mask, "bool"), -1), ops.zeros_like(neutral), neutral)
