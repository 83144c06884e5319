"""What the layers of fusion share: projections with fixed names, and modalities that may be missing."""

from typing import Any

import keras
from keras import ops

from attention_zoo.errors import ZooTypeError, ZooValueError


def project(owner: keras.layers.Layer, name: str, units: int, width: int, **arguments: Any) -> keras.layers.Dense:
    """Make and build a dense layer of `owner`, for inputs [..., width].

    Args:
        owner: its dtype policy is taken over.
        name: of the layer, fixed, so that the paths of its weights are.
        units: channels it gives.
        width: channels it reads.
        **arguments: of `keras.layers.Dense`.
    """
    dense = keras.layers.Dense(units, name=name, dtype=owner.dtype_policy, **arguments)
    # Masks are the owner's affair; without this Keras warns that the projection drops them.
    dense.supports_masking = True
    dense.build((None, width))
    return dense


def normalize(owner: keras.layers.Layer, name: str, width: int, **arguments: Any) -> keras.layers.LayerNormalization:
    """Make and build a layer normalisation of `owner`, for inputs [..., width]."""
    norm = keras.layers.LayerNormalization(epsilon=1e-5, name=name, dtype=owner.dtype_policy, **arguments)
    norm.supports_masking = True
    norm.build((None, width))
    return norm


def shown(inputs: Any, mask: Any, missing: float = 0.0) -> Any:
    """Replace what is hidden by `missing`.

    Args:
        inputs: [batch, ..., width].
        mask: bool, the shape of `inputs` without the width; None returns the inputs as they are.
        missing: what stands where the mask is False.
    """
    if mask is None:
        return inputs
    mask = ops.expand_dims(ops.cast(mask, "bool"), -1)
    return ops.where(mask, inputs, ops.cast(missing, inputs.dtype))


def some(mask: Any, like: Any) -> Any:
    """Return 1 for each sequence of which something is to be seen, else 0.

    Args:
        mask: bool [batch, length].
        like: gives the dtype.

    Returns:
        [batch, 1, 1].
    """
    return ops.expand_dims(ops.cast(ops.any(ops.cast(mask, "bool"), axis=1, keepdims=True), like.dtype), -1)


def masks_of(mask: Any, count: int) -> list:
    """Return one mask, or None, for each of `count` modalities."""
    return [None] * count if mask is None else list(mask)


def shapes_of(name: str, shapes: Any, least: int) -> list[tuple]:
    """Return the shapes of a list of modalities.

    Raises:
        ZooTypeError: if the argument was no list.
        ZooValueError: if there are fewer than `least`, or one has no known width.
    """
    if not isinstance(shapes, (list, tuple)) or not all(isinstance(shape, (list, tuple)) for shape in shapes):
        raise ZooTypeError(f"{name} must be a list of modalities, got one of shape {shapes}")
    if len(shapes) < least:
        raise ZooValueError(f"{name} must hold at least {least} modalities, got {len(shapes)}")
    if any(shape[-1] is None for shape in shapes):
        raise ZooValueError(f"{name} must have known widths, got shapes {shapes}")
    return [tuple(shape) for shape in shapes]
