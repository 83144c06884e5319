"""Parts of attention are values: a name, a small dict or an object, looked up in one registry."""

import re
from collections.abc import Callable
from typing import Any

import keras

from attention_zoo.errors import ZooTypeError, ZooValueError, unknown

_REGISTRY: dict[str, dict[str, type]] = {"score": {}, "normalizer": {}, "position": {}, "pattern": {}}


class Part(keras.layers.Layer):
    """Base of scores, normalizers, positions and patterns.

    A part is a Keras layer so that its weights, if it has any, are tracked, saved and quantised with the layer that
    owns it, and so that one part shared by many layers stays shared after a reload. It is used through methods of
    its own, never called.
    """

    kind = ""

    def __init__(self, **kwargs: Any):
        # A fixed name: variables must have the same path in every process.
        kwargs.setdefault("name", snake_case(type(self).__name__))
        super().__init__(**kwargs)
        # A part without weights has nothing to build; left unbuilt it would make Keras run the whole model once more,
        # uncompiled, before every `predict_on_batch`.
        self.built = type(self).build is Part.build

    def get_config(self) -> dict:
        # Not Keras's own, which wants every subclass to write a `get_config`, even one without arguments.
        policy = keras.dtype_policies.serialize(self.dtype_policy)
        return {"name": self.name, "trainable": self.trainable, "dtype": policy}

    def build(self, heads_shape: tuple) -> None:
        """Create the part's weights.

        Args:
            heads_shape: (query heads, channels of a head, width of the query inputs, channels of a value head).
        """


def snake_case(name: str) -> str:
    """Write a class name as the registry does: `SlidingWindow` -> `sliding_window`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def register(kind: str, name: str) -> Callable[[type], type]:
    """Give a part a name, for the registry of its kind and for Keras's saving.

    Args:
        kind: "score", "normalizer", "position" or "pattern".
        name: the name by which users ask for it.

    Raises:
        ZooValueError: if the kind is unknown or the name is taken.
    """
    if kind not in _REGISTRY:
        raise unknown("kind of part", kind, _REGISTRY)

    def decorate(cls: type) -> type:
        if name in _REGISTRY[kind]:
            raise ZooValueError(
                f"name of a {kind} must be new, got {name!r}, which is {_REGISTRY[kind][name].__name__}"
            )
        cls.kind = kind
        cls.zoo_name = name
        _REGISTRY[kind][name] = cls
        return keras.saving.register_keras_serializable(package="attention_zoo")(cls)

    return decorate


def part_names(kind: str) -> list[str]:
    """List the names registered for a kind of part."""
    if kind not in _REGISTRY:
        raise unknown("kind of part", kind, _REGISTRY)
    return sorted(_REGISTRY[kind])


def get_part(kind: str, identifier: Any, default: str, dtype: Any = None) -> Part:
    """Turn what a user passed for a part into the part.

    Args:
        kind: "score", "normalizer", "position" or "pattern".
        identifier: None (the default), a name, a dict with "name" and the part's arguments, Keras's own serialised
            form, or the part itself.
        default: name used for None.
        dtype: dtype policy for parts made here.

    Raises:
        ZooValueError: if the name is unknown.
        ZooTypeError: if `identifier` is none of these, or a part of another kind.
    """
    identifier = default if identifier is None else identifier
    if isinstance(identifier, dict) and "class_name" in identifier:
        identifier = keras.saving.deserialize_keras_object(identifier)
    if isinstance(identifier, Part):
        if identifier.kind != kind:
            raise ZooTypeError(f"{kind} must be a {kind}, got the {identifier.kind} {type(identifier).__name__}")
        return identifier
    arguments = dict(identifier) if isinstance(identifier, dict) else {"name": identifier}
    name = arguments.pop("name", None)
    if not isinstance(name, str):
        raise ZooTypeError(f"{kind} must be a name, a dict with 'name' or a {kind} object, got {identifier!r}")
    if name not in _REGISTRY[kind]:
        raise unknown(kind, name, _REGISTRY[kind])
    return _REGISTRY[kind][name](**arguments, dtype=dtype)
