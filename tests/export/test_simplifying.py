"""What a converter took apart is put together again, and only that: the graph gives what it gave, for every size."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from attention_zoo.export.onnx_shapes import Shapes, divided  # noqa: E402
from attention_zoo.export.simplifying import simplify  # noqa: E402
from attention_zoo.export.verify import run_onnx  # noqa: E402

pytestmark = pytest.mark.once

WIDTH = 6


def model_of(nodes, constants, outputs=("y",), inputs=(("x", (None, None, WIDTH)),)):
    """Make a model of (operation, inputs, output, attributes)."""
    made = [
        helper.make_node(operation, list(read), [given], **dict(*attributes))
        for operation, read, given, *attributes in nodes
    ]
    read = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [axis or f"{name}{i}" for i, axis in enumerate(axes)])
        for name, axes in inputs
    ]
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    stored = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    graph = helper.make_graph(made, "graph", read, given, stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def operations(model):
    return [node.op_type for node in model.graph.node]


def check_same(model, tmp_path, shapes=((2, 3, WIDTH), (1, 1, WIDTH), (4, 7, WIDTH))):
    """Simplify a model; check that it gives the same, and return it."""
    onnx.save(model, tmp_path / "before.onnx")
    simplify(model)
    onnx.save(model, tmp_path / "after.onnx")
    feeds = [{"x": np.random.default_rng(0).normal(size=shape).astype("float32")} for shape in shapes]
    for before, after in zip(run_onnx(tmp_path / "before.onnx", feeds), run_onnx(tmp_path / "after.onnx", feeds)):
        assert before.keys() == after.keys()
        for name, array in before.items():
            np.testing.assert_allclose(after[name], array, atol=1e-6)
    return model


def norm(axis=2, gamma_shape=(1, 1, WIDTH), epsilon=1e-5):
    generator = np.random.default_rng(1)
    nodes = [
        ("ReduceMean", ["x"], "mean", {"axes": [axis], "keepdims": 1}),
        ("Neg", ["mean"], "negative"),
        ("Sub", ["x", "mean"], "centred"),
        ("Mul", ["centred", "centred"], "square"),
        ("ReduceMean", ["square"], "variance", {"axes": [axis], "keepdims": 1}),
        ("Add", ["variance", "epsilon"], "wider"),
        ("Sqrt", ["wider"], "root"),
        ("Reciprocal", ["root"], "inverse"),
        ("Mul", ["inverse", "gamma"], "scale"),
        ("Mul", ["x", "scale"], "scaled"),
        ("Mul", ["negative", "scale"], "moved"),
        ("Add", ["moved", "beta"], "shift"),
        ("Add", ["scaled", "shift"], "y"),
    ]
    constants = {
        "epsilon": np.float32(epsilon),
        "gamma": generator.normal(size=gamma_shape).astype("float32"),
        "beta": generator.normal(size=gamma_shape).astype("float32"),
    }
    return nodes, constants


def test_layer_normalisation_becomes_one_node(tmp_path):
    model = check_same(model_of(*norm(epsilon=0.25)), tmp_path)
    assert operations(model) == ["LayerNormalization"]


@pytest.mark.parametrize("axis", [0, 1])
def test_a_norm_over_another_axis_stays_what_it_is(tmp_path, axis):
    assert "LayerNormalization" not in operations(check_same(model_of(*norm(axis, (WIDTH,))), tmp_path))


def test_a_norm_by_the_spread_around_something_else_stays_what_it_is(tmp_path):
    nodes, constants = norm()
    nodes[2] = ("Sub", ["x", "other"], "centred")
    constants["other"] = np.float32(0.5)
    assert "LayerNormalization" not in operations(check_same(model_of(nodes, constants), tmp_path))


def dense(cut):
    """A dense layer over a sequence, as TensorFlow's tensordot is converted: to [batch, time, *cut]."""
    nodes = [
        ("Shape", ["x"], "shape"),
        ("Gather", ["shape", "first"], "lead", {"axis": 0}),
        ("Concat", ["lead", "cut"], "target", {"axis": 0}),
        ("Reshape", ["x", "flat"], "flattened"),
        ("MatMul", ["flattened", "matrix"], "product"),
        ("Reshape", ["product", "target"], "y"),
    ]
    size = int(np.prod(cut))
    constants = {
        "first": np.array([0, 1]),
        "cut": np.array(cut),
        "flat": np.array([-1, WIDTH]),
        "matrix": np.random.default_rng(2).normal(size=(WIDTH, size)).astype("float32"),
    }
    return nodes, constants


