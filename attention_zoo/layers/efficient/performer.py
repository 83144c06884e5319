"""Softmax attention by random features: Performer."""

import math
import random
from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.layers.efficient.linear import LinearAttention


@keras.saving.register_keras_serializable(package="attention_zoo")
class Performer(LinearAttention):
    """Attend by positive orthogonal random features, whose products estimate exp(q.k / sqrt(d)) without bias (FAVOR+).

    output[q] = f(q) (sum_k f(k) v_k) / f(q) . (sum_k f(k)),
    f(x) = exp(w_i . x - |x|^2 / 2) with x / d^(1/4) for x, and the 1 / sqrt(m) of both cancels

    The directions w are drawn when the layer is built and saved with it; `redraw` draws new ones.

    Args:
        num_heads: heads of the queries.
        key_dim: channels of each head of queries and keys.
        value_dim: channels of each head of values; None is `key_dim`.
        dropout: share of the heads' outputs dropped while training.
        causal: hide later keys.
        features: random directions m, at least 1; None is key_dim x log(key_dim + 1), about the paper's bound.
        num_key_value_heads: heads of keys and values; None is `num_heads`.
        seed: of the directions and of the dropout.
        **kwargs: as for `MultiHeadAttention`; position "none", "sinusoidal" or "learned".

    Call:
        as `MultiHeadAttention`; the map is the estimate f(q).f(k) / sum f(q).f(k).

    Returns:
        [batch, query, output width].

    Raises:
        ZooValueError: as `MultiHeadAttention`; if features < 1.

    Cost: time and memory batch x heads x length x features x value_dim; a map is formed while watched and with an
    `attention_mask`.
    Source: Choromanski et al. 2020, arXiv:2009.14794, sections 2.2 to 2.4 and lemma 1. Differs: only queries are
    shifted by their largest exponent, which cancels; keys are not, so that nothing depends on hidden or later ones.
    """

    steps = True
    own = ("causal", "features")

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        causal: bool = False,
        features: int | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(num_heads, key_dim, value_dim, dropout, causal, seed=seed, **kwargs)
        self.features = None if features is None else whole_number("features", features, 1)
        # The first directions are drawn with `seed` and the number after it.
        self.generator = keras.random.SeedGenerator(None if seed is None else seed + 2)

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> None:
        super().build(query_shape, value_shape, key_shape)
        count = self.features or max(round(self.key_dim * math.log(self.key_dim + 1.0)), 1)
        seed = random.randint(1, 10**9) if self.seed is None else self.seed
        self.directions = self.add_weight(
            shape=(self.key_dim, count),
            initializer=lambda shape, dtype: ops.cast(self.drawn(shape[1], seed, seed + 1), dtype),
            trainable=False,
            name="directions",
        )

    def drawn(self, count: int, first: Any, second: Any) -> Any:
        """Draw directions [key_dim, count]: orthogonal within each group of key_dim, with the lengths of Gaussians."""
        size, groups = self.key_dim, -(-count // self.key_dim)
        gaussian = keras.random.normal((groups, size, size), dtype="float32", seed=first)
        turned, scales = ops.qr(gaussian)
        # The factorisation chooses signs by a rule of its own; with those of the scales every rotation is as likely.
        turned = turned * ops.expand_dims(ops.sign(ops.diagonal(scales, axis1=1, axis2=2)), 1)
        directions = ops.reshape(ops.transpose(turned, (0, 2, 1)), (groups * size, size))[:count]
        lengths = ops.norm(keras.random.normal((count, size), dtype="float32", seed=second), axis=1)
        return ops.transpose(directions * ops.expand_dims(lengths, 1))

    def redraw(self) -> None:
        """Draw new directions in place of the old; call it every so many steps while training."""
        self.directions.assign(self.drawn(self.directions.shape[1], self.generator, self.generator))

    def exponents(self, vectors: Any) -> Any:
        """Return w_i . x - |x|^2 / 2 for float32 vectors [batch, head, length, channel]."""
        vectors = vectors * self.key_dim**-0.25
        half = 0.5 * ops.sum(ops.square(vectors), axis=-1, keepdims=True)
        return ops.matmul(vectors, ops.cast(self.directions, "float32")) - half

    def query_features(self, query: Any) -> Any:
        """Return features of queries; the shift of each query cancels."""
        exponents = self.exponents(query)
        return ops.exp(exponents - ops.stop_gradient(ops.max(exponents, axis=-1, keepdims=True)))

    def key_features(self, key: Any) -> Any:
        """Return features of keys."""
        return ops.exp(self.exponents(key))

    @property
    def feature_channels(self) -> int:
        return self.directions.shape[1]

    def feature_maps(self) -> tuple:
        return self.query_features, self.key_features
