"""TensorFlow graph to ONNX graph: tf2onnx, with what it gets wrong or lacks put right. Runs in the child only."""

from pathlib import Path
from typing import Any

from attention_zoo.errors import ZooValueError
from attention_zoo.export.simplifying import simplify

# Opset 17 is read by onnxruntime 1.12 (2022) and later, and has every operator that the zoo's graphs need.
OPSET = 17

# The passes of tf2onnx that are run. "remove_back_to_back" is not: it joins two reshapes of which the second copies a
# size (0 in its shape), and then copies it from the wrong tensor. Those for images and quantized graphs are not needed.
PASSES = (
    "optimize_transpose",
    "fold_constants",
    "loop_optimizer",
    "merge_duplication",
    "reshape_optimizer",
    "remove_identity",
    "einsum_optimizer",
)


def write_onnx(concrete: Any, input_names: list[str], path: Path) -> None:
    """Convert a concrete function of TensorFlow to an ONNX file.

    Args:
        concrete: takes one tensor for each of `input_names` and returns a dict of tensors by output name.
        input_names: names of the inputs of the graph, in the order of the function's.
        path: file to write; its outputs are sorted by name.

    Raises:
        ZooValueError: if the graph holds an operation that ONNX has no counterpart for.
    """
    import onnx
    import tensorflow as tf
    from tf2onnx import optimizer, tf_loader, tfonnx

    # What follows are captured variables and tensors; left out of the inputs, they are frozen as constants.
    inputs = [tensor.name for tensor in concrete.inputs[: len(input_names)]]
    outputs = [tensor.name for tensor in concrete.outputs]
    output_names = sorted(concrete.structured_outputs)  # TensorFlow flattens a dict in the order of its keys
    graph = tf_loader.from_function(concrete, inputs, outputs)
    renamed = dict(zip(inputs, input_names)) | dict(zip(outputs, output_names))
    with tf.device("/cpu:0"), tf.Graph().as_default() as frozen:
        tf.import_graph_def(graph, name="")
        converted = tfonnx.process_tf_graph(
            frozen,
            continue_on_error=True,  # what has no counterpart is named below, all at once
            opset=OPSET,
            input_names=inputs,
            output_names=outputs,
            tensors_to_rename=renamed,
            custom_op_handlers={name: (handler, []) for name, handler in HANDLERS.items()},
        )
        known = optimizer._get_optimizers()
        model = optimizer.optimize_graph(converted, optimizers={name: known[name] for name in PASSES}).make_model(
            "attention_zoo"
        )
    _order_outputs(model, output_names)
    missing = sorted({node.op_type for node in model.graph.node if not onnx.defs.has(node.op_type, node.domain)})
    if missing:
        raise ZooValueError(f"ONNX has no counterpart for the TensorFlow operations {missing}")
    simplify(model)
    onnx.save(model, str(path))


def _order_outputs(model: Any, names: list[str]) -> None:
    """Put the outputs into the order of `names`; tf2onnx has its own."""
    by_name = {output.name: output for output in model.graph.output}
    ordered = [by_name[name] for name in names]
    del model.graph.output[:]
    model.graph.output.extend(ordered)


def _replace(context: Any, node: Any, operation: str, inputs: list[str]) -> None:
    """Let `operation` give what `node` gave, under the same names."""
    shapes, dtypes, outputs = node.output_shapes, node.output_dtypes, node.output
    context.remove_node(node.name)
    context.make_node(operation, inputs, name=node.name, outputs=outputs, shapes=shapes, dtypes=dtypes)


def _erfc(context: Any, node: Any, name: str, arguments: Any) -> None:
    """1 - erf(x): ONNX has no Erfc, and TensorFlow's exact gelu is made of it."""
    import numpy as np
    from tf2onnx import utils

    dtype = utils.map_onnx_to_numpy_type(context.get_dtype(node.input[0]))
    one = context.make_const(utils.make_name("one"), np.array(1, dtype))
    erf = context.make_node("Erf", [node.input[0]])
    _replace(context, node, "Sub", [one.output[0], erf.output[0]])


def _is_integer(context: Any, node: Any) -> bool:
    import numpy as np
    from tf2onnx import utils

    return np.issubdtype(utils.map_onnx_to_numpy_type(context.get_dtype(node.input[0])), np.integer)


def _floor_mod(context: Any, node: Any, name: str, arguments: Any) -> None:
    """x mod y with the sign of y; tf2onnx truncates integers, so that -7 mod 4 becomes -3 in place of 1."""
    if _is_integer(context, node):
        _replace(context, node, "Mod", list(node.input))  # ONNX's integer Mod has the divisor's sign
        return
    left, right = node.input
    ratio = context.make_node("Floor", [context.make_node("Div", [left, right]).output[0]])
    product = context.make_node("Mul", [ratio.output[0], right])
    _replace(context, node, "Sub", [left, product.output[0]])


def _floor_divide(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Floor of x / y; tf2onnx truncates integers towards zero."""
    left, right = node.input
    if _is_integer(context, node):
        rest = context.make_node("Mod", [left, right])
        whole = context.make_node("Sub", [left, rest.output[0]])
        _replace(context, node, "Div", [whole.output[0], right])
        return
    ratio = context.make_node("Div", [left, right])
    _replace(context, node, "Floor", [ratio.output[0]])


def _where(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Choose by condition; tf2onnx multiplies by 0 and 1 and adds, so that NaN or infinity not chosen gives NaN."""
    _replace(context, node, "Where", list(node.input))


HANDLERS = {"SelectV2": _where, "Erfc": _erfc, "FloorMod": _floor_mod, "FloorDiv": _floor_divide}
