"""Attention of every pixel to keys that are read at places the image itself chooses (DAT)."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core.grids import sample
from attention_zoo.layers.vision.image import ImageMixing, head_width, like_image


@keras.saving.register_keras_serializable(package="attention_zoo")
class DeformableKeyAttention(ImageMixing):
    """Spread points evenly over the image, move them by a small network, and attend to what is read there.

    p = even points + s tanh(network(q)), z = x read at p, output_i = W_o sum_j softmax over points j of
    (q_i . k(z_j) / sqrt(channels of a head) + B(place of i - p_j)) v(z_j); B reads between the entries of a table

    Args:
        num_heads: heads that share the channels.
        groups: of channels (and heads) that move their points by themselves; divides `num_heads`.
        stride: pixels along each axis for one point.
        reach: s, how far a point may move (distances between points).
        kernel: of the network's depthwise convolution (pixels), odd.
        table: entries of B along each axis, for places from one end of the image to the other; 0 leaves B out.

    Call:
        inputs: [batch, height, width, channel]; any height and width.

    Returns:
        The same shape. Maps are ("batch", "head", "query", "key"), the points as keys.

    Raises:
        ZooValueError: if a number is out of range, or heads, groups and channels do not divide.

    Cost: time and memory batch x heads x pixels x pixels / stride^2.
    Source: Xia et al. 2022, arXiv:2201.00520, section 3.2. Differs: points lie in the middle of equal parts of the
    image, and the table has a size of its own, so that images of any size can be read.
    """

    settings = ("num_heads", "groups", "stride", "reach", "kernel", "table")

    def __init__(
        self,
        num_heads: int = 4,
        groups: int = 1,
        stride: int = 4,
        reach: float = 2.0,
        kernel: int = 5,
        table: int = 13,
        **kwargs: Any,
    ):
        super().__init__(score="scaled_dot", **kwargs)
        self.num_heads, self.groups = whole_number("num_heads", num_heads), whole_number("groups", groups)
        head_width(num_heads, groups, "groups (of the heads)")
        self.stride, self.kernel = (whole_number(*pair) for pair in (("stride", stride), ("kernel", kernel)))
        self.reach, self.table = reach, whole_number("table", table, 0)

    def build(self, inputs_shape: Any) -> None:
        width = inputs_shape[-1]
        head_width(width, self.num_heads)
        part = width // self.groups
        for name in ("query", "key", "value", "output"):
            setattr(self, f"{name}_dense", self.dense(name, width, width))
        # In float32 whatever the policy: a place that is off by a little is another place.
        self.offset_convolution = keras.layers.DepthwiseConv2D(
            self.kernel, strides=self.stride, padding="same", name="offset_depthwise", dtype="float32"
        )
        self.offset_convolution.build((None, None, None, part))
        self.offset_norm = self.norm("offset_norm", part, dtype="float32")
        self.offset_dense = self.dense("offset", part, 2, False, dtype="float32")
        if self.table:
            shape = (self.table, self.table, self.num_heads)
            start = keras.initializers.TruncatedNormal(stddev=0.01)
            self.place_table = self.add_weight(name="table", shape=shape, initializer=start)

    def call(self, inputs: Any) -> Any:
        query = self.query_dense(inputs)
        points = self._points(query)
        read = self._join(sample(self._apart(inputs), points))
        extra = None
        if self.table:
            bias = self._bias(points, ops.shape(inputs))
            extra = lambda scores: ops.cast(scores, "float32") + bias  # noqa: E731
        mixed = self.mix(query, self.key_dense(read), self.value_dense(read), heads=self.num_heads, mix_scores=extra)
        return self.output_dense(like_image(mixed, inputs))

    def _apart(self, image: Any) -> Any:
        """Count the groups of channels as batch: [batch x groups, height, width, channels of a group]."""
        shape, part = ops.shape(image), image.shape[-1] // self.groups
        image = ops.reshape(image, (shape[0], shape[1] * shape[2], self.groups, part))
        return ops.reshape(ops.transpose(image, (0, 2, 1, 3)), (shape[0] * self.groups, shape[1], shape[2], part))

    def _join(self, read: Any) -> Any:
        """Undo `_apart` for what was read: [batch x groups, point, channel] to [batch, point, all channels]."""
        shape = ops.shape(read)
        read = ops.reshape(read, (shape[0] // self.groups, self.groups, shape[1], shape[2]))
        read = ops.transpose(read, (0, 2, 1, 3))
        return ops.reshape(read, (shape[0] // self.groups, shape[1], self.groups * shape[2]))

    def _points(self, query: Any) -> Any:
        """Return the points of each group: float32 [batch x groups, point, 2], in pixels."""
        hidden = ops.gelu(self.offset_norm(self.offset_convolution(self._apart(query))), approximate=False)
        moves = self.reach * ops.tanh(ops.cast(self.offset_dense(hidden), "float32"))
        shape, axes = ops.shape(moves), []
        for axis, size in enumerate(ops.shape(query)[1:3]):
            count = shape[1 + axis]
            places = ops.expand_dims(ops.cast(ops.arange(count), "float32"), 1 - axis) + moves[..., axis] + 0.5
            axes.append(places * (ops.cast(size, "float32") / ops.cast(count, "float32")) - 0.5)
        return ops.reshape(ops.stack(axes, axis=-1), (shape[0], shape[1] * shape[2], 2))

    def _bias(self, points: Any, shape: Any) -> Any:
        """Read the table at the place of every point as seen from every pixel: [batch, head, pixel, point]."""
        grid = [ops.cast(ops.arange(size), "float32") for size in shape[1:3]]
        sizes = (shape[1], shape[2])
        pairs = [ops.broadcast_to(places, sizes) for places in (ops.expand_dims(grid[0], 1), grid[1])]
        pixels = ops.reshape(ops.stack(pairs, axis=-1), (1, shape[1] * shape[2], 1, 2))
        whole = ops.stack([ops.cast(size, "float32") for size in sizes])
        share = (pixels - ops.expand_dims(points, 1)) / whole
        places = ops.clip(0.5 + 0.5 * share, 0.0, 1.0) * (self.table - 1)
        count, heads = ops.shape(points)[1], self.num_heads // self.groups
        places = ops.reshape(places, (ops.shape(points)[0], shape[1] * shape[2] * count, 2))
        table = ops.reshape(ops.cast(self.place_table, "float32"), (self.table, self.table, self.groups, heads))
        tables = ops.expand_dims(ops.transpose(table, (2, 0, 1, 3)), 0)
        tables = ops.broadcast_to(tables, (shape[0], self.groups, self.table, self.table, heads))
        read = sample(ops.reshape(tables, (shape[0] * self.groups, self.table, self.table, heads)), places)
        read = ops.reshape(read, (shape[0], self.groups, shape[1] * shape[2], count, heads))
        read = ops.transpose(read, (0, 1, 4, 2, 3))
        return ops.reshape(read, (shape[0], self.num_heads, shape[1] * shape[2], count))
