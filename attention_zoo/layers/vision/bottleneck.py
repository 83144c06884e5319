"""Attention with two-dimensional relative places: over the whole image, and over blocks with a halo."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core.grids import Windows, around, relative_scores, steps
from attention_zoo.layers.vision.image import ImageMixing, head_width, like_image, split_heads


class _Relative(ImageMixing):
    """Shared by the layers that score queries against relative rows and columns, with one table for all heads."""

    def __init__(self, num_heads: int, **kwargs: Any):
        super().__init__(score="scaled_dot", **kwargs)
        self.num_heads = whole_number("num_heads", num_heads)

    def make(self, width: int, reach: int) -> None:
        """Create the projections, and tables that tell `reach` steps in each direction apart."""
        channels = head_width(width, self.num_heads)
        self.reach = reach
        for name in ("query", "key", "value"):
            setattr(self, f"{name}_dense", self.dense(name, width, width, False))
        self.output_dense = self.dense("output", width, width)
        options = {"shape": (2 * reach + 1, channels), "initializer": keras.initializers.RandomNormal(stddev=0.02)}
        self.rows = self.add_weight(name="rows", **options)
        self.columns = self.add_weight(name="columns", **options)

    def relative(self, query: Any, size: tuple[Any, Any], key_size: tuple[Any, Any], start: int = 0) -> Any:
        """Return a function that adds to the scores what queries [batch, length, head x channel] make of the places.

        Args:
            query: the queries, not scaled.
            size: height and width that their length stands for.
            key_size: the same for the keys.
            start: row and column of the first key, as seen from the first query.
        """
        heads = ops.transpose(split_heads(query, self.num_heads), (0, 2, 1, 3))
        shape, channels = ops.shape(heads), heads.shape[-1]
        heads = ops.reshape(heads * channels**-0.5, (shape[0], self.num_heads, *size, channels))
        tables = [
            ops.take(ops.cast(table, query.dtype), steps(queries, keys, self.reach, start), axis=0)
            for table, queries, keys in zip((self.rows, self.columns), size, key_size)
        ]
        extra = relative_scores(heads, *tables)
        return lambda scores: scores + extra


@keras.saving.register_keras_serializable(package="attention_zoo")
class BottleneckAttention(_Relative):
    """Attend over the whole image, with a learned vector for each relative row and each relative column.

    score(i, j) = q_i . (k_j + r_(row of j - row of i) + s_(column of j - column of i)) / sqrt(channels of a head)

    Args:
        num_heads: heads that share the channels; the vectors r and s are the same for all.
        max_size: height and width up to which relative places are told apart (pixels); farther ones count as the last.

    Call:
        inputs: [batch, height, width, channel]; any height and width.

    Returns:
        The same shape. Maps are ("batch", "head", "query", "key").

    Raises:
        ZooValueError: if an argument is under 1, or the heads cannot share the channels.

    Cost: time and memory batch x heads x pixels x pixels.
    Source: Srinivas et al. 2021, arXiv:2101.11605, section 3 and figure 4. Differs: the tables have a size of their
    own, so that images of any size can be read; an output projection, as in other multi-head attention.
    """

    settings = ("num_heads", "max_size")

    def __init__(self, num_heads: int = 4, max_size: int = 32, **kwargs: Any):
        super().__init__(num_heads, **kwargs)
        self.max_size = whole_number("max_size", max_size, unit="pixels")

    def build(self, inputs_shape: Any) -> None:
        self.make(inputs_shape[-1], self.max_size - 1)

    def call(self, inputs: Any) -> Any:
        query, key, value = (dense(inputs) for dense in (self.query_dense, self.key_dense, self.value_dense))
        size = ops.shape(inputs)[1:3]
        extra = self.relative(query, size, size)
        mixed = self.mix(query, key, value, heads=self.num_heads, mix_scores=extra)
        return self.output_dense(like_image(mixed, inputs))


@keras.saving.register_keras_serializable(package="attention_zoo")
class HaloAttention(_Relative):
    """Cut the image into blocks and let each attend to itself and a halo of pixels around it.

    output_i = sum of softmax(q_i . (k_j + r + s) / sqrt(channels of a head)) v_j over j in the block of i and its halo;
    r and s are learned vectors of the relative row and column

    Args:
        num_heads: heads that share the channels; the vectors r and s are the same for all.
        block: height and width of a block (pixels).
        halo: pixels on each side of the block that it sees.

    Call:
        inputs: [batch, height, width, channel]; any height and width: what is missing in the last blocks, and the halo
            beyond the image, is hidden.

    Returns:
        The same shape. Maps are ("batch", "head", "query", "key"), with the blocks counted as batch: [batch x blocks,
        heads, block^2, (block + 2 halo)^2]. Rows of padding are zero.

    Raises:
        ZooValueError: if a number of heads or pixels is too small, or the heads cannot share the channels.

    Cost: time and memory batch x heads x pixels x (block + 2 halo)^2.
    Source: Vaswani et al. 2021, arXiv:2103.12731, section 2.2. Differs: an output projection, as in other multi-head
    attention.
    """

    settings = ("num_heads", "block", "halo")

    def __init__(self, num_heads: int = 4, block: int = 8, halo: int = 3, **kwargs: Any):
        super().__init__(num_heads, **kwargs)
        self.block = whole_number("block", block, unit="pixels")
        self.halo = whole_number("halo", halo, 0, "pixels")

    def build(self, inputs_shape: Any) -> None:
        self.make(inputs_shape[-1], self.block + self.halo - 1)

    def call(self, inputs: Any) -> Any:
        size, reach = (self.block, self.block), self.block + 2 * self.halo
        windows = Windows(inputs, size)
        query = windows.cut(self.query_dense(inputs))
        key, value = (around(dense(inputs), size, self.halo) for dense in (self.key_dense, self.value_dense))
        seen = around(ops.ones_like(inputs[..., :1]), size, self.halo)[..., 0] > 0
        extra = self.relative(query, size, (reach, reach), -self.halo)
        masks = windows.masks()._replace(keys=seen)
        mixed = self.mix(query, key, value, heads=self.num_heads, masks=masks, mix_scores=extra)
        return self.output_dense(windows.join(mixed))
