"""An ONNX graph made smaller without changing what it computes: what a conversion took apart is put together again.

A converter writes a dense layer over a sequence as a flattening, a product and a reshape whose target is calculated by
ten nodes, and layer normalisation as thirteen. A runtime spends about as long on a small node as on a small product:
where a graph is run once for each token, that is a large part of the whole.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from attention_zoo.export.onnx_shapes import Shapes, attribute, divided

COMMUTATIVE = ("Add", "Mul")
FOLDED = ("Concat", "Gather", "ReduceProd", "Reshape", "Shape", "Slice", "Squeeze", "Transpose", "Unsqueeze")


def simplify(model: Any) -> None:
    """Simplify the graph of an ONNX model where it lies.

    Constants are folded where they describe shapes; layer normalisation becomes one node; a product of a flattened
    sequence with a matrix becomes one of the sequence; shapes that are known but for sizes that a reshape can find or
    copy itself become constants; indices from the end are left to Gather; nodes that nobody reads go.

    Args:
        model: `onnx.ModelProto` of opset 17 or later.

    Cost: a few passes over the nodes.
    """
    _fold_constants(model.graph)
    _join_norms(model)
    for _ in range(2):  # a product that was found makes the shapes after it known
        _join_products(model)
        _fix_shapes(model)
    _take_from_the_end(model)
    _drop_unread(model.graph)


class _Places:
    """Who makes and who reads each tensor of a graph."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.makers = {name: node for node in graph.node for name in node.output}
        self.readers = Counter(name for node in graph.node for name in _read_by(node))
        self.readers.update(entry.name for entry in graph.output)

    def made_by(self, name: str, *operations: str) -> Any | None:
        """Return the node that makes a tensor, if it is one of some operations."""
        node = self.makers.get(name)
        return node if node is not None and node.op_type in operations else None

    def pairs(self, node: Any) -> Iterator[tuple[str, str]]:
        """Give the two inputs of a node, in both orders where that makes no difference."""
        first, second = node.input
        yield first, second
        if node.op_type in COMMUTATIVE:
            yield second, first


def _read_by(node: Any) -> list[str]:
    """Return the names of what a node reads, itself or in the graphs within it (of a loop or a branch)."""
    names = list(node.input)
    for entry in node.attribute:
        for graph in (entry.g, *entry.graphs):
            names += [name for inner in graph.node for name in _read_by(inner)]
            names += [output.name for output in graph.output]
    return names


def _inferred(model: Any) -> Shapes:
    import onnx

    return Shapes(onnx.shape_inference.infer_shapes(model).graph)


def _constant(graph: Any, name: str, array: np.ndarray) -> str:
    """Add a constant, once; return its name."""
    from onnx import numpy_helper

    if all(known.name != name for known in graph.initializer):
        graph.initializer.append(numpy_helper.from_array(array, name))
    return name


def _fold_constants(graph: Any) -> None:
    """Calculate at once what only reshapes constants, or tells their shapes."""
    from onnx import numpy_helper
    from onnx.reference import ReferenceEvaluator

    known, kept = {array.name: array for array in graph.initializer}, []
    for node in graph.node:
        if node.op_type not in FOLDED or not all(name in known for name in node.input):
            kept.append(node)
            continue
        feeds = {name: numpy_helper.to_array(known[name]) for name in node.input}
        array = np.asarray(ReferenceEvaluator(node).run(None, feeds)[0])
        known[node.output[0]] = numpy_helper.from_array(array, node.output[0])
        graph.initializer.append(known[node.output[0]])
    del graph.node[:]
    graph.node.extend(kept)


def _join_norms(model: Any) -> None:
    """Turn x r + (b - m r), r = g / sqrt(mean((x - m)^2) + e), m = mean(x), into LayerNormalization(x, g, b)."""
    graph, shapes = model.graph, _inferred(model)
    places = _Places(graph)
    for node in graph.node:
        found = _norm(places, node) if node.op_type == "Add" else None
        parts = [] if found is None else [shapes.constants.get(found[name]) for name in ("gamma", "beta", "epsilon")]
        if found is None or any(part is None for part in parts) or parts[2].size != 1:
            continue
        width = shapes.axes.get(found["x"], (None,))[-1]
        if not all(part.shape[-1:] == (width,) and part.size == width for part in parts[:2]):
            continue
        if not all(_is_last(shapes, places.makers[found[name]]) for name in ("mean", "variance")):
            continue
        vectors = [
            _constant(graph, f"{found[name]}__vector", part.reshape(-1).copy())
            for name, part in zip(("gamma", "beta"), parts)
        ]
        epsilon = float(parts[2].reshape(()))
        _become(node, "LayerNormalization", [found["x"], *vectors], axis=-1, epsilon=epsilon)


