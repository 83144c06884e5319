"""Biases: numbers added to the scores by where query and key stand, whatever they hold."""

import math
from typing import Any

import numpy as np
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core.part import register
from attention_zoo.core.positions import Places, Position
from attention_zoo.errors import ZooValueError


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

    def bias(self, places: Places) -> Any:
        slopes = ops.reshape(ops.convert_to_tensor(self.slopes), (-1, 1, 1))
        return -slopes * ops.cast(ops.expand_dims(ops.abs(places.distance), 0), "float32")


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

    def bias(self, places: Places) -> Any:
        return _by_pair(self.table, self.bucket(places.distance))

    def bucket(self, distance: Any) -> Any:
        """Return the bucket of each int distance key - query."""
        buckets = self.buckets // 2 if self.bidirectional else self.buckets
        start = ops.cast(distance > 0, "int32") * buckets if self.bidirectional else 0
        steps = ops.abs(distance) if self.bidirectional else ops.maximum(-distance, 0)
        exact = buckets // 2
        ratio = ops.log(ops.cast(ops.maximum(steps, 1), "float32") / exact) / math.log(self.max_distance / exact)
        far = exact + ops.cast(ratio * (buckets - exact), "int32")
        return start + ops.where(steps < exact, steps, ops.minimum(far, buckets - 1))


class _Grid(Position):
    """Shared by the biases by the offset (dy, dx) of two tokens of a grid that is read row by row.

    A subclass gives `table`: the number of each offset and head.
    """

    by_place = True

    def __init__(self, size: tuple[int, int] = (7, 7), **kwargs: Any):
        super().__init__(**kwargs)
        if len(size) != 2 or min(size) < 1:
            raise ZooValueError(f"size must be two numbers of at least 1 (rows, columns), got {size}")
        self.size = tuple(size)

    def get_config(self) -> dict:
        return {**super().get_config(), "size": self.size}

    @property
    def offsets(self) -> int:
        """How many offsets there are: (2 rows - 1) (2 columns - 1)."""
        return (2 * self.size[0] - 1) * (2 * self.size[1] - 1)

    def bias(self, places: Places) -> Any:
        rows, columns = self.size
        (query_row, query_column), (key_row, key_column) = (self.cell(place) for place in places)
        down, right = query_row - key_row + rows - 1, query_column - key_column + columns - 1
        return _by_pair(self.numbers(), down * (2 * columns - 1) + right)

    def cell(self, places: Any) -> tuple[Any, Any]:
        """Return row and column; a token beyond the grid counts to its last row."""
        rows, columns = self.size
        return ops.minimum(places // columns, rows - 1), places % columns

    def numbers(self) -> Any:
        """Return what is added for each offset, query minus key, [offset, head]; rows first."""
        return self.table


@register("position", "relative_table")
class RelativeTable(_Grid):
    """Add a learned number for each head and offset of two tokens in a grid: score += table[dy, dx]

    Args:
        size: rows and columns of the grid (tokens), which is read row by row; a window's size.

    Raises:
        ZooValueError: if size is not two numbers of at least 1.

    Cost: a table of (2 rows - 1)(2 columns - 1) numbers for each head.
    Source: Liu et al. 2021, arXiv:2103.14030, section 3.2 ("relative position bias").
    """

    def build(self, heads_shape: tuple) -> None:
        self.table = self.add_weight(shape=(self.offsets, heads_shape[0]), initializer="random_normal", name="table")


@register("position", "continuous_bias")
class ContinuousBias(_Grid):
    """Add a small network's answer to the offset of two tokens in a grid, on a logarithmic scale.

    score += W_2 relu(W_1 [s(dy); s(dx)] + b_1), s(x) = sign(x) log(1 + |x|); so a model can be moved to larger windows.

    Args:
        size: rows and columns of the grid (tokens), which is read row by row.
        hidden: units of the network, at least 1.

    Raises:
        ZooValueError: if size is not two numbers of at least 1, or hidden < 1.

    Cost: the network runs once for each of (2 rows - 1)(2 columns - 1) offsets.
    Source: Liu et al. 2021, arXiv:2111.09883, section 3.3 ("log-spaced continuous position bias").
    """

    def __init__(self, size: tuple[int, int] = (7, 7), hidden: int = 64, **kwargs: Any):
        super().__init__(size, **kwargs)
        whole_number("hidden", hidden)
        self.hidden = hidden

    def get_config(self) -> dict:
        return {**super().get_config(), "hidden": self.hidden}

    def build(self, heads_shape: tuple) -> None:
        self.first_kernel = self.add_weight(shape=(2, self.hidden), name="first_kernel")
        self.first_bias = self.add_weight(shape=(self.hidden,), initializer="zeros", name="first_bias")
        self.second_kernel = self.add_weight(shape=(self.hidden, heads_shape[0]), name="second_kernel")

    def numbers(self) -> Any:
        rows, columns = self.size
        grid = np.meshgrid(np.arange(1 - rows, rows), np.arange(1 - columns, columns), indexing="ij")
        offsets = np.stack([axis.ravel() for axis in grid], axis=-1)
        offsets = ops.convert_to_tensor((np.sign(offsets) * np.log1p(np.abs(offsets))).astype("float32"))
        first, second = ops.cast(self.first_kernel, "float32"), ops.cast(self.second_kernel, "float32")
        return ops.matmul(ops.relu(ops.matmul(offsets, first) + ops.cast(self.first_bias, "float32")), second)


def _by_pair(table: Any, rows: Any) -> Any:
    """Pick rows [query, key] of a table [row, head]: float32 [head, query, key]."""
    return ops.transpose(ops.cast(ops.take(table, rows, axis=0), "float32"), (2, 0, 1))
