"""Operations of a graph are counted as by hand."""

import numpy as np
import pytest

from attention_zoo.errors import ZooFileError
from attention_zoo.export.flops import count_flops

pytestmark = pytest.mark.once


def write(path, nodes, inputs, outputs, constants):
    """Write a graph of float arrays."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    values = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in part.items()]
        for part in (inputs, outputs)
    ]
    arrays = [numpy_helper.from_array(np.zeros(shape, "float32"), name) for name, shape in constants.items()]
    made = [helper.make_node(kind, names, [result], **options) for kind, names, result, options in nodes]
    model = helper.make_model(
        helper.make_graph(made, "test", *values, arrays), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    onnx.save(model, str(path))


def test_products_and_convolutions_are_counted_twice_their_multiply_adds(tmp_path):
    nodes = [
        ("Conv", ["image", "kernel"], "map", {"pads": [1, 1, 1, 1], "group": 2}),
        ("Reshape", ["map", "shape"], "flat", {}),
        ("MatMul", ["flat", "matrix"], "product", {}),
        ("Einsum", ["product", "other"], "output", {"equation": "bi,ij->bj"}),
    ]
    constants = {"kernel": (6, 2, 3, 3), "matrix": (6 * 5 * 7, 8), "other": (8, 3)}
    path = tmp_path / "model.onnx"
    onnx = pytest.importorskip("onnx")
    write(path, nodes, {"image": ["batch", 4, 5, 7]}, {"output": ["batch", 3]}, constants)
    model = onnx.load(str(path))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([-1, 210]), "shape"))
    onnx.save(model, str(path))
    convolution, product, einsum = 6 * 5 * 7 * 2 * 9, 210 * 8, 8 * 3
    assert count_flops(path) == 2 * (convolution + product + einsum)
    assert count_flops(path, batch=3) == 3 * count_flops(path)


def test_what_is_no_graph_is_named(tmp_path):
    pytest.importorskip("onnx")
    path = tmp_path / "model.onnx"
    path.write_bytes(b"nothing")
    with pytest.raises(ZooFileError, match=r"model\.onnx is no ONNX graph"):
        count_flops(path)


def test_an_open_axis_is_named(tmp_path):
    path = tmp_path / "model.onnx"
    write(
        path,
        [("MatMul", ["text", "matrix"], "output", {})],
        {"text": ["b", "t", 4]},
        {"output": None},
        {"matrix": (4, 2)},
    )
    with pytest.raises(ZooFileError, match=r"'text'.*one open axis"):
        count_flops(path)


def test_shapes_that_follow_from_numbers_within_the_graph_are_known(tmp_path):
    nodes = [
        ("Shape", ["image"], "sizes", {}),
        ("ConstantOfShape", ["sizes"], "ones", {}),
        ("MatMul", ["ones", "matrix"], "output", {}),
    ]
    path = tmp_path / "model.onnx"
    write(path, nodes, {"image": ["batch", 5, 4]}, {"output": ["batch", 5, 2]}, {"matrix": (4, 2)})
    assert count_flops(path, batch=2) == 2 * 2 * 5 * 4 * 2
