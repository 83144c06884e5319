"""Positions: how attention learns where a token stands.

A position acts at one of four places: on the inputs (absolute), on queries and keys (rotary), on the scores by distance
alone (bias), or on the scores by distance and content (relative). Each does nothing at the other three.
"""

import math
from typing import Any

import numpy as np
from keras import ops

from attention_zoo.core.part import Part, register
from attention_zoo.errors import ZooValueError


class Position(Part):
    """Base of positions."""

    # True where `bias` returns something: a function of distance that the blocked and chunked paths can run too.
    by_distance = False
    # True where `content` and `mix` return something: they need the whole map.
    by_content = False

    def embed(self, inputs: Any) -> Any:
        """Add what marks absolute positions to inputs [batch, length, width]."""
        return inputs

    def rotate(self, query: Any, key: Any) -> tuple[Any, Any]:
        """Turn queries [batch, query, head, channel] and keys [batch, key, group, channel] by their positions."""
        return query, key

    def bias(self, distance: Any) -> Any:
        """Return what is added to the scores, [head, query, key], for int distances key - query [query, key]."""
        return None

    def content(self, query: Any, distance: Any) -> Any:
        """Return what is added to the scores, [batch, head, query, key], for queries [batch, head, query, channel]."""
        return None

    def mix(self, weights: Any, distance: Any) -> Any:
        """Return what is added to the output, [batch, head, query, channel], for weights [batch, head, query, key]."""
        return None


@register("position", "none")
class NoPosition(Position):
    """Give no signal of position; with a causal pattern the order can still be learned.

    Source: Kazemnejad et al. 2023, arXiv:2305.19466.
    """


def sinusoid(positions: Any, width: int, longest: float = 10000.0) -> Any:
    """Return sines and cosines of falling frequency, [length, width]: sin(p w_0), cos(p w_0), sin(p w_1), ...

    Args:
        positions: int [length].
        width: channels; any, also odd.
        longest: wavelength of the last pair over 2 pi (tokens).
    """
    pairs = (width + 1) // 2
    rates = np.exp(-math.log(longest) * (2.0 * np.arange(pairs)) / width).astype("float32")
    angles = ops.expand_dims(ops.cast(positions, "float32"), -1) * ops.convert_to_tensor(rates)
    waves = ops.stack([ops.sin(angles), ops.cos(angles)], axis=-1)
    return ops.reshape(waves, (-1, 2 * pairs))[:, :width]


