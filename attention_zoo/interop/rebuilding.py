"""Copy a functional model layer by layer, with something put in on the way."""

import tempfile
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from attention_zoo.errors import ZooError, ZooTypeError, ZooValueError
from attention_zoo.interop.choosing import Choice
from attention_zoo.interop.grafted import Grafted
from attention_zoo.interop.telling import told

OPEN = 16  # pixels or tokens of the example that an attention is tried on, where the model leaves the axis open
WITHOUT_EFFECT = 1e-6


class Graft(NamedTuple):
    """How each attention is put in: the arguments of `Grafted`."""

    around: bool
    identity: bool
    strength: str


def as_functional(model: Any) -> keras.Model:
    """Return the graph of a model, with the model's own layers.

    Raises:
        ZooTypeError: if the model has no graph.
        ZooValueError: if a layer of it is channels_first.
    """
    if not isinstance(model, keras.Model):
        raise ZooTypeError(f"model must be a keras.Model, got {type(model).__name__}")
    if not _is_graph(model):
        raise ZooTypeError(
            f"model must be a functional keras.Model or a built keras.Sequential, got {type(model).__name__}, whose "
            "layers are called by code of its own"
        )
    first = next((layer for layer in model._flatten_layers() if _is_channels_first(layer)), None)
    if first is not None:
        raise ZooValueError(
            f"model must be channels_last, got {first.name!r} with data_format='channels_first': build the model with "
            "data_format='channels_last' and give it the same weights"
        )
    if isinstance(model, keras.Sequential):
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    return keras.Model(model.input, model.output, name=model.name)


def operations(model: keras.Model, prefix: str = "") -> Iterator[str]:
    """Yield the path of each layer, and of each operation of Keras, in the order of the graph."""
    for operation in model.operations:
        if isinstance(operation, keras.layers.InputLayer):
            continue
        yield prefix + operation.name
        if _is_graph(operation):
            yield from operations(as_functional(operation), f"{prefix}{operation.name}/")


def rebuild(model: keras.Model, chosen: Mapping[str, Choice], settings: Graft, *, freeze: bool) -> keras.Model:
    """Copy `model`, put what was chosen behind the paths, and let it start as the settings say.

    Args:
        model: what `as_functional` returned.
        chosen: attentions by path, see `operations`.
        settings: arguments of `Grafted`.
        freeze: True makes all but the new layers not trainable.

    Returns:
        The new model; nothing of it belongs to `model`.

    Raises:
        ZooValueError: if a layer cannot be copied, or an attention does not fit where it is put.
    """
    work = _Rebuilding(chosen, settings)
    result = work.copy(model, "")
    for path, source, target in work.pairs:
        _copy_state(path, source, target)
        if freeze:
            target.trainable = False
    new = sum(len(layer.weights) for layer in work.grafts.values())
    if len(result.weights) != len(model.weights) + new:
        raise ZooValueError(
            "model must not share weights between layers (a copy would untie them), "
            f"got {len(model.weights)} weights that become {len(result.weights) - new}"
        )
    for path, layer in work.grafts.items():
        _start(path, layer, work.shapes[path])
    return result


class _Rebuilding:
    """One copy of a model on its way."""

    def __init__(self, chosen: Mapping[str, Choice], settings: Graft):
        self.chosen, self.settings = chosen, settings
        self.pairs: list[tuple[str, Any, Any]] = []
        self.grafts: dict[str, Grafted] = {}
        self.shapes: dict[str, tuple] = {}

    def copy(self, model: keras.Model, prefix: str) -> keras.Model:
        """Copy one graph; the models in it that get something are copied by the same way."""
        paths: dict[int, str] = {}
        taken = {operation.name for operation in model.operations}

        def clone(operation: Any) -> Any:
            path = prefix + operation.name
            if _is_graph(operation) and any(other.startswith(path + "/") for other in self.chosen):
                target = self.copy(as_functional(operation), path + "/")
            else:
                target = _copy_operation(path, operation)
                if isinstance(operation, keras.layers.Layer):
                    self.pairs.append((path, operation, target))
            paths[id(target)] = path
            return target

        def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
            output = operation(*args, **kwargs)
            path = paths[id(operation)]
            return self.put(path, operation, output, taken) if path in self.chosen else output

        inputs = keras.tree.map_structure(_copy_input, model.input)
        return keras.models.clone_model(model, input_tensors=inputs, clone_function=clone, call_function=call)

    def put(self, path: str, operation: Any, output: Any, taken: set[str]) -> Any:
        """Put what was chosen for `path` behind its output."""
        if not isinstance(output, keras.KerasTensor):
            raise ZooValueError(f"a graft needs a layer with one output, got {path!r} with {type(output).__name__}")
        try:
            if path not in self.grafts:
                self.grafts[path] = self._make(path, operation, output, taken)
                self.shapes[path] = tuple(output.shape)
            return self.grafts[path](output)
        except Exception as error:  # a layer may refuse a shape in any way
            raise _unfit(path, output.shape, self.chosen[path].attention, error) from error

    def _make(self, path: str, operation: Any, output: Any, taken: set[str]) -> Grafted:
        name = f"{operation.name}_graft"
        for number in range(2, len(taken) + 3):
            if name not in taken:
                break
            name = f"{operation.name}_graft_{number}"
        taken.add(name)
        policy = keras.DTypePolicy(_policy_name(operation))
        attention, tokens = self.chosen[path].make(tuple(output.shape), policy)
        around, identity, strength = self.settings
        return Grafted(attention, around, identity, strength, tokens, name=name, dtype=policy)