def test_a_dense_layer_over_a_sequence_becomes_one_product(tmp_path):
    assert operations(check_same(model_of(*dense([5])), tmp_path)) == ["MatMul"]


def test_a_product_that_is_cut_into_heads_keeps_one_reshape(tmp_path):
    assert operations(check_same(model_of(*dense([2, 4])), tmp_path)) == ["MatMul", "Reshape"]


def test_a_product_whose_rows_are_read_elsewhere_stays(tmp_path):
    nodes, constants = dense([5])
    model = check_same(model_of(nodes, constants, outputs=("y", "product")), tmp_path)
    assert operations(model).count("MatMul") == 1


def test_axes_that_change_places_are_not_taken_for_the_same(tmp_path):
    nodes, constants = dense([5])
    constants["first"] = np.array([1, 0])
    assert "Shape" in operations(check_same(model_of(nodes, constants), tmp_path))


def test_a_reshape_finds_the_one_size_that_is_open(tmp_path):
    nodes = [
        ("Shape", ["x"], "shape"),
        ("Gather", ["shape", "first"], "batch", {"axis": 0}),
        ("Concat", ["batch", "rest", "two"], "target", {"axis": 0}),
        ("Reshape", ["x", "target"], "y"),
    ]
    constants = {"first": np.array([0]), "rest": np.array([-1]), "two": np.array([2])}
    model = check_same(model_of(nodes, constants), tmp_path)
    assert operations(model) == ["Reshape"]
    assert [array.tolist() for array in map(numpy_helper.to_array, model.graph.initializer)] == [[0, -1, 2]]


@pytest.mark.parametrize("index", [0, 2, -1])
def test_an_index_from_the_end_is_left_to_gather(tmp_path, index):
    nodes = [
        ("Identity", ["chosen"], "index"),
        ("Shape", ["x"], "shape"),
        ("Gather", ["shape", "place"], "size", {"axis": 0}),
        ("Add", ["index", "size"], "moved"),
        ("Less", ["index", "zero"], "negative"),
        ("Where", ["negative", "moved", "index"], "sure"),
        ("Gather", ["x", "sure"], "y", {"axis": 1}),
    ]
    constants = {"chosen": np.array([index]), "place": np.array([1]), "zero": np.array(0)}
    shapes = ((2, 3, WIDTH), (3, 5, WIDTH))
    assert operations(check_same(model_of(nodes, constants), tmp_path, shapes)) == ["Identity", "Gather"]


def test_what_only_a_branch_reads_is_kept(tmp_path):
    def branch(name, operation):
        node = helper.make_node(operation, ["outer"], [name])
        return helper.make_graph([node], name, [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)])

    nodes = [
        ("Relu", ["x"], "outer"),
        ("If", ["condition"], "y", {"then_branch": branch("a", "Neg"), "else_branch": branch("b", "Abs")}),
    ]
    assert operations(check_same(model_of(nodes, {"condition": np.array(True)}), tmp_path)) == ["Relu", "If"]


@pytest.mark.parametrize(
    ("axes", "by", "left"),
    [
        (("n", 4, 6), ("n", 2), 12),
        (("n", 4), (4,), "n"),
        (("n", 4), (2,), None),
        (("n", "m"), (1,), None),
        (("n", 4), ("m",), None),
        ((4,), (3,), None),
        ((), (), 1),
    ],
)
def test_what_is_left_of_a_shape(axes, by, left):
    assert divided(axes, by) == left


def test_two_open_axes_have_one_name_only_where_they_are_one():
    nodes = [("Relu", ["x"], "same"), ("Transpose", ["x"], "turned", {"perm": [1, 0, 2]}), ("MatMul", ["x", "m"], "y")]
    model = model_of(nodes, {"m": np.zeros((WIDTH, 2), "float32")})
    axes = Shapes(onnx.shape_inference.infer_shapes(model).graph).axes
    assert axes["same"] == axes["x"]
    assert axes["turned"] == (axes["x"][1], axes["x"][0], WIDTH)
    assert axes["y"] == (*axes["x"][:2], 2)
    assert len(set(axes["x"])) == 3