@register("position", "sinusoidal")
class Sinusoidal(Position):
    """Add fixed sines and cosines to the inputs, before they are projected.

    Args:
        longest: wavelength of the slowest pair over 2 pi (tokens).

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.5.
    """

    def __init__(self, longest: float = 10000.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.longest = longest

    def get_config(self) -> dict:
        return {**super().get_config(), "longest": self.longest}

    def embed(self, inputs: Any) -> Any:
        waves = sinusoid(ops.arange(ops.shape(inputs)[1]), inputs.shape[-1], self.longest)
        return inputs + ops.cast(ops.expand_dims(waves, 0), inputs.dtype)


@register("position", "learned")
class Learned(Position):
    """Add a learned vector for each position to the inputs, before they are projected.

    Args:
        max_length: positions that have a vector (tokens); later ones take the last.

    Raises:
        ZooValueError: if max_length < 1, or if query and key inputs differ in width.

    Source: Gehring et al. 2017, arXiv:1705.03122, section 3.1.
    """

    def __init__(self, max_length: int = 512, **kwargs: Any):
        super().__init__(**kwargs)
        if max_length < 1:
            raise ZooValueError(f"max_length must be at least 1 (tokens), got {max_length}")
        self.max_length = max_length

    def get_config(self) -> dict:
        return {**super().get_config(), "max_length": self.max_length}

    def build(self, heads_shape: tuple) -> None:
        self.table = self.add_weight(shape=(self.max_length, heads_shape[2]), initializer="random_normal", name="table")

    def embed(self, inputs: Any) -> Any:
        if inputs.shape[-1] != self.table.shape[-1]:
            raise ZooValueError(
                "position 'learned' wants query, key and value inputs of one width, "
                f"got {inputs.shape[-1]} beside {self.table.shape[-1]}"
            )
        places = ops.minimum(ops.arange(ops.shape(inputs)[1]), self.max_length - 1)
        return inputs + ops.cast(ops.expand_dims(ops.take(self.table, places, axis=0), 0), inputs.dtype)


@register("position", "rotary")
class Rotary(Position):
    """Turn each pair of channels (i, i + d/2) of queries and keys by position x base^(-2 i / d).

    The product of a turned query and key depends on their distance alone.

    Args:
        base: wavelength of the slowest pair over 2 pi (tokens).
        fraction: share of the channels that is turned, 0 < fraction <= 1; the rest passes.

    Raises:
        ZooValueError: if fraction is out of range, or leaves an odd number of channels.

    Source: Su et al. 2021, arXiv:2104.09864, section 3.4. Differs: pairs are (i, i + d/2), not (2i, 2i + 1), as most
    implementations have it; the two are equal up to a fixed permutation of the projections.
    """

    def __init__(self, base: float = 10000.0, fraction: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        if not 0 < fraction <= 1:
            raise ZooValueError(f"fraction must be over 0 and at most 1, got {fraction}")
        self.base, self.fraction = base, fraction

    def get_config(self) -> dict:
        return {**super().get_config(), "base": self.base, "fraction": self.fraction}

    def build(self, heads_shape: tuple) -> None:
        self.turned = int(heads_shape[1] * self.fraction)
        if self.turned < 2 or self.turned % 2:
            raise ZooValueError(
                f"key_dim x fraction must be an even number of at least 2 (channels), got {self.turned} "
                f"(key_dim {heads_shape[1]}, fraction {self.fraction})"
            )

    def rotate(self, query: Any, key: Any) -> tuple[Any, Any]:
        return self.turn(query, 1.0), self.turn(key, -1.0)

    def turn(self, vectors: Any, sign: float) -> Any:
        """Turn [batch, length, head, channel]; `sign` is 1 for queries and -1 for keys."""
        half = self.turned // 2
        places = ops.cast(ops.arange(ops.shape(vectors)[1]), "float32")
        rates = np.power(self.base, -np.arange(half) / half).astype("float32")
        angles = ops.expand_dims(places, -1) * ops.convert_to_tensor(rates)
        scale = self.scale(places, half, sign)
        cosine = _beside_heads(ops.cos(angles) * scale, vectors.dtype)
        sine = _beside_heads(ops.sin(angles) * scale, vectors.dtype)
        first, second = vectors[..., :half], vectors[..., half : self.turned]
        turned = [first * cosine - second * sine, second * cosine + first * sine]
        return ops.concatenate([*turned, vectors[..., self.turned :]], axis=-1)

    def scale(self, places: Any, half: int, sign: float) -> Any:
        """Return the length factor of each place and pair, broadcasting to [length, pair]."""
        return 1.0


def _beside_heads(table: Any, dtype: Any) -> Any:
    """Bring [length, pair] to [1, length, 1, pair]."""
    return ops.cast(ops.expand_dims(table, (0, 2)), dtype)


@register("position", "xpos")
class XPos(Rotary):
    """Turn as `Rotary` and let products fade with distance: queries grow by z_i^(p / reach), keys shrink by it.

    z_i = (2 i / d + 0.4) / 1.4. For causal patterns: what lies ahead would grow, not fade.

    Args:
        base: see `Rotary`.
        fraction: see `Rotary`.
        reach: tokens over which a product fades by z_i.

    Source: Sun et al. 2022, arXiv:2212.10554, section 2.2.
    """

    def __init__(self, base: float = 10000.0, fraction: float = 1.0, reach: float = 512.0, **kwargs: Any):
        super().__init__(base, fraction, **kwargs)
        self.reach = reach

    def get_config(self) -> dict:
        return {**super().get_config(), "reach": self.reach}

    def scale(self, places: Any, half: int, sign: float) -> Any:
        fade = np.log((np.arange(half) / half + 0.4) / 1.4).astype("float32")
        return ops.exp(sign * ops.expand_dims(places / self.reach, -1) * ops.convert_to_tensor(fade))


@register("position", "alibi")
class ALiBi(Position):
    """Lower scores in proportion to distance, each head with a slope of its own: -m_h |q - k|

    The slopes are 2^(-8 h / heads) for h = 1 ... heads; for a number of heads that is no power of two, the slopes of
    the power below and then every second one of the power above.

    Source: Press, Smith, Lewis 2021, arXiv:2108.12409, section 3. Differs: symmetric, so that it also serves
    patterns that look ahead.
    """

    by_distance = True

    def build(self, heads_shape: tuple) -> None:
        self.slopes = alibi_slopes(heads_shape[0])

    def bias(self, distance: Any) -> Any:
        slopes = ops.reshape(ops.convert_to_tensor(self.slopes), (-1, 1, 1))
        return -slopes * ops.cast(ops.expand_dims(ops.abs(distance), 0), "float32")


def alibi_slopes(heads: int) -> np.ndarray:
    """Return ALiBi's slope for each head, float32 [heads]."""
    power = 2 ** math.floor(math.log2(heads))
    slopes = [2.0 ** (-8.0 * h / power) for h in range(1, power + 1)]
    slopes += [2.0 ** (-4.0 * h / power) for h in range(1, 2 * (heads - power), 2)]
    return np.array(slopes[:heads], "float32")


@register("position", "t5_bias")
class T5Bias(Position):
    """Add a learned number for each head and bucket of distance: near ones exact, far ones by logarithm.

    Args:
        buckets: number of buckets, at least 4 and even.
        max_distance: distance (tokens) from which all share the last bucket.
        bidirectional: False puts every later key into bucket 0 and uses all buckets for what came before.

    Raises:
        ZooValueError: if buckets is too small or odd, or max_distance no larger than the exact buckets.

    Source: Raffel et al. 2019, arXiv:1910.10683, section 2.1.
    """

    by_distance = True

    def __init__(self, buckets: int = 32, max_distance: int = 128, bidirectional: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        if buckets < 4 or buckets % 2:
            raise ZooValueError(f"buckets must be even and at least 4, got {buckets}")
        if max_distance <= buckets // 2:
            raise ZooValueError(f"max_distance must be over {buckets // 2} (half the buckets), got {max_distance}")
        self.buckets, self.max_distance, self.bidirectional = buckets, max_distance, bidirectional

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "buckets": self.buckets,
            "max_distance": self.max_distance,
            "bidirectional": self.bidirectional,
        }

    def build(self, heads_shape: tuple) -> None:
        self.table = self.add_weight(shape=(self.buckets, heads_shape[0]), initializer="random_normal", name="table")

    def bias(self, distance: Any) -> Any:
        return ops.transpose(ops.cast(ops.take(self.table, self.bucket(distance), axis=0), "float32"), (2, 0, 1))

    def bucket(self, distance: Any) -> Any:
        """Return the bucket of each int distance key - query."""
        buckets = self.buckets // 2 if self.bidirectional else self.buckets
        start = ops.cast(distance > 0, "int32") * buckets if self.bidirectional else 0
        steps = ops.abs(distance) if self.bidirectional else ops.maximum(-distance, 0)
        exact = buckets // 2
        ratio = ops.log(ops.cast(ops.maximum(steps, 1), "float32") / exact) / math.log(self.max_distance / exact)
        far = exact + ops.cast(ratio * (buckets - exact), "int32")
        return start + ops.where(steps < exact, steps, ops.minimum(far, buckets - 1))


@register("position", "shaw")
class Shaw(Position):
    """Give every clipped distance a learned key and a learned value, shared by the heads.

    score += q . a_(k-q) / sqrt(d); output += sum_k w_qk b_(k-q)

    Args:
        reach: distances are clipped to -reach ... reach (tokens), at least 1.

    Raises:
        ZooValueError: if reach < 1.

    Cost: memory batch x heads x queries x keys; the map is always formed.
    Source: Shaw, Uszkoreit, Vaswani 2018, arXiv:1803.02155, section 3. The score's scale is the score part's own.
    """

    by_content = True

    def __init__(self, reach: int = 16, **kwargs: Any):
        super().__init__(**kwargs)
        if reach < 1:
            raise ZooValueError(f"reach must be at least 1 (tokens), got {reach}")
        self.reach = reach

    def get_config(self) -> dict:
        return {**super().get_config(), "reach": self.reach}

    def build(self, heads_shape: tuple) -> None:
        size = 2 * self.reach + 1
        self.keys = self.add_weight(shape=(size, heads_shape[1]), initializer="glorot_uniform", name="keys")
        self.values = self.add_weight(shape=(size, heads_shape[3]), initializer="glorot_uniform", name="values")

    def place(self, distance: Any) -> Any:
        """Return the row of the tables for each distance."""
        return ops.clip(distance, -self.reach, self.reach) + self.reach

    def content(self, query: Any, distance: Any) -> Any:
        # One product with the small table, then each pair picks its entry: no [query, key, channel] array.
        by_place = ops.matmul(query, ops.transpose(self.keys))
        shape = (*ops.shape(query)[:3], ops.shape(distance)[1])
        places = ops.broadcast_to(ops.expand_dims(self.place(distance), (0, 1)), shape)
        return ops.take_along_axis(by_place, places, axis=-1)

    def mix(self, weights: Any, distance: Any) -> Any:
        vectors = ops.take(self.values, self.place(distance), axis=0)
        return ops.einsum("bhqk,qkc->bhqc", weights, ops.cast(vectors, weights.dtype))
