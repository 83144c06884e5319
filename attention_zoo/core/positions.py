"""Positions: how attention learns where a token stands.

A position acts at one of four places: on the inputs (absolute), on queries and keys (rotary), on the scores by where
the two stand (bias), or on the scores by that and by content (relative). Each does nothing at the other three. Every
method is told where its tokens begin, so that a sequence may come in pieces. The rotary ones are in `positions_rotary`,
the biases in `positions_bias`, those that look at content in `positions_content`.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from keras import initializers, ops

from attention_zoo.checks import whole_number
from attention_zoo.core.part import Part, register
from attention_zoo.errors import ZooValueError


class Places(NamedTuple):
    """Where queries and keys stand.

    Args:
        query: int32 [query, 1].
        key: int32 [1, key].
    """

    query: Any
    key: Any

    @property
    def distance(self) -> Any:
        """Key minus query, int32 [query, key]."""
        return self.key - self.query


class Pairs(NamedTuple):
    """What a position that looks at content is shown: every query beside every key.

    Args:
        query: [batch, head, query, channel], already multiplied by `factor`.
        key: [batch, group, key, channel].
        scores: [batch, head, query, key], of the two alone.
        factor: of the scores, 1 / sqrt(channels) for most.
        places: where they stand.
        mask: bool, broadcasting to the scores, or None where every pair may meet.
    """

    query: Any
    key: Any
    scores: Any
    factor: float
    places: Places
    mask: Any


def at_origin(start: Any) -> bool:
    """Say whether a sequence is known to begin at place 0."""
    return isinstance(start, int) and start == 0


def places_from(start: Any, count: Any) -> Any:
    """Return the places of `count` tokens in a row, int32 [count]; `start` and `count` may be tensors."""
    places = ops.arange(count)
    return places if at_origin(start) else places + start


class Position(Part):
    """Base of positions."""

    # True where `bias` returns something that depends on distance alone: every path can run it.
    by_distance = False
    # True where `bias` returns something that depends on both places: every path but the blocked one can run it.
    by_place = False
    # True where `content` or `mix` returns something: they need the whole map.
    by_content = False

    @property
    def has_bias(self) -> bool:
        """True where `bias` returns something."""
        return self.by_distance or self.by_place

    def embed(self, inputs: Any, start: Any = 0) -> Any:
        """Add what marks absolute positions to inputs [batch, length, width], the first of which stands at `start`."""
        return inputs

    def turn_query(self, query: Any, start: Any = 0) -> Any:
        """Turn queries [batch, query, head, channel] by their positions, the first of which is `start`."""
        return query

    def turn_key(self, key: Any, start: Any = 0) -> Any:
        """Turn keys [batch, key, group, channel] by their positions, the first of which is `start`."""
        return key

    def bias(self, places: Places) -> Any:
        """Return what is added to the scores, float32 [head, query, key]."""
        return None

    def content(self, pairs: Pairs) -> Any:
        """Return what is added to the scores by content, [batch, head, query, key]."""
        return None

    def mix(self, weights: Any, places: Places) -> Any:
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

    def embed(self, inputs: Any, start: Any = 0) -> Any:
        waves = sinusoid(places_from(start, ops.shape(inputs)[1]), inputs.shape[-1], self.longest)
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
        whole_number("max_length", max_length, unit="tokens")
        self.max_length = max_length

    def get_config(self) -> dict:
        return {**super().get_config(), "max_length": self.max_length}

    def build(self, heads_shape: tuple) -> None:
        self.table = self.add_weight(shape=(self.max_length, heads_shape[2]), initializer="random_normal", name="table")

    def embed(self, inputs: Any, start: Any = 0) -> Any:
        if inputs.shape[-1] != self.table.shape[-1]:
            raise ZooValueError(
                "position 'learned' wants query, key and value inputs of one width, "
                f"got {inputs.shape[-1]} beside {self.table.shape[-1]}"
            )
        places = ops.minimum(places_from(start, ops.shape(inputs)[1]), self.max_length - 1)
        return inputs + ops.cast(ops.expand_dims(ops.take(self.table, places, axis=0), 0), inputs.dtype)


@register("position", "fourier")
class Fourier(Position):
    """Add a small network's view of learned waves to the inputs, before they are projected.

    x + W_2 gelu(W_1 [cos(W p); sin(W p)] / sqrt(d) + b_1) + b_2, with p the place, or row and column of a grid

    Args:
        features: waves and half waves d, even, at least 2.
        hidden: units of the network, at least 1.
        columns: tokens in a row of a grid; None counts along the sequence.
        spread: standard deviation of the first frequencies W (radians a token), positive.

    Raises:
        ZooValueError: if a size is out of range or features is odd.

    Source: Li et al. 2021, arXiv:2106.02795, algorithm 1 (one group of positions).
    """

    def __init__(
        self, features: int = 32, hidden: int = 32, columns: int | None = None, spread: float = 0.1, **kwargs: Any
    ):
        super().__init__(**kwargs)
        if features < 2 or features % 2:
            raise ZooValueError(f"features must be even and at least 2, got {features}")
        if hidden < 1 or (columns is not None and columns < 1):
            raise ZooValueError(f"hidden and columns must be at least 1, got {hidden} and {columns}")
        if not spread > 0:
            raise ZooValueError(f"spread must be positive (radians a token), got {spread}")
        self.features, self.hidden, self.columns, self.spread = features, hidden, columns, spread

    def get_config(self) -> dict:
        names = ("features", "hidden", "columns", "spread")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def build(self, heads_shape: tuple) -> None:
        axes, width = 1 if self.columns is None else 2, heads_shape[2]
        spread = initializers.RandomNormal(stddev=self.spread)
        self.rates = self.add_weight(shape=(axes, self.features // 2), initializer=spread, name="rates")
        self.first_kernel = self.add_weight(shape=(self.features, self.hidden), name="first_kernel")
        self.first_bias = self.add_weight(shape=(self.hidden,), initializer="zeros", name="first_bias")
        self.second_kernel = self.add_weight(shape=(self.hidden, width), name="second_kernel")
        self.second_bias = self.add_weight(shape=(width,), initializer="zeros", name="second_bias")

    def embed(self, inputs: Any, start: Any = 0) -> Any:
        places = places_from(start, ops.shape(inputs)[1])
        axes = [places] if self.columns is None else [places // self.columns, places % self.columns]
        angles = ops.matmul(ops.cast(ops.stack(axes, axis=-1), "float32"), _wide(self.rates))
        waves = ops.concatenate([ops.cos(angles), ops.sin(angles)], axis=-1) * self.features**-0.5
        hidden = ops.gelu(ops.matmul(waves, _wide(self.first_kernel)) + _wide(self.first_bias), approximate=False)
        marks = ops.matmul(hidden, _wide(self.second_kernel)) + _wide(self.second_bias)
        return inputs + ops.cast(ops.expand_dims(marks, 0), inputs.dtype)


def _wide(weight: Any) -> Any:
    """Return a weight as float32."""
    return ops.cast(weight, "float32")
