"""Keys and values projected along the length: Linformer."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Attended, Masks, Site, site_path, tap
from attention_zoo.core.attend import MAP_AXES
from attention_zoo.core.masks import hide_queries
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.efficient.base import EfficientAttention, within

FITS = ("slice", "interpolate")


@keras.saving.register_keras_serializable(package="attention_zoo")
class Linformer(EfficientAttention):
    """Attend to `rank` mixtures of the keys, whose shares are learned for each position.

    output = softmax(Q (E K)^T / sqrt(d)) F V, E and F of shape [rank, max_length], shared by the heads

    Args:
        num_heads: heads of the queries.
        key_dim: channels of each head of queries and keys.
        value_dim: channels of each head of values; None is `key_dim`.
        dropout: share of the heads' outputs dropped while training.
        rank: mixtures that are attended to, at least 1.
        max_length: positions of the keys that have shares (tokens); longer inputs are refused.
        fit: what shorter inputs take: "slice" the first positions' shares, "interpolate" those of all, stretched.
        shared: whether F is E.
        **kwargs: as for `MultiHeadAttention`; position "none", "sinusoidal" or "learned".

    Call:
        as `MultiHeadAttention`, without `attention_mask` and `use_causal_mask`: a mixture holds all positions. The map
        is the implied one, softmax(Q (E K)^T / sqrt(d)) F [query, key]; its rows need not sum to 1.

    Returns:
        [batch, query, output width].

    Raises:
        ZooValueError: as `MultiHeadAttention`; if rank or max_length is under 1, fit is unknown, or inputs are longer
            than max_length.

    Cost: time and memory batch x heads x length x rank; a map is formed while watched.
    Source: Wang et al. 2020, arXiv:2006.04768, section 4. Differs: padded keys have no share.
    """

    hides_later, takes_pairs = False, False
    own = ("rank", "max_length", "fit", "shared")

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        rank: int = 64,
        max_length: int = 512,
        fit: str = "slice",
        shared: bool = False,
        **kwargs: Any,
    ):
        super().__init__(num_heads, key_dim, value_dim, dropout, **kwargs)
        self.rank, self.max_length = whole_number("rank", rank, 1), whole_number("max_length", max_length, 1, "tokens")
        if fit not in FITS:
            raise ZooValueError(f"fit must be 'slice' or 'interpolate', got {fit!r}")
        self.fit, self.shared = fit, shared

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> None:
        super().build(query_shape, value_shape, key_shape)
        shape = (self.rank, self.max_length)
        self.key_shares = self.add_weight(shape=shape, initializer="glorot_uniform", name="key_shares")
        self.value_shares = self.key_shares
        if not self.shared:
            self.value_shares = self.add_weight(shape=shape, initializer="glorot_uniform", name="value_shares")

    def fitted(self, shares: Any, length: Any) -> Any:
        """Return shares [rank, length] for inputs of this length, float32."""
        shares = ops.cast(shares, "float32")
        if self.fit == "slice":
            return shares[:, : within(length, self.max_length)]
        step = self.max_length / ops.cast(within(length, self.max_length), "float32")
        place = ops.clip((ops.cast(ops.arange(length), "float32") + 0.5) * step - 0.5, 0.0, self.max_length - 1.0)
        low = ops.floor(place)
        high = ops.minimum(low + 1.0, self.max_length - 1.0)
        left, right = (ops.take(shares, ops.cast(side, "int32"), axis=1) for side in (low, high))
        return left + (place - low) * (right - left)

    def mix_heads(
        self, query: Any, key: Any, value: Any, *, masks: Masks, causal: bool, need_weights: bool
    ) -> Attended:
        length = ops.shape(key)[2]
        key_shares, value_shares = (self.fitted(shares, length) for shares in (self.key_shares, self.value_shares))
        key_shares, value_shares = (ops.expand_dims(shares, (0, 1)) for shares in (key_shares, value_shares))
        if masks.keys is not None:
            present = ops.expand_dims(ops.cast(masks.keys, "float32"), (1, 2))
            key_shares, value_shares = key_shares * present, value_shares * present
        keys = ops.matmul(ops.cast(key_shares, key.dtype), key)
        scores = ops.matmul(query * self.key_dim**-0.5, ops.transpose(keys, (0, 1, 3, 2)))
        weights = hide_queries(ops.softmax(ops.cast(scores, "float32"), axis=-1), masks)
        if not need_weights:
            values = ops.matmul(ops.cast(value_shares, value.dtype), value)
            return Attended(ops.matmul(ops.cast(weights, value.dtype), values), None)
        weights = ops.cast(ops.matmul(weights, value_shares), value.dtype)
        weights = tap(Site(site_path(self), "mix", MAP_AXES), weights)
        return Attended(ops.matmul(weights, value), weights)
