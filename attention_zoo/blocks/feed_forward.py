"""What each position does by itself between two attentions."""

from typing import Any

import keras

from attention_zoo.checks import whole_number
from attention_zoo.errors import unknown

KINDS = ("gelu", "relu", "silu", "swiglu")


@keras.saving.register_keras_serializable(package="attention_zoo")
class FeedForward(keras.layers.Layer):
    """Widen each position, bend it, and bring it back to its width.

    gelu, relu, silu: W_2 f(W_1 x + b_1) + b_2; swiglu: W_2 (silu(W_1 x + b_1) * (V x + c)) + b_2

    Args:
        hidden: channels in between. "swiglu" has a third matrix: 2/3 of the channels cost the same.
        kind: "gelu", "relu", "silu" or "swiglu".
        dropout: share of the channels in between dropped while training, 0 to 1.

    Call:
        inputs: [batch, ..., width].

    Returns:
        The shape of `inputs`.

    Raises:
        ZooValueError: if `hidden` is under 1 or `kind` is unknown.

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.3; Shazeer 2020, arXiv:2002.05202, equation 6 (swiglu).
    Differs: swiglu has biases.
    """

    def __init__(self, hidden: int, kind: str = "gelu", dropout: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        whole_number("hidden", hidden, unit="channels")
        if kind not in KINDS:
            raise unknown("kind of feed-forward", kind, KINDS)
        self.hidden, self.kind, self.dropout = hidden, kind, dropout
        self.supports_masking = True

    def get_config(self) -> dict:
        return {**super().get_config(), "hidden": self.hidden, "kind": self.kind, "dropout": self.dropout}

    def build(self, input_shape: Any) -> None:
        bend = "silu" if self.kind == "swiglu" else self.kind
        self.expand = self._dense("expand", self.hidden, input_shape, bend)
        self.gate = self._dense("gate", self.hidden, input_shape) if self.kind == "swiglu" else None
        self.contract = self._dense("contract", input_shape[-1], (*input_shape[:-1], self.hidden))
        self.dropping = keras.layers.Dropout(self.dropout, name="dropping", dtype=self.dtype_policy)

    def _dense(self, name: str, width: int, shape: Any, activation: str | None = None) -> keras.layers.Layer:
        dense = keras.layers.Dense(width, activation=activation, name=name, dtype=self.dtype_policy)
        dense.build(shape)
        dense.supports_masking = True
        return dense

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        between = self.expand(inputs)
        if self.gate is not None:
            between = between * self.gate(inputs)
        return self.contract(self.dropping(between, training=training))

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return tuple(input_shape)
