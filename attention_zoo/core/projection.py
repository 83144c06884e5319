"""Projections: Keras's `EinsumDense` for weights, quantisation and LoRA; one matrix product for speed."""

from typing import Any

import keras
from keras import ops


def project(dense: Any, inputs: Any, inner: int = 1) -> Any:
    """Apply a projection to the last `inner` axes of `inputs`.

    Computes what `dense(inputs)` computes. Where the projection is Keras's own and neither quantised nor regularised,
    it is taken as one matrix product, without the cost of a layer call and of einsum's rearrangements.

    Args:
        dense: a built `keras.layers.EinsumDense`, or whatever a user has put in its place.
        inputs: [batch, length, <inner axes>].
        inner: number of axes that are summed over.

    Returns:
        [batch, length, <outer axes>].
    """
    plain = type(dense) is keras.layers.EinsumDense and dense.quantization_mode is None
    if not plain or dense.activity_regularizer is not None:
        return dense(inputs)
    kernel = dense.kernel
    shape = kernel.shape
    width, outer = _product(shape[:inner]), tuple(shape[inner:])
    batch, length = ops.shape(inputs)[:2]
    flat = inputs if inner == 1 else ops.reshape(inputs, (batch, length, width))
    output = ops.matmul(flat, ops.reshape(kernel, (width, _product(outer))))
    output = output if len(outer) == 1 else ops.reshape(output, (batch, length, *outer))
    return output if dense.bias is None else ops.add(output, dense.bias)


def _product(sizes: tuple) -> int:
    """Multiply static sizes."""
    total = 1
    for size in sizes:
        total *= size
    return total
