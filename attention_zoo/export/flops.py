"""How much a graph computes: the multiplications and additions of one pass, counted from its ONNX form."""

import math
import os
from collections.abc import Mapping
from typing import Any

from attention_zoo.errors import ZooFileError, need

PRODUCTS = ("MatMul", "Gemm", "Conv", "ConvTranspose", "Einsum")


def count_flops(path: str | os.PathLike, batch: int = 1) -> int:
    """Count the floating point operations of one pass through an ONNX graph: two for each multiply-add.

    Matrix products, convolutions and Einsums are counted, whose sum is nearly all; what is done to each number by
    itself (norms, activations, softmax) is not, as is customary.

    Args:
        path: of the graph; all its axes but the first must be known, or follow from it.
        batch: inputs in the pass.

    Raises:
        ZooFileError: if the file is no graph, or a shape cannot be told.
        ZooImportError: if onnx (extra `export`) is not installed.

    Cost: reads the graph; nothing is run.
    """
    onnx = need("onnx", "export")
    try:
        model = onnx.load(os.fspath(path))
        for entry in model.graph.input:
            entry.type.tensor_type.shape.dim[0].dim_value = batch
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception as error:  # the library raises errors of several packages
        raise ZooFileError(f"{path} is no ONNX graph that can be read: {error}") from error
    shapes = _shapes(inferred.graph)
    return sum(_flops(node, shapes, str(path)) for node in inferred.graph.node if node.op_type in PRODUCTS)


def _shapes(graph: Any) -> dict[str, tuple[int, ...]]:
    """Return the shape of each array by name, without those that are not known."""
    shapes = {array.name: tuple(array.dims) for array in graph.initializer}
    for entry in (*graph.input, *graph.value_info, *graph.output):
        sizes = [axis.dim_value for axis in entry.type.tensor_type.shape.dim]
        if all(sizes):
            shapes[entry.name] = tuple(sizes)
    return shapes


def _flops(node: Any, shapes: Mapping[str, tuple[int, ...]], path: str) -> int:
    missing = next((name for name in (*node.input[:2], node.output[0]) if name not in shapes), None)
    if missing is not None:
        raise ZooFileError(f"the shape of {missing!r} in {path} cannot be told; export with known sizes")
    first, second, output = shapes[node.input[0]], shapes[node.input[1]], shapes[node.output[0]]
    if node.op_type in ("MatMul", "Gemm"):
        turned = node.op_type == "Gemm" and any(each.name == "transA" and each.i for each in node.attribute)
        return 2 * math.prod(output) * first[-2 if turned else -1]
    if node.op_type == "Conv":
        return 2 * math.prod(output) * math.prod(second[1:])
    if node.op_type == "ConvTranspose":
        return 2 * math.prod(first) * math.prod(second[1:])
    return 2 * _einsum(node, first, second)


def _einsum(node: Any, first: tuple[int, ...], second: tuple[int, ...]) -> int:
    """Return the multiply-adds of an Einsum of two arrays: the product of the sizes of all letters."""
    equation = next(each.s.decode() for each in node.attribute if each.name == "equation")
    terms = equation.replace(" ", "").split("->")[0].split(",")
    sizes: dict[str, int] = {}
    for letters, shape in zip(terms, (first, second)):
        sizes.update(zip(letters, shape))
    return math.prod(sizes.values())