def _is_last(shapes: Shapes, mean: Any) -> bool:
    """Say whether a mean is over the last axis, which it keeps."""
    axes, rank = attribute(mean, "axes"), len(shapes.axes[mean.input[0]])
    return bool(attribute(mean, "keepdims", 1)) and axes is not None and [axis % rank for axis in axes] == [rank - 1]


def _norm(places: _Places, node: Any) -> dict[str, str] | None:
    """Find the parts of a layer normalisation that ends in `node`; None where it is none."""
    for product, rest in places.pairs(node):
        product, rest = places.made_by(product, "Mul"), places.made_by(rest, "Add")
        if product is None or rest is None:
            continue
        for x, scale in places.pairs(product):
            found = _variance(places, x, scale)
            if found is not None and _is_shift(places, rest, found, scale):
                return found
    return None


def _variance(places: _Places, x: str, scale: str) -> dict[str, str] | None:
    """Read `scale` as g / sqrt(mean((x - mean(x))^2) + e)."""
    scaled = places.made_by(scale, "Mul")
    for inverse, gamma in places.pairs(scaled) if scaled is not None else ():
        root = _chain(places, inverse, "Reciprocal", "Sqrt", "Add")
        for variance, epsilon in places.pairs(root) if root is not None else ():
            square = _chain(places, variance, "ReduceMean", "Mul")
            if square is None or square.input[0] != square.input[1]:
                continue
            centred = places.made_by(square.input[0], "Sub")
            mean = None if centred is None else places.made_by(centred.input[1], "ReduceMean")
            if mean is not None and centred.input[0] == mean.input[0] == x:
                parts = {"mean": mean.output[0], "variance": variance, "gamma": gamma, "epsilon": epsilon}
                return {"x": x, **parts}
    return None


def _is_shift(places: _Places, node: Any, found: dict[str, str], scale: str) -> bool:
    """Say whether `node` is b - mean(x) scale, and note b."""
    for product, beta in places.pairs(node):
        product = places.made_by(product, "Mul")
        for negative, factor in places.pairs(product) if product is not None else ():
            negative = places.made_by(negative, "Neg")
            if negative is not None and factor == scale and negative.input[0] == found["mean"]:
                found["beta"] = beta
                return True
    return False


def _chain(places: _Places, name: str, *operations: str) -> Any | None:
    """Follow a tensor upwards through nodes of given operations; return the last of them."""
    node = None
    for operation in operations:
        node = places.made_by(name, operation)
        if node is None:
            return None
        name = node.input[0]
    return node


def _become(node: Any, operation: str, inputs: list[str], **attributes: Any) -> None:
    """Let a node give its output by another operation."""
    from onnx import helper

    node.op_type = operation
    del node.input[:], node.attribute[:]
    node.input.extend(inputs)
    node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())


def _join_products(model: Any) -> None:
    """Turn the product of a flattened sequence [-1, k] with a constant [k, n], reshaped to the sequence's axes and
    whatever n is cut into, into the product of the sequence, followed by a reshape where n is cut."""
    graph, shapes = model.graph, _inferred(model)
    places = _Places(graph)
    added: list[tuple[Any, Any]] = []
    for node in graph.node:
        product = _reshaped(places, node.input[0]) if node.op_type in ("Reshape", "Squeeze") else None
        if product is None or not _is_plain(shapes, product):
            continue
        after, width = shapes.axes.get(node.output[0], ()), shapes.axes[product.output[0]][-1]
        for source in _flattened(places, product.input[0]):
            before = shapes.axes.get(source, ())
            lead = before[:-1]
            inner = before[-1:] == shapes.axes[product.input[0]][-1:]
            if len(before) > 2 and inner and after[: len(lead)] == lead and divided(after[len(lead) :], ()) == width:
                added.extend(_put_together(graph, shapes, node, source, product))
                break
    for node, new in added:
        graph.node.insert(next(i for i, each in enumerate(graph.node) if each is node), new)


