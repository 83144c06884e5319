"""Attention in linear time, by features of queries and keys."""

from typing import Any

import keras

from attention_zoo.core import Attended, Masks, attend_linear, elu_plus_one, site_path
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.multi_head import MultiHeadAttention


@keras.saving.register_keras_serializable(package="attention_zoo")
class LinearAttention(MultiHeadAttention):
    """Attend by f(q).f(k) in place of exp(q.k), f(x) = elu(x) + 1, so that the sum over keys is taken once.

    output[q] = f(q) (sum_k f(k) v_k) / f(q) . (sum_k f(k))

    Args:
        num_heads: heads of the queries.
        key_dim: channels of each head of queries and keys.
        value_dim: channels of each head of values; None is `key_dim`.
        dropout: share of the heads' outputs dropped while training: there is no map to drop weights from.
        causal: hide later keys.
        position: "none", or one that acts on the inputs ("sinusoidal", "learned").
        num_key_value_heads: heads of keys and values; None is `num_heads`.
        use_bias: whether the projections have biases.
        output_shape: shape of an output position; None is the width of `query`.
        **kwargs: initializers, regularizers and constraints, as for `MultiHeadAttention`.

    Call:
        as `MultiHeadAttention`; `return_attention_scores` forms the implied map.

    Returns:
        [batch, query, output width].

    Raises:
        ZooValueError: as `MultiHeadAttention`, and if the position acts on scores, which are never formed.

    Cost: time and memory batch x heads x length x key_dim x value_dim.
    Source: Katharopoulos et al. 2020, arXiv:2006.16236, section 3.2.
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        causal: bool = False,
        position: Any = None,
        num_key_value_heads: int | None = None,
        use_bias: bool = True,
        output_shape: Any = None,
        **kwargs: Any,
    ):
        super().__init__(
            num_heads,
            key_dim,
            value_dim,
            dropout=dropout,
            position=position,
            num_key_value_heads=num_key_value_heads,
            use_bias=use_bias,
            output_shape=output_shape,
            **kwargs,
        )
        if self.position.zoo_name not in ("none", "sinusoidal", "learned"):
            raise ZooValueError(
                "position of linear attention must act on the inputs ('none', 'sinusoidal', 'learned'), "
                f"got {self.position.zoo_name!r}"
            )
        self.causal = causal

    def get_config(self) -> dict:
        config = {**super().get_config(), "causal": self.causal}
        for name in ("score", "normalizer", "pattern"):
            config.pop(name)
        return config

    def attend_heads(
        self,
        query: Any,
        key: Any,
        value: Any,
        *,
        masks: Masks,
        causal: bool = False,
        training: bool | None = None,
        need_weights: bool = False,
    ) -> Attended:
        attended = attend_linear(
            query,
            key,
            value,
            path=site_path(self),
            feature_map=elu_plus_one,
            masks=masks,
            causal=causal or self.causal,
            need_weights=need_weights,
        )
        output = self.dropout_layer(attended.output, training=training) if self.dropout else attended.output
        return Attended(output, attended.weights)
