"""A window for all tokens, and full attention for a few: Longformer."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Attended, Masks, SlidingWindow, site_path
from attention_zoo.core.projection import project
from attention_zoo.core.sparse import Heads, Layout, attend_sparse
from attention_zoo.layers.efficient.base import EfficientAttention


class SparseAttention(EfficientAttention):
    """Base of attention within a `Layout`; a subclass sets `self.layout`."""

    positions = ("none", "sinusoidal", "learned", "rotary", "xpos")

    def prepared(self, query: Any, key: Any, value: Any) -> Heads:
        """Turn, scale and transpose projected heads [batch, length, head, channel]."""
        query, key = self.position.turn_query(query), self.position.turn_key(key)
        turned = (ops.transpose(array, (0, 2, 1, 3)) for array in (query * self.key_dim**-0.5, key, value))
        return Heads(*turned)

    def mix_inputs(
        self,
        query: Any,
        value: Any,
        key: Any,
        *,
        masks: Masks,
        causal: bool,
        need_weights: bool,
        training: bool | None,
    ) -> Attended:
        near = self.prepared(
            project(self.query_dense, query), project(self.key_dense, key), project(self.value_dense, value)
        )
        far = self.first(near, query, key, value)
        attended = attend_sparse(
            near,
            far,
            self.layout,
            path=site_path(self),
            masks=masks,
            causal=causal or self.causal,
            need_weights=need_weights,
        )
        return Attended(ops.transpose(attended.output, (0, 2, 1, 3)), attended.weights)

    def first(self, near: Heads, query: Any, key: Any, value: Any) -> Heads:
        """Return the heads of the rows that see everything."""
        return near


@keras.saving.register_keras_serializable(package="attention_zoo")
class Longformer(SparseAttention):
    """Let each query see its neighbours, and let the first tokens see all and be seen by all.

    output[q] = softmax over |q - k| <= reach or k < tokens of (q.k / sqrt(d)) v for q >= tokens;
    the first tokens' rows run over all keys, with queries, keys and values from projections of their own

    Args:
        num_heads: heads of the queries.
        key_dim: channels of each head of queries and keys.
        value_dim: channels of each head of values; None is `key_dim`.
        dropout: share of the heads' outputs dropped while training.
        reach: steps seen to each side (tokens), at least 0.
        tokens: tokens at the start that are global, at least 1.
        separate: whether the global rows have projections of their own; without, it is the pattern
            `SlidingWindow(reach) | GlobalTokens(tokens)` in linear time.
        causal: hide later keys, from the global rows too.
        **kwargs: as for `MultiHeadAttention`; position "none", "sinusoidal", "learned", "rotary" or "xpos".

    Call:
        as `MultiHeadAttention`; the map's first rows are those of the global projections.

    Returns:
        [batch, query, output width].

    Raises:
        ZooValueError: as `MultiHeadAttention`; if reach < 0 or tokens < 1.

    Cost: time and memory batch x heads x length x (3 reach + tokens), by blocks; a map is formed while watched, with an
    `attention_mask`, and where queries and keys differ in length.
    Source: Beltagy, Peters, Cohan 2020, arXiv:2004.05150, section 3.1. Differs: global tokens stand at the start, no
    dilation.
    """

    own = ("reach", "tokens", "separate", "causal")

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        reach: int = 128,
        tokens: int = 1,
        separate: bool = True,
        causal: bool = False,
        **kwargs: Any,
    ):
        super().__init__(num_heads, key_dim, value_dim, dropout, **kwargs)
        self.reach, self.tokens = whole_number("reach", reach, 0, "tokens"), whole_number("tokens", tokens, 1)
        self.separate, self.causal = separate, causal
        self.layout = Layout(SlidingWindow(reach), tokens)

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> None:
        super().build(query_shape, value_shape, key_shape)
        value_shape = query_shape if value_shape is None else value_shape
        key_shape = value_shape if key_shape is None else key_shape
        if self.separate:
            self.global_query = self._projection("global_query", query_shape[-1], self.num_heads, self.key_dim)
            self.global_key = self._projection("global_key", key_shape[-1], self.num_heads, self.key_dim)
            self.global_value = self._projection("global_value", value_shape[-1], self.num_heads, self.value_dim)

    def first(self, near: Heads, query: Any, key: Any, value: Any) -> Heads:
        if not self.separate:
            return near
        # Only the first tokens ask; all answer.
        asked = project(self.global_query, query[:, : self.tokens])
        return self.prepared(asked, project(self.global_key, key), project(self.global_value, value))