def _put_together(graph: Any, shapes: Shapes, node: Any, source: str, product: Any) -> list[tuple[Any, Any]]:
    """Let `node` give the product of a sequence; return what must stand before which node."""
    matrix = _matrix(graph, shapes, product)
    before, after = shapes.axes[source], shapes.axes[node.output[0]]
    if len(after) == len(before):
        _become(node, "MatMul", [source, matrix])
        return []
    new = _product_node(node, source, matrix)
    lead = len(before) - 1
    target = _constant(graph, f"{node.output[0]}__axes", np.array([0] * lead + list(after[lead:]), np.int64))
    _become(node, "Reshape", [new.output[0], target])
    return [(node, new)]


def _product_node(node: Any, source: str, matrix: str) -> Any:
    from onnx import helper

    output = f"{node.output[0]}__product"
    return helper.make_node("MatMul", [source, matrix], [output], name=output)


def _reshaped(places: _Places, name: str) -> Any | None:
    """Return the product of two matrices that a tensor is a reshaping of, which nobody else reads."""
    while (node := places.makers.get(name)) is not None and places.readers[name] == 1:
        if node.op_type in ("MatMul", "Gemm"):
            return node
        if node.op_type not in ("Reshape", "Squeeze", "Unsqueeze"):
            return None
        name = node.input[0]
    return None


def _is_plain(shapes: Shapes, product: Any) -> bool:
    """Say whether a product is just that, with a constant matrix."""
    weights = shapes.constants.get(product.input[1])
    if weights is None or weights.ndim != 2:
        return False
    turned = attribute(product, "transA", 0) or attribute(product, "alpha", 1.0) != 1.0
    return product.op_type == "MatMul" or not (turned or len(product.input) > 2)


def _flattened(places: _Places, name: str) -> Iterator[str]:
    """Give the tensors that one is a reshaping of, the nearest first."""
    while (node := places.made_by(name, "Reshape", "Unsqueeze", "Squeeze")) is not None:
        name = node.input[0]
        yield name


def _matrix(graph: Any, shapes: Shapes, product: Any) -> str:
    """Return the name of the matrix [k, n] of a product."""
    weights = product.input[1]
    if product.op_type == "MatMul" or not attribute(product, "transB", 0):
        return weights
    return _constant(graph, f"{weights}__turned", np.ascontiguousarray(shapes.constants[weights].T))


def _fix_shapes(model: Any) -> None:
    """Let each reshape have a constant shape where all but one size are known, or are those of its input in place."""
    graph, shapes = model.graph, _inferred(model)
    for node in graph.node:
        if node.op_type != "Reshape" or node.input[1] in shapes.constants:
            continue
        wanted, before = shapes.values.get(node.input[1]), shapes.axes.get(node.input[0], ())
        if wanted is None or 0 in wanted:
            continue
        copied = [
            0 if isinstance(axis, str) and place < len(before) and before[place] == axis else axis
            for place, axis in enumerate(wanted)
        ]
        rest = [place for place, axis in enumerate(copied) if isinstance(axis, str) or axis == -1]
        if len(rest) > 1:
            continue
        target = [-1 if place in rest else axis for place, axis in enumerate(copied)]
        node.input[1] = _constant(graph, f"{node.output[0]}__axes", np.array(target, np.int64))


def _take_from_the_end(model: Any) -> None:
    """Leave out what makes negative indices count from the end of an axis: Gather reads them so by itself."""
    graph, shapes = model.graph, _inferred(model)
    places = _Places(graph)
    for node in graph.node:
        chosen = places.made_by(node.input[1], "Where") if node.op_type == "Gather" else None
        negative = None if chosen is None else places.made_by(chosen.input[0], "Less")
        moved = None if chosen is None else places.made_by(chosen.input[1], "Add")
        if negative is None or moved is None or moved.input[0] != chosen.input[2]:
            continue
        index, below = chosen.input[2], places.made_by(negative.input[0], "Cast")
        compared = negative.input[0] if below is None else below.input[0]
        zero = shapes.constants.get(negative.input[1])
        size = shapes.axes.get(node.input[0], ())[attribute(node, "axis", 0) :][:1]
        if compared == index and zero is not None and not zero.any() and shapes.values.get(moved.input[1]) == size:
            node.input[1] = index


def _drop_unread(graph: Any) -> None:
    """Leave out nodes and constants that no output depends on."""
    needed, kept = {entry.name for entry in graph.output}, []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(_read_by(node))
    del graph.node[:]
    graph.node.extend(reversed(kept))
    constants = [array for array in graph.initializer if array.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(constants)
    described = {name for node in graph.node for name in node.output}
    entries = [entry for entry in graph.value_info if entry.name in described]
    del graph.value_info[:]
    graph.value_info.extend(entries)
