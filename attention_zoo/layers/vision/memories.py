"""Attention through a few vectors that stand for the whole image: gathered from it, or learned."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Site, site_path, tap
from attention_zoo.layers.vision.image import ImageMixing, head_width, like_image, share_of


@keras.saving.register_keras_serializable(package="attention_zoo")
class DoubleAttention(ImageMixing):
    """Gather the image into a few vectors, then give every pixel the mixture of them that it asks for.

    gather: G_n = sum_i b_n,i W_a x_i, b_n = softmax over pixels of w_n . x_i
    distribute: output_i = x_i + W_z sum_n v_i,n G_n, v_i = softmax over n of u_n . x_i

    Args:
        units: channels of what is gathered; None is half of the inputs'.
        maps: number of vectors; None is half of the inputs' channels.

    Call:
        inputs: [batch, height, width, channel].

    Returns:
        The same shape. Maps are ("batch", "map", "key") at `<layer>/gather`, with pixels as keys, and
        ("batch", "query", "map") at `<layer>/distribute`, with pixels as queries.

    Raises:
        ZooValueError: if units or maps is under 1.

    Cost: time batch x pixels x maps x units, memory batch x pixels x (maps + units).
    Source: Chen et al. 2018, arXiv:1810.11579.
    """

    settings = ("units", "maps")

    def __init__(self, units: int | None = None, maps: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = None if units is None else whole_number("units", units, unit="channels")
        self.maps = None if maps is None else whole_number("maps", maps)

    def build(self, inputs_shape: Any) -> None:
        width = inputs_shape[-1]
        units, maps = self.units or share_of(width, 2), self.maps or share_of(width, 2)
        self.value_dense = self.dense("value", width, units)
        self.gather_dense = self.dense("gather", width, maps, False)
        self.distribute_dense = self.dense("distribute", width, maps)
        self.output_dense = self.dense("output", units, width)

    def call(self, inputs: Any) -> Any:
        shape = ops.shape(inputs)
        pixels = ops.reshape(inputs, (shape[0], shape[1] * shape[2], inputs.shape[-1]))
        scores = ops.swapaxes(self.gather_dense(pixels), 1, 2)
        gather = self._tapped("gather", ("batch", "map", "key"), scores)
        gathered = ops.matmul(gather, self.value_dense(pixels))
        distribute = self._tapped("distribute", ("batch", "query", "map"), self.distribute_dense(pixels))
        return inputs + self.output_dense(like_image(ops.matmul(distribute, gathered), inputs))

    def _tapped(self, name: str, axes: tuple[str, ...], scores: Any) -> Any:
        """Normalise scores along the last axis and pass them through the tap."""
        weights = ops.cast(self.normalizer.normalize(scores), scores.dtype)
        return tap(Site(f"{site_path(self)}/{name}", "mix", axes), weights)


@keras.saving.register_keras_serializable(package="attention_zoo")
class ExternalAttention(ImageMixing):
    """Attend to learned keys and values that all images share, with rows and columns of the map normalised.

    s_i,k = (W_q x_i) . M_k, a_i,k = e_i,k / sum_k e_i,k with e_i,k = exp(s_i,k) / sum_i exp(s_i,k)
    output_i = W_o sum_k a_i,k N_k

    Args:
        memory: number of keys M and values N.
        num_heads: heads, which share the memory.

    Call:
        inputs: [batch, height, width, channel].

    Returns:
        The same shape. Maps are ("batch", "head", "query", "key"), with the memory as keys.

    Raises:
        ZooValueError: if an argument is under 1, or the channels cannot be shared by the heads.

    Cost: time batch x pixels x memory x channels, memory batch x heads x pixels x memory.
    Source: Guo et al. 2021, arXiv:2105.02358, sections 3.1 to 3.3. The double normalisation is written as
    softmax over k of s_i,k - log sum_i exp(s_i,k): the same, and it cannot divide by zero.
    """

    settings = ("memory", "num_heads")

    def __init__(self, memory: int = 64, num_heads: int = 1, **kwargs: Any):
        super().__init__(**kwargs)
        self.memory, self.num_heads = whole_number("memory", memory), whole_number("num_heads", num_heads)

    def build(self, inputs_shape: Any) -> None:
        width = inputs_shape[-1]
        channels = head_width(width, self.num_heads)
        # A bias would shift all pixels' scores of a key alike, which the first normalisation takes back.
        self.query_dense = self.dense("query", width, width, False)
        self.output_dense = self.dense("output", width, width)
        self.keys = self.add_weight(shape=(self.memory, channels), initializer="glorot_uniform", name="keys")
        self.values = self.add_weight(shape=(self.memory, channels), initializer="glorot_uniform", name="values")

    def call(self, inputs: Any) -> Any:
        query = self.query_dense(inputs)
        shape = (ops.shape(inputs)[0], self.memory, self.num_heads, self.keys.shape[-1])
        tables = (ops.expand_dims(ops.cast(table, query.dtype), (0, 2)) for table in (self.keys, self.values))
        flat = (*shape[:2], shape[2] * shape[3])
        key, value = (ops.reshape(ops.broadcast_to(table, shape), flat) for table in tables)
        mixed = self.mix(query, key, value, heads=self.num_heads, mix_scores=_less_crowded)
        return self.output_dense(like_image(mixed, inputs))


def _less_crowded(scores: Any) -> Any:
    """Take from the scores of each key [batch, head, query, key] the logarithm of its sum over the queries."""
    scores = ops.cast(scores, "float32")
    return scores - ops.logsumexp(scores, axis=2, keepdims=True)
