"""What can be known of the shapes in an ONNX graph whose axes are partly open.

An axis is an int, or a name for a size that only a run will tell: two axes of the same name have the same size. Small
vectors of whole numbers (what a graph calculates shapes with) are followed in the same way.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Axis = int | str
Axes = tuple[Axis, ...]

# Operations that keep the shape of their first input, or of all inputs together.
SAME = ("Identity", "Cast", "Relu", "Sqrt", "Reciprocal", "Neg", "Erf", "Tanh", "Sigmoid", "Exp", "Log", "Abs", "Not")
SAME += ("Softmax", "LayerNormalization", "Gelu", "Softplus", "Elu", "Sin", "Cos", "Floor", "Ceil", "LeakyRelu")
TOGETHER = ("Add", "Sub", "Mul", "Div", "Pow", "Where", "And", "Or", "Less", "Greater", "LessOrEqual", "Equal")
TOGETHER += ("GreaterOrEqual", "Max", "Min", "Mod")
LARGEST = 16  # numbers of a vector that may be a shape


class Shapes:
    """The shapes of all tensors of a graph, and the values of the vectors that shapes are made of.

    Args:
        graph: an ONNX graph whose shapes have been inferred as far as `onnx.shape_inference` can.

    Attributes:
        axes: shape by name of a tensor; a tensor of unknown rank is missing.
        values: numbers of a vector (or of a scalar: one number), by name.
    """

    def __init__(self, graph: Any) -> None:
        self.axes: dict[str, Axes] = {}
        self.values: dict[str, Axes] = {}
        self.constants = {array.name: _array(array) for array in graph.initializer}
        self._inferred = {}
        for entry in (*graph.input, *graph.value_info, *graph.output):
            kind = entry.type.tensor_type
            if kind.HasField("shape"):
                self._inferred[entry.name] = tuple(axis.dim_value or None for axis in kind.shape.dim)
        for name, array in self.constants.items():
            self.axes[name] = array.shape
            if array.dtype.kind == "i" and array.size <= LARGEST:
                self.values[name] = tuple(int(number) for number in array.reshape(-1))
        for entry in graph.input:
            self._guess(entry.name)
        for node in graph.node:
            self._follow(node)

    def _follow(self, node: Any) -> None:
        """Find shape and values of what a node gives."""
        rule = RULES.get(node.op_type)
        try:
            found = None if rule is None else rule(self, node)
        except (KeyError, IndexError):  # something that it reads is unknown
            found = None
        for name in node.output:
            self._guess(name)
        if found is not None:
            self.axes[node.output[0]] = self._refined(node.output[0], found)

    def _guess(self, name: str) -> None:
        """Take what inference knows, each open axis as a size of its own."""
        known = self._inferred.get(name)
        if known is not None and name not in self.axes:
            self.axes[name] = tuple(f"{name}:{i}" if size is None else size for i, size in enumerate(known))

    def _refined(self, name: str, found: Axes) -> Axes:
        known = self._inferred.get(name)
        if known is None or len(known) != len(found):
            return found
        return tuple(axis if size is None else size for axis, size in zip(found, known))

    def numbers(self, name: str) -> list[int]:
        """Return the values of a vector that is constant; KeyError where it is not."""
        return [int(number) for number in np.atleast_1d(self.constants[name])]


def _array(tensor: Any) -> np.ndarray:
    from onnx import numpy_helper

    return numpy_helper.to_array(tensor)


def attribute(node: Any, name: str, default: Any = None) -> Any:
    """Return an attribute of a node.

    Args:
        node: of an ONNX graph.
        name: of the attribute.
        default: where it has none.
    """
    from onnx import helper

    for entry in node.attribute:
        if entry.name == name:
            return helper.get_attribute_value(entry)
    return default


def _same(shapes: Shapes, node: Any) -> Axes:
    if node.op_type in ("Identity", "Cast") and node.input[0] in shapes.values:
        shapes.values[node.output[0]] = shapes.values[node.input[0]]
    return shapes.axes[node.input[0]]


def _together(shapes: Shapes, node: Any) -> Axes | None:
    parts = [shapes.axes[name] for name in node.input if name]
    rank = max(map(len, parts))
    columns = zip(*((1,) * (rank - len(part)) + part for part in parts))
    joined = []
    for column in columns:
        sizes = {axis for axis in column if axis != 1}
        known = [size for size in sizes if isinstance(size, int)]
        if len(sizes) > 1 and not known:
            return None
        joined.append(known[0] if known else next(iter(sizes), 1))
    return tuple(joined)


def _shape(shapes: Shapes, node: Any) -> Axes:
    axes = shapes.axes[node.input[0]]
    shapes.values[node.output[0]] = axes
    return (len(axes),)


def _gather(shapes: Shapes, node: Any) -> Axes | None:
    if node.input[0] not in shapes.values:
        return None
    values, chosen = shapes.values[node.input[0]], shapes.constants[node.input[1]]
    shapes.values[node.output[0]] = tuple(values[int(i)] for i in chosen.reshape(-1))
    return chosen.shape


def _slice(shapes: Shapes, node: Any) -> Axes | None:
    if node.input[0] not in shapes.values:
        return None
    start, stop = shapes.numbers(node.input[1])[0], shapes.numbers(node.input[2])[0]
    step = shapes.numbers(node.input[4])[0] if len(node.input) > 4 else 1
    shapes.values[node.output[0]] = shapes.values[node.input[0]][start:stop:step]
    return (len(shapes.values[node.output[0]]),)


def _concat(shapes: Shapes, node: Any) -> Axes | None:
    if all(name in shapes.values for name in node.input):
        shapes.values[node.output[0]] = sum((shapes.values[name] for name in node.input), ())
        return (len(shapes.values[node.output[0]]),)
    return None


def _product(shapes: Shapes, node: Any) -> Axes | None:
    values = shapes.values[node.input[0]]
    if not all(isinstance(value, int) for value in values):
        return None
    shapes.values[node.output[0]] = (math.prod(values),)
    return (1,) if attribute(node, "keepdims", 1) else ()


def _unsqueeze(shapes: Shapes, node: Any) -> Axes:
    if node.input[0] in shapes.values:
        shapes.values[node.output[0]] = shapes.values[node.input[0]]
    axes, added = list(shapes.axes[node.input[0]]), shapes.numbers(node.input[1])
    rank = len(axes) + len(added)
    for place in sorted(place % rank for place in added):
        axes.insert(place, 1)
    return tuple(axes)


def _squeeze(shapes: Shapes, node: Any) -> Axes:
    if node.input[0] in shapes.values:
        shapes.values[node.output[0]] = shapes.values[node.input[0]]
    axes = shapes.axes[node.input[0]]
    gone = {place % len(axes) for place in shapes.numbers(node.input[1])}
    return tuple(axis for place, axis in enumerate(axes) if place not in gone)


def _transpose(shapes: Shapes, node: Any) -> Axes:
    axes = shapes.axes[node.input[0]]
    return tuple(axes[place] for place in attribute(node, "perm", range(len(axes))[::-1]))


def _matmul(shapes: Shapes, node: Any) -> Axes | None:
    first, second = shapes.axes[node.input[0]], shapes.axes[node.input[1]]
    if len(second) == 2 and len(first) >= 2:
        return (*first[:-1], second[-1])
    if len(first) == len(second) and first[:-2] == second[:-2]:
        return (*first[:-1], second[-1])
    return None


def _gemm(shapes: Shapes, node: Any) -> Axes:
    first, second = shapes.axes[node.input[0]], shapes.axes[node.input[1]]
    rows = first[1] if attribute(node, "transA", 0) else first[0]
    return (rows, second[0] if attribute(node, "transB", 0) else second[1])


def _reduce(shapes: Shapes, node: Any) -> Axes | None:
    axes = shapes.axes[node.input[0]]
    chosen = attribute(node, "axes")
    if chosen is None:
        chosen = shapes.numbers(node.input[1])
    gone = {place % len(axes) for place in chosen}
    if attribute(node, "keepdims", 1):
        return tuple(1 if place in gone else axis for place, axis in enumerate(axes))
    return tuple(axis for place, axis in enumerate(axes) if place not in gone)


def _reshape(shapes: Shapes, node: Any) -> Axes | None:
    before, wanted = shapes.axes[node.input[0]], shapes.values[node.input[1]]
    if any(axis == 0 for axis in wanted) and not attribute(node, "allowzero", 0):
        wanted = tuple(before[place] if axis == 0 else axis for place, axis in enumerate(wanted))
    if -1 not in wanted:
        return wanted
    rest = divided(before, [axis for axis in wanted if axis != -1])
    unknown = f"{node.output[0]}:{wanted.index(-1)}" if rest is None else rest
    return tuple(unknown if axis == -1 else axis for axis in wanted)


def divided(axes: Sequence[Axis], by: Sequence[Axis]) -> Axis | None:
    """Return the size that is left of a shape when some axes are taken out; None where that is no single axis.

    Args:
        axes: of the shape.
        by: axes taken out.
    """
    named = [axis for axis in axes if isinstance(axis, str)]
    for axis in by:
        if isinstance(axis, str):
            if axis not in named:
                return None
            named.remove(axis)
    sizes = (math.prod(axis for axis in part if isinstance(axis, int)) for part in (axes, by))
    above, below = sizes
    if below == 0 or above % below:
        return None
    if not named:
        return above // below
    return named[0] if len(named) == 1 and above == below else None


RULES: dict[str, Callable[[Shapes, Any], Axes | None]] = {
    **dict.fromkeys(SAME, _same),
    **dict.fromkeys(TOGETHER, _together),
    **dict.fromkeys(("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"), _reduce),
    "Concat": _concat,
    "Gather": _gather,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "ReduceProd": _product,
    "Reshape": _reshape,
    "Shape": _shape,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
