"""The transformer's encoder block, around any attention."""

from typing import Any

import keras

from attention_zoo.blocks.configs import with_plain_layers
from attention_zoo.blocks.convolution import hide
from attention_zoo.blocks.feed_forward import FeedForward
from attention_zoo.blocks.sublayers import EPSILON, Sublayers
from attention_zoo.layers import named

__all__ = ["EPSILON", "EncoderBlock"]


@keras.saving.register_keras_serializable(package="attention_zoo")
class EncoderBlock(Sublayers, keras.layers.Layer):
    """Let positions exchange what they know, then let each think for itself.

    pre:  x = x + attention(norm(x)), x = x + feed_forward(norm(x))
    post: x = norm(x + attention(x)), x = norm(x + feed_forward(x))

    Args:
        num_heads: heads of the attention.
        feed_forward: channels in between of the feed-forward part; 0 leaves it out.
        attention: any name of `layers.names("self")`, a dict with "name" and arguments, or a layer of that role.
        key_dim: channels of each head; None is width / num_heads.
        dropout: share dropped while training, after each part and within feed-forward, 0 to 1.
        attention_dropout: share of the attention weights dropped while training, 0 to 1.
        kind: of the feed-forward part: "gelu", "relu", "silu" or "swiglu".
        norm: "pre" (trains without warm-up; put one more norm after the last block) or "post" (as first published).
        convolution: width (tokens) of a depthwise convolution between attention and feed-forward, with a residual of
            its own; 0 for none.
        stochastic_depth: how often a part is left out for a whole example while training, 0 to 1.

    Call:
        inputs: [batch, time, width].
        mask: bool [batch, time]; False marks padding.

    Returns:
        The shape of `inputs`.

    Raises:
        ZooValueError: if a number is out of range, a name is unknown, or width is no multiple of `num_heads`.

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.1; Xiong et al. 2020, arXiv:2002.04745 (pre-norm);
    Huang et al. 2016, arXiv:1603.09382 (stochastic depth).
    """

    def __init__(
        self,
        num_heads: int,
        feed_forward: int,
        attention: Any = "multi_head",
        key_dim: int | None = None,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        kind: str = "gelu",
        norm: str = "pre",
        convolution: int = 0,
        stochastic_depth: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.num_heads, self.feed_forward, self.attention, self.key_dim = num_heads, feed_forward, attention, key_dim
        self.dropout, self.attention_dropout, self.kind, self.norm = dropout, attention_dropout, kind, norm
        self.convolution, self.stochastic_depth = convolution, stochastic_depth
        self.check_sublayers(feed_forward=feed_forward, convolution=convolution)

    def get_config(self) -> dict:
        names = ("num_heads", "feed_forward", "attention", "key_dim", "dropout", "attention_dropout", "kind", "norm")
        names += ("convolution", "stochastic_depth")
        return with_plain_layers({**super().get_config(), **{name: getattr(self, name) for name in names}})

    def build(self, input_shape: Any) -> None:
        policy = {"dtype": self.dtype_policy}
        heads = self.head_sizes(input_shape[-1])
        self.attending = named.get(
            self.attention, role="self", **heads, dropout=self.attention_dropout, name="attention", **policy
        )
        self.parts = {"attention": self.attending}
        if self.convolution:
            self.parts["convolution"] = keras.layers.DepthwiseConv1D(
                self.convolution, padding="same", name="convolution", **policy
            )
        if self.feed_forward:
            self.parts["feed_forward"] = FeedForward(
                self.feed_forward, self.kind, self.dropout, name="feed_forward", **policy
            )
        self.build_sublayers(input_shape)

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        current = inputs
        for name in self.parts:
            current = self.add_sublayer(
                name, current, lambda read, name=name: self._run(name, read, mask, training), training
            )
        return current

    def _run(self, name: str, read: Any, mask: Any, training: bool | None) -> Any:
        """Run one part."""
        if name == "attention":
            return self.attending(read, query_mask=mask, training=training)
        if name == "convolution":
            return self.parts[name](hide(read, mask))
        return self.parts[name](read, training=training)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return tuple(input_shape)
