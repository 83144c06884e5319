"""How much a graph computes: the multiplications and additions of one pass, counted from its ONNX form."""

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from attention_zoo.errors import ZooFileError, need

PRODUCTS = ("MatMul", "Gemm", "Conv", "ConvTranspose", "Einsum")


def count_flops(path: str | os.PathLike, batch: int = 1) -> int:
    """Count the floating point operations of one pass through an ONNX graph: two for each multiply-add.

    Matrix products, convolutions and Einsums are counted, whose sum is nearly all; what is done to each number by
    itself (norms, activations, softmax) is not, as is customary.

    Args:
        path: of the graph; all axes of its inputs but the first must be known.
        batch: inputs in the pass.

    Raises:
        ZooFileError: if the file is no graph, cannot be run, or an axis of an input is open.
        ZooImportError: if onnx or onnxruntime (extra `export`) is not installed.

    Cost: one pass over zeros: shapes that follow from numbers within the graph cannot be told without.
    """
    onnx = need("onnx", "export")
    try:
        model = onnx.load(os.fspath(path))
    except Exception as error:  # the library raises errors of several packages
        raise ZooFileError(f"{path} is no ONNX graph that can be read: {error}") from error
    counted = [node for node in model.graph.node if node.op_type in PRODUCTS]
    shapes = _shapes(onnx, model, counted, batch, str(path))
    return sum(_flops(node, shapes) for node in counted)


def _shapes(onnx: Any, model: Any, nodes: Sequence[Any], batch: int, path: str) -> dict[str, tuple[int, ...]]:
    """Return the shapes of what some nodes read and give, by name, as one pass shows them."""
    runtime = need("onnxruntime", "export")
    feeds = {entry.name: _zeros(onnx, entry, batch, path) for entry in model.graph.input}
    shapes = {array.name: tuple(array.dims) for array in model.graph.initializer}
    shapes |= {name: array.shape for name, array in feeds.items()}
    names = dict.fromkeys(name for node in nodes for name in (*node.input[:2], node.output[0]))
    wanted = [name for name in names if name not in shapes]
    known = {entry.name for entry in model.graph.output}
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in wanted if name not in known)
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        found = session.run(wanted, feeds) if wanted else []
    except Exception as error:  # as above
        raise ZooFileError(f"{path} cannot be run: {error}") from error
    return shapes | {name: array.shape for name, array in zip(wanted, found)}


def _zeros(onnx: Any, entry: Any, batch: int, path: str) -> np.ndarray:
    """Return zeros for an input."""
    sizes = [batch, *(axis.dim_value for axis in entry.type.tensor_type.shape.dim[1:])]
    if not all(sizes):
        raise ZooFileError(f"the input {entry.name!r} of {path} must have one open axis at most, the first")
    return np.zeros(sizes, onnx.helper.tensor_dtype_to_np_dtype(entry.type.tensor_type.elem_type))


def _flops(node: Any, shapes: Mapping[str, tuple[int, ...]]) -> int:
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
