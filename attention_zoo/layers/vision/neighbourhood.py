"""Attention of every pixel to the pixels around it."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Site, site_path, tap
from attention_zoo.core.attend import MAP_AXES
from attention_zoo.core.grids import nearest, unfold
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.vision.image import ImageMixing, head_width, like_image


class _Around(ImageMixing):
    """Shared by the layers in which every pixel has keys of its own, all of one number."""

    settings = ("num_heads", "kernel")

    def __init__(self, num_heads: int = 4, kernel: int = 7, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_heads, self.kernel = whole_number("num_heads", num_heads), whole_number("kernel", kernel)
        if kernel % 2 == 0:
            raise ZooValueError(f"kernel must be odd (pixels), got {kernel}")

    def make(self, width: int, use_bias: bool) -> int:
        """Create the projections; return the channels of a head."""
        for name in ("query", "key", "value"):
            setattr(self, f"{name}_dense", self.dense(name, width, width, use_bias))
        self.output_dense = self.dense("output", width, width)
        return head_width(width, self.num_heads)

    def mix_around(self, query: Any, keys: Any, values: Any, bias: Any, seen: Any) -> Any:
        """Attend from every pixel to neighbours of its own.

        Args:
            query: [batch, pixel, head, channel], scaled.
            keys: [batch, pixel, neighbour, head, channel].
            values: likewise.
            bias: added to the scores [batch, pixel, head, neighbour], or None.
            seen: bool [pixel, neighbour].

        Returns:
            [batch, pixel, head x channel].
        """
        keys, values = (ops.transpose(array, (0, 1, 3, 2, 4)) for array in (keys, values))
        scores = ops.squeeze(ops.matmul(keys, ops.expand_dims(query, 4)), 4)
        scores = ops.cast(scores, "float32") if bias is None else ops.cast(scores, "float32") + bias
        weights = self.normalizer.normalize(scores, ops.expand_dims(seen, (0, 2)))
        weights = ops.transpose(ops.cast(weights, values.dtype), (0, 2, 1, 3))
        weights = ops.transpose(tap(Site(site_path(self), "mix", MAP_AXES), weights), (0, 2, 1, 3))
        mixed, shape = ops.squeeze(ops.matmul(ops.expand_dims(weights, 3), values), 3), ops.shape(query)
        return ops.reshape(mixed, (shape[0], shape[1], shape[2] * shape[3]))

    def apart(self, array: Any, *axes: int) -> Any:
        """Bring [batch, height, width, <axes>, head x channel] to [batch, pixel, <axes>, head, channel]."""
        shape, channels = ops.shape(array), array.shape[-1] // self.num_heads
        return ops.reshape(array, (shape[0], shape[1] * shape[2], *axes, self.num_heads, channels))


@keras.saving.register_keras_serializable(package="attention_zoo")
class NeighbourhoodAttention(_Around):
    """Let every pixel attend to the K x K pixels nearest to it, with a bias for each relative place.

    output_i = W_o sum_j softmax over the neighbours j of i of (q_i . k_j / sqrt(channels of a head) + B[j - i]) v_j

    At the border a pixel keeps K x K neighbours, which then lie to one side. In an image smaller than K all are seen.

    Args:
        num_heads: heads that share the channels.
        kernel: K, neighbours along each axis (pixels), odd.

    Call:
        inputs: [batch, height, width, channel].

    Returns:
        The same shape. Maps are ("batch", "head", "query", "key"), the keys being the K^2 neighbours in order of rows.

    Raises:
        ZooValueError: if a number is under 1, kernel is even, or the heads cannot share the channels.

    Cost: time and memory batch x pixels x K^2 x channels.
    Source: Hassani et al. 2022, arXiv:2204.07143, section 3.1.
    """

    def build(self, inputs_shape: Any) -> None:
        self.make(inputs_shape[-1], True)
        shape = ((2 * self.kernel - 1) ** 2, self.num_heads)
        start = keras.initializers.TruncatedNormal(stddev=0.02)
        self.table = self.add_weight(name="table", shape=shape, initializer=start)

    def call(self, inputs: Any) -> Any:
        query = self.apart(self.query_dense(inputs))
        rows, columns = (nearest(size, self.kernel) for size in ops.shape(inputs)[1:3])
        keys, values = (self._near(dense(inputs), rows, columns) for dense in (self.key_dense, self.value_dense))
        sides = [ops.expand_dims(ops.arange(ops.shape(places)[0]), 1) for places in (rows, columns)]
        away = [places - side + self.kernel - 1 for places, side in zip((rows, columns), sides)]
        away = [ops.clip(steps_away, 0, 2 * self.kernel - 2) for steps_away in away]
        entries = _pairs(away[0] * (2 * self.kernel - 1), away[1], ops.add)
        bias = ops.transpose(ops.take(ops.cast(self.table, "float32"), entries, axis=0), (0, 2, 1))
        seen = _pairs(*(p < size for p, size in zip((rows, columns), ops.shape(inputs)[1:3])), ops.logical_and)
        scale = query.shape[-1] ** -0.5
        return self.output_dense(like_image(self.mix_around(query * scale, keys, values, bias, seen), inputs))

    def _near(self, image: Any, rows: Any, columns: Any) -> Any:
        """Take the neighbours of every pixel: [batch, pixel, neighbour, head, channel]."""
        for axis, places in ((1, rows), (3, columns)):
            last = ops.shape(image)[axis] - 1
            image = ops.take(image, ops.minimum(places, last), axis=axis)
        image = ops.transpose(image, (0, 1, 3, 2, 4, 5))
        shape = ops.shape(image)
        flat = ops.reshape(image, (shape[0], shape[1], shape[2], self.kernel**2, image.shape[-1]))
        return self.apart(flat, self.kernel**2)


@keras.saving.register_keras_serializable(package="attention_zoo")
class StandAloneAttention(_Around):
    """Put attention over the K x K pixels around each pixel in the place of a convolution.

    output_i = W_o sum_j softmax over the pixels j around i of (q_i . k_j + q_i . [r_(row of j - row of i);
    s_(column of j - column of i)]) v_j; r and s are learned vectors of half of a head's channels

    Args:
        num_heads: heads that share the channels; each must get an even number.
        kernel: K, pixels along each axis, odd.

    Call:
        inputs: [batch, height, width, channel]; places beyond the image are hidden.

    Returns:
        The same shape. Maps are ("batch", "head", "query", "key"), the keys being the K^2 places in order of rows.

    Raises:
        ZooValueError: if a number is under 1, kernel is even, or the heads cannot share the channels evenly.

    Cost: time and memory batch x pixels x K^2 x channels.
    Source: Ramachandran et al. 2019, arXiv:1906.05909. Differs: an output projection, as in other multi-head
    attention; the vectors r and s are the same for all heads.
    """

    def build(self, inputs_shape: Any) -> None:
        channels = self.make(inputs_shape[-1], False)
        if channels % 2:
            raise ZooValueError(f"num_heads must leave an even number of channels for each head, got {channels}")
        options = {"shape": (self.kernel, channels // 2), "initializer": keras.initializers.RandomNormal(stddev=0.02)}
        self.rows, self.columns = self.add_weight(name="rows", **options), self.add_weight(name="columns", **options)

    def call(self, inputs: Any) -> Any:
        area, query = self.kernel**2, self.apart(self.query_dense(inputs))
        keys, values = (
            self.apart(unfold(dense(inputs), self.kernel), area) for dense in (self.key_dense, self.value_dense)
        )
        ones = unfold(ops.ones_like(inputs[:1, :, :, :1]), self.kernel)
        seen = ops.reshape(ones, (-1, area)) > 0
        shape = (self.kernel, self.kernel, self.rows.shape[-1])
        sides = [ops.broadcast_to(side, shape) for side in (ops.expand_dims(self.rows, 1), self.columns)]
        places = ops.cast(ops.reshape(ops.concatenate(sides, axis=-1), (area, -1)), query.dtype)
        bias = ops.cast(ops.matmul(query, ops.transpose(places)), "float32")
        return self.output_dense(like_image(self.mix_around(query, keys, values, bias, seen), inputs))


def _pairs(rows: Any, columns: Any, join: Any) -> Any:
    """Join [height, K] and [width, K] to [height x width, K x K]."""
    joined = join(ops.expand_dims(rows, (1, 3)), ops.expand_dims(columns, (0, 2)))
    shape = ops.shape(joined)
    return ops.reshape(joined, (shape[0] * shape[1], shape[2] * shape[3]))
