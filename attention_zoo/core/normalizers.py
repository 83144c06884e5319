"""Normalizers: how the scores of a query become the weights of its keys.

A normalizer acts on the last axis alone, in float32, and gives exactly zero where the mask is False; a row with no
allowed key is all zero, with finite gradients.
"""

import math
from typing import Any

import keras
from keras import initializers, ops

from attention_zoo.checks import whole_number
from attention_zoo.core.masks import MASKED
from attention_zoo.core.part import Part, register
from attention_zoo.core.rows import softmax_rows
from attention_zoo.errors import ZooValueError


class Normalizer(Part):
    """Base of normalizers; `__call__` is Keras's, `normalize` is ours."""

    # True where scores through this normalizer may take the backend's fused softmax attention.
    plain = False

    def normalize(self, scores: Any, mask: Any = None, training: bool | None = False) -> Any:
        """Turn scores into weights of the same shape.

        Args:
            scores: [batch, head, query, key].
            mask: bool, broadcasting to `scores`; None allows every key.
            training: True while fitting, for the stochastic ones.
        """
        scores = ops.cast(scores, "float32")
        if mask is None:
            return self.weigh(scores, None, training)
        weights = self.weigh(ops.where(mask, scores, MASKED), mask, training)
        return ops.where(mask, weights, 0.0)

    def weigh(self, scores: Any, mask: Any, training: bool | None) -> Any:
        """Weigh float32 scores in which hidden keys already stand at a very low value."""
        return softmax_rows(scores)


@register("normalizer", "softmax")
class Softmax(Normalizer):
    """Weigh by exponentials: exp(z) / sum exp(z)

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.1.
    """

    plain = True


@register("normalizer", "sparsemax")
class Sparsemax(Normalizer):
    """Project the scores onto the simplex; low scores get exactly zero: max(z - t, 0), with t such that rows sum to 1.

    Cost: a sort of each row.
    Source: Martins, Astudillo 2016, arXiv:1602.02068, algorithm 1. The threshold is written as
    t = max_j (z_1 + ... + z_j - 1) / j over the sorted scores, which needs no search.
    """

    def weigh(self, scores: Any, mask: Any, training: bool | None) -> Any:
        # Scores more than 1 below the largest are outside the support; clipping keeps the sums exact in float32.
        shifted = ops.maximum(scores - ops.max(scores, axis=-1, keepdims=True), -2.0)
        ordered, rank = _descending(shifted)
        threshold = ops.max((ops.cumsum(ordered, axis=-1) - 1.0) / rank, axis=-1, keepdims=True)
        return ops.relu(shifted - threshold)


@register("normalizer", "entmax15")
class Entmax15(Normalizer):
    """Weigh between softmax and sparsemax (alpha = 1.5): max(z / 2 - t, 0)^2, with t such that rows sum to 1.

    Cost: a sort of each row.
    Source: Peters, Niculae, Martins 2019, arXiv:1905.05702, algorithm 2 (exact).
    """

    def weigh(self, scores: Any, mask: Any, training: bool | None) -> Any:
        half = ops.maximum(0.5 * (scores - ops.max(scores, axis=-1, keepdims=True)), -2.0)
        ordered, rank = _descending(half)
        mean = ops.cumsum(ordered, axis=-1) / rank
        spread = ops.cumsum(ops.square(ordered), axis=-1) - rank * ops.square(mean)
        room = (1.0 - spread) / rank
        positive = room > 1e-12
        # Two `where`: the gradient of sqrt at zero is infinite, and infinity times zero is not a number.
        root = ops.where(positive, ops.sqrt(ops.where(positive, room, 1.0)), 0.0)
        thresholds = mean - root
        support = ops.sum(ops.cast(thresholds <= ordered, "float32"), axis=-1, keepdims=True)
        threshold = ops.sum(ops.where(ops.equal(rank, support), thresholds, 0.0), axis=-1, keepdims=True)
        return ops.square(ops.relu(half - threshold))


# Halvings of the interval that holds entmax's threshold; the Newton step after them doubles the correct digits.
_HALVINGS = 20
# Entmax's exponent is 1 / (alpha - 1): nearer to alpha = 1 than this, powers of numbers near 1 lose their digits.
_LEAST_EXCESS = 0.01


