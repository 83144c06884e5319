"""Blocks that look around by a convolution of each channel, and think about each place as an encoder block does."""

from typing import Any

import keras

from attention_zoo.blocks.configs import with_plain_layers
from attention_zoo.blocks.normalizing import make_norm
from attention_zoo.checks import share, whole_number
from attention_zoo.layers import named


@keras.saving.register_keras_serializable(package="attention_zoo")
class ConvNextBlock(keras.layers.Layer):
    """Look around in each channel, then think about each place, as an encoder block does, with a convolution to mix.

    output = x + attention(W_2 f(W_1 norm(depthwise(x))))

    Args:
        kernel: pixels along each side of the depthwise convolution, odd.
        expansion: how much wider the channels are in between.
        activation: f, by name, as in Keras.
        attention: any name of `layers.names("image")`, a dict with "name" and arguments, a layer, or None.
        dropout: share of the channels in between dropped while training, 0 to 1.
        stochastic_depth: how often the branch is left out for a whole image while training, 0 to 1.

    Call:
        inputs: [batch, height, width, channel].

    Returns:
        The shape of `inputs`.

    Raises:
        ZooValueError: if a number is out of range or a name is unknown.

    Source: Liu et al. 2022, arXiv:2201.03545, section 2.6. Differs: no layer scale; an attention where asked for.
    """

    def __init__(
        self,
        kernel: int = 7,
        expansion: int = 4,
        activation: str = "gelu",
        attention: Any = None,
        dropout: float = 0.0,
        stochastic_depth: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        for name, value in {"kernel": kernel, "expansion": expansion}.items():
            whole_number(name, value)
        share("stochastic_depth", stochastic_depth)
        self.kernel, self.expansion, self.activation = kernel, expansion, activation
        self.attention, self.dropout, self.stochastic_depth = attention, dropout, stochastic_depth

    def get_config(self) -> dict:
        names = ("kernel", "expansion", "activation", "attention", "dropout", "stochastic_depth")
        return with_plain_layers({**super().get_config(), **{name: getattr(self, name) for name in names}})

    def build(self, input_shape: Any) -> None:
        width, policy = input_shape[-1], {"dtype": self.dtype_policy}
        hidden = self.expansion * width
        self.near = keras.layers.DepthwiseConv2D(
            self.kernel, padding="same", data_format="channels_last", name="near", **policy
        )
        self.norm = make_norm("layer", "norm", width, self.dtype_policy)
        self.expand = keras.layers.Dense(hidden, self.activation, name="expand", **policy)
        self.contract = keras.layers.Dense(width, name="contract", **policy)
        self.near.build(input_shape)
        self.expand.build(input_shape)
        self.contract.build((*input_shape[:-1], hidden))
        self.attending = None
        if self.attention is not None:
            self.attending = named.get(self.attention, role="image", name="attention", **policy)
            if not self.attending.built:
                self.attending.build(input_shape)
        self.dropping = keras.layers.Dropout(self.dropout, name="dropping", **policy)
        self.skipping = keras.layers.Dropout(self.stochastic_depth, (None, 1, 1, 1), name="skipping", **policy)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        between = self.dropping(self.expand(self.norm(self.near(inputs))), training=training)
        branch = self.contract(between)
        branch = branch if self.attending is None else self.attending(branch)
        return inputs + self.skipping(branch, training=training)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return tuple(input_shape)
