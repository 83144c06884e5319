"""Attention of every pixel to its row and its column, twice."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Site, site_path, tap
from attention_zoo.layers.vision.image import ImageMixing, share_of


@keras.saving.register_keras_serializable(package="attention_zoo")
class CrissCrossAttention(ImageMixing):
    """Let every pixel attend to its column and its row, and repeat: after two rounds it has heard of all pixels.

    a_u = softmax over the height + width - 1 pixels i that share u's column or row of q_u . k_i
    output_u = x_u + g sum_i a_u,i v_i, again with the output as x; g = 0 at first

    Args:
        ratio: queries and keys have the inputs' channels over `ratio`.
        recurrence: rounds, with the same weights.

    Call:
        inputs: [batch, height, width, channel].

    Returns:
        The same shape. Maps are ("batch", "height", "width", "key"), one for each round; a key is a pixel of the column
        from top to bottom, then one of the row from left to right. The pixel itself counts in the row: its weight in
        the column is 0.

    Raises:
        ZooValueError: if ratio or recurrence is under 1.

    Cost: time and memory batch x pixels x (height + width), for each round.
    Source: Huang et al. 2018, arXiv:1811.11721, sections 3.2 and 3.3. Differs: the learned share g is that of the
    authors' code.
    """

    settings = ("ratio", "recurrence")

    def __init__(self, ratio: int = 8, recurrence: int = 2, **kwargs: Any):
        super().__init__(**kwargs)
        self.ratio, self.recurrence = whole_number("ratio", ratio), whole_number("recurrence", recurrence)

    def build(self, inputs_shape: Any) -> None:
        width = inputs_shape[-1]
        units = share_of(width, self.ratio)
        self.query_dense, self.key_dense = self.dense("query", width, units), self.dense("key", width, units)
        self.value_dense = self.dense("value", width, width)
        self.gamma = self.add_weight(shape=(), initializer="zeros", name="gamma")

    def call(self, inputs: Any) -> Any:
        for _ in range(self.recurrence):
            inputs = inputs + self.gamma * self._cross(inputs)
        return inputs

    def _cross(self, inputs: Any) -> Any:
        """Mix every pixel's column and row."""
        query, key, value = (dense(inputs) for dense in (self.query_dense, self.key_dense, self.value_dense))
        height = ops.shape(inputs)[1]
        columns = ops.einsum("byxc,bzxc->byxz", query, key)
        rows = ops.einsum("byxc,bywc->byxw", query, key)
        places = ops.arange(height)
        others = ops.not_equal(ops.expand_dims(places, (1, 2)), places)
        mask = ops.concatenate([ops.broadcast_to(others, ops.shape(columns)), ops.ones_like(rows, dtype="bool")], -1)
        weights = self.normalizer.normalize(ops.concatenate([columns, rows], axis=-1), mask)
        site = Site(site_path(self), "mix", ("batch", "height", "width", "key"))
        weights = tap(site, ops.cast(weights, value.dtype))
        down = ops.einsum("byxz,bzxc->byxc", weights[..., :height], value)
        return down + ops.einsum("byxw,bywc->byxc", weights[..., height:], value)
