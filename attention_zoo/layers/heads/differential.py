"""Two maps, one taken from the other: what both see in everything cancels."""

import math
from typing import Any

import keras
from keras import initializers, ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Attended, attend, site_path, watched
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.multi_head import MultiHeadAttention

_SMALL = 1e-5


@keras.saving.register_keras_serializable(package="attention_zoo")
class DifferentialAttention(MultiHeadAttention):
    """Attend by the difference of two softmax maps, and normalise what each head found.

    head = (1 - l_0) rms((softmax(q_1 k_1 / sqrt(d)) - l softmax(q_2 k_2 / sqrt(d))) v),
    l = exp(a_1 . b_1) - exp(a_2 . b_2) + l_0, l_0 = 0.8 - 0.6 exp(-0.3 (depth - 1))

    Rows of the map sum to 1 - l, and weights may be negative.

    Args:
        num_heads: heads, each with two maps.
        key_dim: channels d of queries and keys of each map.
        value_dim: channels of each head of values; None is 2 key_dim.
        dropout: share of the weights of the difference dropped while training, 0 to 1.
        depth: place of the layer in its model, from 1; sets l_0.
        lambda_init: l_0 itself, at least 0 and under 1; None takes it from `depth`.
        **kwargs: num_key_value_heads, position, pattern, score, normalizer, use_gate, initializers ... as for
            `MultiHeadAttention`; a position or score with numbers for each head has them for each map.

    Call:
        as `MultiHeadAttention`.

    Returns:
        [batch, query, output width], and the difference of the maps where asked for.

    Raises:
        ZooValueError: as `MultiHeadAttention`; if depth < 1, lambda_init is out of range, or heads are to talk.

    Cost: twice the comparisons of `MultiHeadAttention`.
    Source: Ye et al. 2024, arXiv:2410.05258, section 2.1. One l serves all heads of the layer.
    """

    steps = True

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        depth: int = 1,
        lambda_init: float | None = None,
        **kwargs: Any,
    ):
        if kwargs.get("talking_heads"):
            raise ZooValueError("talking_heads must be left out of differential attention, got True")
        if lambda_init is not None and not 0 <= lambda_init < 1:
            raise ZooValueError(f"lambda_init must be at least 0 and under 1, got {lambda_init}")
        value_dim = 2 * whole_number("key_dim", key_dim) if value_dim is None else value_dim
        super().__init__(num_heads, key_dim, value_dim, dropout, **kwargs)
        self.depth, self.lambda_init = whole_number("depth", depth), lambda_init
        self.first_lambda = 0.8 - 0.6 * math.exp(-0.3 * (depth - 1)) if lambda_init is None else lambda_init

    def get_config(self) -> dict:
        config = {**super().get_config(), "depth": self.depth, "lambda_init": self.lambda_init}
        config.pop("talking_heads")
        return config

    @property
    def maps(self) -> int:
        return 2 * self.num_heads

    def build_heads(self, query_width: int, value_width: int, key_width: int) -> int:
        # The first maps of all heads, then the second ones: so heads of both share keys by the same rule.
        self.query_dense = self._projection("query", query_width, self.maps, self.key_dim)
        self.key_dense = self._projection("key", key_width, 2 * self.num_key_value_heads, self.key_dim)
        self._build_gate(query_width)
        self.value_dense = self._projection("value", value_width, self.num_key_value_heads, self.value_dim)
        spread = {"shape": (2, self.key_dim), "initializer": initializers.RandomNormal(stddev=0.1)}
        self.lambda_query = self.add_weight(name="lambda_query", **spread)
        self.lambda_key = self.add_weight(name="lambda_key", **spread)
        self.head_gain = self.add_weight(shape=(self.value_dim,), initializer="ones", name="head_gain")
        return self.key_dim

    def share(self) -> Any:
        """Return l, the share of the second map that is taken away, float32."""
        products = ops.cast(self.lambda_query, "float32") * ops.cast(self.lambda_key, "float32")
        powers = ops.exp(ops.sum(products, axis=-1))
        return powers[0] - powers[1] + self.first_lambda

    def attend_heads(self, query: Any, key: Any, value: Any, *, masks: Any, **options: Any) -> Attended:
        causal, training = options.pop("causal", False), options.pop("training", None)
        parts, share, heads = self._parts(causal, training), self.share(), self.num_heads
        options = {**options, "path": site_path(self), "masks": masks, "training": training}
        if options.get("need_weights") or watched() or parts.need_map:
            parts = parts._replace(mix_weights=lambda weights: weights[:, :heads] - share * weights[:, heads:])
            return attend(query, key, value, parts=parts, **options)
        # The difference of what both maps find: no map is formed.
        found = attend(query, key, ops.concatenate([value, value], axis=2), parts=parts, **options).output
        return Attended(found[:, :, :heads] - ops.cast(share, found.dtype) * found[:, :, heads:], None)

    def finish_heads(self, heads: Any, inputs: Any) -> Any:
        wide = ops.cast(heads, "float32")
        wide = wide * ops.rsqrt(ops.mean(ops.square(wide), axis=-1, keepdims=True) + _SMALL)
        wide = wide * ops.cast(self.head_gain, "float32") * (1.0 - self.first_lambda)
        return super().finish_heads(ops.cast(wide, heads.dtype), inputs)

    def cache_shapes(self) -> dict[str, tuple]:
        groups = self.num_key_value_heads
        return {"key": (2 * groups, self.key_dim), "value": (groups, self.value_dim)}
