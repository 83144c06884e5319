"""Attention over a text that is read segment by segment, with what the last segment left behind."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.multi_head import MultiHeadAttention


@keras.saving.register_keras_serializable(package="attention_zoo")
class SegmentMemoryAttention(MultiHeadAttention):
    """Attend from a segment to itself and to the states of the segments before it, through which no gradient flows.

    k, v of [stop_gradient(memory); x], q of x, the first of which stands at place |memory|

    Args:
        num_heads: heads of the queries.
        key_dim: channels of each head of queries and keys.
        value_dim: channels of each head of values; None is `key_dim`.
        dropout: share of the weights dropped while training, 0 to 1.
        memory_length: states that `keep` keeps (tokens).
        position: how places are told; None is "transformer_xl".
        pattern: which pairs may meet; None is "causal".
        **kwargs: as for `MultiHeadAttention`.

    Call:
        as `MultiHeadAttention`, and
        memory: [batch, memory, width]: the inputs of this layer in earlier segments, from `keep`; None for none.
        memory_mask: bool [batch, memory]; False marks padding.

    Returns:
        [batch, query, output width]; the map, where asked for, is [batch, head, query, memory + query].

    Raises:
        ZooValueError: as `MultiHeadAttention`; if memory_length < 1, or memory comes with another sequence as `value`.

    Cost: time batch x heads x query x (memory + query) x channels.
    Source: Dai et al. 2019, arXiv:1901.02860, sections 3.2 (recurrence) and 3.3 (positions).
    """

    steps = True

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        memory_length: int = 128,
        position: Any = None,
        pattern: Any = None,
        **kwargs: Any,
    ):
        position = "transformer_xl" if position is None else position
        pattern = "causal" if pattern is None else pattern
        super().__init__(num_heads, key_dim, value_dim, dropout, position=position, pattern=pattern, **kwargs)
        self.memory_length = whole_number("memory_length", memory_length)

    def get_config(self) -> dict:
        return {**super().get_config(), "memory_length": self.memory_length}

    def keep(self, query: Any, memory: Any = None) -> Any:
        """Return the memory for the next segment: the last `memory_length` states, without their gradient."""
        states = ops.convert_to_tensor(query)
        states = states if memory is None else ops.concatenate([ops.cast(memory, states.dtype), states], axis=1)
        return ops.stop_gradient(states[:, -self.memory_length :])

    def call(
        self,
        query: Any,
        value: Any = None,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
        memory: Any = None,
        memory_mask: Any = None,
        mask: Any = None,
    ) -> Any:
        if memory is None:
            masks = (query_mask, value_mask, key_mask, attention_mask)
            return super().call(query, value, key, *masks, return_attention_scores, training, use_causal_mask, mask)
        if value is not None and value is not query:
            raise ZooValueError("memory is of the query's own sequence: value must be left out, got one")
        memory = ops.stop_gradient(ops.cast(memory, query.dtype))
        query_mask = mask if query_mask is None else query_mask
        masks = self._masks(query_mask, _joined(memory, memory_mask, query, query_mask), attention_mask)
        start, context = ops.shape(memory)[1], ops.concatenate([memory, query], axis=1)
        placed, placed_context = self.position.embed(query, start), self.position.embed(context)
        attended = self.attend_heads(
            self.project_query(placed),
            *self.project_memory(placed_context, placed_context),
            masks=masks,
            causal=use_causal_mask,
            training=training,
            need_weights=return_attention_scores,
            start=start,
        )
        output = self.finish_heads(attended.output, query)
        return (output, attended.weights) if return_attention_scores else output

    def compute_output_spec(
        self,
        query: Any,
        value: Any = None,
        key: Any = None,
        return_attention_scores: bool = False,
        memory: Any = None,
        **kwargs: Any,
    ) -> Any:
        if memory is None or not return_attention_scores:
            return super().compute_output_spec(query, value, key, return_attention_scores, **kwargs)
        sizes = (memory.shape[1], query.shape[1])
        keys = None if None in sizes else sum(sizes)
        output = keras.KerasTensor(self.compute_output_shape(query.shape), dtype=self.compute_dtype)
        shape = (query.shape[0], self.num_heads, query.shape[1], keys)
        return output, keras.KerasTensor(shape, dtype=self.compute_dtype)


def _joined(memory: Any, memory_mask: Any, query: Any, query_mask: Any) -> Any:
    """Write the masks of memory and segment one after the other; None where neither has one."""
    if memory_mask is None and query_mask is None:
        return None
    masks = [
        ops.ones(ops.shape(array)[:2], dtype="bool") if mask is None else ops.cast(mask, "bool")
        for array, mask in ((memory, memory_mask), (query, query_mask))
    ]
    return ops.concatenate(masks, axis=1)
