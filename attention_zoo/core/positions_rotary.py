"""Rotary positions: queries and keys are turned, so that their product depends on distance."""

import math
from typing import Any

import numpy as np
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core.part import register
from attention_zoo.core.positions import Position, places_from
from attention_zoo.errors import ZooValueError, unknown

SCALINGS = ("linear", "ntk", "yarn")
# Peng 2023, section 3.2: pairs with more turns than the second over the original length keep their rate, pairs with
# fewer than the first are stretched.
_FEW_TURNS, _MANY_TURNS = 1.0, 32.0


@register("position", "rotary")
class Rotary(Position):
    """Turn each pair of channels (i, i + d/2) of queries and keys by position x base^(-2 i / d).

    The product of a turned query and key depends on their distance alone. To read texts longer than those that a
    model was trained on by `factor`, the rates are lowered:
    "linear": rate / factor; "ntk": base x factor^(d / (d - 2));
    "yarn": fast pairs as they are, slow ones as "linear", with a ramp between, and lengths x (0.1 ln factor + 1).

    Args:
        base: wavelength of the slowest pair over 2 pi (tokens).
        fraction: share of the channels that is turned, 0 < fraction <= 1; the rest passes.
        scaling: how rates are lowered: None, "linear", "ntk" or "yarn".
        factor: by how much longer the texts are, at least 1.
        original_length: of the texts in training (tokens), at least 1; "yarn" alone needs it.

    Raises:
        ZooValueError: if an argument is out of range or unknown, or `fraction` leaves an odd number of channels.

    Source: Su et al. 2021, arXiv:2104.09864, section 3.2; scaling: Chen et al. 2023, arXiv:2306.15595, section 2.3
    (linear), and Peng et al. 2023, arXiv:2309.00071, sections 3.1 (ntk), 3.2 and 3.4 (yarn). Differs: pairs are
    (i, i + d/2), not (2i, 2i + 1), as most implementations have it; the two are equal up to a fixed permutation of
    the projections. The ramp of "yarn" runs over a pair's turns, as published; some code has it run over i.
    """

    def __init__(
        self,
        base: float = 10000.0,
        fraction: float = 1.0,
        scaling: str | None = None,
        factor: float = 1.0,
        original_length: int = 2048,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not 0 < fraction <= 1:
            raise ZooValueError(f"fraction must be over 0 and at most 1, got {fraction}")
        if scaling is not None and scaling not in SCALINGS:
            raise unknown("scaling", scaling, SCALINGS)
        if factor < 1 or original_length < 1:
            raise ZooValueError(f"factor and original_length must be at least 1, got {factor} and {original_length}")
        self.base, self.fraction, self.scaling = base, fraction, scaling
        self.factor, self.original_length = factor, original_length

    def get_config(self) -> dict:
        names = ("base", "fraction", "scaling", "factor", "original_length")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def build(self, heads_shape: tuple) -> None:
        # A share that was written as a quotient must not lose a channel to rounding.
        self.turned = int(heads_shape[1] * self.fraction + 1e-6)
        least = 4 if self.scaling == "ntk" else 2
        if self.turned < least or self.turned % 2:
            raise ZooValueError(
                f"key_dim x fraction must be an even number of at least {least} (channels), got {self.turned} "
                f"(key_dim {heads_shape[1]}, fraction {self.fraction})"
            )

    def turn_query(self, query: Any, start: Any = 0) -> Any:
        return self.turn(query, 1.0, start)

    def turn_key(self, key: Any, start: Any = 0) -> Any:
        return self.turn(key, -1.0, start)

    def turn(self, vectors: Any, sign: float, start: Any) -> Any:
        """Turn [batch, length, head, channel]; `sign` is 1 for queries and -1 for keys."""
        half = self.turned // 2
        places = places_from(start, ops.shape(vectors)[1])
        angles, scale = self.angles(places), self.scale(places, half, sign)
        cosine = _beside_heads(ops.cos(angles) * scale, vectors.dtype)
        sine = _beside_heads(ops.sin(angles) * scale, vectors.dtype)
        first, second = vectors[..., :half], vectors[..., half : self.turned]
        turned = [first * cosine - second * sine, second * cosine + first * sine]
        return ops.concatenate([*turned, vectors[..., self.turned :]], axis=-1)

    def angles(self, places: Any) -> Any:
        """Return the angle of each place and pair, float32 [length, pair]."""
        rates = ops.convert_to_tensor(self.rates().astype("float32"))
        return ops.expand_dims(ops.cast(places, "float32"), -1) * rates

    def rates(self) -> np.ndarray:
        """Return the angle of each pair at place 1, float64 [pair]."""
        half = self.turned // 2
        base = self.base
        if self.scaling == "ntk":
            base = base * self.factor ** (self.turned / (self.turned - 2))
        rates = np.power(base, -np.arange(half) / half)
        if self.scaling == "linear":
            return rates / self.factor
        if self.scaling == "yarn":
            turns = self.original_length * rates / (2 * math.pi)
            kept = np.clip((turns - _FEW_TURNS) / (_MANY_TURNS - _FEW_TURNS), 0.0, 1.0)
            return rates * (kept + (1 - kept) / self.factor)
        return rates

    def scale(self, places: Any, half: int, sign: float) -> Any:
        """Return the length factor of each place and pair, broadcasting to [length, pair]."""
        return 0.1 * math.log(self.factor) + 1.0 if self.scaling == "yarn" else 1.0


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

    Source: Sun et al. 2022, arXiv:2212.10554, section 3.2.
    """

    def __init__(self, base: float = 10000.0, fraction: float = 1.0, reach: float = 512.0, **kwargs: Any):
        super().__init__(base, fraction, **kwargs)
        self.reach = reach

    def get_config(self) -> dict:
        config = {**super().get_config(), "reach": self.reach}
        for name in ("scaling", "factor", "original_length"):
            config.pop(name)
        return config

    def scale(self, places: Any, half: int, sign: float) -> Any:
        fade = np.log((np.arange(half) / half + 0.4) / 1.4).astype("float32")
        steps = ops.cast(places, "float32") / self.reach
        return ops.exp(sign * ops.expand_dims(steps, -1) * ops.convert_to_tensor(fade))


@register("position", "rotary_2d")
class Rotary2D(Rotary):
    """Turn as `Rotary`, half of the pairs by the row of a grid and half by the column.

    angle = (p // columns) base^(-4 i / d) for the first d/4 pairs, (p % columns) base^(-4 i / d) for the others

    Args:
        columns: tokens in a row of the grid, at least 1; any number of rows.
        base: see `Rotary`.

    Raises:
        ZooValueError: if columns < 1, or the channels of a head are no multiple of 4.

    Source: Heo et al. 2024, arXiv:2403.13298 ("axial frequency"). Differs: pairs are (i, i + d/2).
    """

    def __init__(self, columns: int = 14, base: float = 100.0, **kwargs: Any):
        super().__init__(base, **kwargs)
        whole_number("columns", columns, unit="tokens")
        self.columns = columns

    def get_config(self) -> dict:
        config = {**super().get_config(), "columns": self.columns}
        for name in ("fraction", "scaling", "factor", "original_length"):
            config.pop(name)
        return config

    def build(self, heads_shape: tuple) -> None:
        if heads_shape[1] % 4:
            raise ZooValueError(f"key_dim must be a multiple of 4 (channels) for 'rotary_2d', got {heads_shape[1]}")
        super().build(heads_shape)

    def angles(self, places: Any) -> Any:
        quarter = self.turned // 4
        rates = ops.convert_to_tensor(np.power(self.base, -np.arange(quarter) / quarter).astype("float32"))
        axes = (places // self.columns, places % self.columns)
        return ops.concatenate([ops.expand_dims(ops.cast(axis, "float32"), -1) * rates for axis in axes], axis=-1)
