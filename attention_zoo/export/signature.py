"""How a model is called and how its inputs and outputs are named, the same in every process."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from attention_zoo.errors import ZooTypeError, ZooValueError

# A SavedModel takes only names that are Python identifiers; ONNX takes any, so a graph of both formats gets these.
NOT_IN_A_NAME = re.compile(r"\W")


def describe(model: Any, probes: Sequence[Mapping[str, np.ndarray]], *, identifiers: bool = True) -> dict[str, Any]:
    """Describe how `model` is called, so that another process can call it too.

    An axis is dynamic (None) if it is the batch, if the model was built with None there, or if the probes differ in it.

    Args:
        model: a built `keras.Model`; a wrapper that keeps another model in `.model` is called as that one is. A model
            of its own class takes one input as a tensor, unless it says `named_inputs = True`, several in a dict.
        probes: at least two dicts of input arrays by name, of different batch; each dynamic axis must differ too.
        identifiers: whether the graph's names must be Python identifiers; False keeps the model's own.

    Returns:
        {"structure": "single" | "list" | "dict", "inputs": [{"name", "key", "shape", "dtype"}]}: `key` is the model's
        own name of the input, `name` that of the exported graph.

    Raises:
        ZooValueError: if the probes do not fit the model's inputs, or would not see a size that was baked in.
    """
    _check_probes(probes)
    graph = _functional(model)
    keys = list(probes[0]) if graph is None else [tensor.name for tensor in graph.inputs]
    _check_keys(keys, probes)
    structure = "dict" if getattr(model, "named_inputs", False) else _structure(graph, keys)
    inputs = []
    for position, key in enumerate(keys):
        built = (None,) * probes[0][key].ndim if graph is None else tuple(graph.inputs[position].shape)
        dtype = str(probes[0][key].dtype) if graph is None else str(graph.inputs[position].dtype)
        shape = _dynamic_shape(key, built, [np.shape(probe[key]) for probe in probes], free=graph is None)
        name = NOT_IN_A_NAME.sub("_", key) if identifiers else key
        inputs.append({"name": name, "key": key, "shape": shape, "dtype": dtype})
    return {"structure": structure, "inputs": inputs}


def call(model: Any, signature: Mapping[str, Any], tensors: Sequence[Any]) -> dict[str, Any]:
    """Call `model` for inference and name its outputs.

    Args:
        model: the model.
        signature: what `describe` returned.
        tensors: one tensor of the running backend for each input, in the order of the signature.

    Returns:
        tensors by name, see `named_outputs`.
    """
    return named_outputs(model(arrange(signature, tensors), training=False))


def arrange(signature: Mapping[str, Any], tensors: Sequence[Any]) -> Any:
    """Put tensors, in the order of the signature, into the structure that the model takes."""
    if signature["structure"] == "single":
        return tensors[0]
    if signature["structure"] == "list":
        return list(tensors)
    return {entry["key"]: tensor for entry, tensor in zip(signature["inputs"], tensors)}


def named_outputs(outputs: Any) -> dict[str, Any]:
    """Name what a model returns: one tensor is "output", a dict keeps its keys, a list gets "output_0", "output_1" ...

    Raises:
        ZooTypeError: if the outputs are nested deeper than one dict or list.
    """
    if isinstance(outputs, Mapping):
        named = {str(key): value for key, value in outputs.items()}
    elif isinstance(outputs, (list, tuple)):
        named = {f"output_{position}": value for position, value in enumerate(outputs)}
    else:
        named = {"output": outputs}
    for name, value in named.items():
        if not hasattr(value, "shape"):
            raise ZooTypeError(
                f"a model must return a tensor or a flat dict or list of them, got {type(value).__name__} in {name!r}"
            )
    return named


def run_model(model: Any, signature: Mapping[str, Any], probe: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run `model` on this process's backend over one probe and return NumPy arrays by output name."""
    import keras

    arrays = [np.asarray(probe[entry["key"]], entry["dtype"]) for entry in signature["inputs"]]
    if keras.backend.backend() == "jax":
        # Eager JAX compiles each operation by itself, which takes several times as long as the whole model at once.
        outputs = named_outputs(model.predict_on_batch(arrange(signature, arrays)))
    else:
        outputs = call(model, signature, [keras.ops.convert_to_tensor(array) for array in arrays])
    return {name: keras.ops.convert_to_numpy(value) for name, value in outputs.items()}


def _functional(model: Any) -> Any:
    """Return the model whose named inputs count: `model` itself, or what it wraps; None when there is none."""
    while model is not None:
        if getattr(model, "inputs", None):
            return model
        model = getattr(model, "model", None)
    return None


def _structure(graph: Any, keys: list[str]) -> str:
    wanted = None if graph is None else graph.input
    if isinstance(wanted, Mapping):
        if any(tensor.name != key for key, tensor in wanted.items()):
            raise ZooValueError(f"the inputs of the model must have the names of their keys, got {sorted(wanted)}")
        return "dict"
    if len(keys) == 1 and not isinstance(wanted, (list, tuple)):
        return "single"
    return "dict" if graph is None else "list"


def _check_probes(probes: Sequence[Mapping[str, np.ndarray]]) -> None:
    if not isinstance(probes, (list, tuple)) or len(probes) < 2 or not all(isinstance(p, Mapping) for p in probes):
        raise ZooValueError("probes must be at least two dicts of input arrays by name, of different batch and length")
    for probe in probes:
        if not probe or any(np.ndim(array) == 0 for array in probe.values()):
            raise ZooValueError("each array of probes must have a batch axis, and each probe at least one array")
    batches = {np.shape(array)[0] for probe in probes for array in probe.values()}
    if len(batches) < 2:
        raise ZooValueError(f"probes must differ in batch, so that a baked-in batch is seen; all have {batches.pop()}")


def _check_keys(keys: list[str], probes: Sequence[Mapping[str, np.ndarray]]) -> None:
    for probe in probes:
        if set(probe) != set(keys):
            raise ZooValueError(f"probes must hold the model's inputs {sorted(keys)}, got {sorted(probe)}")


def _dynamic_shape(key: str, built: tuple, shapes: list[tuple], *, free: bool) -> list[int | None]:
    """Return the shape with None where sizes vary; `free` says that no built shape restrains the probes."""
    if any(len(shape) != len(built) for shape in shapes):
        raise ZooValueError(f"probes[...][{key!r}] must have {len(built)} axes, got shapes {shapes}")
    result: list[int | None] = [None]
    for axis in range(1, len(built)):
        sizes = {shape[axis] for shape in shapes}
        if free:
            result.append(None if len(sizes) > 1 else sizes.pop())
        elif built[axis] is None:
            if len(sizes) < 2:
                raise ZooValueError(
                    f"probes must differ in axis {axis} of {key!r}, to see a baked-in size; all have {sizes.pop()}"
                )
            result.append(None)
        elif sizes == {built[axis]}:
            result.append(built[axis])
        else:
            raise ZooValueError(f"axis {axis} of {key!r} must be {built[axis]}, got {sorted(sizes)}")
    return result
