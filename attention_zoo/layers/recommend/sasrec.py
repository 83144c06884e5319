"""Self-attentive sequential recommendation: causal attention over the items that a user has chosen."""

from typing import Any

import keras

from attention_zoo.checks import whole_number
from attention_zoo.core import get_part
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.multi_head import MultiHeadAttention

_EPSILON = 1e-8


@keras.saving.register_keras_serializable(package="attention_zoo")
class SASRecBlock(keras.layers.Layer):
    """Let each item of a history read the items up to it.

    x = inputs + p, s = x + drop(MultiHead(norm(x))), output = s + drop(W_2 drop(relu(W_1 norm(s))))

    Args:
        num_heads: heads.
        key_dim: channels of each head; None is the width of the inputs over the heads.
        units: hidden units of the network; None is the width of the inputs.
        max_length: items that have a learned position p, earlier-first; None adds none: for all blocks but the first.
        dropout: share dropped while training, of the weights and of what is added, 0 to 1.
        seed: of the dropout.

    Call:
        inputs: [batch, time, width], embedded items in order.
        mask: bool [batch, time]; False marks padding.

    Returns:
        [batch, time, width]; what follows a place changes nothing there.

    Raises:
        ZooValueError: if a number is not positive, or dropout out of range.

    Cost: time batch x heads x time^2 x channels, memory batch x heads x time^2 where a map is formed.
    Source: Kang, McAuley 2018, arXiv:1808.09781, sections III-A to III-C. Differs: several heads, and W_o after them.
    """

    def __init__(
        self,
        num_heads: int = 1,
        key_dim: int | None = None,
        units: int | None = None,
        max_length: int | None = 50,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        numbers = {"num_heads": num_heads, "key_dim": key_dim, "units": units, "max_length": max_length}
        for name, value in numbers.items():
            if value is not None:
                whole_number(name, value)
        if not 0 <= dropout < 1:
            raise ZooValueError(f"dropout must be at least 0 and under 1, got {dropout}")
        self.supports_masking = True
        self.num_heads, self.key_dim, self.units = num_heads, key_dim, units
        self.max_length, self.dropout, self.seed = max_length, dropout, seed
        position = None if max_length is None else {"name": "learned", "max_length": max_length}
        self.position = get_part("position", position, "none", self.dtype_policy)

    def get_config(self) -> dict:
        names = ("num_heads", "key_dim", "units", "max_length", "dropout", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def build(self, input_shape: Any) -> None:
        width, policy = input_shape[-1], {"dtype": self.dtype_policy}
        channels, units = self.key_dim or max(width // self.num_heads, 1), self.units or width
        if not self.position.built:
            self.position.build((self.num_heads, channels, width, channels))
        drop = {"dropout": self.dropout, "seed": self.seed}
        self.attention = MultiHeadAttention(
            self.num_heads, channels, pattern="causal", name="attention", **drop, **policy
        )
        self.attention_norm = keras.layers.LayerNormalization(epsilon=_EPSILON, name="attention_norm", **policy)
        self.network_norm = keras.layers.LayerNormalization(epsilon=_EPSILON, name="network_norm", **policy)
        self.inner = keras.layers.Dense(units, "relu", name="inner", **policy)
        self.outer = keras.layers.Dense(width, name="outer", **policy)
        self.drop = keras.layers.Dropout(self.dropout, seed=self.seed, name="drop", **policy)
        widths = {self.attention_norm: width, self.network_norm: width, self.inner: width, self.outer: units}
        for layer, size in (*widths.items(), (self.attention, width)):
            layer.build((*input_shape[:-1], size))
            layer.supports_masking = True

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        current = self.position.embed(inputs)
        masks = {"query_mask": mask, "value_mask": mask}
        read = self.attention(self.attention_norm(current), training=training, **masks)
        current = current + self.drop(read, training=training)
        hidden = self.drop(self.inner(self.network_norm(current)), training=training)
        return current + self.drop(self.outer(hidden), training=training)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return tuple(input_shape)
