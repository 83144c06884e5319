"""Attention to a few points of an image, at places that every query chooses for itself."""

import math
from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Site, site_path, tap
from attention_zoo.core.grids import sample
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.vision.image import ImageMixing, head_width, like_image, split_heads

LEVELS = 4


@keras.saving.register_keras_serializable(package="attention_zoo")
class DeformableAttention(ImageMixing):
    """Read, for every pixel, a few points near it in one or several images, and mix what was read.

    output_q = W_o [sum over levels l and points p of A_qlp (W_v x_l)(place of q in l + D_qlp)], for each head
    A_q = softmax over l, p of W_a z_q, D_q = W_d z_q, z_q = x_1(q); x(...) reads between pixels, zeros beyond the image

    Args:
        num_heads: heads that share the channels.
        points: read in each image by each head.
        levels: number of images, 1 to 4: the first holds the queries, the others are further levels of its pyramid.

    Call:
        inputs: [batch, height, width, channel], the queries and the first level.
        second, third, fourth: the other levels, each of any height and width, with the same channels.

    Returns:
        The shape of `inputs`. Maps are ("batch", "head", "query", "point"), the points level by level.

    Raises:
        ZooValueError: if a number is out of range, another number of images comes, their channels differ, or the heads
            cannot share the channels.

    Cost: time and memory batch x pixels x levels x points x channels: linear in the number of pixels.
    Source: Zhu et al. 2020, arXiv:2010.04159, sections 4.1 and A.4 (initialisation). Offsets are rows and columns, in
    pixels of the level; each level's pixels query by a call of their own.
    """

    settings = ("num_heads", "points", "levels")

    def __init__(self, num_heads: int = 8, points: int = 4, levels: int = 1, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_heads, self.points = whole_number("num_heads", num_heads), whole_number("points", points)
        self.levels = whole_number("levels", levels)
        if levels > LEVELS:
            raise ZooValueError(f"levels must be at most {LEVELS}, got {levels}")

    def build(
        self, inputs_shape: Any, second_shape: Any = None, third_shape: Any = None, fourth_shape: Any = None
    ) -> None:
        given = [shape for shape in (inputs_shape, second_shape, third_shape, fourth_shape) if shape is not None]
        width = inputs_shape[-1]
        if len(given) != self.levels or any(shape[-1] != width for shape in given):
            raise ZooValueError(f"inputs must be {self.levels} images (levels) of one width, got shapes {given}")
        head_width(width, self.num_heads)
        count = self.num_heads * self.levels * self.points
        self.value_dense, self.output_dense = self.dense("value", width, width), self.dense("output", width, width)
        self.weights_dense = self.dense("weights", width, count, kernel_initializer="zeros")
        self.offset_dense = self.dense(
            "offset", width, 2 * count, kernel_initializer="zeros", bias_initializer=self._compass
        )

    def compute_output_shape(
        self, inputs_shape: Any, second_shape: Any = None, third_shape: Any = None, fourth_shape: Any = None
    ) -> tuple:
        return tuple(inputs_shape)

    def _compass(self, shape: Any, dtype: Any = None) -> Any:
        """Return offsets that send each head in a direction of its own, the points one pixel apart."""
        places = []
        for head in range(self.num_heads):
            angle = 2 * math.pi * head / self.num_heads
            down, right = math.sin(angle), math.cos(angle)
            largest = max(abs(down), abs(right))
            steps = [(down / largest * step, right / largest * step) for step in range(1, self.points + 1)]
            places += [place for step in steps * self.levels for place in step]
        return ops.reshape(ops.convert_to_tensor(places, dtype=dtype), shape)

    def call(self, inputs: Any, second: Any = None, third: Any = None, fourth: Any = None) -> Any:
        images = [image for image in (inputs, second, third, fourth) if image is not None]
        batch, height, width = ops.shape(inputs)[:3]
        heads, kinds = self.num_heads, self.levels * self.points
        shape = (batch, height * width, heads, kinds)
        scores = ops.transpose(ops.reshape(self.weights_dense(inputs), shape), (0, 2, 1, 3))
        site = Site(site_path(self), "mix", ("batch", "head", "query", "point"))
        weights = tap(site, ops.cast(self.normalizer.normalize(scores), inputs.dtype))
        offsets = ops.reshape(ops.cast(self.offset_dense(inputs), "float32"), (*shape[:3], self.levels, self.points, 2))
        read = []
        for level, image in enumerate(images):
            places = offsets[:, :, :, level] + ops.expand_dims(
                _places((height, width), ops.shape(image)[1:3]), (0, 2, 3)
            )
            read.append(self._read(image, places))
        # A product of weights and points for each query, without a matrix of one row each.
        mixed = ops.sum(ops.expand_dims(weights, 4) * ops.concatenate(read, axis=3), axis=3)
        mixed = ops.reshape(ops.transpose(mixed, (0, 2, 1, 3)), (batch, height * width, inputs.shape[-1]))
        return self.output_dense(like_image(mixed, inputs))

    def _read(self, image: Any, places: Any) -> Any:
        """Read the values of an image at [batch, query, head, point, 2]: [batch, head, query, point, channel]."""
        shape, (height, width) = ops.shape(places), ops.shape(image)[1:3]
        value = ops.transpose(split_heads(self.value_dense(image), self.num_heads), (0, 2, 1, 3))
        channels = value.shape[-1]
        value = ops.reshape(value, (shape[0] * self.num_heads, height, width, channels))
        places = ops.transpose(places, (0, 2, 1, 3, 4))
        places = ops.reshape(places, (shape[0] * self.num_heads, shape[1] * self.points, 2))
        return ops.reshape(sample(value, places), (shape[0], self.num_heads, shape[1], self.points, channels))


def _places(size: tuple[Any, Any], other: tuple[Any, Any]) -> Any:
    """Return where the pixels of an image of `size` lie in one of the size `other`: float32 [pixel, 2]."""
    axes = []
    for count, wanted in zip(size, other):
        centres = ops.cast(ops.arange(count), "float32") + 0.5
        axes.append(centres * (ops.cast(wanted, "float32") / ops.cast(count, "float32")) - 0.5)
    pairs = [ops.broadcast_to(places, size) for places in (ops.expand_dims(axes[0], 1), axes[1])]
    return ops.reshape(ops.stack(pairs, axis=-1), (size[0] * size[1], 2))
