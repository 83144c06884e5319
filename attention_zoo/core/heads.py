"""What layers with heads have in common: their numbers, their initializers, mixing across them."""

from typing import Any

from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooValueError


def mix_maps(maps: Any, matrix: Any) -> Any:
    """Mix maps [batch, head, query, key] across heads by a matrix [head, head]."""
    return ops.einsum("bhqk,hi->biqk", maps, ops.cast(matrix, maps.dtype))


def shared_groups(heads: int, groups: int | None) -> int:
    """Return the number of key-value heads if the heads can share them evenly."""
    groups = heads if groups is None else whole_number("num_key_value_heads", groups)
    if heads % groups:
        raise ZooValueError(f"num_key_value_heads must divide num_heads, got {groups} for {heads} heads")
    return groups


def fresh(initializer: Any) -> Any:
    """Copy an initializer: one object used twice would give two kernels the same values."""
    return (
        initializer.__class__.from_config(initializer.get_config())
        if hasattr(initializer, "get_config")
        else initializer
    )
