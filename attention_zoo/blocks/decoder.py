"""The transformer's decoder block, around any attention that can go step by step."""

from typing import Any

import keras
from keras import ops

from attention_zoo.blocks.configs import with_plain_layers
from attention_zoo.blocks.feed_forward import FeedForward
from attention_zoo.blocks.stepping import check_reads, check_steps
from attention_zoo.blocks.sublayers import Sublayers
from attention_zoo.layers import named


@keras.saving.register_keras_serializable(package="attention_zoo")
class DecoderBlock(Sublayers, keras.layers.Layer):
    """Let positions know what was before them, then what the memory says, then let each think for itself.

    pre:  x = x + attention(norm(x)), x = x + cross_attention(norm(x), memory), x = x + feed_forward(norm(x))
    post: x = norm(x + attention(x)), x = norm(x + cross_attention(x, memory)), x = norm(x + feed_forward(x))

    A whole sequence is read by a call, or token by token:

        prepared, state = block.prepare(memory, memory_mask), block.start(rows, length)
        output, state, weights = block.step(inputs, state, prepared, index)  # for each token

    Args:
        num_heads: heads of each attention.
        feed_forward: channels in between of the feed-forward part; 0 leaves it out.
        attention: on what was before, causal: a name of `layers.names("self")`, a dict with "name" and arguments, or a
            layer of that role; one that can go step by step.
        cross_attention: on the memory: a name of `layers.names("cross")`, a dict or a layer; one that can go step by
            step, forms a map and knows no places.
        key_dim: channels of each head; None is width / num_heads.
        dropout: share dropped while training, after each part and within feed-forward, 0 to 1.
        attention_dropout: share of the attention weights dropped while training, 0 to 1.
        kind: of the feed-forward part: "gelu", "relu", "silu" or "swiglu".
        norm: "pre" (trains without warm-up; put one more norm after the last block) or "post" (as first published).
        stochastic_depth: how often a part is left out for a whole example while training, 0 to 1.

    Call:
        inputs: [batch, time, width].
        memory: [batch, source, memory width].
        mask: bool [batch, time]; False marks padding.
        memory_mask: bool [batch, source]; False marks padding.

    Returns:
        The shape of `inputs`.

    Raises:
        ZooValueError: if a number is out of range, a name is unknown, an attention cannot go step by step, or width is
            no multiple of `num_heads`.

    Cost: a step takes time rows x width x (length + source + width + feed_forward).
    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.1; Xiong et al. 2020, arXiv:2002.04745 (pre-norm).
    """

    def __init__(
        self,
        num_heads: int,
        feed_forward: int,
        attention: Any = "multi_head",
        cross_attention: Any = "multi_head",
        key_dim: int | None = None,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        kind: str = "gelu",
        norm: str = "pre",
        stochastic_depth: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.num_heads, self.feed_forward, self.key_dim = num_heads, feed_forward, key_dim
        self.attention, self.cross_attention = attention, cross_attention
        self.dropout, self.attention_dropout, self.kind, self.norm = dropout, attention_dropout, kind, norm
        self.stochastic_depth = stochastic_depth
        self.check_sublayers(feed_forward=feed_forward)

    def get_config(self) -> dict:
        names = ("num_heads", "feed_forward", "attention", "cross_attention", "key_dim", "dropout")
        names += ("attention_dropout", "kind", "norm", "stochastic_depth")
        return with_plain_layers({**super().get_config(), **{name: getattr(self, name) for name in names}})

    def build(self, inputs_shape: Any, memory_shape: Any) -> None:
        policy = {"dtype": self.dtype_policy}
        options = {**self.head_sizes(inputs_shape[-1]), "dropout": self.attention_dropout, **policy}
        self.attending = named.get(self.attention, role="self", **options | {"name": "self_attention"})
        self.reading = named.get(self.cross_attention, role="cross", **options | {"name": "cross_attention"})
        self.parts = {"self_attention": self.attending, "cross_attention": self.reading}
        if self.feed_forward:
            self.parts["feed_forward"] = FeedForward(
                self.feed_forward, self.kind, self.dropout, name="feed_forward", **policy
            )
        self.build_sublayers(inputs_shape, cross_attention=memory_shape)
        self.growing = check_steps(self.attending, self.attention)
        check_reads(self.reading, self.cross_attention)

    def call(
        self, inputs: Any, memory: Any, mask: Any = None, memory_mask: Any = None, training: bool | None = None
    ) -> Any:
        def attend(read: Any) -> Any:
            return self.attending(read, query_mask=mask, use_causal_mask=True, training=training)

        def consult(read: Any) -> Any:
            return self.reading(read, memory, query_mask=mask, value_mask=memory_mask, training=training)

        current = self.add_sublayer("self_attention", inputs, attend, training)
        current = self.add_sublayer("cross_attention", current, consult, training)
        return self._think(current, training)

    def prepare(self, memory: Any, memory_mask: Any = None) -> dict[str, Any]:
        """Project a memory [batch, source, width] once for all steps; return tensors [batch, ...] by name."""
        return self.reading.memory_cache(memory, value_mask=memory_mask)

    def start(self, rows: Any, length: int) -> dict[str, Any]:
        """Return the state before the first token, tensors [rows, ...] by name, with room for `length` tokens.

        The names in `growing` are caches [rows, length, ...]; a step replaces the others.
        """
        return self.attending.empty_cache(rows, length)

    def step(
        self, inputs: Any, state: dict[str, Any], prepared: dict[str, Any], index: Any, need_weights: bool = False
    ) -> tuple[Any, dict[str, Any], Any]:
        """Read one token of each row.

        Args:
            inputs: [rows, 1, width]; rows of one source lie next to each other.
            state: what `start`, or the last step, returned.
            prepared: what `prepare` returned.
            index: place of the token; int, or int32 tensor without axes.
            need_weights: True to learn where the step looked.

        Returns:
            [rows, 1, width]; the next state; and the cross attention's weights, the mean over its heads, float32
            [rows, source], or None.
        """
        found: dict[str, Any] = {}

        def attend(read: Any) -> Any:
            output, found["state"] = self.attending.step(read, state, index)
            return output

        def consult(read: Any) -> Any:
            output, found["weights"] = self._consult(read, prepared, index, need_weights)
            return output

        current = self.add_sublayer("self_attention", inputs, attend, False)
        current = self.add_sublayer("cross_attention", current, consult, False)
        return self._think(current, False), found["state"], found["weights"]

    def _consult(self, read: Any, prepared: dict[str, Any], index: Any, need_weights: bool) -> tuple[Any, Any]:
        """Read the memory with the rows of each source as its queries, so that it is not repeated for them."""
        batch, width = ops.shape(next(iter(prepared.values())))[0], read.shape[-1]
        queries = ops.reshape(read, (batch, -1, width))
        output = self.reading.read(queries, prepared, index, return_attention_scores=need_weights)
        if not need_weights:
            return ops.reshape(output, (-1, 1, width)), None
        output, weights = output
        weights = ops.mean(ops.cast(weights, "float32"), axis=1)
        return ops.reshape(output, (-1, 1, width)), ops.reshape(weights, (-1, ops.shape(weights)[-1]))

    def _think(self, current: Any, training: bool | None) -> Any:
        """Run the feed-forward part where there is one."""
        if not self.feed_forward:
            return current
        return self.add_sublayer(
            "feed_forward", current, lambda read: self.parts["feed_forward"](read, training=training), training
        )

    def compute_output_shape(self, inputs_shape: Any, memory_shape: Any) -> tuple:
        return tuple(inputs_shape)
