"""The Conformer as an encoder of speech: features in, a memory of fewer steps out."""

from typing import Any

import keras
from keras import ops

from attention_zoo.blocks.conformer import ConformerBlock
from attention_zoo.blocks.convolution import hide
from attention_zoo.blocks.subsampling import FACTOR, Subsampling, frame_mask, reduced
from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooValueError


@keras.saving.register_keras_serializable(package="attention_zoo")
class ConformerEncoder(keras.layers.Layer):
    """Make one step of four frames, and read the steps by Conformer blocks.

    memory = block_depth(... block_1(dropout(subsampling(features))))

    A padded batch gives each sound what it gets alone. The norm of the convolutions is "layer" for that reason: it
    looks at one step at a time, so that neither the batch nor the way in chunks can change a number, in training as in
    use. "batch", as published, learns from what else lies in the batch, of which speech has few at a time.

    Args:
        depth: blocks.
        width: channels of a step.
        num_heads: heads of the attention, a divisor of `width`.
        feed_forward: channels in between of the feed-forward parts; None is 4 x width.
        kernel_size: steps that a convolution spans, odd.
        attention: any name of `layers.names("self")`, a dict with "name" and arguments, or a layer of that role, of
            which each block has one of its own. "transformer_xl" is as published, "rotary" the fastest that knows
            distances.
        norm: of the convolutions: "layer" or "batch".
        filters: channels of the convolutions that make steps of frames.
        dropout: share dropped while training, of steps, after each part and within feed-forward, 0 to 1.
        attention_dropout: share of the attention weights dropped while training, 0 to 1.
        stochastic_depth: how often the last block is left out for a whole example while training, 0 to 1; blocks
            before it less, in proportion to their number.

    Call:
        features: [batch, frames, mels].
        frames: int [batch], how many frames of each are real. What stands beyond them has no effect.

    Returns:
        [batch, ceil(frames / 4), width]; zero at padding.

    Raises:
        ZooValueError: if a number is out of range, a name is unknown, or width is no multiple of `num_heads`.

    Cost: that of `Subsampling` and of `depth` blocks over a quarter of the frames.
    Source: Gulati et al. 2020, arXiv:2005.08100, section 2. Differs: layer norm within the convolutions.
    """

    factor = FACTOR  # frames in a step
    causal = False  # whether the convolutions look back only

    def __init__(
        self,
        depth: int,
        width: int,
        num_heads: int,
        feed_forward: int | None = None,
        kernel_size: int = 31,
        attention: Any = "transformer_xl",
        norm: str = "layer",
        filters: int = 32,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        stochastic_depth: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.depth, self.width = whole_number("depth", depth, unit="blocks"), width
        self.num_heads = whole_number("num_heads", num_heads)
        if whole_number("width", width, unit="channels") % num_heads:
            raise ZooValueError(f"width must be a multiple of num_heads, got {width} for {num_heads} heads")
        self.feed_forward, self.kernel_size, self.norm, self.filters = feed_forward, kernel_size, norm, filters
        # A layer would be one and the same in all blocks.
        is_layer = isinstance(attention, keras.layers.Layer)
        self.attention = keras.saving.serialize_keras_object(attention) if is_layer else attention
        self.dropout, self.attention_dropout = dropout, attention_dropout
        self.stochastic_depth = stochastic_depth
        self.subsampling = Subsampling(width, filters, name="subsampling", dtype=self.dtype_policy)
        self.blocks = [self._block(number) for number in range(1, depth + 1)]
        self.dropping = keras.layers.Dropout(dropout, name="dropping", dtype=self.dtype_policy)

    def _block(self, number: int) -> ConformerBlock:
        return ConformerBlock(
            self.num_heads,
            self.feed_forward,
            self.kernel_size,
            self.dropout,
            self.attention_dropout,
            norm=self.norm,
            causal=self.causal,
            attention=self.attention,
            stochastic_depth=self.stochastic_depth * number / self.depth,
            name=f"block_{number}",
            dtype=self.dtype_policy,
        )

    def get_config(self) -> dict:
        names = ("depth", "width", "num_heads", "feed_forward", "kernel_size", "attention", "norm", "filters")
        names += ("dropout", "attention_dropout", "stochastic_depth")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def build(self, features_shape: Any, frames_shape: Any = None) -> None:
        self.subsampling.build(features_shape)
        for block in self.blocks:
            block.build((None, None, self.width))

    def call(self, features: Any, frames: Any, training: bool | None = None) -> Any:
        current = self.dropping(self.subsampling(features, frames), training=training)
        mask = frame_mask(reduced(frames, FACTOR), ops.shape(current)[1])
        for block in self.blocks:
            current = block(current, mask=mask, training=training)
        return hide(current, mask)

    def compute_output_spec(self, features: Any, frames: Any, training: bool | None = None) -> Any:
        shape = (features.shape[0], reduced(features.shape[1], FACTOR), self.width)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)
