"""A network that gates each frame by its neighbours: the local branch beside attention."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import gate, site_path
from attention_zoo.errors import ZooValueError


@keras.saving.register_keras_serializable(package="attention_zoo")
class ConvolutionalGatingMLP(keras.layers.Layer):
    """Widen each frame, scale one half by what a convolution over time makes of the other, and bring it back (cgMLP).

    [a; b] = gelu(W_1 x), output = W_2 (a * depthwise(norm(b)))

    Args:
        hidden: channels in between, even.
        width: frames that the convolution spans, odd.
        dropout: share of the gated channels dropped while training, 0 to 1.

    Call:
        inputs: [batch, time, channels].
        mask: bool [batch, time]; False marks padding, which counts as zero.

    Returns:
        the shape of `inputs`.

    Raises:
        ZooValueError: if hidden is odd, width is even, or dropout is out of range.

    Cost: time batch x time x hidden x (1.5 channels + width / 2), memory batch x time x hidden.
    Source: Peng et al. 2022, arXiv:2207.02971, section 3.3 (the convolutional spatial gating unit). The norm in front
    and the merging with attention are left to blocks.
    """

    def __init__(self, hidden: int, width: int = 31, dropout: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        if whole_number("hidden", hidden) % 2:
            raise ZooValueError(f"hidden must be even (channels), got {hidden}")
        if whole_number("width", width) % 2 == 0:
            raise ZooValueError(f"width must be an odd number of frames, got {width}")
        if not 0 <= dropout < 1:
            raise ZooValueError(f"dropout must be at least 0 and under 1, got {dropout}")
        self.supports_masking = True
        self.hidden, self.width, self.dropout = hidden, width, dropout

    def get_config(self) -> dict:
        return {**super().get_config(), "hidden": self.hidden, "width": self.width, "dropout": self.dropout}

    def build(self, input_shape: Any) -> None:
        policy, half = {"dtype": self.dtype_policy}, self.hidden // 2
        self.expand = keras.layers.Dense(self.hidden, activation="gelu", name="expand", **policy)
        self.norm = keras.layers.LayerNormalization(epsilon=1e-5, name="norm", **policy)
        # The gate starts at 1: at first the layer is a plain feed-forward part.
        start = {"depthwise_initializer": keras.initializers.RandomNormal(stddev=1e-3), "bias_initializer": "ones"}
        self.depthwise = keras.layers.DepthwiseConv1D(self.width, padding="same", name="depthwise", **start, **policy)
        self.contract = keras.layers.Dense(input_shape[-1], name="contract", **policy)
        for layer, width in (
            (self.expand, input_shape[-1]),
            (self.norm, half),
            (self.depthwise, half),
            (self.contract, half),
        ):
            layer.build((*input_shape[:-1], width))
            layer.supports_masking = True
        self.dropping = keras.layers.Dropout(self.dropout, name="dropping", **policy)

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        values, others = ops.split(self.expand(inputs), 2, axis=-1)
        others = self.norm(others)
        if mask is not None:
            others = others * ops.expand_dims(ops.cast(mask, others.dtype), -1)
        axes = ("batch", "time", "channel")
        near = self.depthwise(others)
        gated = gate(values, near, path=site_path(self), axes=axes, squash=lambda logits: logits)
        return self.contract(self.dropping(gated, training=training))

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return tuple(input_shape)