@register("normalizer", "entmax")
class Entmax(Normalizer):
    """Weigh anywhere between softmax and sparsemax, with a learned alpha for each head.

    max((alpha - 1) z - t, 0)^(1 / (alpha - 1)), with t such that rows sum to 1; alpha = 1.01 + 0.99 sigmoid(a)

    Near alpha = 1 it is softmax, at 1.5 `Entmax15`, at 2 `Sparsemax`. The threshold is found by halving an interval;
    one Newton step from there gives its gradient in the scores and in alpha, by the implicit function theorem.

    Args:
        alpha: of every head at the start, over 1.01 and under 2; where it is not learned, up to 2.
        learned: whether a is a weight.

    Raises:
        ZooValueError: if alpha is out of range.

    Cost: 20 passes over the scores forward; memory of the backward pass as of two.
    Source: Correia, Niculae, Martins 2019, arXiv:1909.00015, section 3 (their gradient in alpha is proposition 1);
    Peters, Niculae, Martins 2019, arXiv:1905.05702, algorithm 1. Differs: alpha stays over 1.01.
    """

    def __init__(self, alpha: float = 1.5, learned: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        least = 1.0 + _LEAST_EXCESS
        if not least < alpha <= 2 or (learned and alpha == 2):
            above = "under 2 where it is learned" if learned else "at most 2"
            raise ZooValueError(f"alpha must be over {least} and {above}, got {alpha}")
        self.alpha, self.learned = alpha, learned

    def get_config(self) -> dict:
        return {**super().get_config(), "alpha": self.alpha, "learned": self.learned}

    def build(self, heads_shape: tuple) -> None:
        if self.learned:
            share = (self.alpha - 1.0 - _LEAST_EXCESS) / (1.0 - _LEAST_EXCESS)
            start = initializers.Constant(math.log(share / (1.0 - share)))
            self.logit = self.add_weight(shape=(heads_shape[0],), initializer=start, name="logit")

    def excess(self) -> Any:
        """Return alpha - 1, broadcasting to [batch, head, query, key]."""
        if not self.learned:
            return ops.full((1, 1, 1, 1), self.alpha - 1.0, dtype="float32")
        share = ops.sigmoid(ops.cast(self.logit, "float32"))
        return ops.reshape(_LEAST_EXCESS + (1.0 - _LEAST_EXCESS) * share, (1, -1, 1, 1))

    def weigh(self, scores: Any, mask: Any, training: bool | None) -> Any:
        excess = self.excess()
        top = ops.stop_gradient(ops.max(scores, axis=-1, keepdims=True))
        # The threshold is between -1 (the best key alone would weigh 1) and 0 (it would weigh nothing).
        shifted = ops.maximum(excess * (scores - top), -2.0)
        fixed, power = ops.stop_gradient(shifted), ops.stop_gradient(1.0 / excess)
        threshold = -ops.ones_like(fixed[..., :1])
        step = 0.5
        for _ in range(_HALVINGS):
            middle = threshold + step
            over = ops.sum(_power(fixed - middle, power), axis=-1, keepdims=True) >= 1.0
            threshold = ops.where(over, middle, threshold)
            step /= 2.0
        slope = ops.sum(power * _power(fixed - threshold, power - 1.0), axis=-1, keepdims=True)
        excess_mass = ops.sum(_power(shifted - threshold, 1.0 / excess), axis=-1, keepdims=True) - 1.0
        return _power(shifted - (threshold + excess_mass / slope), 1.0 / excess)


def _power(base: Any, exponent: Any) -> Any:
    """Return max(base, 0)^exponent, with a finite gradient in both where the base is not positive."""
    positive = base > 1e-10
    safe = ops.where(positive, base, 1.0)
    return ops.where(positive, ops.exp(exponent * ops.log(safe)), 0.0)


def _descending(scores: Any) -> tuple[Any, Any]:
    """Sort each row from the largest down; return it with the ranks 1, 2, ... of the last axis."""
    ordered = -ops.sort(-scores, axis=-1)
    rank = ops.cumsum(ops.ones_like(ordered), axis=-1)
    return ordered, rank


@register("normalizer", "sigmoid")
class Sigmoid(Normalizer):
    """Weigh each key by itself: sigmoid(z - log n), with n the keys that the query may see; rows need not sum to 1.

    Source: Ramapuram et al. 2024, arXiv:2409.04431, section 2.
    """

    def weigh(self, scores: Any, mask: Any, training: bool | None) -> Any:
        ones = ops.ones_like(scores)
        seen = ones if mask is None else ops.where(mask, ones, 0.0)
        count = ops.maximum(ops.sum(seen, axis=-1, keepdims=True), 1.0)
        return ops.sigmoid(scores - ops.log(count))


@register("normalizer", "top_k")
class TopK(Normalizer):
    """Keep the `count` largest scores of a row (and ties with the last of them) and take the softmax of those.

    Args:
        count: keys kept for each query, at least 1.

    Raises:
        ZooValueError: if count < 1.

    Source: Zhao et al. 2019, arXiv:1912.11637.
    """

    def __init__(self, count: int = 8, **kwargs: Any):
        super().__init__(**kwargs)
        whole_number("count", count, unit="keys")
        self.count = count

    def get_config(self) -> dict:
        return {**super().get_config(), "count": self.count}

    def weigh(self, scores: Any, mask: Any, training: bool | None) -> Any:
        # Padding the row keeps the call valid where there are fewer keys than `count`.
        padding = ops.full_like(scores[..., :1], 2 * MASKED)
        padded = ops.concatenate([scores, ops.repeat(padding, self.count, axis=-1)], axis=-1)
        last = ops.stop_gradient(ops.top_k(padded, self.count, sorted=True)[0][..., -1:])
        kept = scores >= last
        return ops.where(kept, ops.softmax(ops.where(kept, scores, MASKED), axis=-1), 0.0)


class _WithSink(Normalizer):
    """Shared by the softmaxes with one more logit in the denominator."""

    def sink(self) -> Any:
        """Return the sink's logit, broadcasting to [batch, head, query, key]."""
        return ops.zeros((1, 1, 1, 1), dtype="float32")

    def weigh(self, scores: Any, mask: Any, training: bool | None) -> Any:
        sink = self.sink()
        top = ops.stop_gradient(ops.maximum(ops.max(scores, axis=-1, keepdims=True), sink))
        powers = ops.exp(scores - top)
        return powers / (ops.sum(powers, axis=-1, keepdims=True) + ops.exp(sink - top))


@register("normalizer", "softmax_plus_one")
class SoftmaxPlusOne(_WithSink):
    """Let a query attend to nothing: exp(z) / (1 + sum exp(z)); rows sum to less than 1.

    Source: Miller 2023, "Attention is off by one"; see also Xiao et al. 2023, arXiv:2309.17453, section 3.3.
    """


@register("normalizer", "sink_softmax")
class SinkSoftmax(_WithSink):
    """Let a query attend to nothing, with a learned logit s for each head: exp(z) / (exp(s) + sum exp(z))

    Source: OpenAI 2025, arXiv:2508.10925 (gpt-oss), section 2; Xiao et al. 2023, arXiv:2309.17453.
    """

    def build(self, heads_shape: tuple) -> None:
        self.logit = self.add_weight(shape=(heads_shape[0],), initializer="zeros", name="logit")

    def sink(self) -> Any:
        return ops.reshape(ops.cast(self.logit, "float32"), (1, -1, 1, 1))


@register("normalizer", "gumbel_softmax")
class GumbelSoftmax(Normalizer):
    """Sample softly while training: softmax((z + g) / temperature), g from a Gumbel; at inference softmax(z).

    Args:
        temperature: lower is closer to a hard choice; positive.
        hard: take the largest weight as 1 in the forward pass and let the gradient see the soft weights.
        seed: of the noise.

    Raises:
        ZooValueError: if temperature is not positive.

    Source: Jang, Gu, Poole 2016, arXiv:1611.01144, section 2; Maddison, Mnih, Teh 2016, arXiv:1611.00712.
    """

    def __init__(self, temperature: float = 1.0, hard: bool = False, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        if not temperature > 0:
            raise ZooValueError(f"temperature must be positive, got {temperature}")
        self.temperature, self.hard, self.seed = temperature, hard, seed
        self.noise = keras.random.SeedGenerator(seed)

    def get_config(self) -> dict:
        return {**super().get_config(), "temperature": self.temperature, "hard": self.hard, "seed": self.seed}

    def weigh(self, scores: Any, mask: Any, training: bool | None) -> Any:
        if training:
            uniform = keras.random.uniform(ops.shape(scores), 1e-6, 1.0 - 1e-6, dtype="float32", seed=self.noise)
            scores = (scores - ops.log(-ops.log(uniform))) / self.temperature
        soft = ops.softmax(scores, axis=-1)
        return straight_through(soft) if self.hard else soft


@register("normalizer", "hard")
class Hard(Normalizer):
    """Attend to the best key alone; the gradient is the softmax's (straight-through).

    Source: Xu et al. 2015, arXiv:1502.03044, section 4.1, for hard attention; the straight-through gradient as in
    Bengio, Leonard, Courville 2013, arXiv:1308.3432. Differs: deterministic, the first of equal scores wins.
    """

    def weigh(self, scores: Any, mask: Any, training: bool | None) -> Any:
        return straight_through(ops.softmax(scores, axis=-1))


def straight_through(soft: Any) -> Any:
    """Return 1 at the first largest entry of each row and 0 elsewhere; pass gradients as if it were `soft`."""
    return ops.stop_gradient(first_largest(soft) - soft) + soft


def first_largest(rows: Any) -> Any:
    """Return 1 at the first largest entry of each row and 0 elsewhere, without gradient."""
    largest = ops.cast(ops.equal(rows, ops.max(rows, axis=-1, keepdims=True)), "float32")
    return ops.stop_gradient(ops.where(ops.cumsum(largest, axis=-1) > 1.5, 0.0, largest))