def _is_graph(operation: Any) -> bool:
    """Say whether something is a model whose layers are called by a graph, and by nothing else."""
    if isinstance(operation, keras.Sequential):
        return bool(getattr(operation, "inputs", None))
    if not isinstance(operation, keras.Model) or not isinstance(operation, keras.Function):
        return False
    calling = next(kind for kind in type(operation).__mro__ if "call" in vars(kind))
    return calling.__module__.split(".")[0] == "keras"


def _is_channels_first(layer: Any) -> bool:
    return getattr(layer, "data_format", None) == "channels_first"


def _copy_input(tensor: Any) -> Any:
    layer = tensor._keras_history.operation
    return keras.layers.InputLayer.from_config(layer.get_config()).output


def _copy_operation(path: str, operation: Any) -> Any:
    try:
        return type(operation).from_config(operation.get_config())
    except Exception as error:  # a class of the user's may fail in any way
        raise ZooValueError(f"layer {path!r} ({type(operation).__name__}) cannot be copied: {told(error)}") from error


def _copy_state(path: str, source: Any, target: Any) -> None:
    """Give a copied layer, and the layers in it, the weights, statistics, tables and flags of its source."""
    sources, targets = source._flatten_layers(), target._flatten_layers()
    try:
        for old, new in zip(sources, targets, strict=True):
            new.trainable = old.trainable
            store: dict[str, Any] = {}
            old.save_own_variables(store)
            new.load_own_variables({name: np.array(value) for name, value in store.items()})
            if hasattr(old, "save_assets"):
                with tempfile.TemporaryDirectory() as folder:
                    old.save_assets(folder)
                    new.load_assets(folder)
    except Exception as error:  # as above
        raise ZooValueError(f"layer {path!r} ({type(source).__name__}) cannot be copied: {told(error)}") from error


def _policy_name(operation: Any) -> str:
    """Return the dtype policy of a layer; of a quantized one, what it computes in."""
    policy = getattr(operation, "dtype_policy", None) or keras.config.dtype_policy()
    return policy.compute_dtype if getattr(policy, "quantization_mode", None) else policy.name


def _start(path: str, layer: Grafted, shape: tuple) -> None:
    """Run an attention once; if it has no effect by itself, start its strength at 1.

    With both at 0 the gradient of either would be 0 for ever.
    """
    sizes = [1 if shape[0] is None else shape[0], *(OPEN if size is None else size for size in shape[1:])]
    example = ops.convert_to_tensor(np.random.default_rng(0).normal(size=sizes), layer.compute_dtype)
    try:
        branch = layer.branch(example, training=False)
        effect = float(np.max(np.abs(ops.convert_to_numpy(ops.cast(branch, "float32")))))
    except Exception as error:  # as above
        raise _unfit(path, shape, layer.attention.name, error) from error
    if layer.identity and effect <= WITHOUT_EFFECT:
        layer.strength.assign(np.ones(layer.strength.shape))


def _unfit(path: str, shape: Any, attention: Any, error: BaseException) -> ZooError:
    kind = ZooTypeError if isinstance(error, ZooTypeError) else ZooValueError
    named = attention.get("name") if isinstance(attention, dict) else getattr(attention, "name", attention)
    return kind(f"attention {named!r} does not fit behind {path!r}, which returns {tuple(shape)}: {told(error)}")
