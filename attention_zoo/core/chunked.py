"""Attention by chunks, for streams: a step waits for the end of its chunk and little more."""

from typing import Any

from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core.part import register
from attention_zoo.core.patterns import Pattern, Window


@register("pattern", "chunked")
class Chunked(Pattern):
    """Let each query see its own chunk, the `left` chunks before it and `right` tokens beyond it.

    c = q // size; (c - left) size <= k < (c + 1) size + right

    A stream that is read chunk by chunk, each with `right` tokens of what follows, gets the same answer as the whole.

    Args:
        size: tokens in a chunk, at least 1.
        left: whole chunks seen before a query's own, at least 0.
        right: tokens seen beyond the end of the chunk (look-ahead), at least 0.

    Raises:
        ZooValueError: if size < 1, left < 0 or right < 0.

    Cost: time and memory batch x heads x length x ((left + 1) size + right), times at most 3, by blocks.
    Source: Shi et al. 2020, arXiv:2010.10759 (left context, centre and right context of a segment).
    Differs: no memory bank that sums up what is older.
    """

    def __init__(self, size: int = 16, left: int = 1, right: int = 0, **kwargs: Any):
        super().__init__(**kwargs)
        for name, value, least in (("size", size, 1), ("left", left, 0), ("right", right, 0)):
            whole_number(name, value, least)
        self.size, self.left, self.right = size, left, right

    def get_config(self) -> dict:
        return {**super().get_config(), "size": self.size, "left": self.left, "right": self.right}

    def allowed(self, query: Any, key: Any) -> Any:
        chunk = query // self.size
        first, end = (chunk - self.left) * self.size, (chunk + 1) * self.size + self.right
        return ops.logical_and(key >= first, key < end)

    @property
    def window(self) -> Window:
        return Window((self.left + 1) * self.size - 1, self.size - 1 + self.right)

    @property
    def causal(self) -> bool:
        return self.size == 1 and self.right == 0
