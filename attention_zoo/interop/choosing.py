"""What a user asks to be grafted, and the layer that it becomes at a place."""

import inspect
from collections.abc import Callable
from typing import Any

import keras

from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.layers import named

ROLES = ("image", "gate", "self")
HEADS = (8, 4, 2)
LEAST_HEAD = 8  # channels of a head that can still match anything


class Choice:
    """An attention as the user gave it.

    Args:
        attention: a name, a dict with "name", a layer, or a function that makes one.

    Raises:
        ZooTypeError: if it is none of these.
        ZooValueError: if the name is unknown, or has a role that reads more than one thing or keeps no shape.
    """

    def __init__(self, attention: Any):
        self.attention = attention
        self.roles: tuple[str, ...] = ()
        self.single = isinstance(attention, keras.layers.Layer)
        if self.single or (callable(attention) and not isinstance(attention, (str, dict))):
            return
        name = attention.get("name") if isinstance(attention, dict) else attention
        if not isinstance(name, str):
            raise ZooTypeError(
                f"attention must be a name, a dict with 'name', a layer or a function that makes one, got {attention!r}"
            )
        self.roles = tuple(role for role in named.info(name).roles if role in ROLES)
        if not self.roles:
            raise ZooValueError(
                f"attention {name!r} is for {' or '.join(named.info(name).roles)}, wanted one for "
                f"{', '.join(ROLES[:-1])} or {ROLES[-1]}"
            )
        needed = _needed(named.info(name).layer)
        if len(needed) > 1:
            raise ZooValueError(f"attention {name!r} reads {' and '.join(needed)}, but a layer returns one thing")

    def make(self, shape: tuple, dtype: Any) -> tuple[keras.layers.Layer, bool]:
        """Make the layer for a place.

        Args:
            shape: of what the layer before returns.
            dtype: policy of that layer, which a layer made by name takes over.

        Returns:
            the layer, and whether it reads the pixels of an image as a sequence.

        Raises:
            ZooTypeError: if a function returns no layer.
            ZooValueError: if the variant does not read such a shape.
        """
        if self.single:
            return self.attention, self._reads_tokens(self.attention, shape)
        if not self.roles:
            layer = _made_by(self.attention)
            return layer, self._reads_tokens(layer, shape)
        if (len(shape) == 4 and "image" in self.roles) or "gate" in self.roles:
            return named.get(self.attention, dtype=dtype), False
        if "self" not in self.roles or len(shape) not in (3, 4):
            wanted = "[batch, height, width, channel]" if "image" in self.roles else "[batch, length, width]"
            raise ZooValueError(f"it reads {wanted}")
        return named.get(self.attention, dtype=dtype, **_heads(shape[-1])), len(shape) == 4

    @staticmethod
    def _reads_tokens(layer: keras.layers.Layer, shape: tuple) -> bool:
        """Say whether a layer of the zoo reads sequences alone, and here is an image."""
        rows = [named.info(name) for name in named.names(role="self")]
        images = [named.info(name) for name in named.names(role="image")]
        return len(shape) == 4 and _of(layer, rows) and not _of(layer, images)


def _needed(layer: Any) -> list[str]:
    """Return the arguments that a layer cannot be called without."""
    parameters = list(inspect.signature(layer.call).parameters.values())[1:]
    return [each.name for each in parameters if each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD]


def _of(layer: keras.layers.Layer, rows: list[Any]) -> bool:
    return any(type(layer) is row.layer for row in rows)


def _heads(width: int | None) -> dict[str, int]:
    """Return heads for a width, and the channels of each."""
    if width is None:
        raise ZooValueError("its last axis must be known")
    heads = next((count for count in HEADS if width % count == 0 and width // count >= LEAST_HEAD), 1)
    return {"num_heads": heads, "key_dim": width // heads}


def _made_by(function: Callable[[], Any]) -> keras.layers.Layer:
    layer = function()
    if not isinstance(layer, keras.layers.Layer):
        name = getattr(function, "__name__", type(function).__name__)
        raise ZooTypeError(f"the function {name!r} must return a layer, got {type(layer).__name__}")
    return layer
