"""The blocked form of patterns with a bounded reach: time and memory grow with length x reach, not length squared."""

from typing import Any

from keras import ops

from attention_zoo.core.masks import Masks, both
from attention_zoo.core.patterns import Window

# Shorter blocks waste less on keys out of reach, longer ones multiply larger matrices.
_SMALLEST_BLOCK = 16


class Blocks:
    """Cut a sequence into blocks, let each meet the blocks within reach, and put the pieces together again.

    Positions with one remainder modulo `window.dilation` form a sequence of their own; each is cut into blocks of
    queries, and a block meets its own keys and those of the neighbours that the window reaches.

    Args:
        window: the reach.
        batch: sequences in the batch.
        length: tokens in each; may be a tensor.
        size: tokens in a block; None is as many as the window reaches.
    """

    def __init__(self, window: Window, batch: Any, length: Any, size: int | None = None):
        self.dilation = window.dilation
        self.size = max(window.left, window.right, _SMALLEST_BLOCK) if size is None else size
        self.before, self.after = -(-window.left // self.size), -(-window.right // self.size)
        self.batch, self.length = batch, length
        self.count = -(-length // (self.size * self.dilation))

    def cut(self, array: Any) -> Any:
        """Cut [batch, length, head, channel] to [batch, dilation, blocks, head, size, channel], zeros at the end."""
        heads, channels = array.shape[2], array.shape[3]
        missing = self.count * self.size * self.dilation - self.length
        if not isinstance(missing, int) or missing:
            end = ops.zeros((self.batch, missing, heads, channels), dtype=array.dtype)
            array = ops.concatenate([array, end], axis=1)
        shape = (self.batch, self.count, self.size, self.dilation, heads, channels)
        return ops.transpose(ops.reshape(array, shape), (0, 3, 1, 4, 2, 5))

    def around(self, array: Any) -> Any:
        """Put the blocks within reach beside each block of a cut array, along the axis `size`."""
        return self.near(self.padded(array), slice(0, self.count))

    def padded(self, array: Any) -> Any:
        """Put empty blocks before and after those of a cut array, as many as the window reaches."""
        edge = ops.zeros_like(array[:, :, :1])
        return ops.concatenate([edge] * self.before + [array] + [edge] * self.after, axis=2)

    def near(self, padded: Any, part: slice) -> Any:
        """Put the blocks within reach beside each block of `part`, out of what `padded` returned."""
        shifts = range(self.before + 1 + self.after)
        return ops.concatenate([padded[:, :, part.start + i : part.stop + i] for i in shifts], axis=4)

    def groups(self, tokens: int) -> list[slice]:
        """Part the blocks into groups of about `tokens` tokens of a sequence; one group where their number is open."""
        if not isinstance(self.count, int):
            return [slice(0, self.count)]
        step = max(tokens // (self.size * self.dilation), 1)
        return [slice(start, min(start + step, self.count)) for start in range(0, self.count, step)]

    def fold(self, array: Any) -> Any:
        """Count all blocks as batch: [batch, dilation, blocks, ...] to [batch x dilation x blocks, ...]."""
        return ops.reshape(array, (-1, *array.shape[3:]))

    def unfold(self, array: Any) -> Any:
        """Undo `fold`, for all blocks or those of one group."""
        return ops.reshape(array, (self.batch, self.dilation, -1, *array.shape[1:]))

    def join(self, array: Any) -> Any:
        """Undo `cut` and `fold`: [batch x dilation x blocks, head, size, channel] to [batch, length, head, channel]."""
        heads, channels = array.shape[1], array.shape[3]
        array = ops.reshape(array, (self.batch, self.dilation, self.count, heads, self.size, channels))
        array = ops.transpose(array, (0, 2, 4, 1, 3, 5))
        shape = (self.batch, self.count * self.size * self.dilation, heads, channels)
        return ops.reshape(array, shape)[:, : self.length]

    def positions(self) -> tuple[Any, Any]:
        """Return the positions of queries [dilation, blocks, size, 1] and of keys [dilation, blocks, 1, reach]."""
        first = ops.expand_dims(ops.arange(self.count) * self.size, (0, 2))
        remainder = ops.expand_dims(ops.arange(self.dilation), (1, 2))
        query = (first + ops.arange(self.size)) * self.dilation + remainder
        reach = ops.arange((self.before + 1 + self.after) * self.size) - self.before * self.size
        key = (first + reach) * self.dilation + remainder
        return ops.expand_dims(query, 3), ops.expand_dims(key, 2)

    def distance(self) -> Any:
        """Return key minus query for each pair of a block, int [size, reach]: the same in every block."""
        reach = ops.arange((self.before + 1 + self.after) * self.size) - self.before * self.size
        return (ops.expand_dims(reach, 0) - ops.expand_dims(ops.arange(self.size), 1)) * self.dilation

    def mask(self, pattern: Any, masks: Masks) -> Any:
        """Say which pairs of each block may meet: bool [batch x dilation x blocks, 1, size, reach]."""
        query, key = self.positions()
        allowed = both(pattern.allowed(query, key), ops.logical_and(key >= 0, key < self.length))
        allowed = ops.expand_dims(allowed, 0)
        if masks.keys is None:
            present = ops.ones((self.batch, 1, 1, 1, 1), dtype="bool")
        else:
            present = ops.expand_dims(ops.cast(masks.keys, "float32"), (2, 3))
            present = ops.swapaxes(self.around(self.cut(present))[:, :, :, 0], -1, -2) > 0.5
        return ops.expand_dims(self.fold(ops.logical_and(allowed, present)), 1)
