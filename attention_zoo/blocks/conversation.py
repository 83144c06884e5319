"""Rows of one conversation see each other: attention along the batch."""

from typing import Any

import keras
from keras import ops

from attention_zoo.blocks.feed_forward import FeedForward
from attention_zoo.blocks.sublayers import Sublayers
from attention_zoo.layers.multi_head import MultiHeadAttention


@keras.saving.register_keras_serializable(package="attention_zoo")
class ConversationBlock(Sublayers, keras.layers.Layer):
    """Let the rows of a conversation exchange what they know, then let each think for itself.

    x = x + attention(norm(x)), x = x + feed_forward(norm(x)), the attention among rows of one number, by rotary
    positions in the order in which they stand in the batch

    What a row gets depends on the rows of its conversation and on their order, and on no other row. One that is alone
    gets what it would get in a batch of its own.

    Args:
        num_heads: heads of the attention, a divisor of the width.
        feed_forward: channels in between of the feed-forward part; 0 leaves it out.
        causal: True lets a row see itself and earlier ones only.
        dropout: share dropped while training, after each part and within feed-forward, 0 to 1.

    Call:
        inputs: [batch, width], a vector for each row.
        conversation: int [batch]; rows with the same number belong together.

    Returns:
        [batch, width].

    Raises:
        ZooValueError: if a number is out of range, or width is no multiple of `num_heads`.

    Cost: time and memory batch x batch x (heads + width), for the whole batch.
    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.1; Su et al. 2021, arXiv:2104.09864 (positions). Context
    across utterances: Poria et al. 2017, "Context-Dependent Sentiment Analysis in User-Generated Videos" (ACL).
    Differs: attention, where they have an LSTM.
    """

    norm, key_dim, stochastic_depth = "pre", None, 0.0

    def __init__(self, num_heads: int, feed_forward: int, causal: bool = False, dropout: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.num_heads, self.feed_forward, self.causal, self.dropout = num_heads, feed_forward, bool(causal), dropout
        self.check_sublayers(feed_forward=feed_forward)

    def get_config(self) -> dict:
        names = ("num_heads", "feed_forward", "causal", "dropout")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def build(self, inputs_shape: Any, conversation_shape: Any = None) -> None:
        policy, shape = {"dtype": self.dtype_policy}, (None, None, inputs_shape[-1])
        sizes = self.head_sizes(inputs_shape[-1])
        self.attending = MultiHeadAttention(**sizes, position="rotary", name="attention", **policy)
        self.parts = {"attention": self.attending}
        if self.feed_forward:
            self.parts["feed_forward"] = FeedForward(
                self.feed_forward, dropout=self.dropout, name="feed_forward", **policy
            )
        self.build_sublayers(shape)

    def call(self, inputs: Any, conversation: Any, training: bool | None = None) -> Any:
        place, row = places_and_rows(conversation)
        # The batch is one sequence here, in which the rows of a conversation stand side by side.
        number = ops.take(ops.cast(conversation, "int32"), row, axis=0)
        same = ops.expand_dims(ops.equal(ops.expand_dims(number, 1), ops.expand_dims(number, 0)), 0)
        current = ops.expand_dims(ops.take(inputs, row, axis=0), 0)
        for name in self.parts:
            current = self.add_sublayer(
                name, current, lambda read, name=name: self._run(name, read, same, training), training
            )
        return ops.take(ops.squeeze(current, 0), place, axis=0)

    def _run(self, name: str, read: Any, same: Any, training: bool | None) -> Any:
        """Run one part."""
        if name == "attention":
            return self.attending(read, attention_mask=same, use_causal_mask=self.causal, training=training)
        return self.parts[name](read, training=training)

    def compute_mask(self, inputs: Any, conversation: Any = None, inputs_mask: Any = None) -> None:
        """Hide nothing: a row without any modality has a vector too."""
        return None

    def compute_output_spec(self, inputs: Any, conversation: Any, training: bool | None = None) -> Any:
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)


def places_and_rows(groups: Any) -> tuple[Any, Any]:
    """Sort by group, so that what was first of a group stays first.

    By comparing all pairs: no backend and no exported graph must then promise that its sorting keeps the order.

    Args:
        groups: int [batch].

    Returns:
        The place of each row, and the row of each place, both int32 [batch].
    """
    groups = ops.cast(groups, "int32")
    numbers = ops.arange(ops.shape(groups)[0], dtype="int32")
    own, other = ops.expand_dims(groups, 1), ops.expand_dims(groups, 0)
    earlier = ops.expand_dims(numbers, 1) > ops.expand_dims(numbers, 0)
    before = ops.logical_or(other < own, ops.logical_and(ops.equal(other, own), earlier))
    place = ops.sum(ops.cast(before, "int32"), axis=1)
    holds = ops.equal(ops.expand_dims(place, 0), ops.expand_dims(numbers, 1))
    row = ops.sum(ops.where(holds, ops.expand_dims(numbers, 0), 0), axis=1)
    return place, ops.cast(row, "int32")
