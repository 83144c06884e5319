"""What is checked: a layer, what it promises, and the inputs it is shown."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from attention_zoo.errors import ZooTypeError, ZooValueError, unknown

ROLES = ("mix", "pool")
ROWS = ("one", "at most one", "free")
GROWTH = ("length", "length squared")
BATCH = 2


class Inputs(NamedTuple):
    """The arrays that a layer is called with.

    Args:
        query: float32 [batch, query, width]; of a pooling layer [batch, time, width], or with more axes of time.
        value: float32 [batch, key, width] where it differs from the query (a cross call); None for self-attention.
    """

    query: np.ndarray
    value: np.ndarray | None = None


class Visible(NamedTuple):
    """What may be seen; None is everything.

    Args:
        queries: bool [batch, query]; of a pooling layer [batch, time].
        keys: bool [batch, key].
        pairs: bool [batch, query, key].
        causal: True hides later keys.
    """

    queries: np.ndarray | None = None
    keys: np.ndarray | None = None
    pairs: np.ndarray | None = None
    causal: bool = False


class Scene(NamedTuple):
    """One way to call a layer."""

    name: str
    inputs: Inputs
    visible: Visible


@dataclass(frozen=True)
class Case:
    """A layer and its promises.

    Args:
        name: unique; a variant's registered name, or what it shows.
        make: returns a new layer that is not built; its dtype policy must be the global one.
        oracle: NumPy function (Inputs, weights by name, Visible) -> (output, map); None leaves check 1 out. Names of
            weights are their paths below the layer ("query/kernel").
        role: "mix" (called as `keras.layers.MultiHeadAttention`) or "pool" (called with one input and its `mask`).
        causal: True where the layer hides later keys without being asked.
        rows: what the rows of a map sum to: "one", "at most one" or "free".
        permutation: True where permuting positions permutes (mix) or keeps (pool) the output.
        stochastic: True where training draws noise, apart from dropout.
        discrete: True where a rounded score may choose another key: half precision then need only give finite numbers.
        width: channels of the inputs.
        lengths: sizes of the axes of time of the inputs.
        keys: length of the values in cross calls.
        largest: how the largest array grows: "length" or "length squared"; None leaves check 15 out.
        long: lengths at which the growth is measured: large against the window.
        flat: ends of names of weights whose gradient is zero by the formula.
        excused: number of a check -> why it is left out.
    """

    name: str
    make: Callable[[], Any]
    oracle: Callable | None = None
    role: str = "mix"
    causal: bool = False
    rows: str = "one"
    permutation: bool = False
    stochastic: bool = False
    discrete: bool = False
    width: int = 6
    lengths: tuple[int, ...] = (9,)
    keys: int = 7
    largest: str | None = None
    long: tuple[int, int] = (512, 1024)
    flat: tuple[str, ...] = ("key/bias",)
    excused: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self):
        if not callable(self.make):
            raise ZooTypeError(f"make must be a function that returns a layer, got {type(self.make).__name__}")
        for name, value, known in (("role", self.role, ROLES), ("rows", self.rows, ROWS)):
            if value not in known:
                raise unknown(f"{name} of a case", value, known)
        if self.largest is not None and self.largest not in GROWTH:
            raise unknown("growth (largest) of a case", self.largest, GROWTH)
        if self.role == "mix" and len(self.lengths) != 1:
            raise ZooValueError(f"lengths of a case with role 'mix' must hold one number, got {self.lengths}")

    def arrays(self, batch: int, lengths: tuple[int, ...], seed: int = 0) -> np.ndarray:
        """Draw inputs [batch, <lengths>, width]."""
        return np.random.default_rng(seed).normal(size=(batch, *lengths, self.width)).astype("float32")

    def scenes(self) -> list[Scene]:
        """Return the ways in which the layer is called: with and without masks, self and cross."""
        query = self.arrays(BATCH, self.lengths)
        padding = padded(BATCH, self.lengths)
        if self.role == "pool":
            return [Scene("plain", Inputs(query), Visible()), Scene("padded", Inputs(query), Visible(padding))]
        value = self.arrays(BATCH, (self.keys,), seed=1)
        keys = padded(BATCH, (self.keys,))
        pairs = np.random.default_rng(2).random((BATCH, self.lengths[0], self.keys)) < 0.7
        return [
            Scene("self", Inputs(query), Visible()),
            Scene("self, padded, causal", Inputs(query), Visible(padding, padding, causal=True)),
            Scene("cross, padded", Inputs(query, value), Visible(padding, keys)),
            Scene("cross, pairs", Inputs(query, value), Visible(pairs=pairs)),
        ]


def padded(batch: int, lengths: tuple[int, ...]) -> np.ndarray:
    """Return a mask [batch, <lengths>]: the first sequence ends early, the others are whole."""
    mask = np.ones((batch, *lengths), bool)
    mask[0, ..., -3:] = False
    if len(lengths) > 1:
        mask[0, -1] = False
    return mask
