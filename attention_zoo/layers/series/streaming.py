"""Streaming attention: a sequence is read chunk by chunk, and the answers are those of the whole."""

from typing import Any

import keras
from keras import ops

from attention_zoo.core import Masks, Position, attend, cache, site_path
from attention_zoo.core.chunked import Chunked
from attention_zoo.core.positions_rotary import Rotary2D
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.multi_head import MultiHeadAttention


@keras.saving.register_keras_serializable(package="attention_zoo")
class StreamingAttention(MultiHeadAttention):
    """Attend within chunks, a few chunks back and a few steps ahead, so that a stream can be answered as it comes.

    `call` reads a whole sequence. `stream` reads it chunk by chunk and gives the same numbers:

        state = layer.start_stream(batch)
        output, state = layer.stream(frames, state, ahead=right)      # frames: a chunk and `right` frames beyond it

    Args:
        num_heads: heads of the queries.
        key_dim: channels of each head of queries and keys.
        value_dim: channels of each head of values; None is `key_dim`.
        chunk: frames in a chunk, at least 1.
        left: whole chunks before its own that a frame sees.
        right: frames beyond the end of its chunk that it sees (look-ahead).
        position: one that depends on distance alone ("none", "rotary", "alibi", "t5_bias", "transformer_xl", ...); not
            one that counts from the start of the stream ("sinusoidal", "learned", "fourier", "rotary_2d").
        **kwargs: as for `MultiHeadAttention`, but for `pattern`, `sliding_window` and `attention_axes`.

    Call:
        as `MultiHeadAttention`.

    Returns:
        [batch, query, output width].

    Raises:
        ZooValueError: as `MultiHeadAttention`; if a size is out of range or the position counts from the start.

    Cost: time and memory batch x heads x length x ((left + 1) chunk + right), times at most 3; of a step, its chunk
    times what it sees.
    Source: Shi et al. 2020, arXiv:2010.10759. Differs: no memory bank, and frames ahead are read again
    with their own chunk.
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        chunk: int = 16,
        left: int = 1,
        right: int = 0,
        position: Any = None,
        **kwargs: Any,
    ):
        pattern = Chunked(chunk, left, right)
        super().__init__(num_heads, key_dim, value_dim, position=position, pattern=pattern, **kwargs)
        in_grid = self.position.by_place or isinstance(self.position, Rotary2D)
        if type(self.position).embed is not Position.embed or in_grid:
            raise ZooValueError(f"position of a stream must not count from its start, got {self.position.zoo_name!r}")
        self.chunk, self.left, self.right = chunk, left, right

    def get_config(self) -> dict:
        config = {**super().get_config(), "chunk": self.chunk, "left": self.left, "right": self.right}
        for name in ("pattern", "sliding_window", "attention_axes"):
            config.pop(name)
        return config

    def start_stream(self, batch: Any) -> dict[str, Any]:
        """Return the state of `batch` streams of which nothing has been read; its size never changes.

        Returns:
            "key" and "value": [batch, left x chunk, group, channel], "present": bool [batch, left x chunk].

        Raises:
            ZooValueError: if the layer is not built.
        """
        if not self.built:
            raise ZooValueError(f"a stream wants a built layer, got {self.name!r} without weights")
        state = cache.empty(batch, self.left * self.chunk, self.cache_shapes(), self.compute_dtype)
        return {**state, "present": ops.zeros((batch, self.left * self.chunk), dtype="bool")}

    def stream(self, inputs: Any, state: dict[str, Any], ahead: int = 0, mask: Any = None) -> tuple[Any, dict]:
        """Read one chunk.

        Args:
            inputs: [batch, chunk + ahead, width]; the last chunk of a stream may be shorter.
            state: from `start_stream` or the step before.
            ahead: how many of the last frames only look ahead; they come again with the next chunk. At most `right`.
            mask: bool [batch, chunk + ahead]; False marks padding. None is no padding.

        Returns:
            the outputs [batch, chunk, output width], and the state for the next chunk.

        Raises:
            ZooValueError: if `ahead` is negative or over `right`.
        """
        if not 0 <= ahead <= self.right:
            raise ZooValueError(f"ahead must be at least 0 and at most right = {self.right} (frames), got {ahead}")
        inputs = ops.cast(inputs, self.compute_dtype)
        frames, before = ops.shape(inputs)[1] - ahead, self.left * self.chunk
        seen = ops.ones_like(inputs[:, :, 0], dtype="bool") if mask is None else ops.cast(mask, "bool")
        key, value = self.project_memory(inputs, inputs)
        fresh = {"key": key, "value": value, "present": seen}
        every = {name: ops.concatenate([kept, fresh[name]], axis=1) for name, kept in state.items()}
        chunk = inputs[:, :frames]
        attended = attend(
            self.project_query(chunk),
            every["key"],
            every["value"],
            path=site_path(self),
            parts=self._parts(False, False),
            masks=Masks(seen[:, :frames], every["present"]),
            start=before,
        )
        # The look-ahead is not remembered: it is read again with the chunk that it belongs to.
        state = {name: array[:, frames : frames + before] for name, array in every.items()}
        return self.finish_heads(attended.output, chunk), state
