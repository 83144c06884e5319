"""Interpretable attention: all heads share their values, so that one mean map tells what was read."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Masks, Parts, attend, get_part, site_path
from attention_zoo.errors import ZooValueError


@keras.saving.register_keras_serializable(package="attention_zoo")
class InterpretableAttention(keras.layers.Layer):
    """Attend with several heads to the same values and take the mean over the heads.

    output = W_o mean over h of softmax(Q_h K_h^T / sqrt(d)) V

    The mean over heads of the map at the tap is what the output read: its rows sum to 1.

    Args:
        num_heads: heads of queries and keys.
        key_dim: channels of each head, and of the shared values.
        dropout: share of the weights dropped while training, 0 to 1.
        causal: hide later keys.
        use_bias: whether the projections have biases.
        seed: of the dropout.

    Call:
        query: [batch, query, width].
        value: [batch, key, own width]; None is `query`.
        query_mask, value_mask: bool; False marks padding.

    Returns:
        [batch, query, width].

    Raises:
        ZooValueError: if num_heads or key_dim is under 1, or dropout is out of range.

    Cost: time and memory batch x heads x query x key.
    Source: Lim et al. 2019, arXiv:1912.09363, section 4.4, equations 13 to 16.
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        dropout: float = 0.0,
        causal: bool = False,
        use_bias: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not 0 <= dropout < 1:
            raise ZooValueError(f"dropout must be at least 0 and under 1, got {dropout}")
        self.supports_masking = True
        self.num_heads, self.key_dim = whole_number("num_heads", num_heads), whole_number("key_dim", key_dim)
        self.dropout, self.causal, self.use_bias, self.seed = dropout, causal, use_bias, seed

    def get_config(self) -> dict:
        names = ("num_heads", "key_dim", "dropout", "causal", "use_bias", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def build(self, query_shape: Any, value_shape: Any = None) -> None:
        value_shape = query_shape if value_shape is None else value_shape
        self.query_dense = self._heads("query", self.num_heads, query_shape[-1])
        self.key_dense = self._heads("key", self.num_heads, value_shape[-1])
        self.value_dense = self._heads("value", 1, value_shape[-1])
        self.output_dense = keras.layers.Dense(
            query_shape[-1], use_bias=self.use_bias, name="attention_output", dtype=self.dtype_policy
        )
        self.output_dense.build((None, None, self.key_dim))
        self.output_dense.supports_masking = True
        self.dropping = keras.layers.Dropout(self.dropout, seed=self.seed, name="dropping", dtype=self.dtype_policy)
        self.pattern = get_part("pattern", None, "causal" if self.causal else "full")

    def _heads(self, name: str, heads: int, width: int) -> keras.layers.Layer:
        """Make and build a projection [batch, length, width] -> [batch, length, head, channel]."""
        dense = keras.layers.EinsumDense(
            "btw,whc->bthc",
            output_shape=(None, heads, self.key_dim),
            bias_axes="hc" if self.use_bias else None,
            name=name,
            dtype=self.dtype_policy,
        )
        dense.supports_masking = True
        dense.build((None, None, width))
        return dense

    def call(
        self,
        query: Any,
        value: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        training: bool | None = None,
        mask: Any = None,
    ) -> Any:
        if value is None:
            # Keras fills `query_mask` only where there are several tensors, and `mask` where there is one.
            query_mask = mask if query_mask is None else query_mask
            value, value_mask = query, query_mask if value_mask is None else value_mask
        dropping = (lambda weights: self.dropping(weights, training=True)) if training and self.dropout else None
        attended = attend(
            self.query_dense(query),
            self.key_dense(value),
            ops.repeat(self.value_dense(value), self.num_heads, axis=2),
            path=site_path(self),
            parts=Parts.plain()._replace(pattern=self.pattern, dropout=dropping),
            masks=Masks(query_mask, value_mask),
            training=training,
        )
        return self.output_dense(ops.mean(attended.output, axis=2))

    def compute_mask(self, query: Any, value: Any = None, query_mask: Any = None, value_mask: Any = None) -> Any:
        """Pass on the mask of the query."""
        return query_mask

    def compute_output_shape(self, query_shape: Any, value_shape: Any = None) -> tuple:
        return tuple(query_shape)
