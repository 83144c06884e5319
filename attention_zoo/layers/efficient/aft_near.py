"""The attention free transformer with a bias for near positions: local and convolutional."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core.patterns import SlidingWindow
from attention_zoo.core.windows import Blocks
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.efficient.aft import AFTFull, AFTSimple


@keras.saving.register_keras_serializable(package="attention_zoo")
class AFTLocal(AFTFull):
    """Learn the bias of near pairs of positions only; it is zero, not minus infinity, for the others.

    output[q] = sigmoid(Q_q) * sum_k exp(K_k + w_qk) V_k / sum_k exp(K_k + w_qk),
    w = u v^T where |q - k| <= reach, else 0

    Args:
        num_heads: heads: they only share out the channels.
        key_dim: channels of each head of queries, keys and values.
        value_dim: None or `key_dim`.
        dropout: share of the heads' outputs dropped while training.
        causal: hide later keys.
        max_length: positions that have a bias (tokens); longer inputs are refused.
        rank: of w, at least 1.
        reach: steps to each side that have a bias (tokens), at least 0.
        **kwargs: as for `MultiHeadAttention`; position "none", "sinusoidal" or "learned".

    Call:
        as `AFTSimple`.

    Returns:
        [batch, query, output width].

    Raises:
        ZooValueError: as `AFTFull`; if reach is under 0 or rank is None.

    Cost: time and memory batch x length x channels x 3 reach, by blocks; else as `AFTSimple`.
    Source: Zhai et al. 2021, arXiv:2105.14103, section 3.2 ("AFT-local").
    """

    own = ("causal", "max_length", "rank", "reach")

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        causal: bool = False,
        max_length: int = 512,
        rank: int = 128,
        reach: int = 32,
        **kwargs: Any,
    ):
        super().__init__(
            num_heads, key_dim, value_dim, dropout, causal, max_length, whole_number("rank", rank, 1), **kwargs
        )
        self.reach = whole_number("reach", reach, 0, "tokens")

    def bias(self, queries: Any, keys: Any) -> Any:
        near = SlidingWindow(self.reach).allowed(ops.expand_dims(ops.arange(queries), 1), ops.arange(keys))
        return ops.where(near, super().bias(queries, keys), 0.0)

    def sums(self, columns: Any, causal: bool) -> Any:
        # What exp(w) adds to 1 is not zero near by only.
        window = SlidingWindow(self.reach, one_sided=causal)
        length = ops.shape(columns)[2]
        biases = Blocks(window.window, 1, length)
        left, right = (self.rows(side, length) for side in (self.left, self.right))
        left, right = biases.cut(left), biases.around(biases.cut(right))
        added = ops.exp(ops.matmul(left, ops.swapaxes(right, -1, -2))) - 1.0
        added = ops.where(ops.expand_dims(window.allowed(*biases.positions()), (0, 3)), added, 0.0)
        blocks = Blocks(window.window, ops.shape(columns)[0], length)
        near = blocks.around(blocks.cut(ops.transpose(columns, (0, 2, 1, 3))))
        near = ops.transpose(blocks.join(blocks.fold(ops.matmul(added, near))), (0, 2, 1, 3))
        return AFTSimple.sums(self, columns, causal) + near

    def rows(self, side: Any, length: Any) -> Any:
        """Return the first rows of a factor, float32 [1, length, 1, rank]."""
        return ops.expand_dims(ops.cast(side[:length], "float32"), (0, 2))


@keras.saving.register_keras_serializable(package="attention_zoo")
class AFTConv(AFTSimple):
    """Let the bias of near pairs depend on their distance alone: a depthwise convolution of each head.

    output[q] = sigmoid(Q_q) * sum_k exp(K_k + w_(k-q)) V_k / sum_k exp(K_k + w_(k-q)), w = 0 beyond the kernel

    Args:
        num_heads: heads, each with a kernel of its own.
        key_dim: channels of each head of queries, keys and values.
        value_dim: None or `key_dim`.
        dropout: share of the heads' outputs dropped while training.
        causal: hide later keys.
        kernel_size: odd width of the kernel (tokens).
        **kwargs: as for `MultiHeadAttention`; position "none", "sinusoidal" or "learned".

    Call:
        as `AFTSimple`.

    Returns:
        [batch, query, output width].

    Raises:
        ZooValueError: as `AFTSimple`; if kernel_size is even or under 1.

    Cost: time batch x length x channels x kernel_size, memory batch x length x channels; else as `AFTSimple`.
    Source: Zhai et al. 2021, arXiv:2105.14103, section 3.2 ("AFT-conv"). Differs: one axis of positions, kernels are
    not normalised.
    """

    own = ("causal", "kernel_size")

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        causal: bool = False,
        kernel_size: int = 11,
        **kwargs: Any,
    ):
        super().__init__(num_heads, key_dim, value_dim, dropout, causal, **kwargs)
        if not whole_number("kernel_size", kernel_size, 1, "tokens") % 2:
            raise ZooValueError(f"kernel_size must be odd (tokens), got {kernel_size}")
        self.kernel_size = kernel_size

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> None:
        super().build(query_shape, value_shape, key_shape)
        shape = (self.num_heads, self.kernel_size)
        self.taps = self.add_weight(shape=shape, initializer="random_normal", name="convolution")

    def bias(self, queries: Any, keys: Any) -> Any:
        half = self.kernel_size // 2
        distance = ops.expand_dims(ops.arange(keys), 0) - ops.expand_dims(ops.arange(queries), 1)
        found = ops.take(ops.cast(self.taps, "float32"), ops.clip(distance, -half, half) + half, axis=1)
        return ops.where(ops.abs(distance) <= half, found, 0.0)

    def sums(self, columns: Any, causal: bool) -> Any:
        kernel = ops.exp(ops.cast(self.taps, "float32")) - 1.0
        if causal:
            kernel = ops.where(ops.arange(self.kernel_size) <= self.kernel_size // 2, kernel, 0.0)
        image = ops.transpose(columns, (0, 2, 3, 1))
        kernel = ops.reshape(ops.transpose(kernel), (self.kernel_size, 1, self.num_heads, 1))
        near = ops.depthwise_conv(image, kernel, padding="same", data_format="channels_last")
        return super().sums(columns, causal) + ops.transpose(near, (0, 3, 1, 2))
