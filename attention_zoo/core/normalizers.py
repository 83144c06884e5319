"""Normalizers: how the scores of a query become the weights of its keys.

A normalizer acts on the last axis alone, in float32, and gives exactly zero where the mask is False; a row with no
allowed key is all zero, with finite gradients.
"""

from typing import Any

import keras
from keras import ops

from attention_zoo.core.masks import MASKED
from attention_zoo.core.part import Part, register
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
        return ops.softmax(scores, axis=-1)


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


def _descending(scores: Any) -> tuple[Any, Any]:
    """Sort each row from the largest down; return it with the ranks 1, 2, ... of the last axis."""
    ordered = -ops.sort(-scores, axis=-1)
    rank = ops.cumsum(ops.ones_like(ordered), axis=-1)
    return ordered, rank


@register("normalizer", "sigmoid")
class Sigmoid(Normalizer):
    """Weigh each key by itself: sigmoid(z - log n), with n the keys that the query may see; rows need not sum to 1.

    Source: Ramapuram et al. 2024, arXiv:2409.04431, section 3.
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

    Source: Zhao et al. 2019, arXiv:1912.11637, section 3.
    """

    def __init__(self, count: int = 8, **kwargs: Any):
        super().__init__(**kwargs)
        if count < 1:
            raise ZooValueError(f"count must be at least 1 (keys), got {count}")
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
    largest = ops.cast(ops.equal(soft, ops.max(soft, axis=-1, keepdims=True)), "float32")
    first = ops.where(ops.cumsum(largest, axis=-1) > 1.5, 0.0, largest)
    return ops.stop_gradient(first - soft) + soft
