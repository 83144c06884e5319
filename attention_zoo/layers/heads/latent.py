"""Keys and values from one small vector for each token, which is all that is kept of it while decoding."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Attended, Masks, Rotary, ScaledDot
from attention_zoo.core.projection import project
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.multi_head import MultiHeadAttention

_SMALL = 1e-6


@keras.saving.register_keras_serializable(package="attention_zoo")
class LatentAttention(MultiHeadAttention):
    """Attend to keys and values that are made from a latent vector; position goes beside it, by one shared rotary key.

    l = rms(W_DKV x), k_i = [R W_KR x; W_UK,i l], v_i = W_UV,i l, q_i = [R W_QR,i z; W_UQ,i z], z = x or rms(W_DQ x),
    output = W_o [softmax(q_i . k_i / sqrt(key_dim + rotary_dim)) v_i]

    While decoding, l and R W_KR x are kept, and W_UK and W_UV act on the queries and on the mixed latents: no key and
    no value of the past is made again.

    Args:
        num_heads: heads.
        key_dim: channels of each head of queries and keys, without the rotary ones.
        value_dim: channels of each head of values; None is `key_dim`.
        dropout: share of the weights dropped while training, 0 to 1.
        latent_dim: numbers kept of a token; None is 4 key_dim.
        query_latent_dim: numbers that queries are made from; None makes them from the inputs.
        rotary_dim: channels of the rotary key, even; None is half of `key_dim`, at least 2.
        base: wavelength of the slowest rotary pair over 2 pi (tokens).
        normalize: bring latents to root mean square 1, with learned gains.
        use_bias: whether the projections of queries and outputs have biases; those of latents have none.
        **kwargs: normalizer, pattern, talking_heads, use_gate, initializers ... as for `MultiHeadAttention`; its score,
            position and key-value heads are fixed here.

    Call:
        as `MultiHeadAttention`. Latents are made from `value`, rotary keys from `key`.

    Returns:
        [batch, query, output width], and the map where asked for.

    Raises:
        ZooValueError: as `MultiHeadAttention`; if a size is not positive, rotary_dim is odd, or a fixed part is given.

    Cost: as `MultiHeadAttention`; the cache holds latent_dim + rotary_dim numbers a token, for all heads together.
    Source: DeepSeek-AI 2024, arXiv:2405.04434, section 2.1 and appendix C; the norms, section 3.1.2.
    """

    steps = True

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        latent_dim: int | None = None,
        query_latent_dim: int | None = None,
        rotary_dim: int | None = None,
        base: float = 10000.0,
        normalize: bool = True,
        use_bias: bool = False,
        **kwargs: Any,
    ):
        for name in ("score", "position", "num_key_value_heads"):
            if kwargs.get(name) is not None:
                raise ZooValueError(f"{name} must be left out: latent attention has its own, got {kwargs[name]!r}")
        rotary = (
            max(whole_number("key_dim", key_dim) // 2, 2)
            if rotary_dim is None
            else whole_number("rotary_dim", rotary_dim)
        )
        if rotary % 2:
            raise ZooValueError(f"rotary_dim must be even (channels), got {rotary}")
        kwargs["position"] = Rotary(base, rotary / (rotary + key_dim), dtype=kwargs.get("dtype"))
        kwargs["score"] = ScaledDot((rotary + key_dim) ** -0.5, dtype=kwargs.get("dtype"))
        super().__init__(num_heads, key_dim, value_dim, dropout, use_bias, **kwargs)
        self.latent_dim = 4 * key_dim if latent_dim is None else whole_number("latent_dim", latent_dim)
        self.query_latent_dim = None if query_latent_dim is None else whole_number("query_latent_dim", query_latent_dim)
        self.rotary_dim, self.base, self.normalize = rotary, base, normalize

    def get_config(self) -> dict:
        names = ("latent_dim", "query_latent_dim", "rotary_dim", "base", "normalize")
        config = {**super().get_config(), **{name: getattr(self, name) for name in names}}
        for name in ("score", "position", "num_key_value_heads"):
            config.pop(name)
        return config

    def build_heads(self, query_width: int, value_width: int, key_width: int) -> int:
        channels = self.rotary_dim + self.key_dim
        if self.query_latent_dim is not None:
            self.query_latent = self._down("query_latent", query_width, self.query_latent_dim)
            self.query_gain = self._gain("query_gain", self.query_latent_dim)
        self.query_dense = self._projection("query", self.query_latent_dim or query_width, self.num_heads, channels)
        self.latent = self._down("latent", value_width, self.latent_dim)
        self.latent_gain = self._gain("latent_gain", self.latent_dim)
        self.rotary_key = self._down("rotary_key", key_width, self.rotary_dim)
        self.key_dense = self._up("key", self.key_dim)
        self._build_gate(query_width)
        self.value_dense = self._up("value", self.value_dim)
        return channels

    def _down(self, name: str, width: int, channels: int) -> keras.layers.Layer:
        dense = self._einsum(name, "abc,cd->abd", (None, channels), None)
        dense.build((None, None, width))
        return dense

    def _up(self, name: str, channels: int) -> keras.layers.Layer:
        dense = self._einsum(name, "abc,cde->abde", (None, self.num_heads, channels), None)
        dense.build((None, None, self.latent_dim))
        return dense

    def _gain(self, name: str, channels: int) -> Any:
        return self.add_weight(shape=(channels,), initializer="ones", name=name) if self.normalize else None

    def project_query(self, query: Any) -> Any:
        if self.query_latent_dim is not None:
            query = _unit(project(self.query_latent, query), self.query_gain)
        return project(self.query_dense, query)

    def project_memory(self, value: Any, key: Any) -> tuple[Any, Any]:
        latent = _unit(project(self.latent, value), self.latent_gain)
        shared = ops.repeat(ops.expand_dims(project(self.rotary_key, key), 2), self.num_heads, axis=2)
        return ops.concatenate([shared, project(self.key_dense, latent)], axis=-1), project(self.value_dense, latent)

    def cache_shapes(self) -> dict[str, tuple]:
        return {"latent": (self.latent_dim,), "rotary": (self.rotary_dim,)}

    def cache_entries(self, value: Any, key: Any, start: Any) -> dict[str, Any]:
        latent = _unit(project(self.latent, value), self.latent_gain)
        rotary = self.position.turn_key(ops.expand_dims(project(self.rotary_key, key), 2), start)
        entries = {"latent": latent, "rotary": ops.squeeze(rotary, 2)}
        return {name: ops.cast(entry, self.compute_dtype) for name, entry in entries.items()}

    def attend_cache(self, query: Any, state: dict, *, masks: Masks, start: Any, causal: bool) -> Attended:
        turned, plain = query[..., : self.rotary_dim], query[..., self.rotary_dim :]
        # q . (W l) is (q W) . l: one latent serves as the key, and as the value, of every head.
        asked = ops.einsum("bqhd,lhd->bqhl", plain, ops.cast(self.key_dense.kernel, query.dtype))
        query = ops.concatenate([turned, asked], axis=-1)
        value = ops.expand_dims(state["latent"], 2)
        key = ops.concatenate([ops.expand_dims(state["rotary"], 2), value], axis=-1)
        attended = self.attend_heads(
            query, key, value, masks=masks, causal=causal, training=False, start=start, prepared=True
        )
        kernel = ops.cast(self.value_dense.kernel, attended.output.dtype)
        return Attended(ops.einsum("bqhl,lhv->bqhv", attended.output, kernel), attended.weights)


def _unit(vectors: Any, gain: Any) -> Any:
    """Bring vectors to root mean square 1 and scale them by `gain`; None leaves them."""
    if gain is None:
        return vectors
    wide = ops.cast(vectors, "float32")
    wide = wide * ops.rsqrt(ops.mean(ops.square(wide), axis=-1, keepdims=True) + _SMALL)
    return ops.cast(wide * ops.cast(gain, "float32"), vectors.dtype)
