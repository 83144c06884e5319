"""Scores: how well a query matches a key.

A score is either an inner product of prepared queries and keys (`inner` is True; every fast path can run it), or it
compares each pair by itself.
"""

from typing import Any

from keras import initializers, ops

from attention_zoo.checks import whole_number
from attention_zoo.core.part import Part, register
from attention_zoo.core.rows import compare_rows
from attention_zoo.errors import ZooValueError


class Score(Part):
    """Base of scores.

    Args:
        soft_cap: bound on the size of a score: scores become cap * tanh(score / cap); None leaves them free.

    Raises:
        ZooValueError: if soft_cap is not positive.

    Source of the cap: Gemma Team 2024, arXiv:2408.00118, section 2.
    """

    inner = True

    def __init__(self, soft_cap: float | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        if soft_cap is not None and not soft_cap > 0:
            raise ZooValueError(f"soft_cap must be positive (score units), got {soft_cap}")
        self.soft_cap = soft_cap

    def get_config(self) -> dict:
        return {**super().get_config(), "soft_cap": self.soft_cap}

    def factor(self, channels: int) -> float:
        """Return the number by which inner products over this many channels are multiplied."""
        return 1.0

    def prepare_query(self, query: Any) -> Any:
        """Transform queries [batch, query, head, channel] before the product."""
        return query

    def prepare_key(self, key: Any) -> Any:
        """Transform keys [batch, key, group, channel] before the product."""
        return key

    def compare(self, query: Any, key: Any) -> Any:
        """Score queries [batch, head, query, channel] against keys [batch, group, key, channel]."""
        return compare_rows(query, key)

    def cap(self, scores: Any) -> Any:
        """Bound the scores where the user asked for it."""
        return scores if self.soft_cap is None else self.soft_cap * ops.tanh(scores / self.soft_cap)


@register("score", "scaled_dot")
class ScaledDot(Score):
    """Score by the inner product over the square root of the channels: q.k / sqrt(d).

    Args:
        scale: factor in place of 1 / sqrt(d).
        soft_cap: see `Score`.

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.1.
    """

    def __init__(self, scale: float | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.scale = scale

    def get_config(self) -> dict:
        return {**super().get_config(), "scale": self.scale}

    def factor(self, channels: int) -> float:
        return channels**-0.5 if self.scale is None else self.scale


@register("score", "dot")
class Dot(Score):
    """Score by the plain inner product: q.k

    Source: Luong, Pham, Manning 2015, arXiv:1508.04025, section 3.1 ("dot").
    """


@register("score", "general")
class General(Score):
    """Score by a learned bilinear form for each head: q W k

    Source: Luong, Pham, Manning 2015, arXiv:1508.04025, section 3.1 ("general").
    """

    def build(self, heads_shape: tuple) -> None:
        heads, channels = heads_shape[:2]
        self.kernel = self.add_weight(shape=(heads, channels, channels), initializer="glorot_uniform", name="kernel")

    def prepare_query(self, query: Any) -> Any:
        return ops.einsum("bqhc,hcd->bqhd", query, self.kernel)


def unit_length(vectors: Any) -> Any:
    """Scale vectors to length 1 along the last axis, in float32; a zero vector stays zero, with a finite gradient."""
    wide = ops.cast(vectors, "float32")
    return wide * ops.rsqrt(ops.sum(ops.square(wide), axis=-1, keepdims=True) + 1e-12)


@register("score", "cosine")
class Cosine(Score):
    """Score by the angle alone, times a learned sharpness for each head: exp(b) cos(q, k)

    Args:
        sharpness: start value of exp(b).
        soft_cap: see `Score`.

    Raises:
        ZooValueError: if sharpness is not positive.

    Source: Graves et al. 2014, arXiv:1410.5401, section 3.3.1; the learned scale as in Henry et al. 2020,
    arXiv:2010.04245. Differs: the sharpness is a weight of the head, not an output of a controller.
    """

    def __init__(self, sharpness: float = 10.0, **kwargs: Any):
        super().__init__(**kwargs)
        if not sharpness > 0:
            raise ZooValueError(f"sharpness must be positive, got {sharpness}")
        self.sharpness = sharpness

    def get_config(self) -> dict:
        return {**super().get_config(), "sharpness": self.sharpness}

    def build(self, heads_shape: tuple) -> None:
        start = initializers.Constant(float(ops.convert_to_numpy(ops.log(self.sharpness))))
        self.log_sharpness = self.add_weight(shape=(heads_shape[0],), initializer=start, name="log_sharpness")

    def prepare_query(self, query: Any) -> Any:
        sharpness = ops.expand_dims(ops.exp(ops.cast(self.log_sharpness, "float32")), -1)
        return ops.cast(unit_length(query) * sharpness, query.dtype)

    def prepare_key(self, key: Any) -> Any:
        return ops.cast(unit_length(key), key.dtype)


@register("score", "query_key_norm")
class QueryKeyNorm(Score):
    """Normalise queries and keys to root mean square 1, with learned gains, before the scaled inner product.

    score = (g_q rms(q)) . (g_k rms(k)) / sqrt(d)

    Source: Henry et al. 2020, arXiv:2010.04245, for the idea; the root mean square and a gain for each channel as in
    Dehghani et al. 2023, arXiv:2302.05442. For unit length and one scale for each head see `Cosine`.
    """

    def build(self, heads_shape: tuple) -> None:
        channels = heads_shape[1]
        self.query_gain = self.add_weight(shape=(channels,), initializer="ones", name="query_gain")
        self.key_gain = self.add_weight(shape=(channels,), initializer="ones", name="key_gain")

    def prepare_query(self, query: Any) -> Any:
        # Unit length times sqrt(d) has root mean square 1; of the two sqrt(d), 1 / sqrt(d) takes one back.
        return ops.cast(unit_length(query) * ops.cast(self.query_gain, "float32"), query.dtype)

    def prepare_key(self, key: Any) -> Any:
        gain = ops.cast(self.key_gain, "float32") * (key.shape[-1] ** 0.5)
        return ops.cast(unit_length(key) * gain, key.dtype)


class _Perceptron(Score):
    """Shared by the scores with one hidden layer: v . tanh(W q + U k), each head with weights of its own.

    A subclass gives `direction` (v) and `project`, which returns W q and U k, each [batch, head, length, unit].
    """

    inner = False

    def __init__(self, units: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        if units is not None:
            whole_number("units", units)
        self.units = units

    def get_config(self) -> dict:
        return {**super().get_config(), "units": self.units}

    def compare(self, query: Any, key: Any) -> Any:
        if query.shape[1] != key.shape[1]:
            key = ops.repeat(key, query.shape[1] // key.shape[1], axis=1)
        query, key = self.project(query, key)
        hidden = ops.tanh(ops.expand_dims(query, 3) + ops.expand_dims(key, 2))
        return ops.einsum("bhqku,hu->bhqk", hidden, self.direction)


@register("score", "additive")
class Additive(_Perceptron):
    """Score by a small network on each pair: v . tanh(W q + U k)

    Args:
        units: hidden units of each head; None takes the head's channels.
        soft_cap: see `Score`.

    Cost: memory batch x heads x queries x keys x units.
    Source: Bahdanau, Cho, Bengio 2014, arXiv:1409.0473, appendix A.1.2.
    """

    def build(self, heads_shape: tuple) -> None:
        heads, channels = heads_shape[:2]
        units = self.units or channels
        self.query_kernel = self.add_weight(shape=(heads, channels, units), name="query_kernel")
        self.key_kernel = self.add_weight(shape=(heads, channels, units), name="key_kernel")
        self.direction = self.add_weight(shape=(heads, units), name="direction")

    def project(self, query: Any, key: Any) -> tuple[Any, Any]:
        return (
            ops.einsum("bhqc,hcu->bhqu", query, self.query_kernel),
            ops.einsum("bhkc,hcu->bhku", key, self.key_kernel),
        )


@register("score", "concat")
class Concat(_Perceptron):
    """Score by a small network on the joined pair: v . tanh(W [q; k])

    Args:
        units: hidden units of each head; None takes the head's channels.
        soft_cap: see `Score`.

    Cost: memory batch x heads x queries x keys x units.
    Source: Luong, Pham, Manning 2015, arXiv:1508.04025, section 3.1 ("concat"). The same family of functions as
    `Additive`; the one kernel starts with the fan-in of both halves.
    """

    def build(self, heads_shape: tuple) -> None:
        heads, channels = heads_shape[:2]
        units = self.units or channels
        self.kernel = self.add_weight(shape=(heads, 2 * channels, units), name="kernel")
        self.direction = self.add_weight(shape=(heads, units), name="direction")

    def project(self, query: Any, key: Any) -> tuple[Any, Any]:
        channels = query.shape[-1]
        return (
            ops.einsum("bhqc,hcu->bhqu", query, self.kernel[:, :channels]),
            ops.einsum("bhkc,hcu->bhku", key, self.kernel[:, channels:]),
        )
