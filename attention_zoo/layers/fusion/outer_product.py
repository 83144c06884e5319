"""Tensor fusion: every product of features of different modalities, in full and by low rank."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Site, site_path, tap
from attention_zoo.layers.fusion.dense import masks_of, shapes_of, shown


@keras.saving.register_keras_serializable(package="attention_zoo")
class TensorFusion(keras.layers.Layer):
    """Multiply each feature of each modality with each of every other: single features, pairs, triples.

    output = flatten([1; x_1] x [1; x_2] x ... x [1; x_n])    (outer products)

    Call:
        inputs: list of [batch, width], or of [batch, ..., width] with the same axes in between.
        mask: list of bool [batch] (or [batch, ...]), or None each; False marks a missing modality, which counts as
            zero: the products of the others stay, those with it vanish.

    Returns:
        [batch, ..., product of (width + 1)]; the first number is always 1.

    Raises:
        ZooTypeError: if `inputs` is no list.
        ZooValueError: if there are fewer than two modalities.

    Cost: time and memory batch x product of (width + 1): for small widths only, see `LowRankFusion`.
    Source: Zadeh et al. 2017, arXiv:1707.07250. At the tap each modality's [1; x] is a gate on the product
    so far.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def get_config(self) -> dict:
        return super().get_config()

    def build(self, input_shape: Any) -> None:
        shapes_of("inputs", input_shape, 2)

    def call(self, inputs: Any, mask: Any = None) -> Any:
        product = None
        for i, (modality, seen) in enumerate(zip(inputs, masks_of(mask, len(inputs)))):
            factor = _with_one(shown(modality, seen))
            if product is None:
                product = factor
                continue
            factor = tap(_site(self, f"modality_{i}", factor, ("channel",)), factor)
            pairs = ops.expand_dims(product, -1) * ops.expand_dims(factor, -2)
            product = ops.reshape(pairs, (*ops.shape(product)[:-1], product.shape[-1] * factor.shape[-1]))
        return product

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Hide nothing: a missing modality is neutral."""
        return None

    def compute_output_shape(self, input_shape: Any) -> tuple:
        size = 1
        for shape in input_shape:
            size *= shape[-1] + 1
        return (*input_shape[0][:-1], size)


@keras.saving.register_keras_serializable(package="attention_zoo")
class LowRankFusion(keras.layers.Layer):
    """Project the tensor of all products of features by a low-rank map, without ever forming it.

    output = b + sum_r w_r (product over m of [x_m; 1] W_(m,r))

    Args:
        units: channels of the output.
        rank: terms of the sum.

    Call:
        inputs: list of [batch, width], or of [batch, ..., width] with the same axes in between.
        mask: list of bool [batch] (or [batch, ...]), or None each; False marks a missing modality, which counts as
            zero: its factor is then the learned row of the 1.

    Returns:
        [batch, ..., units].

    Raises:
        ZooTypeError: if `inputs` is no list.
        ZooValueError: if there are fewer than two modalities, or units or rank is under 1.

    Cost: time batch x rank x units x the sum of widths.
    Source: Liu et al. 2018, arXiv:1806.00064, section 3. Differs: weights w_r and a bias, as the authors'
    code has them. At the tap the factor of each modality after the first is a gate on the product so far.
    """

    def __init__(self, units: int, rank: int = 4, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.units, self.rank = whole_number("units", units, unit="channels"), whole_number("rank", rank)

    def get_config(self) -> dict:
        return {**super().get_config(), "units": self.units, "rank": self.rank}

    def build(self, input_shape: Any) -> None:
        self.factors = []
        for i, shape in enumerate(shapes_of("inputs", input_shape, 2)):
            factor = keras.layers.EinsumDense(
                "...c,cru->...ru",
                output_shape=(self.rank, self.units),
                bias_axes="ru",
                # Zero would make every product zero until each modality has found a direction.
                bias_initializer="glorot_uniform",
                name=f"factor_{i}",
                dtype=self.dtype_policy,
            )
            factor.supports_masking = True
            factor.build(shape)
            self.factors.append(factor)
        self.weighting = self.add_weight(shape=(self.rank,), initializer="ones", name="weighting")
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")

    def call(self, inputs: Any, mask: Any = None) -> Any:
        product = None
        for i, (modality, seen) in enumerate(zip(inputs, masks_of(mask, len(inputs)))):
            factor = self.factors[i](shown(modality, seen))
            if product is not None:
                factor = product * tap(_site(self, f"modality_{i}", modality, ("rank", "channel")), factor)
            product = factor
        weighting = ops.expand_dims(ops.cast(self.weighting, product.dtype), -1)
        return ops.sum(product * weighting, axis=-2) + ops.cast(self.bias, product.dtype)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Hide nothing: a missing modality is neutral."""
        return None

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return (*input_shape[0][:-1], self.units)


def _with_one(modality: Any) -> Any:
    """Put a 1 in front of the features."""
    return ops.concatenate([ops.ones_like(modality[..., :1]), modality], axis=-1)


def _site(layer: Any, name: str, like: Any, last: tuple[str, ...]) -> Site:
    """Name the place of a factor with the leading axes of `like`."""
    between = tuple(f"axis_{i}" for i in range(1, len(like.shape) - 1))
    return Site(f"{site_path(layer)}/{name}", "gate", ("batch", *between, *last))
