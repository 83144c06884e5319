"""Attention over chosen axes: whatever lies outside joins the batch, whatever lies inside becomes one length."""

from typing import Any

from keras import ops

from attention_zoo.errors import ZooValueError


class Folding:
    """Bring inputs [batch, <axes>, width] to [batch, length, width] and results back.

    Args:
        rank: axes of the inputs.
        axes: the attended ones, counted from 0 (batch); None for all between batch and width.

    Raises:
        ZooValueError: if an axis is the batch, the width or out of range.
    """

    def __init__(self, rank: int, axes: tuple[int, ...] | None):
        inner = tuple(range(1, rank - 1))
        chosen = inner if axes is None else tuple(axis + rank if axis < 0 else axis for axis in axes)
        if not chosen or any(axis not in inner for axis in chosen):
            raise ZooValueError(f"attention_axes must lie between batch and width, in {inner}, got {axes}")
        self.attended = chosen
        self.kept = tuple(axis for axis in inner if axis not in chosen)
        self.plain = rank == 3
        self.order = (0, *self.kept, *self.attended)

    def fold(self, array: Any) -> Any:
        """Fold inputs, [batch, <axes>, width] to [batch x kept, length, width]; masks have no width."""
        if self.plain:
            return array
        tail = tuple(range(len(self.order), len(array.shape)))
        array = ops.transpose(array, (*self.order, *tail))
        lead = 1 + len(self.kept)
        shape = ops.shape(array)
        return ops.reshape(
            array, (_product(shape[:lead]), _product(shape[lead : len(self.order)]), *shape[len(self.order) :])
        )

    def unfold(self, array: Any, like: Any) -> Any:
        """Undo `fold`: [batch x kept, length, <tail>] to [batch, <axes>, <tail>], sizes taken from the input `like`."""
        if self.plain:
            return array
        shape, tail = ops.shape(like), ops.shape(array)[2:]
        array = ops.reshape(array, (*(shape[axis] for axis in self.order), *tail))
        back = sorted(range(len(self.order)), key=lambda place: self.order[place])
        return ops.transpose(array, (*back, *range(len(self.order), len(array.shape))))

    def unfold_map(self, weights: Any, query: Any, key: Any) -> Any:
        """Give a map [batch x kept, head, query, key] the axes of Keras: [batch, <kept>, head, <query>, <key>]."""
        if self.plain:
            return weights
        queries, keys = ops.shape(query), ops.shape(key)
        lead = [queries[axis] for axis in (0, *self.kept)]
        ends = [queries[axis] for axis in self.attended] + [keys[axis] for axis in self.attended]
        return ops.reshape(weights, (*lead, weights.shape[1], *ends))

    def fold_pairs(self, mask: Any) -> Any:
        """Fold a mask [batch, <query>, <key>] to [batch, query, key].

        Raises:
            ZooValueError: if there are axes beside the attended ones, or the mask has another number of axes.
        """
        if self.plain:
            return mask
        count = len(self.attended)
        if self.kept or len(mask.shape) != 1 + 2 * count:
            raise ZooValueError(
                f"attention_mask must have the axes [batch, {count} of queries, {count} of keys] and all inner axes "
                f"must be attended, got a mask of {len(mask.shape)} axes with attention_axes {self.attended}"
            )
        shape = ops.shape(mask)
        return ops.reshape(mask, (shape[0], _product(shape[1 : 1 + count]), _product(shape[1 + count :])))


def _product(sizes: Any) -> Any:
    """Multiply sizes, any of which may be a tensor."""
    total = 1
    for size in sizes:
        total = total * size
    return total
