"""Blocks that treat an image as a transformer's encoder treats a text: mix the places, then think about each."""

from typing import Any

import keras

from attention_zoo.blocks.configs import with_plain_layers
from attention_zoo.blocks.feed_forward import FeedForward
from attention_zoo.blocks.normalizing import make_norm
from attention_zoo.checks import share
from attention_zoo.errors import ZooValueError, unknown
from attention_zoo.layers import named

NORMS = ("pre", "post")


@keras.saving.register_keras_serializable(package="attention_zoo")
class ImageEncoderBlock(keras.layers.Layer):
    """Let the places of an image exchange what they know, then let each think for itself.

    pre:  x = x + attention(norm(x)), x = x + feed_forward(norm(x))
    post: x = norm(x + attention(x)), x = norm(x + feed_forward(x))

    Args:
        feed_forward: channels in between of the feed-forward part; 0 leaves it out.
        attention: any name of `layers.names("image")`, a dict with "name" and arguments, or a layer of that role.
        dropout: share dropped while training, after each part and within feed-forward, 0 to 1.
        kind: of the feed-forward part: "gelu", "relu", "silu" or "swiglu".
        norm: "pre" (put one more norm after the last block) or "post".
        stochastic_depth: how often a part is left out for a whole image while training, 0 to 1.

    Call:
        inputs: [batch, height, width, channel].

    Returns:
        The shape of `inputs`.

    Raises:
        ZooValueError: if a number is out of range or a name is unknown.

    Source: Liu et al. 2021, arXiv:2103.14030, equation 3; Yu et al. 2021, arXiv:2111.11418 (any mixing of places).
    """

    def __init__(
        self,
        feed_forward: int,
        attention: Any = "swin_window",
        dropout: float = 0.0,
        kind: str = "gelu",
        norm: str = "pre",
        stochastic_depth: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if norm not in NORMS:
            raise unknown("norm", norm, NORMS)
        if feed_forward < 0:
            raise ZooValueError(f"feed_forward must be at least 0 (channels), got {feed_forward}")
        share("stochastic_depth", stochastic_depth)
        self.feed_forward, self.attention, self.dropout = feed_forward, attention, dropout
        self.kind, self.norm, self.stochastic_depth = kind, norm, stochastic_depth

    def get_config(self) -> dict:
        names = ("feed_forward", "attention", "dropout", "kind", "norm", "stochastic_depth")
        return with_plain_layers({**super().get_config(), **{name: getattr(self, name) for name in names}})

    def build(self, input_shape: Any) -> None:
        policy = {"dtype": self.dtype_policy}
        self.attending = named.get(self.attention, role="image", name="attention", **policy)
        self.parts = {"attention": self.attending}
        if self.feed_forward:
            thinking = FeedForward(self.feed_forward, self.kind, self.dropout, name="feed_forward", **policy)
            self.parts["feed_forward"] = thinking
        self.norms, self.drops, self.skips = {}, {}, {}
        for name, part in self.parts.items():
            if not part.built:
                part.build(input_shape)
            self.norms[name] = make_norm("layer", f"{name}_norm", input_shape[-1], self.dtype_policy)
            self.drops[name] = keras.layers.Dropout(self.dropout, name=f"{name}_dropout", **policy)
            noise = (None, 1, 1, 1)
            self.skips[name] = keras.layers.Dropout(self.stochastic_depth, noise, name=f"{name}_depth", **policy)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        current = inputs
        for name, part in self.parts.items():
            added = part(self.norms[name](current) if self.norm == "pre" else current)
            added = self.skips[name](self.drops[name](added, training=training), training=training)
            current = current + added
            current = self.norms[name](current) if self.norm == "post" else current
        return current

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return tuple(input_shape)
