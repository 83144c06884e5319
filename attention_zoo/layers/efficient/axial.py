"""Attention along one axis at a time: axial."""

import math
from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.multi_head import MultiHeadAttention


@keras.saving.register_keras_serializable(package="attention_zoo")
class AxialAttention(keras.layers.Layer):
    """Attend along each axis of a grid by itself, and add the results.

    output = sum over the axes a of attention along a, each with projections of its own

    A sequence is first folded row by row into a grid, filled with padding at the end.

    Args:
        num_heads: heads.
        key_dim: channels of each head.
        value_dim: channels of each head of values; None is `key_dim`.
        dropout: share of the weights dropped while training, 0 to 1.
        axes: axes to attend along, counted from 0 (batch); None is all between batch and width.
        columns: width of the grid that a sequence is folded into (tokens); None is the square root of its length,
            rounded up.
        attention: what else `MultiHeadAttention` takes, for the attention along each axis.

    Call:
        query: [batch, length, width] or [batch, <axes>, width].
        value: None, or `query` once more.
        mask: bool [batch, length] or [batch, <axes>]; False marks padding; also taken as `query_mask`.

    Returns:
        the shape of `query`.

    Raises:
        ZooValueError: if a number is too small or an axis is not one between batch and width.

    Cost: time and memory batch x heads x positions x the sum of the axes' lengths; of a sequence length^1.5.
    Source: Ho et al. 2019, arXiv:1912.12180. Differs: the axes' results are added, where the paper
    stacks layers that take turns.
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        axes: Any = None,
        columns: int | None = None,
        attention: dict | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.num_heads, self.key_dim, self.value_dim = num_heads, key_dim, value_dim
        self.dropout, self.axes = dropout, None if axes is None else list(axes)
        self.columns = None if columns is None else whole_number("columns", columns, 1, "tokens")
        self.attention = dict(attention or {})

    def get_config(self) -> dict:
        names = ("num_heads", "key_dim", "value_dim", "dropout", "axes", "columns", "attention")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def build(self, query_shape: Any) -> None:
        rank = max(len(query_shape), 4)
        axes = list(range(1, rank - 1)) if self.axes is None else [axis % rank for axis in self.axes]
        if not axes or any(not 0 < axis < rank - 1 for axis in axes):
            raise ZooValueError(f"axes must lie between batch and width, in 1 to {rank - 2}, got {self.axes}")
        self.along = []
        for axis in axes:
            arguments = {**self.attention, "attention_axes": axis, "name": f"axis_{axis}", "dtype": self.dtype_policy}
            layer = MultiHeadAttention(self.num_heads, self.key_dim, self.value_dim, self.dropout, **arguments)
            layer.build((None,) * (rank - 1) + (query_shape[-1],))
            self.along.append(layer)

    def call(
        self,
        query: Any,
        value: Any = None,
        query_mask: Any = None,
        training: bool | None = None,
        mask: Any = None,
    ) -> Any:
        if value is not None and value is not query:
            raise ZooValueError("value must be left out: AxialAttention reads one grid, got a second one")
        mask = query_mask if mask is None else mask
        length = ops.shape(query)[1]
        folded = len(query.shape) == 3
        grid, mask = self.grid(query, mask) if folded else (query, mask)
        mask = None if mask is None else ops.cast(mask, "bool")
        output = sum(layer(grid, query_mask=mask, value_mask=mask, training=training) for layer in self.along)
        if not folded:
            return output
        return ops.reshape(output, (ops.shape(query)[0], -1, query.shape[-1]))[:, :length]

    def grid(self, query: Any, mask: Any) -> tuple[Any, Any]:
        """Fold [batch, length, width] and its mask into a grid; what is filled in is padding."""
        batch, length = ops.shape(query)[0], ops.shape(query)[1]
        columns, rows = self.sizes(length)
        missing = rows * columns - length
        if mask is None:
            mask = ops.ones((batch, length), dtype="bool")
        mask = ops.pad(ops.cast(mask, "int32"), ((0, 0), (0, missing))) > 0
        grid = ops.pad(query, ((0, 0), (0, missing), (0, 0)))
        return ops.reshape(grid, (batch, rows, columns, query.shape[-1])), ops.reshape(mask, (batch, rows, columns))

    def sizes(self, length: Any) -> tuple[Any, Any]:
        """Return columns and rows of the grid for a sequence."""
        columns = self.columns
        if columns is None and isinstance(length, int):
            columns = math.isqrt(max(length - 1, 0)) + 1
        elif columns is None:
            # Half a token below the root keeps an exact square from being rounded up.
            columns = ops.cast(ops.ceil(ops.sqrt(ops.cast(length, "float32") - 0.5)), "int32")
        return columns, -(-length // columns)

    def compute_output_shape(self, query_shape: Any) -> tuple:
        return tuple(query_shape)
